"""Rejoinder's runtime: open a verified release and answer. Torch-free; knows directories, not MLflow."""

from rejoinder.process import disable_telemetry

__version__ = "0.1.0"

disable_telemetry()  # here, for nothing of ours can import ONNX Runtime before this
