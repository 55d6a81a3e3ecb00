"""Search equals brute force, however the index is cut into shards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import BundleError, ConsistencyError, FormatError
from rejoinder.parts import shards
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.opened import OpenRelease
from rejoinder.parts.replies import REPLIES_FILE, IndexedReply, ReplyIndex, write_index
from rejoinder.parts.shards import open_shard, shard_file
from rejoinder.release.canonical import digest_bytes
from rejoinder.release.manifest import Manifest, read_manifest, write_manifest
from rejoinder.release.vectorizer_spec import VectorizerId
from tests.bundles import REPLIES
from tests.rejoinder.parts.test_phrases import unit_rows


def build(folder: str, vectors: Vectors, shard_rows: int) -> ReplyIndex:
    replies = [IndexedReply(f"reply\u2028{row}", row, 1) for row in range(len(vectors))]
    rows = write_index(Path(folder), replies, vectors, shard_rows)
    manifest = write_manifest(Path(folder), "index", VectorizerId(digest_bytes(b"v")), {"shard_rows": rows})
    return ReplyIndex(Path(folder), manifest)


@settings(max_examples=40)
@given(n=st.integers(1, 60), shard_rows=st.integers(1, 70), k=st.integers(1, 70), seed=st.integers(0, 5))
def test_search_equals_brute_force(n: int, shard_rows: int, k: int, seed: int) -> None:
    vectors, queries = unit_rows(n, seed=seed), unit_rows(3, seed=seed + 100)
    exact = queries @ vectors.astype(np.float16).astype(np.float32).T
    with tempfile.TemporaryDirectory() as folder:
        index = build(folder, vectors, shard_rows)
        scores, rows = index.search(queries, k)
    wanted = -np.sort(-exact, axis=1)[:, :k]
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(exact, rows, 1), wanted, atol=1e-5)
    assert all(len(set(line)) == min(k, n) for line in rows.tolist())


@given(st.integers(1, 12))
def test_every_row_can_be_reconstructed(shard_rows: int) -> None:
    vectors = unit_rows(10)
    with tempfile.TemporaryDirectory() as folder:
        index = build(folder, vectors, shard_rows)
        assert len(index) == 10
        np.testing.assert_allclose(index.reconstruct([9, 0, 5]), vectors[[9, 0, 5]], atol=1e-3)


def test_a_reply_is_nearest_to_itself(opened: OpenRelease) -> None:
    for text in REPLIES[::10]:
        hit = opened.index.nearest(opened.vectorizer.encode([text])[0], 3)[0]
        assert hit.reply.text == text
        assert hit.reply == opened.index.replies[hit.row]
        assert 0.999 < hit.score < 1.001


def threads_of_a_search(index: ReplyIndex, queries: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many threads FAISS may start while an index is searched."""
    found: list[int] = []

    class Spy:
        ntotal = len(index)

        def search(self, vectors: Vectors, k: int) -> tuple[Vectors, Vectors]:
            found.append(faiss.omp_get_max_threads())
            return np.zeros((len(vectors), k), np.float32), np.zeros((len(vectors), k), np.float32)

    monkeypatch.setattr(index._shards, "_shards", [Spy()])
    index.search(unit_rows(queries), 1)
    return found[0]


@pytest.mark.parametrize(("queries", "threads"), [(1, 1), (3, 3), (50, 4)])
def test_a_search_takes_no_more_threads_than_queries_and_gives_the_callers_number_back(
    queries: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, before = build(str(tmp_path), unit_rows(5), 5), faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(4)
    try:
        assert threads_of_a_search(index, queries, monkeypatch) == threads
        assert faiss.omp_get_max_threads() == 4
        monkeypatch.setattr(index._shards, "_shards", [None])  # a search that fails
        with pytest.raises(AttributeError):
            index.search(unit_rows(1), 1)
        assert faiss.omp_get_max_threads() == 4
    finally:
        faiss.omp_set_num_threads(before)


def test_the_number_of_threads_is_that_of_the_calling_thread_alone() -> None:
    with shards._no_more_threads_than(1), ThreadPoolExecutor(1) as elsewhere:
        assert faiss.omp_get_max_threads() == 1
        elsewhere.submit(faiss.omp_set_num_threads, 5).result()
        assert elsewhere.submit(faiss.omp_get_max_threads).result() == 5
        assert faiss.omp_get_max_threads() == 1


ROWS = 300
LIMITS = ("vector_byte", "loop", "lattice_r2")


def scalar(
    qtype: int = faiss.ScalarQuantizer.QT_fp16, metric: int = faiss.METRIC_INNER_PRODUCT, dim: int = 16
) -> Any:
    """A filled scalar quantizer."""
    made = faiss.IndexScalarQuantizer(dim, qtype, metric)
    made.train(unit_rows(ROWS, dim))
    made.add(unit_rows(ROWS, dim))
    return made


def lists() -> Any:
    """An index of another kind, with loops that the file dictates."""
    made = faiss.index_factory(16, "IVF4,Flat")
    made.train(unit_rows(ROWS))
    made.add(unit_rows(ROWS))
    return made


OTHERS: dict[str, tuple[Callable[[], Any], str]] = {
    "eight bits": (lambda: scalar(faiss.ScalarQuantizer.QT_8bit), "quantizer: expected 4"),
    "euclidean": (lambda: scalar(metric=faiss.METRIC_L2), "metric: expected 0, got 1"),
    "longer": (lambda: scalar(dim=24), "dimension: expected 16, got 24"),
    "empty": (lambda: faiss.IndexScalarQuantizer(16, 4, 0), "rows: expected 300, got 0"),
    "flat": (lambda: faiss.IndexFlatIP(16), "kind: expected b'IxSQ'"),
    "lists": (lists, "kind: expected b'IxSQ'"),
    "wrapped": (lambda: faiss.IndexIDMap(faiss.IndexFlatIP(16)), "kind: expected b'IxSQ'"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_an_index_of_another_kind_is_refused_by_shard_and_fact(other: str, tmp_path: Path) -> None:
    make, message = OTHERS[other]
    path = tmp_path / "shard-000.faiss"
    faiss.write_index(make(), str(path))
    with pytest.raises((FormatError, ConsistencyError)) as caught:
        open_shard(path, ROWS, 16)
    assert f"shard-000.faiss {message}" in str(caught.value)


def test_lists_on_disk_never_make_faiss_open_the_file_they_name(tmp_path: Path) -> None:
    made, kept = lists(), faiss.OnDiskInvertedLists(4, 64, str(tmp_path / "elsewhere"))
    kept.merge_from(made.invlists, 0)
    made.replace_invlists(kept, False)
    path = tmp_path / "shard-000.faiss"
    faiss.write_index(made, str(path))
    faiss.read_index(str(path))  # by itself FAISS follows the name
    with pytest.raises(FormatError, match="kind"):
        open_shard(path, ROWS)


def test_limits_hold_while_a_shard_is_read_and_not_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "shard-000.faiss"
    faiss.write_index(scalar(), str(path))
    seen = []
    read = faiss.read_index

    def spy(name: str, flags: int) -> Any:
        seen.append(limits())
        return read(name, flags)

    monkeypatch.setattr(faiss, "read_index", spy)
    before = limits()
    open_shard(path, ROWS, 16)
    with pytest.raises(ConsistencyError):
        open_shard(path, ROWS + 1, 16)
    assert seen == [(path.stat().st_size, 1, 1)] * 2
    assert limits() == before


def limits() -> tuple[int, ...]:
    return tuple(getattr(faiss, f"get_deserialization_{name}_limit")() for name in LIMITS)


def test_a_claim_beyond_the_file_is_refused_within_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "shard-000.faiss"
    faiss.write_index(scalar(), str(path))
    data = bytearray(path.read_bytes())
    data[65:73] = (1 << 39).to_bytes(8, "little")  # floats of training: two terabytes
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"shard-000\.faiss: expected an index within FAISS's limits"):
        open_shard(path, ROWS, 16)


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_header_is_refused_or_changes_nothing_that_counts(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shard-000.faiss"
        faiss.write_index(scalar(), str(path))
        damaged = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, 80))] = data.draw(st.integers(0, 255))
        path.write_bytes(damaged[: data.draw(st.sampled_from([len(damaged), 40, 90]))])
        try:
            shard = open_shard(path, ROWS, 16)
        except BundleError:
            return
        scores, rows = shard.search(unit_rows(2, seed=5), 3)
        assert np.isfinite(scores).all()
        assert ((rows >= 0) & (rows < ROWS)).all()


def test_every_shard_and_file_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    build(str(tmp_path), unit_rows(50), 20)
    manifest = read_manifest(tmp_path)
    faiss.write_index(scalar(metric=faiss.METRIC_L2), str(tmp_path / shard_file(0)))
    (tmp_path / shard_file(2)).write_bytes(b"IxSQ")
    (tmp_path / REPLIES_FILE).write_text('{"text": "a"}\n')
    with pytest.raises(ConsistencyError) as caught:
        ReplyIndex(tmp_path, manifest)
    places = [problem.where for problem in caught.value.problems]
    assert places[:2] == ["shard-000.faiss metric", "shard-000.faiss rows"]
    assert "shard-002.faiss" in places
    assert places[-1] == "replies.jsonl"


def test_shards_of_two_lengths_are_refused(tmp_path: Path) -> None:
    build(str(tmp_path), unit_rows(40), 20)
    other = faiss.IndexScalarQuantizer(24, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    other.add(unit_rows(20, 24))
    faiss.write_index(other, str(tmp_path / shard_file(1)))
    with pytest.raises(ConsistencyError, match=r"shard-001\.faiss dimension: expected 16, got 24"):
        ReplyIndex(tmp_path, read_manifest(tmp_path))


def test_replies_that_are_too_few_are_refused(tmp_path: Path) -> None:
    build(str(tmp_path), unit_rows(3), 20)
    lines = (tmp_path / REPLIES_FILE).read_text().split("\n")
    (tmp_path / REPLIES_FILE).write_text("\n".join(lines[1:]))
    with pytest.raises(ConsistencyError, match=r"replies\.jsonl rows: expected 3, got 2"):
        ReplyIndex(tmp_path, read_manifest(tmp_path))


@pytest.mark.parametrize("rows", [None, [], [0], [-1], [True], ["3"], 3, [3, 3]])
def test_facts_that_cannot_be_are_refused(tmp_path: Path, rows: Any) -> None:
    build(str(tmp_path), unit_rows(3), 20)
    manifest = read_manifest(tmp_path)
    wrong: Manifest = replace(manifest, facts={"shard_rows": rows, "candidates": 0})
    with pytest.raises(ConsistencyError, match=r"shard_rows|shard-001\.faiss: expected a file of the bundle"):
        ReplyIndex(tmp_path, wrong)
