"""Keys: make them, find the one to sign with.

The private key is named by `REJOINDER_SIGNING_KEY`: a file, or the PEM text itself, as deployment systems hand
secrets over. With `REJOINDER_SIGNING_CERTIFICATE`, a PEM file that holds its certificate and the chain below the
root, releases are signed with a certificate. Where nothing is named, the first release makes a development key,
which is believed on this machine alone. Keys are never printed.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import SigningKeyError
from rejoinder.atomic import create_secret, write_bytes
from rejoinder.home import home
from rejoinder.manifest import Digest
from rejoinder.release import Signer
from rejoinder.trust import CURVES, Trust, key_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KEY = "REJOINDER_SIGNING_KEY"
CERTIFICATE = "REJOINDER_SIGNING_CERTIFICATE"
_PEM = "-----BEGIN"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs.

    Attributes:
        signer: its id and name, as releases record them.
        path: file with the private key, PEM.
        certificates: PEM file with the certificate chain, signer's first; None for a bare key.
    """

    signer: Signer
    path: Path
    certificates: Path | None


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new pair of keys: files of the private and the public half, and the id."""

    private: Path
    public: Path
    id: Digest


def new_key(name: str, folder: Path) -> KeyPair:
    """Make a key pair on the curve P-256.

    Args:
        name: of the files, `<name>.pem` and `<name>.pub`.
        folder: where to; made if missing, for its owner only.

    Returns:
        The pair; the private half can be read by its owner only.

    Raises:
        SigningKeyError: if the name is not a plain one, or a key of that name is there already.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    if not _NAME.fullmatch(name):
        raise SigningKeyError(
            f"name of a key: expected lower-case letters, digits, '.', '_' or '-', got {name[:40]!r}"
        )
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    if private.exists() or public.exists():
        raise SigningKeyError(
            f"{private}: a key of that name is there already. Next: choose another --name, or keep that"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    write_bytes(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    create_secret(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return KeyPair(private, public, key_id(key.public_key()))


@contextmanager
def signing_key() -> Iterator[SigningKey]:
    """Find the key to sign with; makes a development key where none is named.

    Yields:
        The key; a key that was handed over as text lies in a file for that long.

    Raises:
        SigningKeyError: if what is named is no private key, or others can read it.
    """
    named = os.environ.get(KEY, "")
    certificates = os.environ.get(CERTIFICATE)
    chain = Path(certificates) if certificates else None
    if named.lstrip().startswith(_PEM):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "environment.pem"
            create_secret(path, named.encode())
            yield _read(path, chain)
    elif named:
        yield _read(Path(named), chain)
    else:
        yield _read(_ensure_development_key(), None)


def keys_folder() -> Path:
    """Where keys are made unless another folder is named."""
    return home() / "keys"


def development_key() -> Path:
    """File of the development key, whether it is there or not."""
    return keys_folder() / "development.pem"


def _ensure_development_key() -> Path:
    """The development key, made on first use and believed by this machine."""
    path = development_key()
    if not path.is_file():
        new_key(path.stem, path.parent)
    if not (Trust.default().root / f"{path.stem}.pub").exists():
        trust_key(path.with_suffix(".pub"), Trust.default())
    return path


def trust_key(public: Path, trust: Trust) -> Path:
    """Believe a key from now on.

    Args:
        public: PEM file of the public key.
        trust: whom this machine believes.

    Returns:
        The key's place in the trust folder.
    """
    trust.root.mkdir(parents=True, exist_ok=True)
    place = trust.root / public.name
    write_bytes(place, public.read_bytes())
    return place


def _read(path: Path, chain: Path | None) -> SigningKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if path.stat().st_mode & 0o077:
            raise SigningKeyError(f"{path}: others can read this private key. Next: chmod 600 {path}")
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(
            f"{path}: expected a private key in PEM form, without a password, got {type(error).__name__}. "
            f"Next: check {KEY}, or rejoinder keys new"
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name not in CURVES:
        raise SigningKeyError(f"{path}: expected a key on one of {', '.join(CURVES)}, got another kind of key")
    _check_chain(key, chain)
    return SigningKey(Signer(key_id(key.public_key()), path.stem), path, chain)


def _check_chain(key: EllipticCurvePrivateKey, chain: Path | None) -> None:
    from cryptography.x509 import load_pem_x509_certificates

    if chain is None:
        return
    try:
        certificates = load_pem_x509_certificates(chain.read_bytes())
    except (OSError, ValueError) as error:
        raise SigningKeyError(
            f"{chain}: expected certificates in PEM form, got {type(error).__name__}. Next: check {CERTIFICATE}"
        ) from None
    if certificates[0].public_key() != key.public_key():
        raise SigningKeyError(
            f"{chain}: its first certificate is another key's. Next: check {KEY} and {CERTIFICATE}"
        )
