"""Engines: what runs a model of a release, behind one thin face.

ONNX Runtime runs every form, on CPUs and GPUs; OpenVINO, where it is installed, runs on CPUs, and quantised forms
faster on processors made for them. Both read the same ONNX file, after `check_onnx` has passed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rejoinder.errors import InputError
from rejoinder.release.forms import CPU, CUDA, OPENVINO

if TYPE_CHECKING:
    import numpy.typing as npt

#: Type and shape of each input or output, by name; a free axis is None or a name.
Shapes = Mapping[str, tuple[str, list[Any]]]


class Engine(Protocol):
    """An opened model. Safe to share between threads."""

    @property
    def inputs(self) -> Shapes:
        """Type and shape of each input, by name."""

    @property
    def outputs(self) -> Shapes:
        """Type and shape of each output, by name."""

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Compute the first output."""

    def run_all(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Compute every output, by name."""


@lru_cache(1)
def available_providers() -> tuple[str, ...]:
    """What this machine can run models with."""
    import onnxruntime

    found = [name for name in (CPU, CUDA) if name in onnxruntime.get_available_providers()]
    installed = find_spec(OPENVINO)  # without an origin it is an empty folder of that name
    return (*found, OPENVINO) if installed is not None and installed.origin else tuple(found)


def open_engine(path: Path, provider: str) -> Engine:
    """Open a model that `check_onnx` has passed.

    Args:
        path: the model.
        provider: a name in `rejoinder.release.forms`.

    Returns:
        The engine, which runs on that provider and no other.

    Raises:
        InputError: if this machine does not have the provider.
        FormatError: if the model cannot be loaded.
    """
    if provider not in available_providers():
        raise _lacking(provider)
    if provider == OPENVINO:
        try:
            from rejoinder.parts.openvino_engine import OpenVinoEngine
        except (ImportError, OSError, AttributeError) as error:  # installed, but broken or made for another machine
            raise _lacking(provider, f" ({type(error).__name__})") from error
        return OpenVinoEngine(path)
    from rejoinder.parts.onnx_session import OnnxRuntimeEngine

    return OnnxRuntimeEngine(path, provider)


def _lacking(provider: str, why: str = "") -> InputError:
    return InputError(
        f"{provider}: not to be had on this machine{why}. Next: see rejoinder doctor, or use --provider cpu"
    )
