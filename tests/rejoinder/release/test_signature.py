"""Our own check of signatures and the OpenSSF's library say the same, and both refuse what was not signed."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from registry.publish.keys import SigningKey
from registry.publish.sign import sign
from rejoinder.errors import BundleError, IntegrityError, SignatureError
from rejoinder.release import openssf
from rejoinder.release.canonical import Digest, digest_bytes
from rejoinder.release.document import Signer
from rejoinder.release.signature import MAX_BYTES, SIGNATURE, SIGNED, file_problems, verify_signature
from rejoinder.release.trust import Trust, key_id

CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
#: Order of the curve P-256: a signature (r, s) has a twin (r, order - s).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Signed:
    """A signed folder, the private key of its signer, and a trust folder that believes that key."""

    folder: Path
    private: ec.EllipticCurvePrivateKey
    trust: Trust
    original: bytes

    @property
    def id(self) -> Digest:
        """Of the key."""
        return key_id(self.private.public_key())

    def ours(self) -> bool:
        """Whether our own check accepts."""
        try:
            return verify_signature(self.folder, self.trust) == self.id
        except BundleError:
            return False

    def theirs(self) -> bool:
        """Whether the library accepts."""
        try:
            openssf.verify_key(self.folder, self.folder / SIGNATURE, self.trust.root / "signer.pub")
        except SignatureError:
            return False
        return True

    def write(self, data: bytes) -> None:
        """Put other bytes in the signature's place."""
        (self.folder / SIGNATURE).write_bytes(data)

    def edit(self, change: Callable[[Any], object]) -> None:
        """Change the original signature file as a JSON document."""
        document = json.loads(self.original)
        change(document)
        self.write(json.dumps(document).encode())


def make_signed(root: Path, curve: ec.EllipticCurve) -> Signed:
    """Sign a small folder with a new key."""
    folder, trust = root / "release", root / "trust"
    folder.mkdir(parents=True)
    trust.mkdir()
    for name in SIGNED:
        (folder / name).write_text(f'{{"name": "{name}"}}')
    private = ec.generate_private_key(curve)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (root / "signer.pem").write_bytes(pem)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (trust / "signer.pub").write_bytes(public)
    key = SigningKey(Signer(key_id(private.public_key()), "signer"), root / "signer.pem", None)
    sign(folder, key)
    return Signed(folder, private, Trust(trust), (folder / SIGNATURE).read_bytes())


@pytest.fixture(params=CURVES)
def signed(request: pytest.FixtureRequest, tmp_path: Path) -> Signed:
    """Signed on each of the curves."""
    return make_signed(tmp_path, CURVES[request.param])


@pytest.fixture
def simple(tmp_path: Path) -> Signed:
    """Signed on P-256."""
    return make_signed(tmp_path, CURVES["P-256"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """For the laws: whoever changes its signature file writes it whole each time."""
    return make_signed(tmp_path_factory.mktemp("shared"), CURVES["P-256"])


def parts(data: bytes) -> tuple[bytes, bytes]:
    """Payload and signature of a signature file, as a lenient reader takes them."""
    envelope = json.loads(data)["dsseEnvelope"]
    return base64.b64decode(envelope["payload"]), base64.b64decode(envelope["signatures"][0]["sig"])


def resign(signed: Signed, statement: object) -> None:
    """Sign anything at all with the trusted key."""
    payload = statement if isinstance(statement, bytes) else json.dumps(statement).encode()
    kind = b"application/vnd.in-toto+json"
    signature = signed.private.sign(
        b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload), ec.ECDSA(SHA256())
    )

    def change(document: Any) -> None:
        document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
        document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()

    signed.edit(change)


def test_both_accept_what_was_signed(signed: Signed) -> None:
    assert verify_signature(signed.folder, signed.trust) == signed.id
    assert signed.ours()
    assert signed.theirs()


@pytest.mark.parametrize("name", SIGNED)
def test_both_refuse_a_changed_or_missing_file(signed: Signed, name: str) -> None:
    (signed.folder / name).write_text('{"name": "other"}')
    with pytest.raises(IntegrityError) as caught:
        verify_signature(signed.folder, signed.trust)
    (problem,) = caught.value.problems
    expected = (name, digest_bytes(f'{{"name": "{name}"}}'.encode()), digest_bytes(b'{"name": "other"}'))
    assert (problem.where, problem.expected, problem.got) == expected
    assert not signed.theirs()
    (signed.folder / name).unlink()
    with pytest.raises(IntegrityError, match=f"{name}: expected a plain file, got nothing"):
        verify_signature(signed.folder, signed.trust)
    assert not signed.theirs()


def test_both_refuse_another_key(signed: Signed, tmp_path: Path) -> None:
    stranger = make_signed(tmp_path / "stranger", signed.private.curve)
    shutil.copy(stranger.trust.root / "signer.pub", signed.trust.root / "signer.pub")
    with pytest.raises(SignatureError) as caught:
        verify_signature(signed.folder, signed.trust)
    assert str(caught.value).startswith(f"{signed.folder}: ")
    (problem,) = caught.value.problems
    assert (problem.where, problem.got) == (SIGNATURE, "another key's signature")
    assert problem.expected == f"one of the keys in {signed.trust.root}: signer"
    assert not signed.theirs()


def test_no_key_at_all_is_said_so(simple: Signed, tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="nowhere: no key at all"):
        verify_signature(simple.folder, Trust(tmp_path / "nowhere"))


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes", ".git", "stray.json"])
def test_both_refuse_an_added_file_though_git_would_ignore_it(simple: Signed, name: str) -> None:
    (simple.folder / name).write_text("x")
    with pytest.raises(IntegrityError) as caught:
        verify_signature(simple.folder, simple.trust)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{name}: expected no such file, got an unlisted file"
    ]
    assert not simple.theirs()


@pytest.mark.parametrize("name", ["empty", ".git"])
def test_an_empty_folder_is_refused_though_the_library_lets_it_pass(simple: Signed, name: str) -> None:
    (simple.folder / name).mkdir()
    assert simple.theirs()  # once this fails, the library has closed that hole
    with pytest.raises(IntegrityError, match=f"{name}: expected no such file"):
        verify_signature(simple.folder, simple.trust)


@given(st.data())
def test_whatever_is_accepted_holds_the_signed_payload_and_signature(shared: Signed, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(shared.original) - 1))
    changed = bytearray(shared.original)
    changed[position] ^= data.draw(st.integers(1, 255))
    shared.write(bytes(changed))
    for accepts in (shared.ours, shared.theirs):
        if accepts():
            assert parts(bytes(changed)) == parts(shared.original)


@given(st.sampled_from(["payload", "sig"]), st.data())
def test_a_changed_payload_or_signature_is_refused_by_both(shared: Signed, what: str, data: st.DataObject) -> None:
    old = parts(shared.original)[what == "sig"]
    cut = st.integers(0, len(old) - 1).map(lambda n: old[:n])
    flipped = st.tuples(st.integers(0, len(old) - 1), st.integers(1, 255)).map(
        lambda at: old[: at[0]] + bytes([old[at[0]] ^ at[1]]) + old[at[0] + 1 :]
    )
    new = base64.b64encode(data.draw(cut | flipped | st.binary(min_size=1).map(lambda more: old + more))).decode()

    def change(document: Any) -> None:
        envelope = document["dsseEnvelope"]
        (envelope if what == "payload" else envelope["signatures"][0])[what] = new

    shared.edit(change)
    assert not shared.ours()
    assert not shared.theirs()


def test_both_take_the_twin_of_a_signature_of_the_same_payload(simple: Signed) -> None:
    """ECDSA as such: who knows (r, s) knows (r, -s). It signs the very same files, so nothing is won by it."""
    r, s = decode_dss_signature(parts(simple.original)[1])
    twin = base64.b64encode(encode_dss_signature(r, ORDER - s)).decode()
    simple.edit(lambda document: document["dsseEnvelope"]["signatures"][0].update(sig=twin))
    assert simple.ours()
    assert simple.theirs()


def test_a_wrong_signature_is_told_from_a_wrong_key(simple: Signed) -> None:
    other = base64.b64encode(simple.private.sign(b"other", ec.ECDSA(SHA256()))).decode()
    simple.edit(lambda document: document["dsseEnvelope"]["signatures"][0].update(sig=other))
    with pytest.raises(SignatureError) as caught:
        verify_signature(simple.folder, simple.trust)
    assert str(caught.value).startswith(f"{simple.folder}: ")
    assert [str(problem) for problem in caught.value.problems] == [
        f"{SIGNATURE}: expected a signature by signer, got one that its key does not confirm"
    ]


def _drop(*path: str) -> Callable[[Any], object]:
    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return change


def _double(document: Any) -> None:
    document["dsseEnvelope"]["signatures"] *= 2


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (_drop("verificationMaterial"), "KeyError"),
        (_drop("dsseEnvelope"), "KeyError"),
        (_drop("dsseEnvelope", "payload"), "KeyError"),
        (_drop("verificationMaterial", "publicKey"), "KeyError"),
        (_drop("verificationMaterial", "publicKey", "hint"), "KeyError"),
        (lambda d: d["verificationMaterial"]["publicKey"].update(hint="0" * 64), "another key's signature"),
        (lambda d: d["verificationMaterial"]["publicKey"].update(more=""), "ValueError"),
        (lambda d: d["verificationMaterial"].update(more=""), "ValueError"),
        (lambda d: d["verificationMaterial"].update(tlogEntries=[{}]), "ValueError"),
        (lambda d: d["dsseEnvelope"].update(more=""), "ValueError"),
        (lambda d: d["dsseEnvelope"]["signatures"][0].update(keyid="another"), "ValueError"),
        (lambda d: d["dsseEnvelope"]["signatures"][0].update(more=""), "ValueError"),
        (lambda d: d.update(mediaType="text/plain"), "ValueError"),
        (lambda d: d.update(more=""), "ValueError"),
        (_double, "ValueError"),
        (lambda d: d["dsseEnvelope"].update(signatures=[]), "ValueError"),
        (lambda d: d["dsseEnvelope"].update(payloadType="text/plain"), "ValueError"),
        (lambda d: d["dsseEnvelope"].update(payload=d["dsseEnvelope"]["payload"] + "\n"), "Error"),
        (lambda d: d["dsseEnvelope"]["signatures"][0].update(sig="§"), "ValueError"),
        (lambda d: d["dsseEnvelope"]["signatures"][0].update(sig="!" + d["dsseEnvelope"]["payload"]), "Error"),
        (lambda d: d["dsseEnvelope"].update(payload=7), "TypeError"),
        (lambda d: d.update(verificationMaterial=[]), "TypeError"),
    ],
)
def test_another_shape_of_envelope_is_refused(simple: Signed, change: Callable[[Any], object], got: str) -> None:
    simple.edit(change)
    with pytest.raises(SignatureError) as caught:
        verify_signature(simple.folder, simple.trust)
    (problem,) = caught.value.problems
    assert (problem.where, problem.got) == (SIGNATURE, got)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b"7"])
def test_a_signature_file_that_is_none_is_refused_by_both(simple: Signed, data: bytes) -> None:
    simple.write(data)
    with pytest.raises(SignatureError) as caught:
        verify_signature(simple.folder, simple.trust)
    (problem,) = caught.value.problems
    assert problem.expected == "a model signature of the OpenSSF"
    assert str(simple.folder) in str(caught.value)
    assert not simple.theirs()


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_no_signature(shared: Signed, data: bytes) -> None:
    shared.write(data)
    with pytest.raises(SignatureError):
        verify_signature(shared.folder, shared.trust)


@pytest.mark.parametrize("what", ["gone", "link", "folder", "huge"])
def test_a_signature_that_is_no_plain_file_of_our_size_is_refused(
    simple: Signed, tmp_path: Path, what: str
) -> None:
    path = simple.folder / SIGNATURE
    path.rename(tmp_path / "elsewhere")
    if what == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif what == "folder":
        path.mkdir()
    elif what == "huge":
        path.write_bytes(simple.original + b" " * (MAX_BYTES + 1 - len(simple.original)))
    with pytest.raises(SignatureError) as caught:
        verify_signature(simple.folder, simple.trust)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{SIGNATURE}: expected a signature file, got none"
    ]


def test_a_signature_of_the_largest_size_is_read(simple: Signed) -> None:
    simple.write(simple.original + b" " * (MAX_BYTES - len(simple.original)))
    assert simple.ours()


def statement(simple: Signed) -> Any:
    """What was signed."""
    return json.loads(parts(simple.original)[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"),
        lambda s: s["predicate"]["serialization"].update(method="shards"),
        lambda s: s["predicate"]["resources"][0].update(algorithm="blake2b"),
        lambda s: s["predicate"]["resources"][-1].update(algorithm="blake2b"),
        lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]),
        lambda s: s["predicate"].pop("resources"),
        lambda s: s["predicate"].update(resources=7),
        lambda s: s.pop("_type"),
    ],
)
def test_a_signed_statement_of_another_kind_is_refused(simple: Signed, change: Callable[[Any], object]) -> None:
    said = statement(simple)
    resign(simple, said)
    assert simple.ours()  # so the change alone decides
    change(said)
    resign(simple, said)
    with pytest.raises(SignatureError) as caught:
        verify_signature(simple.folder, simple.trust)
    assert [str(problem) for problem in caught.value.problems] == [
        "statement: expected files with their SHA-256, got something else"
    ]


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_a_signed_payload_that_is_no_statement_is_refused(simple: Signed, payload: bytes) -> None:
    resign(simple, payload)
    with pytest.raises(SignatureError, match="statement: expected files with their SHA-256"):
        verify_signature(simple.folder, simple.trust)


def test_a_file_that_the_signature_does_not_mention_is_refused(simple: Signed) -> None:
    said = statement(simple)
    gone = said["predicate"]["resources"].pop()["name"]
    resign(simple, said)
    with pytest.raises(IntegrityError) as caught:
        verify_signature(simple.folder, simple.trust)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{gone}: expected to be signed, got no mention in the signature"
    ]


def test_all_differences_are_found_at_once(simple: Signed, tmp_path: Path) -> None:
    signed = {name: digest_bytes((simple.folder / name).read_bytes()) for name in SIGNED}
    assert file_problems(simple.folder, signed) == []
    (simple.folder / "bom.json").unlink()
    (simple.folder / "provenance.json").rename(tmp_path / "elsewhere")
    (simple.folder / "provenance.json").symlink_to(tmp_path / "elsewhere")
    with (simple.folder / "release.json").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (simple.folder / "more").touch()
    assert [str(problem) for problem in file_problems(simple.folder, signed)] == [
        "more: expected no such file, got an unlisted file",
        "bom.json: expected a plain file, got nothing",
        "provenance.json: expected a plain file, got a link or folder",
        f"release.json: expected at most {MAX_BYTES} bytes, got {MAX_BYTES + 1} bytes",
    ]


def test_a_file_of_the_largest_size_is_compared(simple: Signed) -> None:
    with (simple.folder / "release.json").open("wb") as file:
        file.truncate(MAX_BYTES)
    signed = {name: digest_bytes((simple.folder / name).read_bytes()) for name in SIGNED}
    assert file_problems(simple.folder, signed) == []


def test_of_several_trusted_keys_the_one_that_signed_is_found(simple: Signed, tmp_path: Path) -> None:
    stranger = make_signed(tmp_path / "stranger", CURVES["P-384"])
    shutil.copy(stranger.trust.root / "signer.pub", simple.trust.root / "another.pub")
    assert verify_signature(simple.folder, simple.trust) == simple.id
    (simple.trust.root / "signer.pub").unlink()
    shutil.copy(stranger.trust.root / "signer.pub", simple.trust.root / "zeta.pub")
    with pytest.raises(SignatureError, match="zeta") as caught:
        verify_signature(simple.folder, simple.trust)
    assert "signer" not in caught.value.problems[0].expected.replace(str(simple.trust.root), "")
