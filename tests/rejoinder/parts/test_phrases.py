"""The phrase cache returns what was written and encodes only what it must."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.cached import ENTRY_BYTES, CachedVectorizer, dearest
from rejoinder.parts.opened import OpenRelease
from rejoinder.parts.phrases import PhraseCache, write_cache
from rejoinder.text import normalize
from tests.bundles import DIM, PHRASES


def unit_rows(n: int, dim: int = 16, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((n, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@settings(max_examples=50)
@given(st.lists(st.text().map(normalize), min_size=1, max_size=20, unique=True), st.text())
def test_what_was_written_is_found_and_nothing_else(phrases: list[str], stranger: str) -> None:
    vectors = unit_rows(len(phrases))
    with tempfile.TemporaryDirectory() as folder:
        write_cache(Path(folder), phrases, vectors)
        cache = PhraseCache(Path(folder))
        assert sorted(cache.phrases()) == sorted(phrases)
        for phrase, vector in zip(phrases, vectors, strict=True):
            found = cache.table.get(f"  {phrase}\t")
            assert found is not None
            np.testing.assert_allclose(found, vector, atol=1e-3)
            assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)
        assert (cache.table.get(stranger) is None) == (normalize(stranger) not in phrases)


def test_two_spellings_of_one_phrase_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="share a key"):
        write_cache(tmp_path, ["hello", "HELLO"], unit_rows(2))


def test_each_source_in_turn(opened: OpenRelease) -> None:
    encoder = CachedVectorizer(opened.vectorizer, [opened.cache.table])
    assert PHRASES[0] == "hi"
    first = encoder.encode(["hi", "never cached"])
    second = encoder.encode(["HI!", "Hi", "NEVER   cached"])
    assert first.sources == ("cold", "model")
    assert second.sources == ("model", "cold", "hot")
    np.testing.assert_array_equal(first.vectors[1], second.vectors[2])


def test_a_hit_is_the_vector_that_the_model_computes(opened: OpenRelease) -> None:
    encoded = opened.encoder.encode(PHRASES)
    assert set(encoded.sources) == {"cold"}
    assert encoded.vectors.shape == (len(PHRASES), DIM)
    np.testing.assert_allclose(encoded.vectors, opened.vectorizer.encode(PHRASES), atol=1e-3)


def test_the_hot_part_forgets_the_least_recently_used(opened: OpenRelease) -> None:
    entry = ENTRY_BYTES + 4 * DIM + len("one")
    encoder = CachedVectorizer(opened.vectorizer, [opened.cache.table], hot_bytes=2 * entry)
    encoder.encode(["one", "two"])
    assert encoder.encode(["one"]).sources == ("hot",)
    encoder.encode(["six"])
    assert encoder.encode(["one"]).sources == ("hot",)
    assert encoder.encode(["two"]).sources == ("model",)


def test_a_long_text_takes_the_room_of_several(opened: OpenRelease) -> None:
    entry = ENTRY_BYTES + 4 * DIM + len("one")
    encoder = CachedVectorizer(opened.vectorizer, [opened.cache.table], hot_bytes=3 * entry)
    encoder.encode(["one", "two"])
    encoder.encode(["x" * 2 * entry])
    assert encoder.encode(["one", "two"]).sources == ("model", "model")


def test_a_text_that_is_asked_for_twice_at_once_counts_once(opened: OpenRelease) -> None:
    entry = ENTRY_BYTES + 4 * DIM + len("one")
    encoder = CachedVectorizer(opened.vectorizer, [], hot_bytes=2 * entry)
    encoder.encode(["one", "one", "one", "ONE"])
    encoder.encode(["two"])
    assert encoder.encode(["one", "two"]).sources == ("hot", "hot")


def test_the_dearest_source_is_told() -> None:
    assert [dearest(s) for s in (("cold", "model", "hot"), ("cold", "hot"), ("cold",), ())] == [
        "model",
        "hot",
        "cold",
        "",
    ]
