"""One text, one vector, whatever comes with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.errors import FormatError, InputError
from rejoinder.parts.onnx_session import session_options
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.parts.probes import TEXTS
from rejoinder.parts.vectorizer import batches, load_vectorizer
from rejoinder.release.forms import model_file
from rejoinder.release.manifest import read_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.text import normalize


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=50))
def test_batch_and_order_do_not_matter(opened: OpenRelease, texts: list[str]) -> None:
    together = opened.vectorizer.encode(texts)
    alone = np.vstack([opened.vectorizer.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@given(st.lists(st.integers(1, 300), max_size=200))
def test_batches_hold_every_row_once_and_pad_none_to_more_than_twice_its_length(lengths: list[int]) -> None:
    found = list(batches(lengths))
    assert sorted(row for rows in found for row in rows) == list(range(len(lengths)))
    for rows in found:
        assert 0 < len(rows) <= 32
        assert max(lengths[row] for row in rows) <= 2 * min(lengths[row] for row in rows)


@given(st.text())
def test_vectors_have_unit_length_and_see_the_canonical_form_only(opened: OpenRelease, text: str) -> None:
    vectors = opened.vectorizer.encode([text, normalize(text)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_tokens_are_cut_and_typed_control_tokens_are_plain_text(opened: OpenRelease) -> None:
    long, typed = opened.vectorizer.tokenize(["hello " * 100, "[SEP]"])
    assert len(long) == opened.vectorizer.spec.max_length
    assert typed.count(3) == 1


def test_a_provider_that_this_machine_lacks(pristine: Installed) -> None:
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this machine has CUDA")
    with pytest.raises(InputError, match="CUDAExecutionProvider"):
        open_release(pristine, "CUDAExecutionProvider")


def make_external(path: Path) -> bytes:
    """Move a model's values into another file, as `onnx` does, and hand back the model's bytes."""
    onnx = pytest.importorskip("onnx")
    loaded = onnx.load(path)
    onnx.save(loaded, path, save_as_external_data=True, location="values.bin", size_threshold=64)
    return path.read_bytes()


@pytest.mark.parametrize("link", ["none", "hard", "symbolic"])
def test_a_model_with_values_in_another_file_is_refused_however_that_file_lies(mine: Installed, link: str) -> None:
    directory = mine.bundles["model"]
    make_external(directory / model_file("cpu"))
    values = directory / "values.bin"
    if link != "none":
        values.rename(directory / "hidden.bin")
        (os.link if link == "hard" else os.symlink)(directory / "hidden.bin", values)
    with pytest.raises(FormatError, match="values in another file"):
        load_vectorizer(directory, read_manifest(directory))


def test_a_session_would_not_find_another_file_even_without_the_guard(mine: Installed) -> None:
    path = mine.bundles["model"] / model_file("cpu")
    make_external(path)
    assert load(path, ort.SessionOptions()) is not None  # by itself ONNX Runtime reads the other file
    with pytest.raises(Exception, match="External data path"):
        load(path, session_options())


def load(path: Path, options: Any) -> Any:
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def test_opening_and_encoding_write_no_file(
    pristine: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(pristine.bundles["model"].iterdir())
    vectorizer = load_vectorizer(pristine.bundles["model"], read_manifest(pristine.bundles["model"]))
    assert vectorizer.encode(["hi"]).shape == (1, vectorizer.dim)
    options = session_options()
    assert (options.optimized_model_filepath, options.enable_profiling) == ("", False)
    assert list(tmp_path.iterdir()) == []
    assert sorted(pristine.bundles["model"].iterdir()) == before


@pytest.mark.parametrize("name", [model_file("cpu"), TOKENIZER])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\x0a", b"\0ORTM" + b"\0" * 64])
def test_what_no_library_can_load_is_a_refusal(mine: Installed, name: str, content: bytes) -> None:
    directory = mine.bundles["model"]
    (directory / name).write_bytes(content)
    with pytest.raises(FormatError, match=name):
        load_vectorizer(directory, read_manifest(directory))
