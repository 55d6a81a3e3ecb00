"""What a source offers to a node: releases of any serial, time, key and change, and what has to come of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from faults.outcome import Outcome
from faults.scene import Node, Scene, two_releases
from registry.publish.keys import SigningKey
from registry.publish.sign import sign
from registry.pull.pull import pull
from registry.pull.sources.folder import FolderSource
from rejoinder.errors import RejoinderError
from rejoinder.release.document import RELEASE, Release
from rejoinder.release.signature import SIGNATURE
from rejoinder.store.store import Store
from tests.bundles import KEY, signer

TRIES = 20
#: When a release with a time of its own was made, and for how long it is good.
MADE = datetime(2026, 6, 1, 12, tzinfo=UTC)
VALID = timedelta(days=90)
#: Changes a release folder after it was signed.
Change = Callable[[Path], None]


@dataclass(frozen=True)
class Offer:
    """What a source offers to a node, and what has to come of it.

    Attributes:
        release: what is offered.
        refusal: the error it must be refused with; None if it must be taken.
        at: the time on the node's clock; None for the real time.
    """

    release: Release
    refusal: type[Exception] | None
    at: datetime | None = None


class Play:
    """A scene in which a source that can be written to offers whatever one likes."""

    def __init__(self, root: Path) -> None:
        self.scene: Scene = two_releases(root)
        self.node: Node = self.scene.node()
        self.source = Store(self.scene.source)

    def reset(self) -> None:
        """Forget what the node has taken."""
        self.node = self.scene.node()

    def sign(
        self,
        serial: int,
        *,
        key: Path = KEY,
        chain: Path | None = None,
        change: Change | None = None,
        **fields: object,
    ) -> Release:
        """Put another release of the new bundles, signed, into the source.

        Args:
            serial: of the release.
            key: that signs.
            chain: its certificate.
            change: made after that.
            **fields: of the release.

        Returns:
            The release.
        """
        made = replace(self.scene.new, serial=serial, signer=signer(key), **fields)  # type: ignore[arg-type]
        place = self.source.release_dir(made.digest)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.source.release_dir(self.scene.new.digest), place)
        (place / SIGNATURE).unlink()
        (place / RELEASE).write_bytes(made.to_bytes())
        sign(place, SigningKey(made.signer, key, chain))
        if change is not None:
            change(place)
        return made

    def offer(self, offer: Offer) -> bool:
        """Pull it; whether it was taken or refused as it had to be, and what is served is whole."""
        self.source.current_file.write_text(offer.release.digest + "\n")
        before = self.node.store.current().release
        clock: AbstractContextManager[object] = nullcontext()
        if offer.at is not None:
            clock = patch("registry.pull.freshness.now", lambda: offer.at)
        try:
            with clock:
                pull(self.node.store, source=FolderSource(self.source.root), trust=self.node.trust)
        except RejoinderError as error:
            return offer.refusal is not None and isinstance(error, offer.refusal) and self.node.serves(before)
        return offer.refusal is None and self.node.serves(offer.release)


def tally(fault: str, results: Sequence[bool], note: str = "") -> Outcome:
    """What came of it: how often it was tried, and how often it went as it had to."""
    return Outcome(fault, len(results), sum(results), note)
