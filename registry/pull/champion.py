"""The champion, pulled and opened: what a candidate has to match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.mlflow.catalog import DEFAULT_NAME
from registry.mlflow.catalog import champion as find_champion
from registry.pull.pull import pull
from rejoinder.errors import ConsistencyError, FormatError, ProbeError
from rejoinder.home import home
from rejoinder.parts import Kind
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.document import Release
from rejoinder.release.forms import CPU
from rejoinder.store.store import Store


@dataclass(frozen=True, slots=True)
class Champion:
    """The release to beat.

    Attributes:
        release: which one.
        opened: proved and loaded, or None if this machine or this version cannot open it.
        unusable: why not; empty if it is open.
        bundles: directory of each bundle; empty if it is not open.
    """

    release: Release
    opened: OpenRelease | None
    unusable: str
    bundles: Mapping[Kind, Path]


def open_champion(name: str = DEFAULT_NAME) -> Champion | None:
    """Pull the champion into a store of its own and open it.

    Args:
        name: of the release.

    Returns:
        The champion, or None if nothing was ever released.

    Raises:
        RegistryError: if MLflow fails, has lost it, or delivers other bytes.
        IntegrityError: if its document or bytes are not what was released.
    """
    release = find_champion(name)
    if release is None:
        return None
    store = Store(home() / "champion")  # not the default one: a benchmark must not change what `ask` answers
    try:
        pull(store, name, release.serial)
        installed = store.installed(release.digest)
        opened = open_release(installed, CPU)  # as its vectors were made, not as would be fastest here
    except (ConsistencyError, ProbeError, FormatError) as error:
        # A newer normalisation, runtime or machine must not block every later release.
        return Champion(release, None, str(error), {})
    return Champion(release, opened, "", installed.bundles)
