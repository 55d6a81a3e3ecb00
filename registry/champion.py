"""The champion, pulled and opened: what a candidate has to match."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from registry.pull import pull
from registry.releases import DEFAULT_NAME
from registry.releases import champion as find_champion
from rejoinder.bundle import open_release
from rejoinder.manifest import Kind
from rejoinder.release import Release
from rejoinder.store import Store
from rejoinder.vectorizer import Vectorizer

#: A store of its own, so that a benchmark never changes what `rejoinder ask` answers with.
STORE = Path(".rejoinder/champion")


@dataclass(frozen=True, slots=True)
class Champion:
    """The release to beat.

    Attributes:
        release: which one.
        vectorizer: its vectorizer, proved and loaded.
        context_turns: turns that it encodes as context.
        sizes_mb: size of each bundle, in MB.
    """

    release: Release
    vectorizer: Vectorizer
    context_turns: int
    sizes_mb: dict[Kind, float]


def open_champion(name: str = DEFAULT_NAME) -> Champion | None:
    """Pull the newest release into a store of its own and open it.

    Args:
        name: of the release.

    Returns:
        The champion, or None if nothing was ever released.

    Raises:
        RegistryError: if MLflow fails or has lost it.
        BundleError: if it does not verify on this machine.
    """
    release = find_champion(name)
    if release is None:
        return None
    store = Store(STORE)
    pull(store, name, release.serial)
    installed = store.installed(release.digest)
    opened = open_release(installed)
    sizes: dict[Kind, float] = {
        kind: sum(path.stat().st_size for path in directory.iterdir()) / 1e6
        for kind, directory in installed.bundles.items()
    }
    return Champion(release, opened.vectorizer, int(opened.index.facts["context_turns"]), sizes)
