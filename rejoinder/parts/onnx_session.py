"""ONNX Runtime sessions: how every model of a release is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnxruntime as ort

from rejoinder.errors import FormatError, InputError, Problem, first_line
from rejoinder.process import threads
from rejoinder.release.forms import CUDA


def session_options() -> Any:
    """How every session is opened: quiet, writing no file, and reading none but the model.

    Returns:
        ONNX Runtime session options.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3
    # A plan of memory is kept for each shape that was ever seen: texts have hundreds. Without, nothing is slower.
    options.enable_mem_pattern = False
    options.enable_profiling = False
    options.optimized_model_filepath = ""
    # Spinning wins microseconds on an idle machine and burns whole cores on a shared one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # `check_onnx` refuses values in other files. Should one ever slip through, its folder is one that cannot be.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    # Not by its looks: ONNX Runtime has a format of its own that the guard does not know.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


class OnnxRuntimeEngine:
    """A model in an ONNX Runtime session. Safe to share between threads."""

    def __init__(self, path: Path, provider: str) -> None:
        """Open a model that `check_onnx` has passed.

        Args:
            path: the model.
            provider: an ONNX Runtime execution provider.

        Raises:
            InputError: if ONNX Runtime cannot run it on that provider after all.
            FormatError: if ONNX Runtime cannot load the model.
        """
        self._session = _load_session(path, provider)
        # Asked for a provider that it cannot load, ONNX Runtime would quietly run on the CPU instead.
        if self._session.get_providers()[0] != provider:
            raise InputError(f"{provider}: ONNX Runtime cannot run models on it here. Next: see rejoinder doctor")
        self._names = [node.name for node in self._session.get_outputs()]

    @property
    def inputs(self) -> dict[str, tuple[str, list[Any]]]:
        """Type and shape of each input, by name."""
        return _shapes(self._session.get_inputs())

    @property
    def outputs(self) -> dict[str, tuple[str, list[Any]]]:
        """Type and shape of each output, by name."""
        return _shapes(self._session.get_outputs())

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Compute the first output."""
        found: npt.NDArray[Any] = self._session.run(None, dict(feeds))[0]
        return found

    def run_all(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Compute every output, by name."""
        return dict(zip(self._names, self._session.run(self._names, dict(feeds)), strict=True))


#: ONNX Runtime's names of types, and those that we use.
_TYPES = {"tensor(float)": "f32", "tensor(int64)": "i64"}


def _shapes(nodes: Any) -> dict[str, tuple[str, list[Any]]]:
    return {node.name: (_TYPES.get(node.type, node.type), list(node.shape)) for node in nodes}


#: TF32, which ONNX Runtime uses unless told otherwise, rounds to 10 bits: probes allow no such distance.
_SETTINGS = {CUDA: {"use_tf32": "0"}}


def _load_session(path: Path, provider: str) -> Any:
    try:
        chosen = [(provider, _SETTINGS.get(provider, {}))]
        return ort.InferenceSession(str(path), session_options(), providers=chosen)
    except Exception as error:  # a dozen classes of its own, without a common one
        raise FormatError(str(path), [Problem("model", "one that ONNX Runtime loads", first_line(error))]) from None
