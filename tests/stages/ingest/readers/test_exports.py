"""Folders and files of exports: whatever lies there, a clear error or a rejected row, never a crash."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.errors import DataError
from stages.common.messages import REACTIONS, Item, Message, Rejected
from stages.common.sources import OPAQUE_IDS, ReaderName
from stages.ingest.readers import READERS
from stages.ingest.readers.reactions import FAVOUR, reaction_of
from stages.ingest.readers.rows import moment
from tests.fixtures import LOGS, fates

#: A file name of each export.
FILES: dict[ReaderName, str] = {
    "messenger": "inbox/c/message_1.json",
    "telegram": "result.json",
    "discord": "general.json",
    "whatsapp": "chat.txt",
}
JSON: list[ReaderName] = ["messenger", "telegram", "discord"]

each_export = pytest.mark.parametrize("name", FILES)


def put(logs: Path, name: ReaderName, content: bytes) -> Path:
    path = logs / name / FILES[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(logs: Path, name: ReaderName) -> list[Item]:
    return list(READERS[name](logs))


def reasons(items: list[Item]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Rejected)]


def test_the_names_of_people_are_in_the_ids_of_every_export() -> None:
    assert set(FILES) == set(READERS) - OPAQUE_IDS


@each_export
def test_a_source_without_a_folder_is_absent(name: ReaderName, tmp_path: Path) -> None:
    assert read(tmp_path, name) == []


@each_export
def test_a_file_named_in_capitals_is_read_like_any_other(name: ReaderName, tmp_path: Path) -> None:
    good = next(p for p in sorted((LOGS / name).rglob("*")) if p.is_file())
    path = put(tmp_path, name, good.read_bytes())
    usual = fates(READERS[name](tmp_path))[0]
    path.rename(path.with_name(path.name.upper()))
    messages, rejected, _ = fates(READERS[name](tmp_path))
    assert [message.text for message in messages] == [message.text for message in usual] != []
    assert rejected == []


@each_export
def test_a_folder_that_is_not_an_export_is_refused(name: ReaderName, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=rf"{name}: expected .* got none \(0 other files, 0 links or archives\)"):
        read(tmp_path, name)
    (tmp_path / name / "Zorblax.csv").touch()
    (tmp_path / name / "Zorblax.zip").touch()
    with pytest.raises(DataError, match=r"1 other files, 1 links or archives\); next: unpack") as caught:
        read(tmp_path, name)
    assert "Zorblax" not in str(caught.value)


@each_export
def test_a_file_or_a_link_in_place_of_the_folder_is_refused(name: ReaderName, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match="expected a folder, got a link or a file"):
        read(tmp_path, name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to(LOGS / name)
    with pytest.raises(DataError, match="expected a folder, got a link or a file"):
        read(tmp_path, name)


@each_export
def test_links_are_not_followed(name: ReaderName, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", name, b"secret")
    inside = put(tmp_path / "logs", name, b"x").parent
    (inside / "folder").symlink_to(outside.parent)
    (inside / f"link{outside.name}").symlink_to(outside)
    (inside / "broken").symlink_to("nowhere")
    items = read(tmp_path / "logs", name)
    assert reasons(items)[:3] == ["symbolic link: not followed"] * 3
    assert len(items) == 4


@each_export
def test_archives_are_not_opened(name: ReaderName, tmp_path: Path) -> None:
    path = put(tmp_path, name, b"x")
    (tmp_path / name / "export.zip").write_bytes(gzip.compress(bytes(10**6)))
    (tmp_path / name / "files").mkdir()
    (tmp_path / name / "files" / "sent by a friend.zip").touch()
    assert reasons(read(tmp_path, name))[0] == "archive: unpack it first"
    assert len(read(tmp_path, name)) == 2
    assert path.exists()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@each_export
def test_a_pipe_does_not_hold_up_the_run(name: ReaderName, tmp_path: Path) -> None:
    a_pipe(put(tmp_path, name, b""))
    with pytest.raises(DataError, match="got none"):
        read(tmp_path, name)


@each_export
def test_hidden_files_and_folders_named_like_files_are_no_exports(name: ReaderName, tmp_path: Path) -> None:
    path = put(tmp_path, name, b"")
    path.rename(path.with_name(f"._{path.name}"))
    with pytest.raises(DataError, match="0 other files"):
        read(tmp_path, name)
    a_folder(put(tmp_path, name, b""))
    with pytest.raises(DataError, match="got none"):
        read(tmp_path, name)


@each_export
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": "Ä"}'.encode("utf-16"), "file in UTF-16, expected UTF-8"),
        ('{"a": "Ä"}'.encode("utf-32"), "file in UTF-32, expected UTF-8"),
        (b'{\n"a": "caf\xe9"}', "file not UTF-8"),
    ],
)
def test_a_wrong_encoding_is_one_rejected_row(
    name: ReaderName, content: bytes, reason: str, tmp_path: Path
) -> None:
    put(tmp_path, name, content)
    (item,) = read(tmp_path, name)
    assert isinstance(item, Rejected)
    assert (item.reason, item.row) == (reason, "")
    assert item.line == (2 if reason == "file not UTF-8" else 1)


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "file empty"),
        (b"\xef\xbb\xbf \n", 1, "file empty"),
        (b'{"messages": [\n{"Zorblax": 1,}]}', 2, "file not JSON: Expecting property name"),
        (b'{"messages": [\n{"a": 1},\n{"Zorb', 3, "file not JSON: Unterminated string"),
        (b'{"a": "\0"}', 1, "file not JSON: Invalid control character"),
        (b"[" * 100_000, 1, "file not JSON: nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", 1, "file not JSON: number too long"),
    ],
)
def test_broken_json_is_one_rejected_row_at_the_break(
    name: ReaderName, content: bytes, line: int, reason: str, tmp_path: Path
) -> None:
    put(tmp_path, name, content)
    (item,) = read(tmp_path, name)
    assert isinstance(item, Rejected)
    assert item.reason.startswith(reason)
    assert (item.line, item.row) == (line, "")
    assert "Zorblax" not in item.reason


@pytest.mark.parametrize("name", JSON)
def test_a_broken_file_costs_no_other(name: ReaderName, tmp_path: Path) -> None:
    path = put(tmp_path, name, b"{")
    good = next(p for p in sorted((LOGS / name).rglob("*")) if p.suffix == path.suffix)
    other = path.with_name(good.name)
    other = path.with_name("message_2.json" if name == "messenger" else f"result_{good.name}")
    other.write_bytes(good.read_bytes())
    messages, rejected, _ = fates(READERS[name](tmp_path))
    assert messages
    assert len(rejected) == 1


def test_a_row_nested_too_deeply_to_spell_is_rejected_all_the_same(tmp_path: Path) -> None:
    for depth in range(900, 1000, 7):
        put(tmp_path, "messenger", b'{"messages": [' + b"[" * depth + b"]" * depth + b"]}")
        assert isinstance(read(tmp_path, "messenger")[0], Rejected)


@each_export
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_file_gives_at_least_one_item(name: ReaderName, content: bytes) -> None:
    with TemporaryDirectory() as logs:
        put(Path(logs), name, content)
        items = read(Path(logs), name)
    assert items
    assert not any(isinstance(item, Message) for item in items)


@pytest.mark.parametrize("name", FILES)
@given(cut=st.integers(0, 3000), garbage=st.binary(max_size=3))
def test_a_file_broken_anywhere_is_read_or_rejected(name: ReaderName, cut: int, garbage: bytes) -> None:
    good = next(p for p in sorted((LOGS / name).rglob("*")) if p.is_file())
    content = good.read_bytes()
    with TemporaryDirectory() as logs:
        put(Path(logs), name, content[:cut] + garbage + content[cut + len(garbage) :])
        messages, rejected, automated = fates(READERS[name](Path(logs)))
    assert messages or rejected or automated


def test_a_name_of_bytes_can_be_stored(tmp_path: Path) -> None:
    path = put(tmp_path, "whatsapp", b"13/02/24, 10:00 - A: x")
    path.rename(os.fsdecode(os.fsencode(path.parent) + b"/caf\xe9.txt"))
    ((message,), _, _) = fates(READERS["whatsapp"](tmp_path))
    assert message.conversation_id == "caf\\xe9"


@pytest.mark.parametrize(
    ("votes", "reaction"),
    [
        ([("❤️", 1)], "love"),
        ([("❤️‍🔥", 1)], "love"),
        ([("🤷🏽‍♀️", 1)], "meaningless"),
        ([("👍🏿", 1), ("👍", 1), ("😂", 1)], "upvote"),
        ([("👍", 2), ("👎", 2), ("😂", 1)], "downvote"),
        ([("😡", 1), ("👎", 1)], "offensive"),
        ([("🦄", 9), ("😂", 1)], "funny"),
        ([("🦄", 9), (None, 3), ("👍", 0)], None),
        ([], None),
    ],
)
def test_the_commonest_reaction_counts_and_of_equals_the_less_favourable(
    votes: list[tuple[object, int]], reaction: str | None
) -> None:
    assert reaction_of(votes) == reaction


def test_every_reaction_has_its_place_in_favour() -> None:
    assert sorted(FAVOUR) == sorted(REACTIONS)


@given(st.text() | st.integers() | st.none() | st.dictionaries(st.text(), st.text()))
def test_a_date_is_in_range_or_refused(value: object) -> None:
    try:
        found = moment(value)
    except ValueError:
        return
    assert 1970 <= found.year <= 9999
    assert json.dumps(found.timestamp())
