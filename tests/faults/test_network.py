"""Whatever a network does, a pull is right or refused; and the counting of that can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faults import network
from faults.network import FAULTS, cut_unseen, flipped_byte, stale_body
from registry.pull.install import part_dir
from registry.pull.pull import pull
from registry.pull.sources.source import Source
from rejoinder.release.document import RELEASE, Release, parse_release
from rejoinder.release.manifest import MANIFEST, read_manifest
from rejoinder.release.signature import SIGNATURE, SIGNED
from rejoinder.store.store import Store


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_pull_is_right_or_refused(tmp_path: Path, fault: Any) -> None:
    outcome = fault(tmp_path, 4)
    assert outcome.survived == outcome.tries == 4


def pull_that_tidies_up(store: Store, **options: Any) -> object:
    """Lose what was served on every failure."""
    try:
        return pull(store, **options)
    except Exception:
        store.current_file.unlink()
        raise


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_pull_that_loses_the_old_release_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    monkeypatch.setattr(network, "pull", pull_that_tidies_up)
    outcome = fault(tmp_path, 2)
    assert outcome.survived < outcome.tries


def pull_that_believes(store: Store, source: Source, **_: Any) -> Release:
    """Install whatever arrives."""
    pointer = source.resolve("rejoinder", "champion")
    store.release_dir(pointer.digest).mkdir(exist_ok=True)
    for file in (SIGNATURE, *SIGNED):
        source.fetch(pointer.place, file, store.release_dir(pointer.digest) / file)
    release = parse_release((store.release_dir(pointer.digest) / RELEASE).read_bytes(), "")
    for kind, digest in release.bundles.items():
        place, folder = source.bundle("rejoinder", kind, digest), store.bundle_dir(digest)
        folder.mkdir(exist_ok=True)
        source.fetch(place, MANIFEST, folder / MANIFEST)
        for file, entry in read_manifest(folder).files.items():
            source.fetch(place, file, folder / file, entry.size)
    store.current_file.write_text(pointer.digest)
    assert not part_dir(store, pointer.digest).exists()
    return release


@pytest.mark.parametrize("fault", [cut_unseen, flipped_byte, stale_body], ids=lambda fault: fault.__name__)
def test_a_pull_that_believes_what_arrives_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    monkeypatch.setattr(network, "pull", pull_that_believes)
    outcome = fault(tmp_path, 10)
    assert outcome.survived < outcome.tries
