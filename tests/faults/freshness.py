"""Freshness: releases that are signed and yet not to be taken, and signatures that are none of ours."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from registry.errors import RegistryError
from registry.folder import FolderSource
from registry.keys import SigningKey, new_key
from registry.pull import pull
from registry.signing import sign
from rejoinder.errors import FreshnessError, IntegrityError, RejoinderError, SignatureError, StoreError
from rejoinder.release import RELEASE, Release, write_time
from rejoinder.signature import SIGNATURE
from rejoinder.store import Store
from tests.bundles import KEY, signer
from tests.faults.outcome import Outcome
from tests.faults.scene import Node, Scene, evenly, two_releases

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TRIES = 20
_DAY = timedelta(days=1)
_YEAR = timedelta(days=365)
_MADE = datetime(2026, 6, 1, 12, tzinfo=UTC)
_VALID = timedelta(days=90)
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
            clock = patch("registry.seen.now", lambda: offer.at)
        try:
            with clock:
                pull(self.node.store, source=FolderSource(self.source.root), trust=self.node.trust)
        except RejoinderError as error:
            return offer.refusal is not None and isinstance(error, offer.refusal) and self.node.serves(before)
        return offer.refusal is None and self.node.serves(offer.release)


def _outcome(fault: str, results: Sequence[bool], note: str = "") -> Outcome:
    return Outcome(fault, len(results), sum(results), note)


def replayed_pointer(root: Path, tries: int = TRIES) -> Outcome:
    """Move the alias back to every release that was champion before the one that was seen."""
    play = Play(root)
    older = [play.sign(serial) for serial in range(10, 10 + tries)]
    newest = play.sign(10 + tries)
    taken = play.offer(Offer(newest, None))
    return _outcome(
        "an old signed release offered again", [taken and play.offer(Offer(r, FreshnessError)) for r in older]
    )


def expired(root: Path, tries: int = TRIES) -> Outcome:
    """Offer releases that expired a second to some days ago."""
    play = Play(root)
    results = []
    for number in range(tries):
        made = play.sign(10 + number, created=write_time(_MADE), expires=write_time(_MADE + _VALID))
        results.append(
            play.offer(Offer(made, FreshnessError, _MADE + _VALID + number * number * timedelta(hours=1)))
        )
    return _outcome("an expired release", results)


#: How far the node's clock is off, and whether a release made just now, valid for 90 days, has to be refused.
_CLOCKS = ((-_YEAR, True), (-2 * _DAY, True), (-_DAY, False), (_DAY, False), (_YEAR, True))


def wrong_clock(root: Path, tries: int = len(_CLOCKS) * 4) -> Outcome:
    """Set the node's clock wrong by a day and by a year, either way."""
    play = Play(root)
    results = []
    for number in range(tries):
        off, is_refused = _CLOCKS[number % len(_CLOCKS)]
        made = play.sign(10 + number, created=write_time(_MADE), expires=write_time(_MADE + _VALID))
        results.append(play.offer(Offer(made, FreshnessError if is_refused else None, _MADE + off)))
    return _outcome("a clock wrong by a day or a year", results, "a day: taken; two days early or a year: refused")


def wiped_state(root: Path, tries: int = TRIES) -> Outcome:
    """Remove the memory: an older release comes in once, as documented; an expired one does not."""
    play = Play(root)
    results = []
    for number in range(tries):
        play.reset()
        older = play.sign(10 + 3 * number)
        newer = play.sign(11 + 3 * number)
        gone = play.sign(9 + 3 * number, expires=write_time(_MADE), created=write_time(_MADE - _VALID))
        fine = play.offer(Offer(newer, None)) and play.offer(Offer(older, FreshnessError))
        (play.node.trust.root / "state.json").unlink()
        fine = fine and play.offer(Offer(gone, FreshnessError)) and play.offer(Offer(older, None))
        results.append(fine and play.offer(Offer(newer, None)) and play.offer(Offer(older, FreshnessError)))
    return _outcome("a wiped trust state", results, "an older release comes in once; an expired one does not")


_DAMAGES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"\0" * 300,
    b"\xff\xfe",
    b'{"format":2}',
    b'{"format":2,"seen":[]}',
    b'{"format":2,"seen":{"rejoinder@champion":null}}',
    b'{"format":2,"seen":{"rejoinder@champion":{"serial":1}}}',
    b'{"format":2,"seen":{"rejoinder@champion":{"serial":"9","release":"","key":"","at":""}}}',
    b'{"format":2,"seen":{"rejoinder@champion":{"serial":null,"release":"","key":"","at":""}}}',
    b'{"format":2,"seen":{"rejoinder@champion":{"serial":1e400,"release":"","key":"","at":""}}}',
    b'{"format":1,"seen":{}}',
    b"[" * 100_000,
)


def damaged_state(root: Path, tries: int = 200) -> Outcome:
    """Cut the memory short, flip a bit of it, or write something else into it."""
    play = Play(root)
    path = play.node.trust.root / "state.json"
    whole = path.read_bytes()
    cuts = [whole[:length] for length in range(0, len(whole) - 1, max(1, len(whole) // 30))]
    flips = [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in range(len(whole))]
    flips = [flips[number - 1] for number in evenly(len(flips), max(1, tries - len(_DAMAGES) - len(cuts)))]
    results = []
    for number, data in enumerate([*_DAMAGES, *cuts, *flips][:tries]):
        path.write_bytes(data)
        results.append(play.offer(Offer(play.sign(10 + number), StoreError)))
    return _outcome("a damaged trust state", results)


def mixed_up(root: Path, tries: int = TRIES) -> Outcome:
    """Offer a signed release of another name under this one."""
    play = Play(root)
    others = [play.sign(10 + number, name=f"another-{number}") for number in range(tries)]
    return _outcome("another name's release", [play.offer(Offer(other, IntegrityError)) for other in others])


def same_serial(root: Path, tries: int = TRIES) -> Outcome:
    """Offer another signed release with the serial that was seen."""
    play = Play(root)
    taken = play.offer(Offer(play.sign(10), None))
    twins = [play.sign(10, reissues=number + 1) for number in range(tries)]
    return _outcome("the same serial twice", [taken and play.offer(Offer(twin, FreshnessError)) for twin in twins])


def unknown_key(root: Path, tries: int = TRIES) -> Outcome:
    """Sign with a key that the node does not believe: a stranger's, or another machine's development key."""
    play = Play(root)
    results = []
    for number in range(tries):
        name = "development" if number % 2 else "publisher"  # the name of the one that is believed
        key = new_key(name, Path(tempfile.mkdtemp(dir=root))).private
        results.append(play.offer(Offer(play.sign(10 + number, key=key), SignatureError)))
    return _outcome("a stranger's or a development key", results)


def broken_signature(root: Path, tries: int = TRIES) -> Outcome:
    """Strip the signature, empty it, or put another release's in its place."""
    play = Play(root)
    donor = play.source.release_dir(play.sign(9).digest) / SIGNATURE
    results = []
    for number in range(tries):
        change, refusal = _CHANGES[number % len(_CHANGES)]
        made = play.sign(10 + number, change=partial(change, donor=donor))
        results.append(play.offer(Offer(made, refusal)))
    return _outcome("a signature stripped or another release's", results)


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
    ours, theirs = _Authority(), _Authority()
    crt = play.node.trust.root / "ours.crt"
    results = []
    for number in range(tries):
        authority, days, has_root, refusal = _CHAINS[number % len(_CHAINS)]
        folder = Path(tempfile.mkdtemp(dir=root))
        pair = new_key("certified", folder)
        first = _MADE + days * _DAY
        chain = (ours if authority == "ours" else theirs).certify(folder, pair.private, first, first + 30 * _DAY)
        play.reset()  # what it has taken would be refused with the root that certified it gone
        if has_root:
            crt.write_bytes(ours.pem)
        valid: dict[str, Any] = {"created": write_time(_MADE), "expires": write_time(_MADE + _VALID)}
        made = play.sign(10 + number, key=pair.private, chain=chain, **valid)
        results.append(play.offer(Offer(made, refusal, _MADE)))
    return _outcome("a certificate", results, "under our root: taken; another root, expired, no root: refused")


#: Whose authority, when the certificate begins (30 days, counted from the release), whether the root is believed.
_CHAINS: tuple[tuple[str, int, bool, type[Exception] | None], ...] = (
    ("ours", -1, True, None),
    ("theirs", -1, True, SignatureError),
    ("ours", -31, True, SignatureError),
    ("ours", 1, True, SignatureError),
    ("ours", -1, False, SignatureError),
)


class _Authority:
    """Certifies keys."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._key = ec.generate_private_key(ec.SECP256R1())
        first = _MADE - 10 * _YEAR
        self._root = self._sign(self._key.public_key(), "root", first, first + 20 * _YEAR)
        self.pem = _pem(self._root)

    def certify(self, folder: Path, private: Path, first: datetime, last: datetime) -> Path:
        """Write a certificate for a key, valid for some time."""
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(private.read_bytes(), None)
        path = folder / "chain.pem"
        path.write_bytes(_pem(self._sign(key.public_key(), "publisher", first, last)))
        return path

    def _sign(self, public: Any, name: str, first: datetime, last: datetime) -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        is_root = name == "root"
        usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": is_root, "digital_signature": not is_root}
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
            .public_key(public)
            .serial_number(int.from_bytes(os.urandom(8)))
            .not_valid_before(first)
            .not_valid_after(last)
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if not is_root:
            made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        return made.sign(self._key, SHA256())


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


FAULTS = (
    replayed_pointer,
    expired,
    wrong_clock,
    wiped_state,
    damaged_state,
    mixed_up,
    same_serial,
    unknown_key,
    broken_signature,
    certificates,
)
