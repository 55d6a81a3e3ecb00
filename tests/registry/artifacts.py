"""What tests of the registry share: releases made in one call, and where MLflow's local store keeps a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.files import ARTIFACTS
from registry.promote import promote
from registry.publish import publish
from registry.releases import bundle_model
from registry.tracking import connect, versions
from rejoinder.manifest import Kind
from rejoinder.release import Release
from tests.bundles import write_verdict


def ship(bundles: Mapping[Kind, Path], name: str, champion: Release | None = None, **verdict: Any) -> Release:
    """Register and promote bundles that the gate has blessed against a champion."""
    path = Path(tempfile.mkdtemp()) / "verdict.json"
    write_verdict(path, bundles, champion.digest if champion else None, **verdict)
    release = publish(bundles, path, name).release
    return promote(name, release.serial).release


def stored_file(name: str, kind: Kind | None, file: str) -> Path:
    """One stored file of the newest bundle of a kind, or of the newest release document."""
    version = versions(connect(), bundle_model(name, kind) if kind else name)[0]
    held = _artifacts().glob(f"**/{version.run_id}/artifacts/{ARTIFACTS}")
    return next(held) / file


def _artifacts() -> Path:
    """Where the files are: beside a local database, or in the folder of the test server."""
    uri = os.environ["MLFLOW_TRACKING_URI"]
    local = Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts"
    return local if uri.startswith("sqlite") else Path(os.environ["REJOINDER_TEST_ARTIFACTS"])
