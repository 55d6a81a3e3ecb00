"""Certificates: believed if their chain ends in a trusted root and they were valid when the release was made."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from registry.publish.keys import SigningKey
from registry.publish.sign import sign
from rejoinder.errors import BundleError, IntegrityError, SignatureError
from rejoinder.release import openssf
from rejoinder.release.canonical import Digest
from rejoinder.release.document import RELEASE, Signer
from rejoinder.release.proof import Installed, verify_signer
from rejoinder.release.signature import SIGNATURE, SIGNED, verify_signature
from rejoinder.release.trust import Trust, key_id
from tests.rejoinder.parts.test_opened import flip

CREATED = datetime(2026, 1, 1, tzinfo=UTC)  # of the releases that `tests.bundles.pin` makes
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, root: Path, name: str) -> tuple[Path, Path]:
        """Write both as PEM."""
        key, certificate = root / f"{name}.pem", root / f"{name}.crt"
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        certificate.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return key, certificate


def issue(name: str, by: Issued | None = None, begin: datetime = CREATED - YEAR, days: int = 36500) -> Issued:
    """Make a root, or what a root certifies."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    usage = {
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    }  # fmt: skip
    wanted = {"key_cert_sign"} if by is None else {"digital_signature"}
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{field: field in wanted for field in usage}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((by.key if by else key).public_key()), critical=False
        )
    )
    if by is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return Issued(builder.sign((by.key if by else key), SHA256()), key)


@pytest.fixture
def root(trust: Trust, tmp_path: Path) -> Issued:
    """A root certificate that is believed; no bare key is."""
    shutil.rmtree(trust.root)
    trust.root.mkdir()
    root = issue("root")
    _, certificate = root.write(tmp_path, "root")
    shutil.copy(certificate, trust.root)
    return root


def signed_by(installed: Installed, leaf: Issued, folder: Path) -> Installed:
    """The release signed anew, with a certificate."""
    folder.mkdir(parents=True)
    key, certificate = leaf.write(folder.parent, folder.name)
    signer = Signer(key_id(leaf.key.public_key()), "leaf")
    release = replace(installed.release, signer=signer)
    for name in SIGNED:
        shutil.copy(installed.folder / name, folder)
    (folder / RELEASE).write_bytes(release.to_bytes())
    sign(folder, SigningKey(signer, key, certificate))
    return Installed(release, folder, installed.bundles)


def test_a_chain_that_ends_in_a_trusted_root_is_believed(
    pristine: Installed, root: Issued, trust: Trust, tmp_path: Path
) -> None:
    leaf = issue("leaf", root)
    installed = signed_by(pristine, leaf, tmp_path / "folder")
    assert verify_signature(installed.folder, trust) == key_id(leaf.key.public_key())
    verify_signer(installed, trust)


def test_a_chain_that_ends_elsewhere_is_refused(
    pristine: Installed, root: Issued, trust: Trust, tmp_path: Path
) -> None:
    installed = signed_by(pristine, issue("leaf", issue("stranger")), tmp_path / "folder")
    with pytest.raises(SignatureError, match="OpenSSF's library confirms"):
        verify_signature(installed.folder, trust)
    impostor = signed_by(pristine, issue("leaf", issue("root")), tmp_path / "impostor")  # of the same name
    with pytest.raises(SignatureError):
        verify_signature(impostor.folder, trust)


def test_without_roots_no_certificate_is_believed_not_even_of_the_web(
    pristine: Installed, root: Issued, trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = signed_by(pristine, issue("leaf", root), tmp_path / "folder")
    (trust.root / "root.crt").unlink()
    monkeypatch.setattr(openssf, "verify_certificate", lambda *_: pytest.fail("the library was asked"))
    with pytest.raises(SignatureError, match=rf"a root certificate \(\.crt\) in {trust.root}, got none"):
        verify_signature(installed.folder, trust)


@pytest.mark.parametrize(
    ("begin", "days", "valid"),
    [
        (CREATED - YEAR, 364, False),  # over the day before the release was made
        (CREATED + timedelta(seconds=1), 3650, False),  # not begun
        (CREATED, 3650, True),
        (CREATED - timedelta(days=1), 1, True),
    ],
)
def test_a_certificate_counts_only_if_valid_when_the_release_was_made(  # noqa: PLR0917
    pristine: Installed, root: Issued, trust: Trust, tmp_path: Path, begin: datetime, days: int, valid: bool
) -> None:
    leaf = issue("leaf", root, begin, days)
    installed = signed_by(pristine, leaf, tmp_path / "folder")
    if valid:
        assert verify_signature(installed.folder, trust) == key_id(leaf.key.public_key())
        return
    with pytest.raises(SignatureError) as caught:
        verify_signature(installed.folder, trust)
    (problem,) = caught.value.problems
    assert problem.where == "certificate"
    assert problem.expected == f"one valid on {pristine.release.created}"
    assert problem.got == f"{begin:%F} to {begin + timedelta(days=days):%F}"


@pytest.mark.parametrize("name", SIGNED)
def test_a_changed_file_is_refused(
    pristine: Installed, root: Issued, trust: Trust, tmp_path: Path, name: str
) -> None:
    installed = signed_by(pristine, issue("leaf", root), tmp_path / "folder")
    flip(installed.folder / name, 0.5)
    with pytest.raises(BundleError):
        verify_signature(installed.folder, trust)


@pytest.mark.parametrize("name", [".gitignore", ".git", "empty/"])
def test_an_added_file_or_folder_is_refused(
    pristine: Installed, root: Issued, trust: Trust, tmp_path: Path, name: str
) -> None:
    installed = signed_by(pristine, issue("leaf", root), tmp_path / "folder")
    if name.endswith("/"):
        (installed.folder / name).mkdir()
        with pytest.raises(IntegrityError, match="empty: expected no such file"):
            verify_signature(installed.folder, trust)
        return
    (installed.folder / name).write_text("x")
    with pytest.raises(BundleError):
        verify_signature(installed.folder, trust)


def test_the_document_must_name_the_certificates_key(
    pristine: Installed, root: Issued, trust: Trust, tmp_path: Path
) -> None:
    first, second = issue("first", root), issue("second", root)
    installed = signed_by(pristine, first, tmp_path / "folder")
    key, certificate = second.write(tmp_path, "second")
    (installed.folder / SIGNATURE).unlink()
    sign(installed.folder, SigningKey(installed.release.signer, key, certificate))
    assert verify_signature(installed.folder, trust) == key_id(second.key.public_key())
    with pytest.raises(SignatureError) as caught:
        verify_signer(installed, trust)
    expected: tuple[str, Digest, Digest] = (
        "signer", key_id(first.key.public_key()), key_id(second.key.public_key()),
    )  # fmt: skip
    (problem,) = caught.value.problems
    assert (problem.where, problem.expected, problem.got) == expected
