"""Signatures: is every file of a release folder signed by a key that this machine trusts?

The format is that of the OpenSSF's model signing 1.0: a Sigstore bundle around a DSSE envelope around an in-toto
statement that lists the files with their SHA-256. Signatures by key are checked here, with the `cryptography`
package: importing the OpenSSF's own library takes twice as long as opening a release. That library checks
certificate chains, and it checks every release a second time before it is installed (registry.pull.install).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.errors import IntegrityError, Problem, SignatureError
from rejoinder.release.canonical import Digest, digest_bytes
from rejoinder.release.trust import Trust, TrustedKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

SIGNATURE = "release.sig"
#: What a release folder holds beside its signature; the signature must name exactly these.
SIGNED = ("bom.json", "provenance.json", "release.json", "verdict.json")
MAX_BYTES = 1 << 24  # 16 MiB for one file of a release folder: ours hold some 10 KiB
_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The parts of a signature file that matter: who signed, what, and the signature itself."""

    hint: str
    has_certificates: bool
    payload: bytes
    signature: bytes


def verify_signature(folder: Path, trust: Trust) -> Digest:
    """Check that a release folder's files are signed by a trusted key, before any of them is parsed.

    Args:
        folder: holds the files of `SIGNED` and `SIGNATURE`, and nothing else.
        trust: whom this machine believes.

    Returns:
        Id of the key that signed.

    Raises:
        SignatureError: if the folder is not signed, or not by a trusted key.
        IntegrityError: if the signature is right but the files are others than it names.
        StoreError: if the trust folder holds something that is no key.
    """
    envelope = _read_envelope(folder)
    if envelope.has_certificates:
        from rejoinder.release.certificates import verify_chain

        key = verify_chain(folder, folder / SIGNATURE, trust)
    else:
        key = _verify_by_key(folder, envelope, trust)
    problems = file_problems(folder, _signed_digests(envelope.payload))
    if problems:
        raise IntegrityError(str(folder), problems)
    return key


def _verify_by_key(folder: Path, envelope: _Envelope, trust: Trust) -> Digest:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    keys = trust.keys()
    key = next((key for key in keys.values() if _hint(key) == envelope.hint), None)
    if key is None:
        names = ", ".join(sorted(key.name for key in keys.values())) or "no key at all"
        raise SignatureError(
            str(folder),
            [Problem(SIGNATURE, f"one of the keys in {trust.root}: {names}", "another key's signature")],
        )
    try:
        key.public.verify(envelope.signature, _pae(envelope.payload), ECDSA(_hash_for(key)))
    except InvalidSignature:
        raise SignatureError(
            str(folder), [Problem(SIGNATURE, f"a signature by {key.name}", "one that its key does not confirm")]
        ) from None
    return key.id


def _hint(key: TrustedKey) -> str:
    """What the OpenSSF's library writes to say which key signed: SHA-256 of the PEM form."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _hash_for(key: TrustedKey) -> HashAlgorithm:
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    sizes: dict[int, HashAlgorithm] = {256: SHA256(), 384: SHA384(), 521: SHA512()}
    return sizes[key.public.curve.key_size]


def _pae(payload: bytes) -> bytes:
    """Pre-authentication encoding of DSSE v1."""
    kind = _PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _read_envelope(folder: Path) -> _Envelope:
    path = folder / SIGNATURE
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise SignatureError(str(folder), [Problem(SIGNATURE, "a signature file", "none")])
    try:
        return _parse_envelope(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = Problem(SIGNATURE, "a model signature of the OpenSSF", type(error).__name__)
        raise SignatureError(str(folder), [problem]) from None


def _parse_envelope(document: Any) -> _Envelope:
    material, envelope = document["verificationMaterial"], document["dsseEnvelope"]
    (only,) = envelope["signatures"]  # ValueError unless there is exactly one
    has_certificates = "x509CertificateChain" in material
    hint = "" if has_certificates else material["publicKey"]["hint"]
    who = (
        {"x509CertificateChain": material["x509CertificateChain"]}
        if has_certificates
        else {"publicKey": {"hint": hint}}
    )
    signatures = [{"sig": only["sig"], "keyid": ""}]
    # No signature covers the rest. It decides nothing, and yet nothing is taken but what the library writes.
    if document != {
        "mediaType": _MEDIA_TYPE,
        "verificationMaterial": {**who, "tlogEntries": []},
        "dsseEnvelope": {"payload": envelope["payload"], "payloadType": _PAYLOAD_TYPE, "signatures": signatures},
    }:
        raise ValueError("another form")
    return _Envelope(
        hint=hint,
        has_certificates=has_certificates,
        payload=base64.b64decode(envelope["payload"], validate=True),
        signature=base64.b64decode(only["sig"], validate=True),
    )


def _signed_digests(payload: bytes) -> dict[str, Digest]:
    """Digest by file name, of a payload whose signature has been confirmed."""
    try:
        statement = json.loads(payload)
        predicate = statement["predicate"]
        fine = statement["_type"] == _STATEMENT and statement["predicateType"] == _PREDICATE
        fine = fine and predicate["serialization"]["method"] == "files"
        fine = fine and all(entry["algorithm"] == "sha256" for entry in predicate["resources"])
        found = {str(entry["name"]): Digest(f"sha256:{entry['digest']}") for entry in predicate["resources"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        fine, found = False, {}
    if not fine or len(found) != len(predicate["resources"]):
        raise SignatureError(SIGNATURE, [Problem("statement", "files with their SHA-256", "something else")])
    return found


def file_problems(folder: Path, signed: Mapping[str, Digest]) -> list[Problem]:
    """Compare a release folder's bytes with what was signed, without parsing any of them.

    Args:
        folder: the release folder.
        signed: digest by file name.

    Returns:
        Every difference: missing, unexpected, changed files, links, files too large to be ours.
    """
    problems = [
        Problem(name, "to be signed", "no mention in the signature") for name in SIGNED if name not in signed
    ]
    present = {path.name: path for path in folder.iterdir() if path.name != SIGNATURE}
    for name in sorted(present.keys() - set(SIGNED)):
        problems.append(Problem(name, "no such file", "an unlisted file"))
    for name in (name for name in SIGNED if name in signed):
        path = present.get(name)
        if path is None or path.is_symlink() or not path.is_file():
            problems.append(Problem(name, "a plain file", "nothing" if path is None else "a link or folder"))
        elif path.stat().st_size > MAX_BYTES:
            problems.append(Problem(name, f"at most {MAX_BYTES} bytes", f"{path.stat().st_size} bytes"))
        elif (found := digest_bytes(path.read_bytes())) != signed[name]:
            problems.append(Problem(name, signed[name], found))
    return problems
