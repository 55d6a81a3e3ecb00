"""One text, one vector, whatever comes with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.bundle import Installed, OpenRelease, open_release
from rejoinder.errors import InputError
from rejoinder.probes import TEXTS
from rejoinder.text import normalize


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=50))
def test_batch_and_order_do_not_matter(opened: OpenRelease, texts: list[str]) -> None:
    together = opened.vectorizer.encode(texts)
    alone = np.vstack([opened.vectorizer.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


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
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has CUDA")
    with pytest.raises(InputError, match="CUDAExecutionProvider"):
        open_release(pristine, "CUDAExecutionProvider")
