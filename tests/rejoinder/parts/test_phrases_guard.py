"""Arrays of the cache are what the manifest says before anybody reads a row."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import BundleError, ConsistencyError, FormatError
from rejoinder.parts.arrays import map_array
from rejoinder.parts.phrases import FILES, PhraseCache, write_cache
from tests.rejoinder.parts.test_phrases import unit_rows

PHRASES = ("hi", "hello", "bye")
KEYS, VECTORS = FILES.keys, FILES.vectors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache of three phrases."""
    write_cache(tmp_path, PHRASES, unit_rows(3))
    return tmp_path


def test_what_was_written_fits(folder: Path) -> None:
    assert len(PhraseCache(folder, 3, 16)) == 3


@pytest.mark.parametrize(
    ("phrases", "dim", "named"), [(4, 16, {KEYS, VECTORS}), (3, 17, {VECTORS}), (None, 17, {VECTORS})]
)
def test_another_number_or_length_is_refused(folder: Path, phrases: int | None, dim: int, named: set[str]) -> None:
    with pytest.raises(ConsistencyError) as caught:
        PhraseCache(folder, phrases, dim)
    assert {problem.where for problem in caught.value.problems} == named


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 16), np.float32),
        np.zeros((3, 16), ">f2"),
        np.zeros(48, np.float16),
        np.zeros((3, 16, 1), np.float16),
        np.zeros((2, 16), np.float16),
        np.asfortranarray(np.zeros((3, 16), np.float16)),
        np.zeros(3, [("a", np.float16)]),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_an_array_of_another_type_or_shape_is_refused(folder: Path, wrong: npt.NDArray[Any]) -> None:
    np.save(folder / VECTORS, wrong)
    with pytest.raises(ConsistencyError, match=r"vectors\.npy: expected float16 \(3, 'n'\)"):
        PhraseCache(folder)


def archive() -> bytes:
    made = io.BytesIO()
    np.savez(made, a=np.zeros(3))
    assert zipfile.is_zipfile(made)
    return made.getvalue()


def objects() -> bytes:
    made = io.BytesIO()
    np.save(made, np.array([{}], object), allow_pickle=True)
    return made.getvalue()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text.encode()


LONG = "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 16), }" + " " * 5000 + "\n"


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", archive(), objects(), header(LONG), header("[" * 4000)])
def test_a_file_that_is_no_plain_array_is_refused(folder: Path, content: bytes) -> None:
    (folder / VECTORS).write_bytes(content)
    with pytest.raises(FormatError, match=r"vectors\.npy: expected a \.npy file"):
        PhraseCache(folder)


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_header_is_refused_or_says_the_same(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / VECTORS
        np.save(path, unit_rows(3).astype(np.float16))
        damaged = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            damaged[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
        path.write_bytes(damaged)
        try:
            found = map_array(path, np.float16, (3, 16))
        except BundleError:
            return
        np.testing.assert_array_equal(found, unit_rows(3).astype(np.float16))
