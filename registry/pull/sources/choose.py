"""Which source a pull takes: a folder that is named, else what MLflow's address says."""

from __future__ import annotations

from pathlib import Path

from registry.mlflow.uri import is_server, tracking_uri
from registry.pull.sources.source import Source


def choose_source(folder: Path | None = None) -> Source:
    """The source that the command line and the environment name.

    Args:
        folder: a store to pull from; None for MLflow at `tracking_uri`.

    Returns:
        The source; nothing has been read yet.
    """
    if folder is not None:
        from registry.pull.sources.folder import FolderSource

        return FolderSource(folder)
    if is_server(tracking_uri()):
        from registry.pull.sources.server import ServerSource

        return ServerSource(tracking_uri())
    from registry.pull.sources.client import ClientSource

    return ClientSource()
