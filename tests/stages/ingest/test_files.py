"""Every file under the folder of logs: read, rejected or not read, counted and told without its name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.common.errors import DataError
from stages.common.messages import read_messages
from stages.common.sources import ReaderName
from stages.ingest.counts import FATES
from stages.ingest.fates import FILES, SHOWN
from stages.ingest.stage import Params, run

READERS: list[ReaderName] = ["native", "messenger", "telegram", "discord", "whatsapp"]


def ingest(folder: Path, erased: str = "", **changes: Any) -> dict[str, Any]:
    (folder / "erase").mkdir(exist_ok=True)
    (folder / "erase" / "list.txt").write_text(erased)
    chosen = {"readers": READERS, "languages": ["en"], "parts": 2, "max_rejected_share": 1.0, **changes}
    run(Params(**chosen), logs=folder / "logs", erase=folder / "erase", out=folder / "out")
    card: dict[str, Any] = json.loads((folder / "out" / "card.json").read_text())
    return card


def put(folder: Path, name: str, content: str = "x") -> Path:
    path = folder / "logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def native(*texts: str | None, conversation: str = "c", first: int = 0, sender: str = "Ann") -> str:
    rows = [
        {
            "conversation_id": conversation, "message_id": str(first + number), "sender": sender, "text": text,
            "sent_at": "2024-05-01T12:00:00Z",
        }
        for number, text in enumerate(texts)
    ]  # fmt: skip
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def discord(*texts: str, first: int = 0, kind: str = "Default") -> str:
    messages = [
        {
            "id": str(first + number), "type": kind, "timestamp": f"2024-01-01T00:{first + number:02}:00+00:00",
            "content": text, "author": {"id": "7", "name": "zorblax"},
        }
        for number, text in enumerate(texts)
    ]  # fmt: skip
    return json.dumps({"channel": {"id": "500"}, "messages": messages})


def fates(folder: Path) -> dict[str, tuple[str, str]]:
    """Fate and reason of each file."""
    table = pl.read_parquet(folder / "out" / "files.parquet")
    return {file: (fate, why) for file, fate, why in table.select("file", "fate", "why").iter_rows()}


GERMAN = "Guten Morgen, wie geht es dir und deinem alten Hund heute?"


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """A log with a file of every fate."""
    put(tmp_path, "a.jsonl", native("hello there", "", "how are you today"))
    put(tmp_path, "b.jsonl", native("hello there"))
    put(tmp_path, "bad.jsonl", "{}\n{}\n")
    put(tmp_path, "erased.jsonl", native("secret", conversation="e", sender="Zorblax"))
    put(tmp_path, "german.jsonl", native(GERMAN, GERMAN, conversation="g"))
    put(tmp_path, "discord/calls.json", discord("called", kind="Call", first=30))
    put(tmp_path, "discord/talk.json", discord("hello there", "how are you", "called you"))
    put(tmp_path, "discord/talk.html")
    put(tmp_path, "discord/talk.json_Files/sent by Ann.json")
    put(tmp_path, "discord/Ann.jpg")
    put(tmp_path, "discord/.DS_Store")
    put(tmp_path, "discord/Zorblax.zip")
    put(tmp_path, "discord/old/Zorblax.zip")
    put(tmp_path, "telegram/result.json")
    put(tmp_path, "message_1 (1).json")
    put(tmp_path, "_chat.txt")
    put(tmp_path, "Ann.Zorblax")
    put(tmp_path, "README.md")
    (tmp_path / "logs" / "loop").symlink_to("loop")
    (tmp_path / "logs" / "self").symlink_to(".")
    os.mkfifo(tmp_path / "logs" / "pipe.jsonl")
    return tmp_path


def test_every_file_has_its_fate(everything: Path) -> None:
    ingest(everything, "native/Zorblax\n", readers=["native", "discord"])
    found = fates(everything)
    assert found.pop("") == ("not read", "no reader takes it")  # three with an erased name
    assert found == {
        "a.jsonl": ("partly rejected", "blank text"),
        "b.jsonl": ("dropped", "1 duplicate"),
        "bad.jsonl": ("rejected", "conversation_id: missing; message_id: missing; sender: missing; "
                      "sent_at: missing; text: missing"),
        "erased.jsonl": ("dropped", "1 erased"),
        "german.jsonl": ("dropped", "2 other language"),
        "discord/calls.json": ("dropped", "1 automated"),
        "discord/talk.json": ("read", ""),
        "discord/talk.html": ("not read", "HTML: export it again as JSON, if it is an export"),
        "discord/talk.json_Files/sent by Ann.json": ("not read", "media"),
        "discord/Ann.jpg": ("not read", "media"),
        "discord/.DS_Store": ("not read", "hidden, or a README"),
        "discord/Zorblax.zip": ("rejected", "archive: unpack it first"),
        "discord/old/Zorblax.zip": (
            "not read", "archive: unpack it into the folder of its app, if it is an export"
        ),
        "telegram/result.json": ("not read", "its reader is not in ingest.readers"),
        "message_1 (1).json": ("not read", "looks like an export of messenger: move it into messenger/"),
        "_chat.txt": ("not read", "looks like an export of whatsapp: move it into whatsapp/"),
        "README.md": ("not read", "hidden, or a README"),
        "loop": ("not read", "link: not followed"),
        "self": ("not read", "link: not followed"),
        "pipe.jsonl": ("rejected", "link or no regular file: not read"),
    }  # fmt: skip


def test_the_fates_of_rows_add_up_by_file_and_with_the_card(everything: Path) -> None:
    card = ingest(everything, "native/Zorblax\n", readers=["native", "discord"])
    table = pl.read_parquet(everything / "out" / "files.parquet")
    assert table.schema == FILES
    assert table.select(pl.sum_horizontal(FATES)).to_series().to_list() == table["rows"].to_list()
    assert table["rows"].sum() == card["rows_read"] == 15
    assert {fate: table[fate].sum() for fate in FATES[1:]} == {fate: card[fate] for fate in FATES[1:]}
    assert table["out"].sum() == card["rows_out"] == read_messages(everything / "out" / "messages").height
    assert table.group_by("place").agg(pl.col("number").sort()).rows() != []
    assert all(numbers == list(range(1, len(numbers) + 1)) for _, numbers in
               table.group_by("place").agg("number").iter_rows())  # fmt: skip
    dropped = pl.read_parquet(everything / "out" / "dropped.parquet")
    assert dropped.height == card["automated"] + card["other_language"] + card["duplicate"]


def test_the_screen_tells_of_every_source_and_file_but_not_of_names(
    everything: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = ingest(everything, readers=["native", "discord"])
    said = capsys.readouterr()
    assert "ingest: native: 10 rows in, 3 out, 2 other language, 1 duplicate, 4 rejected; 6 files\n" in said.out
    assert "ingest: discord: 5 rows in, 3 out, 1 automated, 1 rejected; 3 files\n" in said.out
    assert "logs: file 1 of 12 (other): not read: no reader takes it\n" in said.err
    assert "discord: 2 not read: media\n" in said.err
    assert "telegram: 1 not read: its reader is not in ingest.readers\n" in said.err
    assert f"what became of it: {everything / 'out' / 'files.parquet'}\n" in said.err
    assert not any(name in said.out + said.err for name in ("Zorblax", "Ann", "_chat", "talk", "calls"))
    assert card["files_unread"] == 8


def test_many_files_are_told_in_few_lines_the_worst_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "telegram/z.jsonl")
    put(tmp_path, "z.jsonl", native("hello", None))
    for number in range(SHOWN + 5):
        put(tmp_path, f"{number:02}.html")
    ingest(tmp_path, readers=["native"])
    lines = [line for line in capsys.readouterr().err.split("\n") if line.startswith(("logs:", "and", "every"))]
    assert lines[0] == f"logs: file {SHOWN + 6} of {SHOWN + 6} (.jsonl): 1 of 2 rows rejected: text: string_type"
    assert len(lines) == SHOWN + 2
    assert lines[-2] == "and 6 more files"


@pytest.mark.parametrize(("bad", "stops"), [(20, True), (6, True), (2, False)])
def test_a_broken_file_does_not_hide_behind_a_large_one(tmp_path: Path, bad: int, stops: bool) -> None:
    put(tmp_path, "large.jsonl", native(*["hello there"] * 6000, conversation="large"))
    put(tmp_path, "small.jsonl", native(*[None] * bad, *["hello"] * (20 - bad)))
    if stops:
        with pytest.raises(DataError, match=r"got more in 1 of 2 files \(\d+ of 20 rows\)"):
            ingest(tmp_path, max_rejected_share=0.05)
        table = pl.read_parquet(tmp_path / "out.files.parquet")
        assert table.filter(file="small.jsonl")["rejected"].to_list() == [bad]
    else:
        assert ingest(tmp_path, max_rejected_share=0.05)["rejected"] == bad
        assert not (tmp_path / "out.files.parquet").exists()


def test_overlapping_exports_are_duplicates_and_changed_copies_are_rejected(tmp_path: Path) -> None:
    put(tmp_path, "discord/a.json", discord(*"abcdefghij"))
    put(tmp_path, "discord/b.json", discord(*"fghiJkl", first=5))
    card = ingest(tmp_path, max_rejected_share=0.1)
    assert (card["rows_read"], card["rows_out"], card["duplicate"], card["rejected"]) == (17, 12, 4, 1)
    dropped = pl.read_parquet(tmp_path / "out" / "dropped.parquet")
    assert dropped["reason"].unique().to_list() == ["duplicate: same id, sender, time and text"]
    assert [json.loads(row)["text"] for row in dropped["row"]] == list("fghi")
    assert dropped["file"].unique().to_list() == ["discord/b.json"]


def test_dropped_rows_can_be_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "discord/a.json", discord("hello there", "pinned this", kind="ChannelPinnedMessage"))
    put(tmp_path, "whatsapp/a.txt", "13/02/24, 10:00 - Ann: hi\n13/02/24, 10:01 - Ann: <Media omitted>\n")
    put(tmp_path, "g.jsonl", native(GERMAN, GERMAN))
    ingest(tmp_path)
    dropped = pl.read_parquet(tmp_path / "out" / "dropped.parquet")
    reasons = dropped.select("source", "reason").rows()
    assert reasons.count(("discord", "automated: group")) == 2
    assert reasons.count(("native", "other_language: de")) == 2
    assert [row.strip() for row in dropped.filter(source="whatsapp")["row"]] == [
        "13/02/24, 10:01 - Ann: <Media omitted>"
    ]
    assert json.loads(dropped.filter(source="discord")["row"][1])["content"] == "pinned this"


def test_a_file_that_cannot_be_opened_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "ok.jsonl", native("hello"))
    closed = [put(tmp_path, name, native("hi")) for name in ("Zorblax.jsonl", "discord/Zorblax.json")]
    opened = Path.open

    def refuse(path: Path, *args: Any, **named: Any) -> Any:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **named)

    monkeypatch.setattr(Path, "open", refuse)
    ingest(tmp_path)
    found = fates(tmp_path)
    assert found["Zorblax.jsonl"] == ("rejected", "file cannot be read: PermissionError")
    assert found["discord/Zorblax.json"] == ("rejected", "file cannot be read: PermissionError")
    assert found["ok.jsonl"] == ("read", "")


@pytest.mark.parametrize("name", ["Zorblax.jsonl", "discord/Zorblax.json", "whatsapp/Zorblax.txt"])
@pytest.mark.parametrize("change", ["cut", "grown", "written again"])
def test_a_file_that_changes_while_it_is_read_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, change: str
) -> None:
    path = put(tmp_path, name, native("hello"))
    size, looks, fstat = path.stat().st_size, [0], os.fstat

    def changing(number: int) -> os.stat_result:
        looks[0] += fstat(number).st_ino == path.stat().st_ino
        if looks[0] == 2:
            os.truncate(path, {"cut": size - 5, "grown": size + 5, "written again": size}[change])
            os.utime(path, ns=(1, 1))
        return fstat(number)

    monkeypatch.setattr(os, "fstat", changing)
    with pytest.raises(
        DataError, match=rf"/\.\.\.: expected a file that stays .* got {size} bytes before"
    ) as caught:
        ingest(tmp_path)
    assert "Zorblax" not in str(caught.value)
    assert not (tmp_path / "out").exists()
