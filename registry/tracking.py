"""MLflow, as little of it as we need: directories stored as versions of registered models, found by tag.

The tracking URI is `MLFLOW_TRACKING_URI`, else `mlflow.db` in the working directory. A local database keeps its
artifacts in `mlartifacts` beside it; a server decides for itself. MLflow takes seconds to import and is therefore
imported inside functions only.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from registry.errors import NotFoundError, TrackingError, TransferError
from registry.progress import transfer_bar

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_URI = "sqlite:///mlflow.db"
ARTIFACTS = "files"  # folder of a run that holds what the version stands for
_PASSWORD = re.compile(r"//[^/@\s]*@")
_SQLITE = "sqlite:///"
_PAGE = 200
_BATCH = 1000  # metrics in one request
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Seven retries, the default, keep a person waiting for minutes when the server is down.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a registered model.

    Attributes:
        name: of the registered model.
        number: of the version.
        run_id: the run that holds the files.
        tags: what it was registered with.
    """

    name: str
    number: int
    run_id: str
    tags: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


def tracking_uri() -> str:
    """Where MLflow is."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def shown_uri() -> str:
    """`tracking_uri` for messages: without the user and password that a server's address may carry."""
    scheme, _, rest = tracking_uri().partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def artifact_location() -> str | None:
    """Where a new experiment keeps its artifacts, as a URI; None leaves it to the server."""
    uri = tracking_uri()
    if not uri.startswith(_SQLITE):
        return None
    return (Path(uri.removeprefix(_SQLITE)).resolve().parent / "mlartifacts").as_uri()


def connect() -> MlflowClient:
    """Open MLflow at `tracking_uri`.

    Returns:
        A client; nothing is read or written yet, except that a new local database is set up.
    """
    for key, value in _SETTINGS.items():
        os.environ.setdefault(key, value)
    from mlflow import MlflowClient

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with speaking_to_mlflow("open"):
        return MlflowClient(tracking_uri=tracking_uri(), registry_uri=tracking_uri())


@contextmanager
def speaking_to_mlflow(action: str) -> Iterator[None]:
    """Turn whatever MLflow, its HTTP client or its database raises into one error.

    Args:
        action: what is being done, for the message.

    Yields:
        Nothing.

    Raises:
        TrackingError: if MLflow fails.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = _PASSWORD.sub("//", str(error).strip().split("\n")[0])[:300]
        raise TrackingError(
            f"MLflow at {shown_uri()} could not {action}: {type(error).__name__}: {reason}. "
            "Next: check MLFLOW_TRACKING_URI and that the server is up"
        ) from None  # the cause's own text holds the address with its password


def versions(client: MlflowClient, name: str, **tags: str) -> list[Version]:
    """All versions of a registered model that carry some tags.

    Args:
        client: an open client.
        name: of the registered model; may not exist.
        **tags: tags and values that must all be there.

    Returns:
        The versions, newest first.

    Raises:
        TrackingError: if MLflow fails.
    """
    found: list[Any] = []
    token = None
    with speaking_to_mlflow(f"list the versions of {name}"):
        while True:
            page = client.search_model_versions(f"name='{name}'", max_results=_PAGE, page_token=token)
            found += page
            token = page.token
            if not token:
                break
    # A number from a local database, a text from a server.
    kept = [Version(v.name, int(v.version), v.run_id, dict(v.tags)) for v in found]
    kept = [v for v in kept if tags.items() <= v.tags.items()]
    return sorted(kept, key=lambda version: -version.number)


def aliases(client: MlflowClient, name: str) -> dict[str, int]:
    """The aliases of a registered model.

    Args:
        client: an open client.
        name: of the registered model; may not exist.

    Returns:
        Version number by alias.

    Raises:
        TrackingError: if MLflow fails.
    """
    with speaking_to_mlflow(f"read the aliases of {name}"):
        # Not `get_registered_model`: with authentication on, a model that is not there is forbidden, not missing.
        found = client.search_registered_models(f"name='{name}'", max_results=1)
    return {alias: int(number) for model in found for alias, number in model.aliases.items()}


def set_alias(client: MlflowClient, version: Version, alias: str) -> None:
    """Point an alias at a version.

    Args:
        client: an open client.
        version: which one.
        alias: its name.

    Raises:
        TrackingError: if MLflow fails.
    """
    with speaking_to_mlflow(f"set the alias {alias} of {version.name}"):
        client.set_registered_model_alias(version.name, alias, str(version.number))


def drop_alias(client: MlflowClient, name: str, alias: str) -> None:
    """Remove an alias.

    Args:
        client: an open client.
        name: of the registered model.
        alias: its name.

    Raises:
        TrackingError: if MLflow fails.
    """
    with speaking_to_mlflow(f"remove the alias {alias} of {name}"):
        client.delete_registered_model_alias(name, alias)


def mark(client: MlflowClient, version: Version, key: str, value: str) -> None:
    """Set a tag of a version.

    Args:
        client: an open client.
        version: which one.
        key: of the tag.
        value: of the tag.

    Raises:
        TrackingError: if MLflow fails.
    """
    with speaking_to_mlflow(f"tag {version}"):
        client.set_model_version_tag(version.name, str(version.number), key, value)


def sizes(client: MlflowClient, run_id: str) -> dict[str, int]:
    """What MLflow really holds of a run.

    Args:
        client: an open client.
        run_id: the run.

    Returns:
        Size in bytes by file name.

    Raises:
        TrackingError: if MLflow fails.
    """
    with speaking_to_mlflow("list artifacts"):
        listed = client.list_artifacts(run_id, ARTIFACTS)
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
    with speaking_to_mlflow(f"store {name}"):
        run = client.create_run(_experiment_id(client, experiment), run_name=name, tags=dict(tags))
        outcome = "FAILED"
        try:
            _send(client, run.info.run_id, directory, sent)
            _log_metrics(client, run.info.run_id, metrics)
            version = _create_version(client, name, run.info, tags)
            outcome = "FINISHED"
        finally:
            # A server that has gone away must not hide the error that brought us here.
            with suppress(Exception):
                client.set_terminated(run.info.run_id, outcome)
    return version


def _log_metrics(client: MlflowClient, run_id: str, metrics: Mapping[str, float]) -> None:
    """Log in as few requests as MLflow allows: a verdict holds hundreds of figures."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    logged = [Metric(re.sub(r"[^\w.:/ -]", "_", key), value, now, 0) for key, value in metrics.items()]
    for start in range(0, len(logged), _BATCH):
        client.log_batch(run_id, metrics=logged[start : start + _BATCH])


def _send(client: MlflowClient, run_id: str, directory: Path, sent: Mapping[str, int]) -> None:
    with transfer_bar(f"sending {directory.name}", sum(sent.values())) as advance:
        for name, size in sent.items():
            client.log_artifact(run_id, str(directory / name), ARTIFACTS)
            advance(size)
    held = sizes(client, run_id)
    if held != sent:
        wrong = sorted(key for key in sent.keys() | held.keys() if sent.get(key) != held.get(key))
        lines = [f"  - {key}: sent {sent.get(key, 0)} bytes, MLflow holds {held.get(key, 0)}" for key in wrong]
        raise TransferError("\n".join([f"{directory}: upload is incomplete", *lines, "  next: register again"]))


def _create_version(client: MlflowClient, name: str, run: Any, tags: Mapping[str, str]) -> Version:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{run.artifact_uri}/{ARTIFACTS}"
    made = client.create_model_version(name, source=source, run_id=run.run_id, tags=dict(tags))
    return Version(name, int(made.version), run.run_id, dict(tags))


def _experiment_id(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    experiment_id = found.experiment_id if found else client.create_experiment(name, artifact_location())
    return str(experiment_id)


def download(client: MlflowClient, version: Version, file: str, directory: Path) -> Path:
    """Fetch one file of a version; its bytes are whatever MLflow delivered.

    Args:
        client: an open client.
        version: where it belongs.
        file: its name.
        directory: where to put it.

    Returns:
        The file's path.

    Raises:
        NotFoundError: if MLflow holds no such file.
        TrackingError: if MLflow fails.
    """
    from mlflow.artifacts import download_artifacts

    try:
        with speaking_to_mlflow(f"deliver {file} of {version}"):
            uri = client.get_model_version_download_uri(version.name, str(version.number))
            found = download_artifacts(
                artifact_uri=f"{uri}/{file}", dst_path=str(directory), tracking_uri=tracking_uri()
            )
    except TrackingError:
        if file in sizes(client, version.run_id):
            raise
        raise NotFoundError(
            f"{version}: expected a file {file}, got none. Next: register the release again"
        ) from None
    return Path(found)
