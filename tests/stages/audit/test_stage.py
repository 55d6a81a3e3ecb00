"""Audit: what must not be there is found wherever it stands, and the report never repeats it."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.parts.phrases import write_cache
from rejoinder.parts.replies import IndexedReply, write_index, write_turns
from rejoinder.parts.vector_table import write_table
from rejoinder.text import normalize
from stages.audit import stage as audit
from stages.audit.search import search
from stages.audit.stage import Params, run
from stages.audit.support import below, senders_by_phrase
from stages.common.errors import DataError
from stages.common.messages import ERASED as ERASED_TABLE
from stages.common.messages import MESSAGES, PARTICIPANTS, part_path
from stages.common.turn_vectors import FILES
from stages.names import STAGES

CANARY = "Zebulon Quackenbush"
ERASED = "0123456789abcdef"
SENDERS = ("a" * 16, "b" * 16, "c" * 16)


def messages(directory: Path, rows: list[tuple[str, str, str]]) -> None:
    directory.mkdir(parents=True)
    sent_at = datetime(2024, 5, 1, tzinfo=UTC)
    data = [
        (source, f"{source}/1", str(n), who, sent_at, n, text, None, "user", None)
        for n, (source, who, text) in enumerate(rows)
    ]
    pl.DataFrame(data, schema=MESSAGES, orient="row").write_parquet(part_path(directory, 0, 1))


SAID = [
    ("native", SENDERS[0], "Hello there"),
    ("native", SENDERS[1], "hello there"),
    ("native", SENDERS[2], "only I say this"),
]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build in which everything is as it should be; phrases and replies are "Hello there"."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(audit, "LOGS", (tmp_path / "status",))
    messages(tmp_path / "anonymize/messages", [*SAID, ("canary", SENDERS[0], "hi, i'm <PERSON_1>")])
    messages(tmp_path / "validate/messages", SAID)
    for name in ("dialogues", "vectorizer", "student", "export", "turns", "base", "heads", "status", "mlartifacts"):
        (tmp_path / name).mkdir()
    offer(tmp_path, ["Hello there"])
    speak(tmp_path, "Hello there")
    raw = [*SAID, ("canary", SENDERS[0], f"hi, i'm {CANARY}")]
    ingested(tmp_path / "ingest", raw, [])
    (tmp_path / "ingest/canaries.json").write_text(json.dumps([{"text": raw[-1][2], "secrets": [CANARY]}]))
    (tmp_path / "anonymize/erased.json").write_text(json.dumps({"senders": [ERASED], "messages": 3}))
    return tmp_path


def ingested(folder: Path, rows: list[tuple[str, str, str]], people: list[tuple[str, str | None]]) -> None:
    """Write the raw messages, and who takes part in the conversation of an app."""
    messages(folder / "messages", rows)
    known = [("whatsapp", "whatsapp/1", sender, name) for name, sender in people]
    pl.DataFrame(known, PARTICIPANTS, orient="row").write_parquet(folder / "participants.parquet")
    pl.DataFrame(schema=ERASED_TABLE).write_parquet(folder / "erased.parquet")


def offer(build: Path, texts: list[str], pairs: list[tuple[str, str]] | None = None) -> None:
    """Let phrases and replies be these texts, near to nothing but themselves; people have said `pairs`."""
    pairs = pairs or [(sender, text) for _, sender, text in SAID]
    known = list(dict.fromkeys([normalize(text) for text in texts] + [normalize(text) for _, text in pairs]))
    rows = np.eye(len(known), 16, dtype=np.float32)
    vectors = rows[: len(texts)]
    for name in ("cache/cache", "index/index"):
        (build / name).mkdir(parents=True, exist_ok=True)
    write_table(build / "turns", known, rows, FILES)
    data = [("native", "train", "user", sender, text) for sender, text in pairs]
    columns = ["source", "split", "role", "sender", "reply"]
    pl.DataFrame(data, schema=columns, orient="row").write_parquet(build / "dialogues/pairs.parquet")
    pl.DataFrame({"text": texts}).write_parquet(build / "dialogues/phrases.parquet")
    write_cache(build / "cache/cache", texts, vectors)
    write_index(build / "index/index", [IndexedReply(text, 2, 2) for text in texts], vectors, 10)
    write_turns(build / "index/index", texts, vectors)


def speak(build: Path, *texts: str) -> None:
    """Let these be samples of the generator."""
    (build / "generator").mkdir(exist_ok=True)
    data = {"source": ["native"] * len(texts), "text": list(texts), "is_public": [True] * len(texts)}
    pl.DataFrame(data).write_parquet(build / "generator/samples.parquet")


def audited(build: Path) -> dict[str, Any]:
    names = STAGES[STAGES.index("anonymize") : STAGES.index("audit")]
    folders = {name: build / name for name in names}
    params = Params(min_senders=2, ngram_users=[2, 2], people=2, near=0.7, samples=1)
    run(params, ingest=build / "ingest", erase=build / "erase", **folders, out=build / "audit")
    text = (build / "audit/audit.json").read_text()
    assert CANARY not in text
    assert ERASED not in text
    report: dict[str, Any] = json.loads(text)
    return report


def test_a_clean_build_is_clean_and_everything_was_looked_at(build: Path) -> None:
    report = audited(build)
    assert report["canaries"] == {"planted": 1, "arrived": 1, "secrets": 1, "found": []}
    assert report["erased"] == {"senders": 1, "found": []}
    assert report["not_searched"] == []
    assert report["files"] == 14
    assert {name: counts["below_k"] for name, counts in report["support"].items()} == {"phrases": 0, "cache": 0}
    assert report["base"] == {"texts": 1, "rare": 0, "of_one_person": 0, "uncommon": 0}
    assert (report["generated"]["samples"], report["generated"]["wanted"]) == (1, 1)
    assert sum(report["generated"]["after"].values()) == 0


def test_samples_are_searched_and_what_is_wrong_with_them_is_counted(build: Path) -> None:
    speak(build, f"I am a human, and so is {CANARY}")
    report = audited(build)
    assert report["canaries"]["found"] == [{"number": 0, "file": str(build / "generator/samples.parquet")}]
    assert report["generated"]["after"]["human"] == 1


def test_a_build_without_a_generator_has_nothing_to_judge(build: Path) -> None:
    (build / "generator/samples.parquet").unlink()
    assert audited(build)["generated"] is None


@pytest.mark.parametrize(
    "path",
    ["vectorizer/notes.txt", "export/model.onnx", "status/ingest.json", "mlartifacts/1/run.log", "mlflow.db"],
)
@pytest.mark.parametrize("needle", [CANARY, CANARY.lower(), ERASED])
def test_a_leak_into_any_file_is_found_and_named_by_its_number(build: Path, path: str, needle: str) -> None:
    (build / path).parent.mkdir(exist_ok=True)
    (build / path).write_bytes(b"\0\xff" * 5 + needle.encode() + b"\n")
    report = audited(build)
    kind = "erased" if needle == ERASED else "canaries"
    assert report[kind]["found"] == [{"number": 0, "file": str(build / path)}]


def test_a_leak_into_a_table_is_found_however_deep(build: Path) -> None:
    pl.DataFrame({"context": [["x", f"and {CANARY.upper()}!"], []]}).write_parquet(
        build / "dialogues/others.parquet"
    )
    pl.DataFrame({"by": [{"sender": [ERASED]}]}).write_parquet(build / "dialogues/more.parquet")
    report = audited(build)
    assert report["canaries"]["found"] == [{"number": 0, "file": str(build / "dialogues/others.parquet")}]
    assert report["erased"]["found"] == [{"number": 0, "file": str(build / "dialogues/more.parquet")}]


def test_what_bytes_do_not_show_is_searched_as_well(tmp_path: Path) -> None:
    text = f"long {'x' * 9000} {CANARY} {'y' * 9000}"
    with gzip.open(tmp_path / "log.gz", "wt") as packed:
        packed.write(text)
    with zipfile.ZipFile(tmp_path / "arrays.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", text)
    np.save(tmp_path / "text.npy", np.array([CANARY]))
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        database.execute("create table runs (id, note)")
        database.executemany("insert into runs values (?, ?)", [(n, "z" * (3500 + n) + CANARY) for n in range(600)])
        database.commit()
    pl.DataFrame({"raw": [CANARY.encode() + b"\xff"], "deep": [{"by": CANARY.encode()}]}).write_parquet(
        tmp_path / "table.parquet"
    )
    (tmp_path / f"{CANARY}.txt").write_text("by its name")
    paths = sorted(tmp_path.iterdir())
    assert [hit.path for hit in search(paths, [CANARY])] == paths
    assert len(paths) == 6


def test_a_phrase_that_one_person_said_is_counted_wherever_it_is_offered(build: Path) -> None:
    offer(build, ["Hello there", "only I say this", "nobody says this"])
    support = audited(build)["support"]
    assert support
    assert all(counts == {"texts": 3, "below_k": 2} for counts in support.values())


def test_replies_of_few_people_are_counted_by_the_rule_that_they_break(build: Path) -> None:
    offer(build, ["Hello there", "hello this", "only I say this"])
    # Of "only I say this" each word was used by one person; "hello this" by two and one, and nobody said it.
    assert audited(build)["base"] == {"texts": 3, "rare": 2, "of_one_person": 0, "uncommon": 2}


def test_the_fact_of_one_person_is_counted_though_its_words_and_its_meaning_are_common(build: Path) -> None:
    said = [("native", SENDERS[n % 3], text) for n in range(3) for text in ("my mom is", "is a nurse")]
    shutil.rmtree(build / "validate")
    messages(build / "validate/messages", [*said, ("native", SENDERS[0], "my mom is a nurse")])
    offer(build, ["My mom is a nurse"], [(sender, "my mom is a nurse") for sender in SENDERS])
    report = audited(build)["base"]
    assert report == {"texts": 1, "rare": 0, "of_one_person": 1, "uncommon": 0}


def test_a_remote_store_is_said_not_to_be_searched(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:password@mlflow.example:5000")
    assert audited(build)["not_searched"] == ["MLflow at http://mlflow.example:5000"]


@given(st.binary(max_size=50), st.sampled_from(["Ärger Ünal", "plain", 'quote"d', "a"]), st.binary(max_size=50))
def test_text_is_found_in_bytes_as_it_is_and_as_json_escapes_it(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, needle: str, after: bytes
) -> None:
    path = tmp_path_factory.mktemp("leak") / "file.bin"
    for spelling in (needle, needle.lower(), json.dumps(needle)):
        path.write_bytes(before + spelling.encode() + after)
        assert [hit.needle for hit in search([path], ["not there at all, ever", needle])] == [1]


def test_a_needle_across_two_chunks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.audit.search._CHUNK", 7)
    path = tmp_path / "file"
    for shift in range(20):
        path.write_bytes(b"." * shift + b"Zebulon" + b"." * 30)
        assert [hit.needle for hit in search([path], ["zebulon"])] == [0]


def test_senders_are_counted_by_canonical_phrase(tmp_path: Path) -> None:
    messages(tmp_path / "m", SAID)
    senders = senders_by_phrase(tmp_path / "m")
    assert below(["HELLO there", "only I say this"], senders, 2) == 1
    assert below(["hello there"], senders, 3) == 1


def app(build: Path, *texts: str, people: list[tuple[str, str | None]]) -> dict[str, int]:
    """Audit a build in which one conversation of an app was anonymised to these texts."""
    for folder in (build / "ingest/messages", build / "anonymize/messages"):
        shutil.rmtree(folder)
    rows = [("whatsapp", SENDERS[0], text) for text in texts]
    ingested(build / "ingest", [("whatsapp", "Wuya Tanko", "raw")] * len(rows), people)
    messages(build / "anonymize/messages", rows)
    found: dict[str, int] = audited(build)["names"]
    return found


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("so i met Wuya there", "capital"), ("@wuya come", "at"), ("tell wuya to", "cue"), ("tanko said no", "cue"),
        ("yes wuya tanko", "whole"), ("WUYA TANKO", "whole"), ("yes wuya", "bare"), ("i love mango", "bare"),
        ("_Żukowy_ was Żukowy", "capital"), ("my name is mango", "cue"),
    ],
)  # fmt: skip
def test_a_name_that_was_left_is_counted_by_the_way(build: Path, text: str, way: str) -> None:
    people: list[tuple[str, str | None]] = [("Wuya Tanko", "1"), ("Sleepy Mango", None), ("Bartek Zukowy", None)]
    left = app(build, text, "<PERSON_1> is here", people=people)
    assert left[way] >= 1
    assert left["messages"] == 2


def test_where_all_names_are_masked_nothing_is_left(build: Path) -> None:
    texts = ["hi <PERSON_1>, <PERSON_2> is here", "Hope you are fine", "I told Mum", "what is this", "wuyaland"]
    left = app(build, *texts, people=[("Wuya Tanko", "1"), ("Mum", None), ("This One", None)])
    assert {way: n for way, n in left.items() if n} == {"messages": 5}


def test_letters_of_a_random_id_are_no_name(build: Path) -> None:
    left = app(build, "tell bad jokes, Breaking Bad", people=[("9bad3f", "1"), ("x_bad", None)])
    assert {way: n for way, n in left.items() if n} == {"messages": 1}


def test_erased_people_are_looked_for_everywhere_by_every_name_they_have(build: Path) -> None:
    (build / "erase").mkdir()
    (build / "erase/list.txt").write_text("# none\nwhatsapp/Kolo Mina\n\n", encoding="utf-8")
    assert app(build, "yes kolo mina", "I saw Kolo", people=[])["whole"] == 1
    assert app(build, "yes kolo mina", "I saw Kolo", people=[])["capital"] == 1


def test_tables_that_do_not_fit_are_said(build: Path) -> None:
    messages(build / "other", SAID)
    shutil.rmtree(build / "ingest/messages")
    (build / "other").rename(build / "ingest/messages")
    with pytest.raises(DataError, match="expected the rows of"):
        audited(build)


def test_a_name_that_few_have_said_is_counted_whoever_it_is_about(build: Path) -> None:
    said = [("native", sender, "do you like zork college i'm fine") for sender in SENDERS]
    shutil.rmtree(build / "validate")
    messages(build / "validate/messages", said)
    texts = ["Do you like Zork", "Do you like college", "Yes I do, I'm fine"]
    offer(build, texts, [(sender, text) for sender in SENDERS for text in texts])
    assert audited(build)["base"]["of_one_person"] == 1
