"""ONNX Runtime sessions: how every model of a release is opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnxruntime as ort

from rejoinder.errors import FormatError, InputError, Problem, first_line
from rejoinder.process import threads


def default_provider() -> str:
    """CUDA where ONNX Runtime has it, else the CPU."""
    return next(p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in ort.get_available_providers())


def session_options() -> Any:
    """How every session is opened: quiet, writing no file, and reading none but the model.

    Returns:
        ONNX Runtime session options.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3
    options.enable_profiling = False
    options.optimized_model_filepath = ""
    # Spinning wins microseconds on an idle machine and burns whole cores on a shared one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # `check_onnx` refuses values in other files. Should one ever slip through, its folder is one that cannot be.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    # Not by its looks: ONNX Runtime has a format of its own that the guard does not know.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def open_session(path: Path, provider: str) -> Any:
    """Open a model that `check_onnx` has passed.

    Args:
        path: the model.
        provider: an ONNX Runtime execution provider.

    Returns:
        An ONNX Runtime session that runs on that provider.

    Raises:
        InputError: if this machine does not have the provider.
        FormatError: if ONNX Runtime cannot load the model.
    """
    # Asked for a provider that it cannot load, ONNX Runtime would quietly run on the CPU instead.
    if provider in ort.get_available_providers():
        session = _load_session(path, provider)
        if session.get_providers()[0] == provider:
            return session
    raise InputError(
        f"{provider}: not to be had on this machine. Next: see rejoinder doctor, or use --provider cpu"
    )


def _load_session(path: Path, provider: str) -> Any:
    try:
        return ort.InferenceSession(str(path), session_options(), providers=[provider])
    except Exception as error:  # a dozen classes of its own, without a common one
        raise FormatError(str(path), [Problem("model", "one that ONNX Runtime loads", first_line(error))]) from None
