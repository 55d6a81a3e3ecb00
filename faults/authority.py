"""An authority that certifies publishers' keys, as an organisation's own would."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faults.offers import MADE

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_YEAR = timedelta(days=365)


class Authority:
    """Certifies keys."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._key = ec.generate_private_key(ec.SECP256R1())
        first = MADE - 10 * _YEAR
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
