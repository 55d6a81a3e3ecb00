"""Where MLflow is: `MLFLOW_TRACKING_URI`, else `mlflow.db` in the working directory.

A local database keeps its artifacts in `mlartifacts` beside it; a server decides for itself.
"""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_URI = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"


def tracking_uri() -> str:
    """Where MLflow is."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def redacted_uri() -> str:
    """`tracking_uri` for messages: without the user and password that a server's address may carry."""
    scheme, _, rest = tracking_uri().partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def is_server(uri: str) -> bool:
    """Whether an address is a server's, and not a database's."""
    return uri.startswith(("http://", "https://"))


def artifact_location() -> str | None:
    """Where a new experiment keeps its artifacts, as a URI; None leaves it to the server."""
    uri = tracking_uri()
    if not uri.startswith(SQLITE):
        return None
    return (Path(uri.removeprefix(SQLITE)).resolve().parent / "mlartifacts").as_uri()
