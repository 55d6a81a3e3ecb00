"""What a source of releases can do.

Whatever a source says is believed no further than a signature or a digest confirms it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from registry.names import Selector
from rejoinder.parts import Kind
from rejoinder.release.canonical import Digest


@dataclass(frozen=True, slots=True)
class ReleaseRef:
    """What a source says that an alias or serial stands for.

    Attributes:
        digest: of the release document.
        place: where the source keeps the release's folder.
    """

    digest: Digest
    place: str


class Source(Protocol):
    """Delivers the files of releases and bundles."""

    def resolve(self, name: str, which: Selector) -> ReleaseRef:
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
            size: in bytes, if known; without it, at most `rejoinder.release.signature.MAX_BYTES` are taken.

        Raises:
            NotFoundError: if there is no such file.
            TransferError: if it arrives too short or too long.
            TrackingError: if the source cannot be reached.
        """
