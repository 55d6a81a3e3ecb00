"""Files of versions: a flat directory -> the artifacts of a run, checked against what MLflow holds; and back.

From a server files come over `registry.mlflow.rest`, in a request each and within bounds; MLflow's client needs
four
requests a file, and is left to local databases and to stores that are not behind the server.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from registry.errors import NotFoundError, TrackingError, TransferError
from registry.mlflow.client import Version, create_version
from registry.mlflow.connection import mlflow_errors
from registry.mlflow.rest import Endpoint, endpoint, place_of
from registry.mlflow.uri import artifact_location, is_server, redacted_uri, tracking_uri
from rejoinder.progress import BYTES, progress

if TYPE_CHECKING:
    from mlflow import MlflowClient

ARTIFACTS = "files"  # folder of a run that holds what the version stands for
PAGES = "pages"  # and the one that holds what people may read beside it
_BATCH = 1000  # metrics in one request


def sizes(source: str) -> dict[str, int]:
    """What MLflow really holds.

    Args:
        source: address of the files.

    Returns:
        Size in bytes by file name.

    Raises:
        TrackingError: if MLflow fails.
    """
    if (server := _server_of(source)) is not None:
        return server.sizes(place_of(source))
    from mlflow.artifacts import list_artifacts

    with mlflow_errors("list files"):
        listed = list_artifacts(artifact_uri=source, tracking_uri=tracking_uri())
    return {Path(file.path).name: int(file.file_size or 0) for file in listed}


def upload(
    client: MlflowClient,
    experiment: str,
    name: str,
    directory: Path,
    tags: Mapping[str, str],
    *,
    metrics: Mapping[str, float] = MappingProxyType({}),
) -> Version:
    """Store a flat directory as a new version.

    The version is created last, after MLflow's own listing has been compared with the directory: a version that is
    there is complete, whereas MLflow's status READY says nothing about files.

    Args:
        client: an open client.
        experiment: name of the experiment whose run holds the files; created if missing.
        name: of the registered model; created if missing.
        directory: the files.
        tags: of the version and its run.
        metrics: of the run; characters that MLflow does not take in a key become underscores.

    Returns:
        The new version.

    Raises:
        TrackingError: if MLflow fails.
        TransferError: if MLflow holds other files than were sent.
    """
    sent = {path.name: path.stat().st_size for path in sorted(directory.iterdir())}
    with mlflow_errors(f"store {name}"):
        run = client.create_run(_experiment_id(client, experiment), run_name=name, tags=dict(tags))
        outcome = "FAILED"
        try:
            source = f"{run.info.artifact_uri}/{ARTIFACTS}"
            _send(client, run.info.run_id, source, directory, sent)
            _log_metrics(client, run.info.run_id, metrics)
            version = _create_version(client, name, run.info.run_id, source, tags)
            outcome = "FINISHED"
        finally:
            # A server that has gone away must not hide the error that brought us here.
            with suppress(Exception):
                client.set_terminated(run.info.run_id, outcome)
    return version


def attach(client: MlflowClient, version: Version, pages: Sequence[Path]) -> None:
    """Put pages for people beside a version; they belong to no release, and nothing reads them again.

    Args:
        client: an open client.
        version: whose run holds them.
        pages: files; a page of the same name is replaced.

    Raises:
        TrackingError: if MLflow fails.
    """
    with mlflow_errors(f"store the pages of {version.name}"):
        for page in pages:
            client.log_artifact(version.run_id, str(page), PAGES)


def _log_metrics(client: MlflowClient, run_id: str, metrics: Mapping[str, float]) -> None:
    """Log in as few requests as MLflow allows: a verdict holds hundreds of figures."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    logged = [Metric(re.sub(r"[^\w.:/ -]", "_", key), value, now, 0) for key, value in metrics.items()]
    for start in range(0, len(logged), _BATCH):
        client.log_batch(run_id, metrics=logged[start : start + _BATCH])


def _send(client: MlflowClient, run_id: str, source: str, directory: Path, sent: Mapping[str, int]) -> None:
    with progress(f"sending {directory.name}", BYTES, sum(sent.values())) as advance:
        for name, size in sent.items():
            client.log_artifact(run_id, str(directory / name), ARTIFACTS)
            advance(size)
    held = sizes(source)
    if held != sent:
        wrong = sorted(key for key in sent.keys() | held.keys() if sent.get(key) != held.get(key))
        lines = [f"  - {key}: sent {sent.get(key, 0)} bytes, MLflow holds {held.get(key, 0)}" for key in wrong]
        raise TransferError("\n".join([f"{directory}: upload is incomplete", *lines, "  next: register again"]))


def _create_version(client: MlflowClient, name: str, run_id: str, source: str, tags: Mapping[str, str]) -> Version:
    made = create_version(client, name, source, run_id, dict(tags))
    return Version(name, int(made.version), run_id, dict(tags), source)


def _experiment_id(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    experiment_id = found.experiment_id if found else client.create_experiment(name, artifact_location())
    return str(experiment_id)


def download(source: str, file: str, directory: Path) -> Path:
    """Fetch one file; its bytes are whatever MLflow delivered.

    Args:
        source: address of its folder.
        file: its name.
        directory: where to put it.

    Returns:
        The file's path.

    Raises:
        NotFoundError: if MLflow holds no such file.
        TrackingError: if MLflow fails.
        TransferError: if a server delivers it in part, or none within bounds.
    """
    if (server := _server_of(source)) is not None:
        server.fetch(place_of(source), file, directory / file)
        return directory / file
    from mlflow.artifacts import download_artifacts

    try:
        with mlflow_errors(f"deliver {file}"):
            found = download_artifacts(
                artifact_uri=f"{source}/{file}", dst_path=str(directory), tracking_uri=tracking_uri()
            )
    except TrackingError:
        if file in sizes(source):
            raise
        raise NotFoundError(
            f"{file}: expected in MLflow at {redacted_uri()}, got no such file. Next: register the release again"
        ) from None
    return Path(found)


def _server_of(source: str) -> Endpoint | None:
    """The server that hands out the files at an address; None if only MLflow's client can reach them."""
    return endpoint(tracking_uri()) if is_server(tracking_uri()) and place_of(source) else None
