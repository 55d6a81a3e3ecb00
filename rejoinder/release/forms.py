"""Forms of a model: the names of their files, and which of them an execution provider runs."""

from __future__ import annotations

#: Which form of the model a provider runs; see docs/bundle-format.md.
FORMS = {"CPUExecutionProvider": "cpu", "CUDAExecutionProvider": "fp16"}


def model_file(form: str) -> str:
    """File name of one ONNX form."""
    return f"model.{form}.onnx"
