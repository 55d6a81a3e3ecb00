"""Signatures that are none of ours: a stranger's, none, another release's, a certificate that does not count."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faults.authority import Authority
from faults.offers import MADE, TRIES, VALID, Offer, Play, tally
from faults.outcome import Outcome
from registry.errors import RegistryError
from registry.publish.keys import new_key
from rejoinder.errors import IntegrityError, SignatureError
from rejoinder.release.document import write_time
from rejoinder.release.signature import SIGNATURE

if TYPE_CHECKING:
    pass

_DAY = timedelta(days=1)


def unknown_key(root: Path, tries: int = TRIES) -> Outcome:
    """Sign with a key that the node does not believe: a stranger's, or another machine's development key."""
    play = Play(root)
    results = []
    for number in range(tries):
        name = "development" if number % 2 else "publisher"  # the name of the one that is believed
        key = new_key(name, Path(tempfile.mkdtemp(dir=root))).private
        results.append(play.offer(Offer(play.sign(10 + number, key=key), SignatureError)))
    return tally("a stranger's or a development key", results)


def broken_signature(root: Path, tries: int = TRIES) -> Outcome:
    """Strip the signature, empty it, or put another release's in its place."""
    play = Play(root)
    donor = play.source.release_dir(play.sign(9).digest) / SIGNATURE
    results = []
    for number in range(tries):
        change, refusal = _CHANGES[number % len(_CHANGES)]
        made = play.sign(10 + number, change=partial(change, donor=donor))
        results.append(play.offer(Offer(made, refusal)))
    return tally("a signature stripped or another release's", results)


def _strip(place: Path, donor: Path) -> None:
    del donor
    (place / SIGNATURE).unlink()


def _empty(place: Path, donor: Path) -> None:
    del donor
    (place / SIGNATURE).write_bytes(b"")


def _unsign(place: Path, donor: Path) -> None:
    del donor
    path = place / SIGNATURE
    document = json.loads(path.read_bytes())
    document["dsseEnvelope"]["signatures"] = []
    path.write_text(json.dumps(document))


def _transplant(place: Path, donor: Path) -> None:
    shutil.copy(donor, place / SIGNATURE)


_CHANGES: tuple[tuple[Callable[..., None], type[Exception]], ...] = (
    (_strip, RegistryError),
    (_empty, SignatureError),
    (_unsign, SignatureError),
    (_transplant, IntegrityError),
)


def certificates(root: Path, tries: int = TRIES) -> Outcome:
    """Sign with a certificate: under the believed root, under another, out of its time, or with no root there."""
    play = Play(root)
    ours, theirs = Authority(), Authority()
    crt = play.node.trust.root / "ours.crt"
    results = []
    for number in range(tries):
        authority, days, has_root, refusal = _CHAINS[number % len(_CHAINS)]
        folder = Path(tempfile.mkdtemp(dir=root))
        pair = new_key("certified", folder)
        first = MADE + days * _DAY
        chain = (ours if authority == "ours" else theirs).certify(folder, pair.private, first, first + 30 * _DAY)
        play.reset()  # what it has taken would be refused with the root that certified it gone
        if has_root:
            crt.write_bytes(ours.pem)
        valid: dict[str, Any] = {"created": write_time(MADE), "expires": write_time(MADE + VALID)}
        made = play.sign(10 + number, key=pair.private, chain=chain, **valid)
        results.append(play.offer(Offer(made, refusal, MADE)))
    return tally("a certificate", results, "under our root: taken; another root, expired, no root: refused")


#: Whose authority, when the certificate begins (30 days, counted from the release), whether the root is believed.
_CHAINS: tuple[tuple[str, int, bool, type[Exception] | None], ...] = (
    ("ours", -1, True, None),
    ("theirs", -1, True, SignatureError),
    ("ours", -31, True, SignatureError),
    ("ours", 1, True, SignatureError),
    ("ours", -1, False, SignatureError),
)


FAULTS = (unknown_key, broken_signature, certificates)
