"""A candidate as if it were released: signed with a key that is thrown away, so that opening costs what it will."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from registry.draft import runtime_range, validity
from registry.keys import SigningKey, new_key
from registry.signing import sign
from rejoinder.manifest import digest_file, read_manifest
from rejoinder.parts import VECTORIZER, Kind
from rejoinder.release import RELEASE, VERDICT, Blessing, Release, Signer
from rejoinder.signature import SIGNED


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
