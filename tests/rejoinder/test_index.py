"""Search equals brute force, however the index is cut into shards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.bundle import OpenRelease
from rejoinder.index import IndexedReply, ReplyIndex, write_index
from rejoinder.manifest import VectorizerId, digest_bytes, write_manifest
from rejoinder.vectorizer import Vectors
from tests.bundles import REPLIES
from tests.rejoinder.test_cache import unit_rows


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
