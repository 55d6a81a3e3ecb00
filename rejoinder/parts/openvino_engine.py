"""OpenVINO: how a model is opened with it. Imported only where it is asked for and installed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rejoinder.errors import FormatError, InputError, Problem
from rejoinder.process import threads

#: A dependency of OpenVINO's that calls its vendor. Nothing of ours needs it; the lock leaves it out, pip does not.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino  # noqa: E402

#: OpenVINO's own default is bfloat16 where the processor has it: other vectors on every other machine.
_PRECISION = "f32"


class OpenVinoEngine:
    """A model, compiled for this machine's CPU. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Compile a model that `check_onnx` has passed.

        Args:
            path: the model.

        Raises:
            InputError: if OpenVINO does not start, or has nothing for CPUs.
            FormatError: if it cannot read or compile the model.
        """
        settings = {
            "INFERENCE_PRECISION_HINT": _PRECISION,
            "INFERENCE_NUM_THREADS": threads(),
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # a server has other work on these cores
            "CACHE_DIR": "",  # nothing that was compiled is written anywhere, nor read
        }
        core = _core()
        try:
            self._model = core.compile_model(core.read_model(str(path)), "CPU", settings)
        except Exception as error:  # one class for everything that can be wrong
            problem = Problem("model", "one that OpenVINO compiles", _reason(error))
            raise FormatError(str(path), [problem]) from None
        self._own = threading.local()

    @property
    def inputs(self) -> dict[str, tuple[str, list[Any]]]:
        """Type and shape of each input, by name."""
        return _shapes(self._model.inputs)

    @property
    def outputs(self) -> dict[str, tuple[str, list[Any]]]:
        """Type and shape of each output, by name."""
        return _shapes(self._model.outputs)

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Compute the first output."""
        return np.array(self._request().infer(dict(feeds))[0])

    def run_all(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Compute every output, by name."""
        found = self._request().infer(dict(feeds))
        return {output.get_any_name(): np.array(found[output]) for output in self._model.outputs}

    def _request(self) -> Any:
        request = getattr(self._own, "request", None)
        if request is None:  # a request belongs to one thread at a time
            request = self._own.request = self._model.create_infer_request()
        return request


def _core() -> Any:
    """OpenVINO itself; whatever hinders it is no fault of a model."""
    try:
        core = openvino.Core()
        found = core.available_devices
    except Exception as error:
        raise InputError(f"openvino: does not start ({_reason(error)}). Next: see rejoinder doctor") from error
    if "CPU" not in found:
        raise InputError("openvino: has nothing to run models on CPUs with. Next: install it anew")
    return core


def _reason(error: Exception) -> str:
    """The last line that says something: the first ones name places in OpenVINO's sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__


def _shapes(nodes: Any) -> dict[str, tuple[str, list[Any]]]:
    return {
        node.get_any_name(): (
            node.get_element_type().get_type_name(),
            [None if size.is_dynamic else size.get_length() for size in node.get_partial_shape()],
        )
        for node in nodes
    }
