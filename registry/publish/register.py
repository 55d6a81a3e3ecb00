"""Register: bundles + the gate's verdict -> versions in MLflow and a signed release, the challenger.

Registering twice does nothing the second time, and registering again completes what was interrupted: every
version is looked up by the digest of its content first, and created only after its files have arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.mlflow.artifacts import attach
from registry.mlflow.catalog import (
    CHALLENGER,
    DEFAULT_NAME,
    Catalog,
    ensure_bundle,
    fetch_manifest,
    fetch_release,
    read_catalog,
)
from registry.mlflow.client import Version, set_alias
from registry.mlflow.connection import connect
from registry.mlflow.promotion_lock import promotion_lock
from registry.publish.bom import bill_of_materials
from registry.publish.keys import SigningKey, signing_key
from registry.publish.new_release import VALID_DAYS, runtime_range, take_serial, upload_release, validity
from registry.publish.provenance import base_encoder, provenance
from registry.publish.unjudged import carried
from registry.publish.verdict import Verdict, check_champion, check_judged, read_verdict
from rejoinder.parts import VECTORIZER, Kind, in_order
from rejoinder.release.document import VERDICT, Blessing, Release, content_digest
from rejoinder.release.manifest import Manifest
from rejoinder.release.proof import verify_bytes, verify_consistency

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True, slots=True)
class Published:
    """A release in MLflow, and whether this call made it."""

    release: Release
    is_new: bool


def publish(
    bundles: Mapping[Kind, Path],
    verdict: Path,
    name: str = DEFAULT_NAME,
    valid_days: int = VALID_DAYS,
    pages: Sequence[Path] = (),
) -> Published:
    """Register blessed bundles as a signed release and make it the challenger.

    Args:
        bundles: directories by kind; a kind that is left out must be in MLflow already, as the verdict names it: so
            a new cache or index is released on an unchanged model.
        verdict: the gate's verdict on all of them.
        name: of the release; each bundle goes to `<name>-<kind>`.
        valid_days: for how long pullers may take the release.
        pages: put beside the release in MLflow, for people to read.

    Returns:
        The release.

    Raises:
        VerdictError: if the verdict does not bless these bundles against today's champion.
        SigningKeyError: if there is no usable key to sign with.
        BundleError: if a bundle does not verify, or they do not belong together.
        PromoterError: if another process is releasing.
        TrackingError: if MLflow fails.
        TransferError: if MLflow holds other files than were sent.
    """
    judged = read_verdict(verdict)
    check_judged(judged, bundles)
    client = connect()
    with signing_key() as key:  # before anything is sent: a missing key should not cost an upload
        manifests = _manifests(client, name, judged, bundles)
        vectorizer_id = manifests[VECTORIZER.bundle].vectorizer_id
        verify_consistency(f"the candidate for {name}", manifests, vectorizer_id)
        now = read_catalog(client, name)
        manifests = {**carried(client, now, vectorizer_id), **manifests}
        if (same := _same(now, judged, manifests)) is None:
            check_champion(judged, now)
        for kind, directory in bundles.items():
            ensure_bundle(client, name, directory, manifests[kind])
        if same is not None and same.number in {version.number for version in now.aliases.values()}:
            return Published(fetch_release(same), is_new=False)
        return _challenge(client, name, judged, manifests, pages, key=key, valid_days=valid_days)


def _challenge(
    client: MlflowClient,
    name: str,
    judged: Verdict,
    manifests: Mapping[Kind, Manifest],
    pages: Sequence[Path],
    *,
    key: SigningKey,
    valid_days: int,
) -> Published:
    """Make the release of bundles that have arrived, and make it the challenger."""
    with promotion_lock(client, name) as fence:
        now = read_catalog(client, name)
        same = _same(now, judged, manifests)
        if same is None:
            serial = take_serial(client, now)
            release = _draft(judged, manifests, name, serial=serial, key=key, valid_days=valid_days)
            documents = _documents(release, manifests, judged)
            version = upload_release(client, release, documents, key, judged.metrics)
        else:  # registered before, and killed before it became the challenger
            release, version = fetch_release(same), same
        attach(client, version, pages)
        if now.champion is None or now.champion.number != version.number:
            fence.check()
            set_alias(client, version, CHALLENGER)
    return Published(release, is_new=same is None)


def _manifests(
    client: MlflowClient, name: str, judged: Verdict, bundles: Mapping[Kind, Path]
) -> dict[Kind, Manifest]:
    """Verified manifests of all bundles: of directories, else of what MLflow holds."""
    held = [part.bundle for part in in_order(judged.bundles) if part.bundle not in bundles]
    return {
        **verify_bytes(f"the candidate for {name}", bundles, judged.bundles),
        **{kind: fetch_manifest(client, name, kind, judged.bundles[kind])[0] for kind in held},
    }


def _same(now: Catalog, judged: Verdict, manifests: Mapping[Kind, Manifest]) -> Version | None:
    """The champion, if it holds these bundles; else the newest release, if it holds them by this very verdict."""
    content = content_digest(now.name, {kind: manifest.digest for kind, manifest in manifests.items()})
    if now.champion is not None and now.champion.tags.get("content") == content:
        return now.champion
    newest = now.releases[0] if now.releases else None
    if newest and newest.tags.get("content") == content and newest.tags.get("verdict") == judged.digest:
        return newest
    return None


def _draft(
    judged: Verdict,
    manifests: Mapping[Kind, Manifest],
    name: str,
    *,
    serial: int,
    key: SigningKey,
    valid_days: int,
) -> Release:
    created, expires = validity(valid_days)
    return Release(
        name=name,
        serial=serial,
        created=created,
        expires=expires,
        vectorizer_id=manifests[VECTORIZER.bundle].vectorizer_id,
        bundles={kind: manifest.digest for kind, manifest in manifests.items()},
        runtime=runtime_range(),
        blessed=Blessing("gate", judged.digest),
        signer=key.signer,
    )


def _documents(release: Release, manifests: Mapping[Kind, Manifest], judged: Verdict) -> dict[str, bytes]:
    origin = provenance(release)
    base = base_encoder(origin)
    bill = bill_of_materials(release, manifests, judged.metrics, *([base] if base else []))
    return {VERDICT: judged.data, "provenance.json": origin, "bom.json": bill}
