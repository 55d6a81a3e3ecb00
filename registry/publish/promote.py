"""Promote and roll back: which release is champion, decided by one promoter at a time.

An alias moves only to a release that is blessed, signed, complete and tied together. The champion's serial only
rises: a rollback is a new release of the old bundles, which pullers take like any other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import NotFoundError, PromotionError, RegistryError
from registry.mlflow.catalog import (
    CHALLENGER,
    DEFAULT_NAME,
    Catalog,
    fetch_folder,
    fetch_manifest,
    read_catalog,
)
from registry.mlflow.client import Version, drop_alias, set_alias, set_tag
from registry.mlflow.connection import connect
from registry.mlflow.promotion_lock import Fence, promotion_lock
from registry.names import CHAMPION, PREVIOUS, Selector
from registry.publish.keys import SigningKey, signing_key
from registry.publish.new_release import VALID_DAYS, take_serial, upload_release, validity
from registry.publish.unjudged import carried
from registry.publish.verdict import check_champion, check_judged_digests, is_like, read_verdict
from registry.pull.freshness import check_fresh
from rejoinder.errors import BundleError
from rejoinder.parts import Kind
from rejoinder.release.canonical import Digest, parse_clearly
from rejoinder.release.document import VERDICT, Release
from rejoinder.release.proof import verify_consistency
from rejoinder.release.signature import SIGNED
from rejoinder.release.trust import Trust

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROMOTED = "promoted"
ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What is champion now, which serial was before, and whether this call changed it."""

    release: Release
    before: int | None
    is_new: bool


def promote(name: str = DEFAULT_NAME, which: Selector = CHALLENGER) -> Promotion:
    """Make a release the champion.

    Args:
        name: of the release.
        which: an alias or a serial.

    Returns:
        The promotion; promoting the champion changes nothing.

    Raises:
        NotFoundError: if there is no such release.
        PromotionError: if it is older than the champion, or not fit to be promoted; names every reason.
        PromoterError: if another process is promoting.
        TrackingError: if MLflow fails.
    """
    client = connect()
    with promotion_lock(client, name) as fence, tempfile.TemporaryDirectory() as folder:
        now = read_catalog(client, name)
        version = _wanted(now, which)
        release = _fit(client, version, Path(folder), now)
        before = _serial(now.champion)
        if before == release.serial:
            return Promotion(release, before, is_new=False)
        if before is not None and before > release.serial:
            raise PromotionError(
                f"{release}: the champion is #{before} already, and serials only rise. "
                f"Next: rejoinder rollback --to {release.serial}, if it was champion once"
            )
        _move(client, fence, version, now)
    return Promotion(release, before, is_new=True)


def rollback(name: str = DEFAULT_NAME, to: int | None = None, valid_days: int = VALID_DAYS) -> Promotion:
    """Release the bundles of an earlier champion once more, under a new serial, and make that the champion.

    Args:
        name: of the release.
        to: serial of a release that was champion; None for the one before. The champion's own serial renews it.
        valid_days: for how long pullers may take the new release.

    Returns:
        The promotion.

    Raises:
        NotFoundError: if there is no such release.
        PromotionError: if it was never champion, or is no longer whole.
        SigningKeyError: if there is no usable key to sign with.
        PromoterError: if another process is promoting.
        TrackingError: if MLflow fails.
    """
    client = connect()
    with signing_key() as key, promotion_lock(client, name) as fence:
        now = read_catalog(client, name)
        version = now.find(PREVIOUS if to is None else to)
        _check_was_champion(version, now.champion, to)
        release = reissue(client, fence, now, version, key=key, valid_days=valid_days)
    return Promotion(release, _serial(now.champion), is_new=True)


def reissue(
    client: MlflowClient,
    fence: Fence,
    now: Catalog,
    version: Version,
    unjudged: Mapping[Kind, Digest] | None = None,
    *,
    key: SigningKey,
    valid_days: int,
) -> Release:
    """Release the judged bundles of a release once more, under a new serial, and make that the champion.

    Args:
        client: an open client.
        fence: of the one promoter.
        now: the releases of the name.
        version: the release.
        unjudged: the other bundles, which MLflow holds; by default those of the champion.
        key: what signs.
        valid_days: for how long pullers may take the new release.

    Returns:
        The new release.

    Raises:
        PromotionError: if the release is no longer whole.
        PromoterError: if another process is promoting.
        TrackingError: if MLflow fails.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        old = _fit(client, version, folder, now, is_rollback=True)
        if unjudged is None:
            unjudged = {kind: m.digest for kind, m in carried(client, now, old.vectorizer_id).items()}
        created, expires = validity(valid_days)
        release = replace(
            old,
            serial=take_serial(client, now),
            created=created,
            expires=expires,
            bundles={**old.judged, **unjudged},
            signer=key.signer,
            reissues=old.reissues or old.serial,
        )
        documents = {file: (folder / file).read_bytes() for file in SIGNED}
        made = upload_release(client, release, documents, key, read_verdict(folder / VERDICT).metrics)
    if now.champion is not None and not is_like(now.champion, version):
        # So that a scheduled retraining, which makes the same bundles again, does not undo the rollback.
        set_tag(client, now.champion, ROLLED_BACK, str(release.serial))
    _move(client, fence, made, now)
    return release


def _wanted(now: Catalog, which: Selector) -> Version:
    try:
        return now.find(which)
    except NotFoundError:
        if which == CHALLENGER and now.champion is not None:
            return now.champion  # nothing new since the last promotion
        raise


def _check_was_champion(version: Version, champion: Version | None, to: int | None) -> None:
    if PROMOTED not in version.tags:
        raise PromotionError(
            f"{version.name} #{version.tags['serial']}: it was never champion. "
            f"Next: rejoinder promote --serial {version.tags['serial']}"
        )
    if to is None and champion is not None and is_like(version, champion):
        raise PromotionError(
            f"{version.name} #{version.tags['serial']}: the release before holds the same bundles as the champion. "
            "Next: rejoinder releases --remote, then rejoinder rollback --to SERIAL"
        )


def _fit(
    client: MlflowClient, version: Version, folder: Path, now: Catalog, *, is_rollback: bool = False
) -> Release:
    """Fetch a release and check all that promotion asks of it."""
    try:
        release = fetch_folder(version, folder)
    except BundleError as error:
        raise PromotionError(f"{version.name} #{version.tags['serial']} cannot be promoted:\n{error}") from error
    is_champion = now.champion is not None and now.champion.number == version.number
    reasons: list[str] = []
    with _collecting(reasons):
        _check_tags(release, version)
    with _collecting(reasons):
        _check_parts(client, release)
    with _collecting(reasons):
        # A key twice could bless for one reader and not for another.
        parse_clearly((folder / VERDICT).read_bytes(), VERDICT)
        verdict = read_verdict(folder / VERDICT)
        check_judged_digests(verdict, release.bundles, "the release")
        if not is_rollback and not is_champion:
            check_champion(verdict, now)
    with _collecting(reasons):
        if not is_rollback:
            check_fresh(release, None, Trust.default())
    with _collecting(reasons):
        if not is_rollback and not is_champion:
            _check_not_rolled_back(release, now)
    if reasons:
        raise PromotionError("\n".join([f"{release} cannot be promoted ({len(reasons)} reason(s)):", *reasons]))
    return release


@contextmanager
def _collecting(reasons: list[str]) -> Iterator[None]:
    try:
        yield
    except (BundleError, RegistryError) as error:
        reasons.append(str(error))


def _check_tags(release: Release, version: Version) -> None:
    """What MLflow's tags say decides which release is found: they must say what was signed."""
    said = (version.name, version.tags.get("serial"), version.tags.get("content"))
    if said != (release.name, str(release.serial), release.content):
        raise PromotionError(f"{version}: its tags name another release than was signed. Next: register again")


def _check_not_rolled_back(release: Release, now: Catalog) -> None:
    for other in now.releases:
        if ROLLED_BACK in other.tags and _content(other) == release.content:
            serial = other.tags["serial"]
            raise PromotionError(
                f"{release}: the same bundles were champion as #{serial} and were rolled back. "
                f"Next: build others; to go back to these all the same: rejoinder rollback --to {serial}"
            )


def _content(version: Version) -> str | None:
    return version.tags.get("content")


def _check_parts(client: MlflowClient, release: Release) -> None:
    manifests = {
        kind: fetch_manifest(client, release.name, kind, release.bundles[kind])[0] for kind in release.bundles
    }
    verify_consistency(str(release), manifests, release.vectorizer_id)


def _move(client: MlflowClient, fence: Fence, version: Version, now: Catalog) -> None:
    """Move the aliases: `previous` first, so that a crash in between leaves a champion in any case."""
    set_tag(client, version, PROMOTED, "true")
    fence.check()
    if now.champion is not None:
        set_alias(client, now.champion, PREVIOUS)
    set_alias(client, version, CHAMPION)
    fence.check()  # a move that hung for longer than the lease may have come after somebody else's: say so
    challenger = now.aliases.get(CHALLENGER)
    if challenger is not None and challenger.number == version.number:
        drop_alias(client, version.name, CHALLENGER)


def _serial(version: Version | None) -> int | None:
    return int(version.tags["serial"]) if version else None
