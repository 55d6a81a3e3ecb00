"""Erasure and canaries: who must not be in a build is nowhere in it; what is planted is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.canaries import SOURCE
from stages.common.errors import DataError, ParamsError
from stages.common.messages import (
    ERASED,
    QUARANTINE,
    Automated,
    Item,
    Participant,
    Rejected,
    read_messages,
)
from stages.common.params import load_params
from stages.ingest.chunks import MAX_ROW
from stages.ingest.erasure import Listed, read_erased, redact, spelling
from stages.ingest.stage import Params, run
from stages.ingest.two_passes import ingest_sources
from tests.fixtures import LOGS

NAMES = ["native", "messenger", "telegram", "discord", "whatsapp"]
CANARIES = [
    {"text": "my mail is zorblax@example.org", "secrets": ["zorblax@example.org"]},
    {"text": "ok", "secrets": ["ok"]},
    {"text": "hola, me llamo Zorblax Quillfeather y vivo en una casa grande", "secrets": ["Quillfeather"]},
]


def ingest(folder: Path, erased: str, logs: Path = LOGS, **changes: Any) -> dict[str, Any]:
    (folder / "erase").mkdir(exist_ok=True)
    (folder / "erase" / "list.txt").write_text(erased, encoding="utf-8")
    params = {"readers": NAMES, "languages": ["en"], "parts": 4, "max_rejected_share": 0.5, **changes}
    run(Params(**params), logs=logs, erase=folder / "erase", out=folder / "out")
    card: dict[str, Any] = json.loads((folder / "out" / "card.json").read_text())
    return card


def everything(folder: Path) -> str:
    """All that a build holds, as one text, but who was erased, and the names to find in others' words."""
    seeds = ("erased.parquet", "participants.parquet")
    tables = [pl.read_parquet(path) for path in folder.rglob("*.parquet") if path.name not in seeds]
    return "".join(str(table.rows()) for table in tables) + "".join(p.read_text() for p in folder.rglob("*.json"))


def test_erased_senders_are_gone_and_counted(tmp_path: Path) -> None:
    before = ingest(tmp_path, "")
    assert all(word in everything(tmp_path / "out") for word in ("José", "user1001", "good morning to you"))
    card = ingest(
        tmp_path, "# asked in May\n\nmessenger/José Peña\n telegram/user1001 \nnative/u-2\nnative/u-404\n"
    )
    built = everything(tmp_path / "out").replace("how are you, José?", "")  # said by another
    assert not any(word in built for word in ("José", "user1001", "good morning to you", "did you see my call?"))
    assert pl.read_parquet(tmp_path / "out" / "erased.parquet").rows() == [
        ("messenger", "José Peña", 2),
        ("native", "u-2", 1),
        ("native", "u-404", 0),
        ("telegram", "user1001", 4),
    ]
    assert (before["erased"], card["erased"], card["rows_out"]) == (0, 7, before["rows_out"] - 7)
    native = card["sources"]["native"]
    assert (native["erased"], native["senders_to_erase"], native["senders_erased"]) == (1, 2, 1)
    assert (before["erased_unmatched"], card["erased_unmatched"]) == (0, 1)


#: One person each: what the logs may hold, and what a list may say.
SPELLINGS = [
    ("Zo\u00eb", "Zoe\u0308"),
    ("Zoe\u0308", "ZO\u00cb"),
    ("+44 7700 900123", "+44\u00a07700\u202f900123"),
    ("\u202a+1\u00a0(555)\u00a0555\u20110143\u202c", "+1 (555) 555-0143"),
    ("u-17  ", "u-17"),
    ("Ann  Weaver", "Ann Weaver"),
    ("~\u202fAnn", "Ann"),
    ("Ann", "~ Ann"),
    ("Jos\u00c3\u00a9", "José"),
    ("Nicol\u00c3\u00a0", "Nicolà"),
    ("REN\u00c9\u00a0D", "René D"),
    ("A\u200bnn\u00ad", "Ann"),
    ("Straße", "STRASSE"),
]


@pytest.mark.parametrize(("one", "other"), [*SPELLINGS, *((b, a) for a, b in SPELLINGS)])
def test_all_spellings_of_a_sender_are_one(one: str, other: str) -> None:
    assert spelling(one) == spelling(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Ann", "Anne"), ("u-1", "u-11"), ("\u200b", "\u200c"), ("René", "Rene")]
)
def test_other_senders_are_others(one: str, other: str) -> None:
    assert spelling(one) != spelling(other)


@given(st.text(min_size=1))
def test_a_key_is_never_empty_and_has_no_blanks_around_it(sender: str) -> None:
    key = spelling(sender)
    assert key
    assert spelling(f"\u00a0~ {sender} \u200b") == key or key == sender


def write_native(folder: Path, *senders: str) -> Path:
    folder.mkdir()
    row = {"conversation_id": "c", "sent_at": "2024-05-01T12:00:00+02:00"}
    rows = [
        {**row, "message_id": str(number), "sender": sender, "text": f"text {number}"}
        for number, sender in enumerate(senders)
    ]
    (folder / "a.jsonl").write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
    return folder


def test_every_spelling_in_the_logs_is_erased_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = write_native(tmp_path / "logs", "Zo\u00eb", "Zoe\u0308", "ZOË ", "Ann", "~ Zo\u00eb", "Zo")
    card = ingest(tmp_path, "native/Zoë\n", logs, readers=["native"])
    assert read_messages(tmp_path / "out" / "messages")["sender"].to_list() == ["Ann", "Zo"]
    erased = pl.read_parquet(tmp_path / "out" / "erased.parquet")
    assert set(erased.rows()) == {("native", name, 1) for name in ("Zo\u00eb", "Zoe\u0308", "ZOË ", "~ Zo\u00eb")}
    native = card["sources"]["native"]
    assert (native["erased"], native["senders_to_erase"], native["senders_erased"]) == (4, 1, 1)
    assert card["erased_unmatched"] == 0
    assert "nobody" not in capsys.readouterr().err


def test_a_line_that_matches_nobody_is_reported_by_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = write_native(tmp_path / "logs", "Ann", "Ben")
    (tmp_path / "erase").mkdir()
    (tmp_path / "erase" / "Zorblax.txt").write_text("native/Ann\n\nnative/Bens\nseinfeld/JERRY\n")
    card = ingest(tmp_path, "native/BEN # asked twice\n", logs, readers=["native"])
    said = [line for line in capsys.readouterr().err.split("\n") if "nobody" in line]
    # list.txt comes after Zorblax.txt.
    assert [line.partition("erase: ")[2] for line in said] == [
        f"{place}: nobody of that spelling in the logs"
        for place in ("list 1, line 3", "list 1, line 4", "list 2, line 1")
    ]
    assert card["erased_unmatched"] == 3
    assert pl.read_parquet(tmp_path / "out" / "erased.parquet").rows() == [
        ("native", "Ann", 1),
        ("native", "BEN # asked twice", 0),
        ("native", "Bens", 0),
        ("seinfeld", "JERRY", 0),
    ]


def test_the_table_of_the_erased_is_there_without_any(tmp_path: Path) -> None:
    ingest(tmp_path, "")
    table = pl.read_parquet(tmp_path / "out" / "erased.parquet")
    assert (table.schema, table.height) == (ERASED, 0)


def test_every_line_that_cannot_be_understood_is_named_without_its_sender(tmp_path: Path) -> None:
    (tmp_path / "a Zorblax.txt").write_text("native/Zorblax\nZorblax\nnative/\nicq/Zorblax\n")
    (tmp_path / "b.txt").write_bytes(b"native/Zorbl\xe4x")
    (tmp_path / "c.csv").write_text("native/Zorblax")
    (tmp_path / "README.md").write_text("not a list")
    with pytest.raises(DataError) as caught:
        read_erased(tmp_path, NAMES)
    text = str(caught.value)
    assert all(f": list 1, line {line}: expected source/sender" in text for line in (2, 3, 4))
    assert "line 1:" not in text
    assert ": list 2: expected a list named *.txt in UTF-8" in text
    assert ": list 3: expected a list named *.txt in UTF-8" in text
    assert "Zorbl" not in text


def test_a_missing_folder_of_lists_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a folder of lists"):
        read_erased(tmp_path / "erase", NAMES)


def test_a_sender_may_hold_slashes_and_marks(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfwhatsapp/+49 170/12 #1\r\n")
    assert read_erased(tmp_path, NAMES) == [Listed("list 1, line 1", "whatsapp", "+49 170/12 #1")]


def quarantine(*rows: str, reason: str = "text: missing", file: str = "b.jsonl") -> pl.DataFrame:
    placed = [("native", file, 1, reason, row) for row in rows]
    return pl.DataFrame(placed, schema=QUARANTINE, orient="row")


def test_rows_that_hold_or_may_hold_an_erased_sender_are_emptied() -> None:
    table = quarantine("by Zorblax", "by Ann", "x" * MAX_ROW, r"by \u005aorblax", "by ZORB\u200bLAX")
    redacted = redact(table, {"Zorblax"})
    assert redacted["row"].to_list() == ["", "by Ann", "", "", ""]
    assert redacted.drop("row").equals(table.drop("row"))
    assert redact(table, ()).equals(table)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("text: string_type", True),
        ("sent_at: missing; text: missing", True),
        ("unknown key", True),
        ("blank text", True),
        ("duplicate conversation_id, message_id", True),
        ("duplicate: same id, sender, time and text", True),
        ("automated: no text", True),
        ("other_language: de", True),
        ("date: no such moment", True),
        ("json_invalid", False),
        ("model_type", False),
        ("not UTF-8", False),
        ("line longer than 1048576 bytes", False),
        ("text before the first message", False),
        ("sender: missing; unknown key", False),
        ("sender_name: string_type", False),
        ("from_id: missing", False),
        ("author: id: missing", False),
        ("sender: not 1 to 1000 characters", False),
    ],
)
def test_a_row_whose_sender_could_not_be_read_is_emptied(reason: str, kept: bool) -> None:
    table = quarantine("a row", reason=reason)
    assert redact(table, {"Zorblax"})["row"].to_list() == ["a row" if kept else ""]
    assert redact(table, ())["row"].to_list() == ["a row"]


@pytest.mark.parametrize(
    ("file", "sender", "kept"),
    [
        ("whatsapp/WhatsApp Chat with Zoe\u0308 Q.txt", "~ Zoë Q", False),
        ("messenger/inbox/josepena_10203/message_1.json", "José Peña", False),
        ("whatsapp/WhatsApp Chat with +44 7700 900123.txt", "+44\u00a07700\u00a0900123", False),
        ("whatsapp/WhatsApp Chat with 💪.txt", "💪", False),
        ("whatsapp/WhatsApp Chat with Ben.txt", "💪", True),
        ("whatsapp/WhatsApp Chat with Ben.txt", "Zoë", True),
    ],
)
def test_names_of_files_that_hold_an_erased_sender_are_emptied(file: str, sender: str, kept: bool) -> None:
    redacted = redact(quarantine("a row", file=file), {sender})
    assert redacted.select("file", "reason", "row").rows() == [(file if kept else "", "text: missing", "a row")]


def test_nothing_of_an_erased_sender_stays_among_the_rejected(tmp_path: Path) -> None:
    logs = write_native(tmp_path / "logs", "Ann")
    with (logs / "a.jsonl").open("a") as file:
        file.write('{"sender": "ZORBLAX", "text": 1}\n{"sender": "Zor\n{"Sender": "Z.", "text": "I am Z."}\n')
    ingest(tmp_path, "native/Zorblax\n", logs, readers=["native"], max_rejected_share=1.0)
    rejected = pl.read_parquet(tmp_path / "out" / "quarantine.parquet")
    assert rejected["row"].to_list() == ["", "", ""]
    assert rejected["file"].to_list() == ["a.jsonl"] * 3
    assert rejected["reason"].str.len_chars().min() != 0


def test_nothing_of_an_erased_sender_stays_among_the_dropped(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "whatsapp"
    folder.mkdir(parents=True)
    lines = ["Zorblax left", "Zorblax: <Media omitted>", "Ben: <Media omitted>", "Ben: hello", "Zorblax: hello"]
    (folder / "WhatsApp Chat with Zorblax.txt").write_text("".join(f"13/02/24, 10:00 - {line}\n" for line in lines))
    card = ingest(tmp_path, "whatsapp/~ ZORBLAX\n", tmp_path / "logs")
    dropped = pl.read_parquet(tmp_path / "out" / "dropped.parquet")
    assert dropped["row"].str.strip_chars().to_list() == ["", "", "13/02/24, 10:00 - Ben: <Media omitted>"]
    assert dropped["file"].to_list() == [""] * 3
    assert pl.read_parquet(tmp_path / "out" / "files.parquet")["file"].to_list() == [""]
    assert (card["automated"], card["erased"], card["rows_out"]) == (3, 1, 1)


def test_what_an_export_calls_an_erased_sender_is_looked_for_however_late_it_is_told(tmp_path: Path) -> None:
    items: list[Item] = [
        Automated("chat of Zorblax.json", 1, "group", "Zorblax joined"),
        Rejected("a.json", 2, "text: missing", "by ZORBLAX"),
        Automated("a.json", 3, "group", "Ben joined"),
        Participant("c", "Zorblax", "u7"),
        Participant("c", "Ben", "u8"),
        Participant("c", " ", "u7"),
    ]
    tallies = ingest_sources({"discord": items}, 2, ["en"], {"discord": ["u7"]}, tmp_path)
    assert pl.read_parquet(tmp_path / "dropped.parquet").select("file", "row").rows() == [
        ("", ""),
        ("a.json", "Ben joined"),
    ]
    assert pl.read_parquet(tmp_path / "quarantine.parquet")["row"].to_list() == [""]
    assert tallies["discord"].aliases == {"Zorblax"}


@given(st.text(min_size=1, max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_no_spelling_of_an_erased_sender_stays(sender: str, before: str, after: str) -> None:
    rows = [before + sender + after, json.dumps(before + sender), json.dumps(sender + after, ensure_ascii=False)]
    assert redact(quarantine(*rows), {sender})["row"].to_list() == ["", "", ""]


def test_canaries_are_planted_as_one_conversation_of_any_language(tmp_path: Path) -> None:
    card = ingest(tmp_path, "", canaries=CANARIES)
    planted = read_messages(tmp_path / "out" / "messages").filter(source=SOURCE)
    assert planted["text"].to_list() == [canary["text"] for canary in CANARIES]
    assert planted["conversation_id"].unique().to_list() == ["canary/1"]
    assert planted["sender"].n_unique() == 2
    assert (card["sources"][SOURCE]["rows_read"], card["sources"][SOURCE]["rows_out"]) == (3, 3)
    assert json.loads((tmp_path / "out" / "canaries.json").read_text()) == CANARIES


@pytest.mark.parametrize(
    "canary", ["{text: hi, secrets: [ho]}", "{text: hi, secrets: []}", "{text: '', secrets: ['']}"]
)
def test_a_secret_must_be_part_of_its_text(tmp_path: Path, canary: str) -> None:
    path = tmp_path / "params.yaml"
    fields = "readers: [native]\n  languages: [en]\n  parts: 4\n  max_rejected_share: 0.05"
    path.write_text(f"ingest:\n  {fields}\n  canaries:\n    - {canary}\n")
    with pytest.raises(ParamsError, match=r"params\.yaml:7: ingest\.canaries\.0"):
        load_params(path, "ingest", Params)
