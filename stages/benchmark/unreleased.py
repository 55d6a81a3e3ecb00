"""A candidate as if it were released: signed with a key that is thrown away, so that opening costs what it will."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from registry.publish.keys import SigningKey, new_key
from registry.publish.new_release import runtime_range, validity
from registry.publish.sign import sign
from rejoinder.parts import VECTORIZER, Kind
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.canonical import digest_file
from rejoinder.release.document import RELEASE, VERDICT, Blessing, Release, Signer, read_release
from rejoinder.release.manifest import read_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.signature import SIGNED
from rejoinder.release.trust import Trust


def sign_unreleased(bundles: Mapping[Kind, Path], folder: Path) -> tuple[Path, Path]:
    """Write a release folder that nobody else would believe.

    Args:
        bundles: bundle directory by kind.
        folder: an empty directory.

    Returns:
        The release folder, and a trust folder that believes it.
    """
    release_folder, trust = folder / "release", folder / "trust"
    release_folder.mkdir()
    pair = new_key("unreleased", trust)
    for name in SIGNED:
        (release_folder / name).write_text("{}")
    manifests = {kind: read_manifest(path) for kind, path in bundles.items()}
    created, expires = validity()
    release = Release(
        name="unreleased",
        serial=1,
        created=created,
        expires=expires,
        vectorizer_id=manifests[VECTORIZER.bundle].vectorizer_id,
        bundles={kind: manifest.digest for kind, manifest in manifests.items()},
        runtime=runtime_range(),
        blessed=Blessing("nobody", digest_file(release_folder / VERDICT)),
        signer=Signer(pair.id, "unreleased"),
    )
    (release_folder / RELEASE).write_bytes(release.to_bytes())
    sign(release_folder, SigningKey(release.signer, pair.private, None))
    return release_folder, trust


@contextmanager
def opened_unreleased(bundles: Mapping[Kind, Path]) -> Iterator[OpenRelease]:
    """Open a candidate as a serving node would open it, once released.

    Args:
        bundles: bundle directory by kind.

    Yields:
        The open release.
    """
    with tempfile.TemporaryDirectory() as folder:
        signed, trust = sign_unreleased(bundles, Path(folder))
        release = read_release(signed / RELEASE, digest_file(signed / RELEASE))
        opened = open_release(Installed(release, signed, bundles), trust=Trust(trust))
        try:
            yield opened
        finally:
            opened.close()
