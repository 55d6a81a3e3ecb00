"""Whatever was written is read back, in order of time; what was not is told."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import InputError
from rejoinder.serving.decisions.files import file_name
from rejoinder.serving.decisions.read import Counts, Logged, Rejected, read_decisions
from rejoinder.serving.decisions.record import Exchange, Record, answer_record, feedback_record, reaction_record
from rejoinder.serving.decisions.tombstones import Tombstone, add_tombstones
from tests.rejoinder.serving.decisions.samples import (
    DIALOGUE,
    FAST,
    KEYER,
    NOON,
    REPLY,
    answer,
    feedback,
    files,
    later,
    opened,
    reaction,
    read,
    write,
)

texts = st.text(st.characters(exclude_categories=()), max_size=30)  # halves of surrogate pairs, too
whole = texts.map(lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
times = st.datetimes(NOON.replace(tzinfo=None), (NOON + timedelta(days=40)).replace(tzinfo=None))


@st.composite
def records(draw: st.DrawFn) -> Record:
    at = draw(times)
    user = draw(st.none() | texts)
    match draw(st.sampled_from(["answer", "reaction", "feedback"])):
        case "answer":
            ids = draw(whole), draw(whole), draw(st.integers(0, 1 << 40)), draw(texts)
            exchange = Exchange(*ids, user, "chat", "stop", draw(st.floats()), draw(st.floats()))
            return answer_record(REPLY, DIALOGUE, exchange, KEYER, with_text=draw(st.booleans()), at=at)
        case "reaction":
            return reaction_record(draw(whole), draw(st.none() | st.just("love")), KEYER, user=user, at=at)
        case _:
            ratings = draw(st.none() | st.dictionaries(whole, st.integers() | st.floats(0, 10)))
            return feedback_record(draw(texts), KEYER, ratings=ratings, user=user, at=at)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), records()), max_size=30))
def test_whatever_is_written_is_read_back(written: list[tuple[int, Record]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for worker in range(3):
            write(folder, *(r for w, r in written if w == worker), worker=worker, with_text=True)
        assert sorted(map(repr, read(folder))) == sorted(repr(record) for _, record in written)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with TemporaryDirectory() as name:
        (Path(name) / file_name(0, 0, 0)).write_bytes(data)
        counts = Counts()
        found = list(read_decisions(Path(name), counts))
        assert len(found) == counts.rejected + counts.records
        *lines, last = data.split(b"\n")
        assert (counts.rejected, counts.torn) == (len(lines), bool(last))


def put(folder: Path, start: float, worker: int, *records: Record) -> None:
    folder.mkdir(exist_ok=True)
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    (folder / file_name(NOON.timestamp() + start, worker, 0)).write_text(lines)


def ids(folder: Path) -> list[str]:
    return [record["completion"] for record in read(folder)]


def test_files_of_several_workers_are_merged_by_time(tmp_path: Path) -> None:
    put(tmp_path, 0, 0, *(reaction(f"a{n}", at=later(n)) for n in range(0, 10, 2)))
    put(tmp_path, 0, 1, *(reaction(f"a{n}", at=later(n)) for n in range(1, 10, 2)))
    put(tmp_path, 10, 0, reaction("a10", at=later(10)))
    assert ids(tmp_path) == [f"a{n}" for n in range(11)]


def test_within_a_file_the_order_of_lines_outlasts_a_clock_that_jumps_back(tmp_path: Path) -> None:
    put(tmp_path, 0, 0, *(reaction(f"a{n}", at=later(-100 * n)) for n in range(5)))
    assert ids(tmp_path) == [f"a{n}" for n in range(5)]


def test_few_files_are_open_at_once(tmp_path: Path) -> None:
    for n in range(300):
        put(tmp_path, n, 0, reaction(f"a{n}", at=later(n + 0.5)))
    lines = read_decisions(tmp_path)
    most = 0
    for _ in lines:
        held = [link for link in Path("/proc/self/fd").iterdir() if str(tmp_path) in str(link.resolve())]
        most = max(most, len(held))
    assert most <= 2


def lines_in(tmp_path: Path, data: bytes) -> tuple[list[Any], Counts]:
    (tmp_path / file_name(0, 0, 0)).write_bytes(data)
    counts = Counts()
    return list(read_decisions(tmp_path, counts)), counts


def test_a_torn_last_line_is_counted_and_passed_over(tmp_path: Path) -> None:
    line = json.dumps(reaction()).encode()
    found, counts = lines_in(tmp_path, line + b"\n" + line[:20])
    assert [type(item) for item in found] == [Logged]
    assert (counts.records, counts.torn, counts.rejected) == (1, 1, 0)


def changed(**values: Any) -> bytes:
    return json.dumps(answer(with_text=True) | values).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not JSON"),
        (b"SECRET", "not JSON"),
        (b'{"v": NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'"\xff"', "not UTF-8"),
        (b"[]", "not an object"),
        (changed(v=2), "another version"),
        (changed(kind="SECRET"), "unknown kind"),
        (changed(kind=["answer"]), "unknown kind"),
        (changed(at="yesterday"), "no time in at"),
        (changed(at="2026-13-27T12:00:00.000Z"), "no time in at"),
        (changed(serial=True), "bad serial"),
        (changed(user=7), "bad user"),
        (changed(candidates=[7]), "candidates: not an object"),
        (changed(candidates=[{"id": "x"}]), "candidates: bad source"),
        (changed(context=[{"speaker": "user"}]), "context: bad text"),
        (changed(texts=["SECRET"]), "bad texts"),
        (json.dumps({k: v for k, v in answer(with_text=True).items() if k != "reply"}).encode(), "bad reply"),
        (json.dumps({k: v for k, v in answer().items() if k != "steps"}).encode(), "bad steps"),
        (json.dumps(reaction() | {"storm": 1}).encode(), "bad storm"),
        (json.dumps(feedback() | {"ratings": []}).encode(), "bad ratings"),
    ],
)
def test_a_bad_line_is_rejected_with_its_place_and_a_reason_that_quotes_nothing(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    good = json.dumps(reaction()).encode()
    found, counts = lines_in(tmp_path, b"\n".join([good, line, good, b""]))
    assert [type(item) for item in found] == [Logged, Rejected, Logged]
    assert found[1] == Rejected(file_name(0, 0, 0), 2, reason)
    assert (counts.records, counts.rejected) == (2, 1)


def test_a_line_that_is_too_long_is_rejected_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("lines", "read"):
        monkeypatch.setattr(f"rejoinder.serving.decisions.{module}.MAX_LINE", 1000)
    good = json.dumps(reaction()).encode()
    found, _ = lines_in(tmp_path, b"\n".join([good, b"x" * 5000, good, b""]))
    assert found[1] == Rejected(file_name(0, 0, 0), 2, "too long")
    assert [item.line for item in found] == [1, 2, 3]


def test_keys_of_a_later_version_do_no_harm(tmp_path: Path) -> None:
    found, _ = lines_in(tmp_path, changed(new=1) + b"\n")
    assert found[0].record["new"] == 1


def test_other_files_are_none_of_the_log(tmp_path: Path) -> None:
    for name in ("notes.jsonl", ".20261127T120000Z-w0-1-0.jsonl.part", "20261399T120000Z-w0-1-0.jsonl"):
        (tmp_path / name).write_text("no record\n")
    write(tmp_path, reaction())
    assert len(read(tmp_path)) == 1


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Next: "):
        read_decisions(tmp_path / "none")


def test_a_log_is_read_while_it_is_written(tmp_path: Path) -> None:
    with opened(tmp_path, limits=FAST) as log:
        for n in range(20):
            assert log.append(reaction(f"a{n}"), durable=True).result(10)
            assert len(read(tmp_path)) == n + 1


def test_a_line_that_a_living_worker_has_not_written_to_its_end_is_not_torn(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(reaction(), durable=True).result(10)
        with files(tmp_path)[0].open("ab") as file:
            file.write(b'{"v": 1')
        assert len(read(tmp_path)) == 1


def test_tombstones_are_obeyed_until_their_time_and_take_the_reactions_along(tmp_path: Path) -> None:
    put(tmp_path, 0, 0, answer("c1"), answer("c2", user="bob"), answer("c3", at=later(100)))
    put(
        tmp_path,
        0,
        1,
        reaction("c1", user="bob", at=later(50)),
        reaction("c2", at=later(60)),
        reaction("c2", "bob"),
    )
    stone = Tombstone("user", KEYER.keyed("user", "alice"), "2026-11-27T12:01:00.000Z")
    add_tombstones(tmp_path, [stone])
    counts = Counts()
    found = [line.record for line in read_decisions(tmp_path, counts) if isinstance(line, Logged)]
    assert [(r["kind"], r["completion"]) for r in found] == [("answer", "c2"), ("reaction", "c2"), ("answer", "c3")]
    assert counts.erased == 3


def test_a_tombstone_that_cannot_be_read_stops_the_reader(tmp_path: Path) -> None:
    write(tmp_path, reaction())
    (tmp_path / "erased.jsonl").write_text('{"kind": "user"}\n')
    with pytest.raises(InputError, match="line 1"):
        read_decisions(tmp_path)


def test_a_tombstone_that_was_not_written_to_its_end_is_made_good_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "erased.jsonl"
    path.write_text('{"kind": "us')
    write(tmp_path, reaction())
    assert len(read(tmp_path)) == 1
    add_tombstones(tmp_path, [Tombstone("user", KEYER.keyed("user", "alice"), "2027")])
    assert path.read_text().count("\n") == 1
    assert read(tmp_path) == []
