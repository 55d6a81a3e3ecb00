"""A log of many conversations and people, from raw exports to the audit: no participant's name survives."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from stages.anonymize import stage as anonymize
from stages.anonymize.pseudonyms import VARIABLE
from stages.audit.names import left_names
from stages.common.messages import part_paths
from stages.common.params import load_params
from stages.common.words import function_words
from stages.ingest import stage as ingest
from tests.reach import ROOT

PARAMS = ROOT / "params.yaml"

#: Sixty people: names of a dozen cultures, and nicknames of which many are words.
PEOPLE = (
    "Wuya Tanko", "Bartek Żukowy", "Chukwuemeka Okonkwo", "Xiaoming Zhang", "Venkatesh Subramanian",
    "İbrahim Yıldız", "Nguyen Minh Khai", "Zbigniew Brzęczyk", "Aðalbjörg Jónsdóttir", "Kailani Mahoe",
    "Oyelaran Adebayo", "Siobhan Kavanagh", "Наталья Иванова", "Priyanka Chaudhary", "Joaquín Echeverría",
    "Ravindra Wickramasinghe", "Giulia D'Amico", "Omar bin Rashid", "Paulo da Silveira", "Lindiwe Mkhize",
    "Tomasz Wiśniewski", "Haruka Fujimoto", "Sean O'Sullivan", "Ingrid Sørensen", "Anneliese Müller",
    "Mehmet Özdemir", "Thandiwe Dlamini", "Kwabena Mensah", "Ji-woo Kim", "Farrukh Mirzaev", "Leilani Kealoha",
    "Dagny Thorvaldsen", "Yevhen Kovalchuk", "Amara Nwosu", "Szilvia Horváth", "Rutger van Dijk", "Ximena Ybarra",
    "Quang Huy", "Babajide Ogunleye", "Eleftheria Pappas",
    "Sleepy Mango", "Hope", "Panda", "Captain Potato", "Grace", "Sunny", "Tiger Lily", "Ghost", "Noodle",
    "Shadow Fox", "Bean", "Pickle Rick", "Lucky", "Storm", "Cookie Monster", "Banana", "Ninja Turtle", "Muffin",
    "Rocket", "Pepper",
)  # fmt: skip

MARKED = (
    "so i told {} about it", "well @{} come here", "my friend {} said no", "tell {} to come", "_{}_ is here too",
)  # fmt: skip
BARE = ("yes {} i have been waiting", "{}, be quiet and listen", "where is {} today?", "hello {} are you there")
PLAIN = (
    "i hope you are fine today", "we ate a banana and some pepper", "what a lucky day for us",
    "the storm is over now", "see you at the usual place then", "i will bring some bread and milk",
    "that is the plan for tomorrow",
)  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """A name in a message: how it was written, and whether something beside it marks it as a name."""

    conversation: int
    message: int
    name: str
    is_marked: bool


def spelled(name: str, draw: random.Random) -> str:
    """A whole name, its first or its last word, as people write it, small or not."""
    words = name.split()
    chosen = draw.choice([name, words[0], words[-1]])
    return chosen if draw.random() < 0.5 else chosen.lower()


def write_logs(folder: Path, conversations: int) -> list[Planted]:
    """Write one WhatsApp export a conversation, and tell where names stand."""
    draw, planted = random.Random(7), []
    folder.mkdir(parents=True)
    for number in range(conversations):
        people = draw.sample(PEOPLE, 4)
        start, lines = datetime(2024, 1, 13, 10) + timedelta(days=number), []
        for message in range(12):
            sender, other = people[message % 4], draw.choice(people)
            is_marked, is_plain = draw.random() < 0.5, draw.random() < 0.3
            if is_plain:
                text = draw.choice(PLAIN)
            else:
                surface = spelled(other, draw)
                # With a mark, a capital or a cue; a small word behind nothing is bare.
                template = draw.choice(MARKED if is_marked else BARE)
                text = template.format(surface)
                planted.append(Planted(number, message, surface, is_marked))
            lines.append(f"{start + timedelta(minutes=message):%d/%m/%Y, %H:%M} - {sender}: {text}")
        (folder / f"chat {number:03}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return planted


def run_stages(folder: Path) -> pl.DataFrame:
    """Ingest and anonymise; the raw rows with what became of their texts."""
    ingest.run(
        load_params(PARAMS, "ingest", ingest.Params).model_copy(update={"readers": ["whatsapp"], "parts": 2}),
        logs=folder / "logs", erase=folder / "erase", out=folder / "ingest",
    )  # fmt: skip
    anonymize.run(
        load_params(PARAMS, "anonymize", anonymize.Params).model_copy(update={"workers": 1}),
        messages=folder / "ingest/messages",
        participants=folder / "ingest/participants.parquet",
        feedback=folder / "ingest/feedback.parquet",
        erased=folder / "ingest/erased.parquet",
        out=folder / "anonymize",
    )
    raw = pl.concat(pl.read_parquet(part) for part in part_paths(folder / "ingest/messages"))
    masked = pl.concat(pl.read_parquet(part) for part in part_paths(folder / "anonymize/messages"))
    return raw.with_columns(masked=masked["text"])


@dataclass(frozen=True)
class Log:
    """What was written, and what became of it."""

    folder: Path
    planted: list[Planted]
    rows: pl.DataFrame

    def is_left(self, planted: Planted) -> bool:
        """Whether a word of a name can still be read where it was planted."""
        chat = (pl.col("conversation_id") == f"whatsapp/chat {planted.conversation:03}") & (
            pl.col("message_id") == str(planted.message + 1)
        )
        words = {word.lower() for word in re.findall(r"[^\W\d_]{2,}", planted.name)} - function_words()
        said = {word.lower() for word in re.findall(r"[^\W\d_]+", self.rows.filter(chat)["masked"].item())}
        return bool(words & said)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    folder = tmp_path_factory.mktemp("names")
    planted = write_logs(folder / "logs/whatsapp", 200)
    (folder / "erase").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "ab" * 32)
        return Log(folder, planted, run_stages(folder))


def test_no_name_is_left_that_a_capital_a_cue_or_an_at_marks(log: Log) -> None:
    marked = [planted for planted in log.planted if planted.is_marked or not planted.name.islower()]
    assert len(marked) > 500
    assert [planted for planted in marked if log.is_left(planted)] == []


def test_of_bare_words_nine_in_ten_are_masked(log: Log) -> None:
    bare = [planted for planted in log.planted if not planted.is_marked and planted.name.islower()]
    left = sum(map(log.is_left, bare))
    assert len(bare) > 200
    assert left <= len(bare) / 10


def test_what_names_nobody_stays_readable(log: Log) -> None:
    plain = log.rows.filter(pl.col("text").is_in(PLAIN))
    assert plain.height > 500
    assert (plain["text"] == plain["masked"]).mean() >= 0.95  # type: ignore[operator]


def test_the_audit_finds_nothing_and_then_the_one_name_that_is_planted(log: Log) -> None:
    left = left_names(log.folder / "ingest", log.folder / "anonymize/messages", log.folder / "erase")
    assert left.messages == 2_405  # with the canaries
    assert {way: n for way, n in left.by_way.items() if way != "bare" and n} == {}
    path = next(iter(part_paths(log.folder / "anonymize/messages")))
    raw, masked = (
        pl.read_parquet(log.folder / stage / "messages" / path.name) for stage in ("ingest", "anonymize")
    )
    place = raw["sender"].to_list().index("Wuya Tanko")
    texts = masked["text"].to_list()
    texts[place] = "so i met Wuya there"
    masked.with_columns(text=pl.Series(texts)).write_parquet(path)
    found = left_names(log.folder / "ingest", log.folder / "anonymize/messages", log.folder / "erase")
    masked.write_parquet(path)
    assert found.by_way["capital"] == 1
