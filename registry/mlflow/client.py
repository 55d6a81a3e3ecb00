"""MLflow's registry, as little of it as we need: versions of registered models, found by tag, named by aliases.

MLflow takes seconds to import and is therefore imported inside functions only. What versions hold:
registry.mlflow.artifacts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from registry.mlflow.connection import mlflow_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 200
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "PERMISSION_DENIED")  # with accounts, what is not there is forbidden


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
