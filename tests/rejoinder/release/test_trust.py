"""Whom a machine believes: elliptic-curve keys in its trust folder, and nothing else that lies there."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from registry.publish.keys import new_key
from rejoinder.errors import StoreError
from rejoinder.home import home
from rejoinder.release.trust import Trust, key_id, read_public_key


def write_public(path: Path, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> Path:
    """Write a public key as PEM."""
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_keys_of_every_curve_of_the_openssf_are_read(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    public = ec.generate_private_key(curve).public_key()
    path = write_public(tmp_path / "alice.pub", public)
    key = read_public_key(path)
    assert (key.name, key.path, key.id) == ("alice", path, key_id(public))
    assert Trust(tmp_path).keys() == {key.id: key}


def test_an_id_belongs_to_the_key_and_not_to_its_spelling(tmp_path: Path) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = write_public(tmp_path / "a.pub", public).read_bytes()
    (tmp_path / "b.pub").write_bytes(b"a comment\n" + pem.replace(b"\n", b"\r\n"))
    assert read_public_key(tmp_path / "a.pub").id == read_public_key(tmp_path / "b.pub").id
    assert key_id(ec.generate_private_key(ec.SECP256R1()).public_key()) != key_id(public)


def test_only_files_with_the_right_endings_count(tmp_path: Path) -> None:
    pair = new_key("alice", tmp_path)
    (tmp_path / "state.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("x")
    assert [key.name for key in Trust(tmp_path).keys().values()] == ["alice"]
    assert list(Trust(tmp_path).keys()) == [pair.id]
    assert Trust(tmp_path).certificates() == []
    (tmp_path / "b.crt").touch()
    (tmp_path / "a.crt").touch()
    assert [path.name for path in Trust(tmp_path).certificates()] == ["a.crt", "b.crt"]


def test_a_folder_that_is_not_there_believes_nobody(tmp_path: Path) -> None:
    assert Trust(tmp_path / "none").keys() == {}
    assert Trust(tmp_path / "none").certificates() == []


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
    ],
    ids=["another curve", "rsa", "ed25519"],
)
def test_other_kinds_of_keys_are_refused_by_name(
    tmp_path: Path, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
) -> None:
    write_public(tmp_path / "other.pub", key)
    with pytest.raises(StoreError, match=r"other\.pub: expected a key on one of secp256r1, secp384r1, secp521r1"):
        Trust(tmp_path).keys()


@pytest.mark.parametrize("data", [b"", b"ssh-ed25519 AAAA", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END"])
def test_what_is_no_key_is_refused_rather_than_passed_over(tmp_path: Path, data: bytes) -> None:
    new_key("alice", tmp_path)
    (tmp_path / "broken.pub").write_bytes(data)
    with pytest.raises(StoreError, match=r"broken\.pub: expected a public key in PEM form.*Next:"):
        Trust(tmp_path).keys()


def test_a_private_key_in_the_trust_folder_is_refused_and_not_shown(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "oops.pub").write_bytes(pem)
    with pytest.raises(StoreError) as caught:
        Trust(tmp_path).keys()
    secret = "".join(pem.decode().splitlines()[1:-1])
    assert not any(secret[n : n + 16] in str(caught.value) for n in range(0, len(secret) - 16, 8))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.pub").mkdir()
    with pytest.raises(StoreError, match=r"folder\.pub.*IsADirectoryError"):
        Trust(tmp_path).keys()


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REJOINDER_TRUST")
    assert Trust.default().root == home() / "trust"
    monkeypatch.setenv("REJOINDER_TRUST", "/etc/trust")
    assert Trust.default().root == Path("/etc/trust")
