"""Where releases are pulled from: a plain folder, an MLflow server, or MLflow's own client for the rest.

Whatever a source says is believed no further than a signature or a digest confirms it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from registry.address import is_server, tracking_uri
from rejoinder.manifest import Digest
from rejoinder.parts import Kind

CHAMPION = "champion"
PREVIOUS = "previous"
#: What to pull: the name of an alias, or a serial.
Which = str | int


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a source says that an alias or serial stands for.

    Attributes:
        digest: of the release document.
        place: where the source keeps the release's folder.
    """

    digest: Digest
    place: str


class Source(Protocol):
    """Delivers the files of releases and bundles."""

    def resolve(self, name: str, which: Which) -> Pointer:
        """Find a release.

        Args:
            name: of the release.
            which: an alias or a serial.

        Returns:
            Where it is.

        Raises:
            NotFoundError: if there is none.
            TrackingError: if the source cannot be reached.
        """

    def bundle(self, name: str, kind: Kind, digest: Digest) -> str:
        """Find a bundle.

        Args:
            name: of the release.
            kind: of the bundle.
            digest: of the bundle.

        Returns:
            Where the source keeps it.

        Raises:
            NotFoundError: if there is none.
            TrackingError: if the source cannot be reached.
        """

    def fetch(self, place: str, file: str, target: Path, size: int | None = None) -> None:
        """Fetch one file; its bytes are whatever the source delivered.

        Args:
            place: of the release or bundle.
            file: its name.
            target: where to write it; what is there already may be the beginning of it.
            size: in bytes, if known; without it, at most `rejoinder.signature.MAX_BYTES` are taken.

        Raises:
            NotFoundError: if there is no such file.
            TransferError: if it arrives too short or too long.
            TrackingError: if the source cannot be reached.
        """


def choose_source(folder: Path | None = None) -> Source:
    """The source that the command line and the environment name.

    Args:
        folder: a store to pull from; None for MLflow at `tracking_uri`.

    Returns:
        The source; nothing has been read yet.
    """
    if folder is not None:
        from registry.folder import FolderSource

        return FolderSource(folder)
    if is_server(tracking_uri()):
        from registry.rest import ServerSource

        return ServerSource(tracking_uri())
    from registry.client import ClientSource

    return ClientSource()
