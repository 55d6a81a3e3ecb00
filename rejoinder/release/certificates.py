"""Certificate chains: the OpenSSF's library checks them; we add that the certificate was valid when it signed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.errors import Problem, SignatureError
from rejoinder.release import openssf
from rejoinder.release.canonical import Digest
from rejoinder.release.document import RELEASE, parse_release, parse_time
from rejoinder.release.trust import Trust, key_id

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def verify_chain(folder: Path, signature: Path, trust: Trust) -> Digest:
    """Check a release folder that was signed with a certificate.

    Args:
        folder: the release folder.
        signature: its signature file, which names a certificate chain.
        trust: holds the root certificates.

    Returns:
        Id of the certificate's key.

    Raises:
        SignatureError: if the chain does not end in a trusted root, the signature is not the certificate's, the
            certificate's key is of another kind, or it was not valid when the release was made.
        FormatError: if what is signed is no release document of this format.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    roots = trust.certificates()
    if not roots:  # with no roots given, the library would take the ones of every web browser
        problem = Problem(signature.name, f"a root certificate (.crt) in {trust.root}", "none")
        raise SignatureError(str(folder), [problem])
    openssf.verify_certificate(folder, signature, roots)
    certificate = _leaf(signature)
    release = parse_release((folder / RELEASE).read_bytes(), str(folder / RELEASE))
    created = parse_time(release.created)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= created <= last:
        # The library takes the first moment of the certificate as the time of signing: an expired one would pass.
        raise SignatureError(
            str(folder), [Problem("certificate", f"one valid on {release.created}", f"{first:%F} to {last:%F}")]
        )
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey):
        raise SignatureError(str(folder), [Problem("certificate", "an elliptic-curve key", "another kind of key")])
    return key_id(key)


def _leaf(signature: Path) -> Certificate:
    from cryptography.x509 import load_der_x509_certificate

    material = json.loads(signature.read_bytes())["verificationMaterial"]
    return load_der_x509_certificate(
        base64.b64decode(material["x509CertificateChain"]["certificates"][0]["rawBytes"])
    )
