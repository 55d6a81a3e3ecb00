"""From a decision log to the rows that a ranker learns from: a reaction is found by the completion it names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.anonymize import stage as anonymize
from stages.anonymize.pseudonyms import VARIABLE, pseudonym
from stages.common.messages import part_paths
from stages.common.params import load_params
from stages.dialogues import stage as dialogues
from stages.dialogues.pairs import split_of
from stages.dialogues.stage import ANSWERS, PAIRS
from stages.ingest import stage as ingest
from stages.ranker.reactions import all_replies
from stages.validate import stage as validate
from tests.reach import ROOT
from tests.stages.ingest.readers.decision_log import Record, answer, feedback, reaction, write

PARAMS = ROOT / "params.yaml"
KEY = "ab" * 32

USERS = 12
#: What every user of the server says, and nobody else; what its bot says, and nobody else.
ASKED, TOLD = "my plants need water today", "then water them with a little rain"
REPLIES = ("hello, what shall we talk about today", TOLD, "goodbye and thank you for the talk")

LENIENT: dict[str, Any] = {
    "min_messages": 10, "min_conversations": 5, "max_repeats": 9, "max_repeated_share": 1.0, "reaction_bands": {},
    "max_sender_share": 1.0, "max_one_sender_share": 1.0, "max_only_slots_share": 1.0, "max_label_share": 1.0,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "test_share": 0.25, "validation_share": 0.25, "test_items": 20, "validation_items": 20, "test_pool": 200,
    "validation_pool": 200, "negatives": 5, "ngram_users": [2, 1], "reply_words": [1, 25], "context_turns": 4,
}  # fmt: skip


def name(number: int) -> str:
    """An id as the log keys them."""
    return f"{number:032x}"


def completion(number: int, turn: int) -> str:
    return f"chatcmpl-{number:031x}{turn:x}"


def one_talk(number: int) -> list[Record]:
    """A talk of three answers; every third user asks for the second one anew, and all three rate both."""
    who: dict[str, Any] = {"user": name(number) if number % 4 else None, "talk": name(1000 + number)}
    own = f"and number {number} is a fine number to have"
    start = 1000.0 * number
    first = ["hello bot", REPLIES[0], ASKED, REPLIES[1], own]
    ids = [completion(number, turn) for turn in range(4)]
    records = [
        answer(ids[0], start, *first[:1], reply=REPLIES[0], **who),
        answer(ids[1], start + 20, *first[:3], reply=REPLIES[1], **who),
        answer(ids[2], start + 40, *first, reply=REPLIES[2], **who),
        reaction(ids[1], start + 50, "love"),
    ]
    if number % 3 == 0:
        records.append(answer(ids[3], start + 30, *first[:3], reply="i do not know", **who))
        records.append(reaction(ids[3], start + 31, "downvote"))
    return [*records, feedback(start + 60, thumb="up", **who)]


def native_talks(conversations: int) -> str:
    rows = [
        {
            "conversation_id": f"c{c}", "message_id": str(t), "sender": f"p{(c + t) % 7}",
            "sent_at": f"2026-01-{1 + c % 28:02}T10:{c // 28:02}:{t:02}Z",
            "text": f"this is turn {t} of talk {c}" if t % 3 else "yeah sure",
        }
        for c in range(conversations)
        for t in range(9)
    ]  # fmt: skip
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@dataclass(frozen=True)
class Built:
    """Outputs of the stages, and of `dialogues` also where nothing is withheld."""

    folder: Path

    def table(self, name: str, out: str = "dialogues") -> pl.DataFrame:
        return pl.read_parquet(self.folder / out / f"{name}.parquet")


def make_messages(folder: Path, erased: str = "") -> None:
    """Ingest and anonymise a log of talks between people, and one of a server."""
    write(folder / "logs", *(record for number in range(USERS) for record in one_talk(number)))
    read_logs(folder, erased)


def read_logs(folder: Path, erased: str = "") -> None:
    """Ingest and anonymise what is in `logs`, and talks between people besides."""
    (folder / "erase").mkdir(parents=True)
    (folder / "erase" / "list.txt").write_text(erased)
    logs = folder / "logs"
    (logs / "native.jsonl").write_text(native_talks(80))
    ingest.run(
        load_params(PARAMS, "ingest", ingest.Params).model_copy(
            update={"readers": ["native", "decisions"], "parts": 2, "canaries": []}
        ),
        logs=logs, erase=folder / "erase", out=folder / "ingest",
    )  # fmt: skip
    anonymize.run(
        load_params(PARAMS, "anonymize", anonymize.Params).model_copy(update={"workers": 1}),
        messages=folder / "ingest/messages", participants=folder / "ingest/participants.parquet",
        feedback=folder / "ingest/feedback.parquet", erased=folder / "ingest/erased.parquet",
        out=folder / "anonymize",
    )  # fmt: skip


def build(folder: Path) -> Built:
    """Run the stages, `dialogues` twice."""
    make_messages(folder)
    return make_dialogues(folder)


def make_dialogues(folder: Path) -> Built:
    """Run the stages after `read_logs`."""
    validate.run(
        load_params(PARAMS, "validate", validate.Params).model_copy(update=LENIENT),
        messages=folder / "anonymize/messages", out=folder / "validate",
    )  # fmt: skip
    params = load_params(PARAMS, "dialogues", dialogues.Params).model_copy(update=SMALL)
    for out, withheld in (("dialogues", params.withheld), ("offered", [])):
        chosen = params.model_copy(update={"withheld": withheld})
        dialogues.run(chosen, messages=folder / "validate/messages", out=folder / out)
    return Built(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, KEY)
        return build(tmp_path_factory.mktemp("decisions"))


def test_a_reaction_is_found_by_the_completion_that_it_names_beside_what_it_was_given_for(built: Built) -> None:
    answers = built.table("answers")
    assert answers.columns == list(ANSWERS)
    rated = {row["message_id"]: row for row in answers.drop_nulls("reaction").to_dicts()}
    assert len(rated) == USERS + USERS // 3
    for number in range(USERS):
        row = rated[completion(number, 1)]
        assert (row["source"], row["role"], row["reaction"], row["reply"]) == ("decisions", "bot", "love", TOLD)
        assert row["context"] == ["hello bot", REPLIES[0], ASKED]
        assert row["context_own"] == [False, True, False]
    # Every third answer was made anew: its reaction is its own, its context the same.
    for number in range(0, USERS, 3):
        row = rated[completion(number, 3)]
        assert (row["reaction"], row["reply"]) == ("downvote", "i do not know")
        assert row["context"] == rated[completion(number, 1)]["context"]


def test_the_ranker_learns_from_it_and_can_tell_which_completion_it_was(built: Built) -> None:
    rows = all_replies(built.folder / "dialogues")
    (row,) = rows.filter(message_id=completion(3, 3)).to_dicts()
    assert (row["reaction"], row["reply"], row["context"][-1]) == ("downvote", "i do not know", ASKED)
    assert len(rows) == len(built.table("pairs")) + len(built.table("answers"))


def test_each_answer_and_each_turn_is_one_row_whatever_branched(built: Built) -> None:
    answers, pairs = built.table("answers"), built.table("pairs").filter(source="decisions")
    assert answers["message_id"].is_unique().all()
    assert len(answers) == 3 * USERS + USERS // 3
    assert len(pairs) == 2 * USERS
    card = json.loads((built.folder / "dialogues/dialogues.json").read_text())
    assert card["turns"]["less"]["repeated"] == 3 * (USERS // 3)


def test_what_a_bot_said_is_learnt_from_nowhere_as_if_a_person_had_said_it(built: Built) -> None:
    assert set(built.table("pairs")["role"]) == {"user"}
    assert built.table("pairs").columns == list(PAIRS)
    for out in ("dialogues", "offered"):
        said = [built.table(table, out)["text"] for table in ("replies", "phrases", "test/pool", "validation/pool")]
        assert not any(text.is_in([*REPLIES, "i do not know"]).any() for text in said)
        assert not built.table("traffic", out)["key"].is_in(REPLIES).any()


def test_what_users_of_a_server_say_is_offered_only_if_nothing_is_withheld(built: Built) -> None:
    for table in ("replies", "phrases", "traffic"):
        assert ASKED not in built.table(table)["key"]
    assert ASKED in built.table("pairs")["reply"]
    offered = built.table("phrases", "offered").filter(key=ASKED).to_dicts()
    offered += built.table("traffic", "offered").filter(key=ASKED).to_dicts()
    assert sum(row["count"] for row in offered) == USERS, "a turn that a branch repeats counts once"


def test_a_client_without_user_ids_counts_as_one_sender(built: Built) -> None:
    people = built.table("pairs").filter(source="decisions")["sender"].n_unique()
    assert people == USERS - USERS // 4 + 1


def test_branches_and_all_talks_of_one_person_are_in_one_split(built: Built) -> None:
    rows = pl.concat([built.table("pairs"), built.table("answers").select(PAIRS)]).filter(source="decisions")
    assert rows.group_by("conversation_id").agg(pl.col("split").n_unique())["split"].max() == 1
    assert rows["conversation_id"].n_unique() == USERS
    params = load_params(PARAMS, "dialogues", dialogues.Params)
    shares = {"validation_share": 0.25, "test_share": 0.25}
    for conversation, split in rows.select("conversation_id", "split").unique().iter_rows():
        person = conversation.partition("-")[0]
        assert split == split_of(person, **shares, seed=params.seed)


def test_ids_and_feedback_of_the_server_go_through(built: Built) -> None:
    given = pl.read_parquet(built.folder / "anonymize/feedback.parquet")
    talks = {row["conversation_id"] for row in built.table("answers").to_dicts()}
    assert set(given["conversation_id"]) == talks
    assert set(given.select("scale", "rating").iter_rows()) == {("thumb", 10)}
    card = json.loads((built.folder / "ingest/card.json").read_text())
    counted = card["sources"]["decisions"]["automated"]
    assert counted == {"reaction": USERS + USERS // 3}
    assert json.loads((built.folder / "validate/report.json").read_text())["success"]


def test_a_user_is_erased_by_the_keyed_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    make_messages(tmp_path, erased=f"decisions/{name(1)}\n")
    messages = pl.concat(pl.read_parquet(part) for part in part_paths(tmp_path / "anonymize/messages"))
    theirs = pseudonym(bytes.fromhex(KEY), "decisions", name(1))
    assert json.loads((tmp_path / "anonymize/erased.json").read_text()) == {"messages": 3, "senders": [theirs]}
    assert theirs not in set(messages["sender"])
    assert not messages["text"].str.contains("number 1 is").any()
    assert len(pl.read_parquet(tmp_path / "anonymize/feedback.parquet")) == USERS - 1
