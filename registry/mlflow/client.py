"""MLflow's registry, as little of it as we need: versions of registered models, found by tag, named by aliases.

MLflow takes seconds to import and is therefore imported inside functions only. What versions hold:
registry.mlflow.artifacts.
"""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from registry.errors import TrackingError
from registry.mlflow.uri import redacted_uri, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PASSWORD = re.compile(r"//[^/@\s]*@")
_PAGE = 200
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "PERMISSION_DENIED")  # with accounts, what is not there is forbidden
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
        source: address of the files, as MLflow says it.
    """

    name: str
    number: int
    run_id: str
    tags: Mapping[str, str]
    source: str

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


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

    class Client(MlflowClient):  # type: ignore[misc]
        def _raise_if_prompt(self, name: str) -> None:
            """Before nearly every call, MLflow asks whether the model is a prompt. Ours never are."""

    with mlflow_errors("open"):
        return Client(tracking_uri=tracking_uri(), registry_uri=tracking_uri())


@contextmanager
def mlflow_errors(action: str) -> Iterator[None]:
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
            f"MLflow at {redacted_uri()} could not {action}: {type(error).__name__}: {reason}. "
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
    with mlflow_errors(f"list the versions of {name}"):
        while True:
            page = client.search_model_versions(f"name='{name}'", max_results=_PAGE, page_token=token)
            found += page
            token = page.token
            if not token:
                break
    # A number from a local database, a text from a server.
    kept = [Version(v.name, int(v.version), v.run_id, dict(v.tags), v.source) for v in found]
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
    with mlflow_errors(f"read the aliases of {name}"):
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
    with mlflow_errors(f"set the alias {alias} of {version.name}"):
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
    with mlflow_errors(f"remove the alias {alias} of {name}"):
        client.delete_registered_model_alias(name, alias)


def set_tag(client: MlflowClient, version: Version, key: str, value: str) -> None:
    """Set a tag of a version.

    Args:
        client: an open client.
        version: which one.
        key: of the tag.
        value: of the tag.

    Raises:
        TrackingError: if MLflow fails.
    """
    with mlflow_errors(f"tag {version}"):
        client.set_model_version_tag(version.name, str(version.number), key, value)


def ensure_model(client: MlflowClient, name: str) -> None:
    """Create a registered model, unless it is there.

    Args:
        client: an open client.
        name: of the registered model.

    Raises:
        TrackingError: if MLflow fails.
    """
    from mlflow.exceptions import MlflowException

    with mlflow_errors(f"create {name}"):
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def create_version(
    client: MlflowClient, name: str, source: str, run_id: str | None = None, tags: Mapping[str, str] | None = None
) -> Any:
    """Create a version of a registered model, and the model if it is not there.

    Args:
        client: an open client.
        name: of the registered model.
        source: address of the files.
        run_id: the run that holds them.
        tags: of the version.

    Returns:
        The version, as MLflow gives it.

    Raises:
        mlflow.exceptions.MlflowException: if MLflow fails.
    """
    from mlflow.exceptions import MlflowException

    create = functools.partial(client.create_model_version, name, source=source, run_id=run_id, tags=tags)
    try:
        return create()
    except MlflowException as error:
        if error.error_code not in _NOT_THERE:
            raise
    ensure_model(client, name)
    return create()
