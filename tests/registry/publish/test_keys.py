"""Keys: for their owner only, never overwritten, never shown."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from registry.errors import SigningKeyError
from registry.publish.keys import CERTIFICATE, KEY, development_key, new_key, signing_key, trust_key
from rejoinder.release.trust import Trust, read_public_key
from tests.bundles import KEY as TEST_KEY
from tests.rejoinder.release.test_certificates import issue

SECRET = re.compile(r"[A-Za-z0-9+/]{24,}")


@pytest.fixture(autouse=True)
def nothing_said(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No key is named beforehand; and no test of this file may print or log a word."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.delenv(KEY)
    yield
    said = capfd.readouterr()
    assert (said.out, said.err, caplog.text) == ("", "", "")


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def shows(text: str, private: Path) -> bool:
    """Whether a text holds any part of a private key."""
    return any(line in text for line in SECRET.findall(private.read_text()))


def test_a_new_key_is_for_its_owner_only(tmp_path: Path) -> None:
    pair = new_key("alice", tmp_path / "keys")
    assert pair.private == tmp_path / "keys" / "alice.pem"
    assert pair.public == tmp_path / "keys" / "alice.pub"
    assert mode(pair.private) == 0o600
    assert mode(pair.private.parent) == 0o700
    assert read_public_key(pair.public).id == pair.id
    private = load_pem_private_key(pair.private.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.public_key() == read_public_key(pair.public).public
    assert "PRIVATE" not in pair.public.read_text()


def test_a_key_is_never_overwritten_whichever_half_is_left(tmp_path: Path) -> None:
    pair = new_key("alice", tmp_path)
    before = pair.private.read_bytes(), pair.public.read_bytes()
    for gone in (None, pair.private, pair.public):
        kept = {path: path.read_bytes() for path in (pair.private, pair.public) if path != gone}
        if gone is not None:
            gone.unlink()
        with pytest.raises(SigningKeyError, match=r"alice\.pem: a key of that name is there already.*--name"):
            new_key("alice", tmp_path)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == kept
        pair.private.write_bytes(before[0])
        pair.public.write_bytes(before[1])


def test_two_keys_are_never_the_same(tmp_path: Path) -> None:
    assert new_key("a", tmp_path).id != new_key("b", tmp_path).id


@pytest.mark.parametrize("name", ["", "../a", "a/b", "A", ".a", "a b", "a" * 65, "ä", "a\n"])
def test_a_name_that_is_no_plain_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SigningKeyError, match="name of a key: expected lower-case letters"):
        new_key(name, tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


def test_a_file_that_is_named_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = new_key("alice", tmp_path)
    monkeypatch.setenv(KEY, str(pair.private))
    with signing_key() as key:
        assert (key.signer.key, key.signer.name, key.path, key.certificates) == (
            pair.id, "alice", pair.private, None,
        )  # fmt: skip
    assert pair.private.is_file()


@pytest.mark.parametrize("before", ["", "\n  "])
def test_a_key_as_text_lies_in_a_private_file_for_no_longer_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    pair = new_key("alice", tmp_path)
    monkeypatch.setenv(KEY, before + pair.private.read_text())
    with signing_key() as key:
        assert key.signer.key == pair.id
        assert mode(key.path) == 0o600
        assert mode(key.path.parent) == 0o700
        assert key.path.read_text().strip() == pair.private.read_text().strip()
    assert not key.path.parent.exists()


def test_the_text_is_gone_after_a_failure_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = new_key("alice", tmp_path)
    monkeypatch.setenv(KEY, pair.private.read_text())
    used: list[Path] = []

    def fail() -> None:
        with signing_key() as key:
            used.append(key.path)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not used[0].exists()


@pytest.mark.parametrize("others", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_that_others_can_reach_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    pair = new_key("alice", tmp_path)
    pair.private.chmod(others)
    monkeypatch.setenv(KEY, str(pair.private))
    with pytest.raises(SigningKeyError) as caught, signing_key():
        pytest.fail("it was given out")
    assert str(caught.value) == (
        f"{pair.private}: others can read this private key. Next: chmod 600 {pair.private}"
    )


def damaged(pem: str) -> str:
    """The same key with its middle gone."""
    lines = pem.splitlines()
    return "\n".join([*lines[:2], *lines[3:]])


@pytest.mark.parametrize("as_text", [False, True])
def test_a_damaged_key_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_text: bool
) -> None:
    pair = new_key("alice", tmp_path / "whole")
    path = tmp_path / "damaged.pem"
    path.write_text(damaged(pair.private.read_text()))
    path.chmod(0o600)
    monkeypatch.setenv(KEY, path.read_text() if as_text else str(path))
    with pytest.raises(SigningKeyError, match="expected a private key in PEM form") as caught, signing_key():
        pytest.fail("it was given out")
    assert "Next: check" in str(caught.value)
    assert not shows(str(caught.value), pair.private)
    assert caught.value.__suppress_context__  # what the library said is not printed either


def test_a_key_with_a_password_a_public_key_and_no_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    )
    public = new_key("alice", tmp_path).public
    for path in (locked, public, tmp_path / "none.pem", tmp_path):
        if path.is_file():
            path.chmod(0o600)
        monkeypatch.setenv(KEY, str(path))
        with pytest.raises(SigningKeyError) as caught, signing_key():
            pytest.fail("it was given out")
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256K1()), rsa.generate_private_key(65537, 2048)],
    ids=["another curve", "rsa"],
)
def test_other_kinds_of_keys_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
) -> None:
    path = tmp_path / "other.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    monkeypatch.setenv(KEY, str(path))
    with pytest.raises(SigningKeyError, match="expected a key on one of secp256r1") as caught, signing_key():
        pytest.fail("it was given out")
    assert not shows(str(caught.value), path)


def test_the_first_run_makes_a_development_key_that_this_machine_alone_believes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REJOINDER_TRUST", str(tmp_path / "trust"))
    with signing_key() as first:
        assert first.signer.name == "development"
    assert list(Trust.default().keys()) == [first.signer.key]
    assert [path.name for path in Trust.default().root.iterdir()] == ["development.pub"]
    with signing_key() as second:
        assert second == first
    assert mode(development_key()) == 0o600
    strangers = Trust(TEST_KEY.parent).keys()
    assert first.signer.key not in strangers


def test_a_development_key_is_believed_again_where_the_trust_folder_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root in ("one", "two"):
        monkeypatch.setenv("REJOINDER_TRUST", str(tmp_path / root))
        with signing_key() as key:
            believed = Trust.default().keys()
            assert key.signer.key in believed


def test_no_development_key_is_made_where_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, str(new_key("alice", tmp_path / "keys").private))
    with signing_key():
        assert not development_key().exists()


def test_a_key_is_believed_once_its_public_half_is_in_the_trust_folder(tmp_path: Path) -> None:
    pair, trust = new_key("alice", tmp_path / "keys"), Trust(tmp_path / "deep" / "trust")
    assert trust_key(pair.public, trust) == trust.root / "alice.pub"
    assert list(trust.keys()) == [pair.id]
    assert not list(trust.root.glob("*.pem"))


def test_a_certificate_must_be_the_keys_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = issue("root")
    one, two = issue("one", root), issue("two", root)
    key, certificate = one.write(tmp_path, "one")
    _, other = two.write(tmp_path, "two")
    key.chmod(0o600)
    monkeypatch.setenv(KEY, str(key))
    monkeypatch.setenv(CERTIFICATE, str(certificate))
    with signing_key() as found:
        assert found.certificates == certificate
    monkeypatch.setenv(CERTIFICATE, str(other))
    with pytest.raises(SigningKeyError, match="its first certificate is another key's"), signing_key():
        pytest.fail("it was given out")
    for path in (key, tmp_path / "none.crt"):
        monkeypatch.setenv(CERTIFICATE, str(path))
        with pytest.raises(SigningKeyError, match="expected certificates in PEM form") as caught, signing_key():
            pytest.fail("it was given out")
        assert not shows(str(caught.value), key)
