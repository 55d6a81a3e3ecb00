"""Where MLflow's local artifact store keeps a file, for tests that damage it."""

from __future__ import annotations

import os
from pathlib import Path

from registry.releases import bundle_model
from registry.tracking import ARTIFACTS, connect, versions
from rejoinder.manifest import Kind


def stored_file(name: str, kind: Kind | None, file: str) -> Path:
    """One stored file of the newest bundle of a kind, or of the newest release document."""
    version = versions(connect(), bundle_model(name, kind) if kind else name)[0]
    database = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"))
    return database.parent / "mlartifacts" / version.run_id / "artifacts" / ARTIFACTS / file
