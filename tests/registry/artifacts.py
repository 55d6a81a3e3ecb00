"""What tests of the registry share: releases made in one call, and where MLflow's local store keeps a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from registry.mlflow.artifacts import ARTIFACTS
from registry.mlflow.catalog import bundle_model, read_catalog
from registry.mlflow.client import Version, versions
from registry.mlflow.connection import connect
from registry.publish.keys import SigningKey, signing_key
from registry.publish.new_release import take_serial, upload_release
from registry.publish.promote import promote
from registry.publish.register import publish
from rejoinder.parts import Kind
from rejoinder.release.canonical import digest_bytes
from rejoinder.release.document import VERDICT, Blessing, Release
from tests.bundles import signer, write_verdict


def ship(bundles: Mapping[Kind, Path], name: str, champion: Release | None = None, **verdict: Any) -> Release:
    """Register and promote bundles that the gate has blessed against a champion."""
    path = Path(tempfile.mkdtemp()) / "verdict.json"
    write_verdict(path, bundles, champion.digest if champion else None, **verdict)
    release = publish(bundles, path, name).release
    return promote(name, release.serial).release


def register(bundles: Mapping[Kind, Path], name: str, folder: Path, champion: Release | None = None) -> Release:
    """Register blessed bundles, without promoting them."""
    folder.mkdir(exist_ok=True)
    verdict = write_verdict(folder / "v.json", bundles, champion.digest if champion else None)
    return publish(bundles, verdict, name).release


def forge(release: Release, verdict: bytes, key: Path | None = None, **fields: Any) -> Release:
    """Store a release that `publish` would not have made, signed by the publisher or with another key."""
    client = connect()
    serial = take_serial(client, read_catalog(client, release.name))
    forged = replace(release, serial=serial, blessed=Blessing("gate", digest_bytes(verdict)), **fields)
    documents = {VERDICT: verdict, "provenance.json": b"{}", "bom.json": b"{}"}
    with signing_key() as ours:
        signing = SigningKey(signer(key), key, None) if key else ours
        upload_release(client, replace(forged, signer=signing.signer), documents, signing, {})
    return forged


def held(name: str) -> dict[str, int]:
    """Serial by alias."""
    return {alias: int(version.tags["serial"]) for alias, version in read_catalog(connect(), name).aliases.items()}


def version_of(name: str, serial: int) -> Version:
    """One release as MLflow has it."""
    return next(v for v in read_catalog(connect(), name).releases if v.tags["serial"] == str(serial))


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
