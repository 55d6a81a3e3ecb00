"""Whom this machine believes: the public keys in its trust folder.

    TRUST/<name>.pub      an elliptic-curve public key, PEM; signatures made with its private half are believed
    TRUST/<name>.crt      a root certificate, PEM; so are those whose certificate chain ends in it
    TRUST/state.json      what was seen so far; written by pulls (registry.pull.freshness)

The folder is no part of any store or release: whoever may write a store cannot make it believed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.errors import StoreError
from rejoinder.home import home
from rejoinder.release.canonical import Digest, digest_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

CURVES = ("secp256r1", "secp384r1", "secp521r1")  # what the OpenSSF's model signing takes


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that is believed.

    Attributes:
        name: of its file, without the ending.
        path: of its file.
        id: digest of its DER form.
        public: the key.
    """

    name: str
    path: Path
    id: Digest
    public: EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust folder."""

    root: Path

    @classmethod
    def default(cls) -> Trust:
        """The folder at `REJOINDER_TRUST`, else `trust` in the home."""
        return cls(Path(os.environ.get("REJOINDER_TRUST") or home() / "trust"))

    def keys(self) -> dict[Digest, TrustedKey]:
        """The keys that are believed.

        Returns:
            The keys, by id.

        Raises:
            StoreError: if a file in the folder is no elliptic-curve public key.
        """
        found = [read_public_key(path) for path in sorted(self.root.glob("*.pub"))]
        return {key.id: key for key in found}

    def certificates(self) -> list[Path]:
        """The root certificates that are believed."""
        return sorted(self.root.glob("*.crt"))


def read_public_key(path: Path) -> TrustedKey:
    """Read a public key.

    Args:
        path: a PEM file.

    Returns:
        The key.

    Raises:
        StoreError: if it is no public key of a supported curve.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise StoreError(
            f"{path}: expected a public key in PEM form, got {type(error).__name__}. "
            "Next: copy the publisher's .pub file again"
        ) from None
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise StoreError(f"{path}: expected a key on one of {', '.join(CURVES)}, got another kind of key")
    return TrustedKey(path.stem, path, key_id(key), key)


def key_id(key: EllipticCurvePublicKey) -> Digest:
    """Digest of a public key's DER form (SubjectPublicKeyInfo, RFC 5280)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return digest_bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
