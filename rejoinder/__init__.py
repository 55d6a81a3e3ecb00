"""Rejoinder's runtime: open a verified release and answer. Torch-free; knows directories, not MLflow."""

__version__ = "0.1.0"
