"""OpenVINO behind the same face as ONNX Runtime: what it refuses, and many threads at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rejoinder.errors import FormatError, InputError
from rejoinder.parts.engines import available_providers, open_engine
from rejoinder.release.forms import CPU, CUDA, OPENVINO
from tests.bundles import weights, write_onnx


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_onnx(tmp_path / "model.onnx", weights(0))
    return tmp_path / "model.onnx"


def feeds(seed: int, rows: int = 4) -> dict[str, Any]:
    ids = np.random.default_rng(seed).integers(4, 20, (rows, 1 + seed % 7)).astype(np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def test_both_engines_make_the_same_vectors(model: Path) -> None:
    one, other = open_engine(model, CPU), open_engine(model, OPENVINO)
    assert list(one.outputs) == list(other.outputs) == ["vectors"]
    np.testing.assert_allclose(one.run(feeds(3)), other.run(feeds(3)), atol=1e-5)


def test_threads_do_not_take_each_others_vectors(model: Path) -> None:
    engine, reference = open_engine(model, OPENVINO), open_engine(model, CPU)
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda seed: engine.run(feeds(seed)), range(240)))
    for seed, vectors in enumerate(found):
        np.testing.assert_allclose(vectors, reference.run(feeds(seed)), atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"\x08\x0a", b"{}"])
def test_what_it_cannot_load_is_a_refusal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(FormatError, match="one that OpenVINO compiles"):
        open_engine(tmp_path / "model.onnx", OPENVINO)


def test_an_openvino_that_does_not_start_is_no_fault_of_the_model(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Core:
        available_devices: tuple[str, ...] = ("NPU",)

    monkeypatch.setattr("openvino.Core", Core)
    with pytest.raises(InputError, match="nothing to run models on CPUs"):
        open_engine(model, OPENVINO)

    def broken() -> Any:
        raise RuntimeError("Exception from src/core.cpp:84:\nplugins.xml is missing\n\n")

    monkeypatch.setattr("openvino.Core", broken)
    with pytest.raises(InputError, match=r"does not start \(plugins.xml is missing\)"):
        open_engine(model, OPENVINO)


def test_an_empty_folder_of_that_name_is_no_openvino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = type("Spec", (), {"origin": None})()
    available_providers.cache_clear()
    monkeypatch.setattr("rejoinder.parts.engines.find_spec", lambda name: spec)
    assert OPENVINO not in available_providers()
    available_providers.cache_clear()


def test_a_provider_that_is_not_there_is_named(model: Path) -> None:
    if CUDA in available_providers():
        pytest.skip("this machine has CUDA")
    with pytest.raises(InputError, match="CUDAExecutionProvider: not to be had"):
        open_engine(model, CUDA)
