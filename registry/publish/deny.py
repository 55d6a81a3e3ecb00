"""Deny: an operator's list -> the champion once more with it, under a new serial; no build, no new verdict."""

from __future__ import annotations

import tempfile
from pathlib import Path

from registry.errors import NotFoundError
from registry.mlflow.catalog import (
    DEFAULT_NAME,
    ensure_bundle,
    fetch_release,
    read_catalog,
)
from registry.mlflow.connection import connect
from registry.mlflow.promotion_lock import promotion_lock
from registry.publish.keys import signing_key
from registry.publish.new_release import VALID_DAYS
from registry.publish.promote import Promotion, reissue
from registry.publish.unjudged import unjudged_of
from rejoinder.parts import DENY
from rejoinder.parts.deny import DenyList, write_deny_list


def deny(denied: DenyList, name: str = DEFAULT_NAME, valid_days: int = VALID_DAYS) -> Promotion:
    """Release the champion once more, with another deny list.

    Args:
        denied: takes the place of the list that the champion has; an empty one allows everything again.
        name: of the release.
        valid_days: for how long pullers may take the new release.

    Returns:
        The promotion; a list that the champion has already changes nothing.

    Raises:
        NotFoundError: if there is no champion.
        PromotionError: if the champion is no longer whole.
        SigningKeyError: if there is no usable key to sign with.
        PromoterError: if another process is promoting.
        TrackingError: if MLflow fails.
    """
    client = connect()
    with signing_key() as key, promotion_lock(client, name) as fence, tempfile.TemporaryDirectory() as parent:
        now = read_catalog(client, name)
        if now.champion is None:
            raise NotFoundError(f"champion of {name}: expected one, got none. Next: rejoinder promote")
        champion = fetch_release(now.champion)
        bundle = Path(parent) / DENY.bundle
        bundle.mkdir()
        manifest = write_deny_list(bundle, denied, champion.vectorizer_id)
        if champion.bundles.get(DENY.bundle) == manifest.digest:
            return Promotion(champion, champion.serial, is_new=False)
        ensure_bundle(client, name, bundle, manifest)
        unjudged = {**unjudged_of(champion.bundles), DENY.bundle: manifest.digest}
        release = reissue(client, fence, now, now.champion, unjudged, key=key, valid_days=valid_days)
    return Promotion(release, champion.serial, is_new=True)
