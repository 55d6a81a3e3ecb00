"""What serving must not load."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "transformers", "pandas", "polars", "pydantic", "mlflow", "prefect", "dvc", "onnx", "rich")


def test_serving_loads_nothing_heavy() -> None:
    code = f"import rejoinder.answer.responder, registry.cli, sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
