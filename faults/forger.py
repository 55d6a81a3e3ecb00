"""Forger: a publisher with a bug, or with bad intent: a release with a document changed, pinned and signed anew."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from registry.mlflow.catalog import Catalog
from registry.mlflow.client import Version
from registry.names import CHAMPION
from registry.publish import promote
from registry.publish.keys import SigningKey
from registry.publish.sign import sign
from rejoinder.parts import HEADS, PARTS, REPLIES, VECTORIZER, Kind
from rejoinder.release.canonical import digest_bytes, digest_file
from rejoinder.release.document import RELEASE, VERDICT, Blessing, Release
from rejoinder.release.manifest import MANIFEST
from rejoinder.release.proof import Installed
from rejoinder.release.signature import SIGNATURE, SIGNED
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.store.store import Store
from tests.bundles import KEY, WHOLE, reseal, reseal_model, reseal_others

#: What the signature is about: the payload in `release.sig`, itself a JSON document.
STATEMENT = "statement"


def documents(installed: Installed) -> dict[str, bytes]:
    """Every JSON document that a signed release consists of, by the name that `forge` knows it by."""
    model, index = installed.bundles[VECTORIZER.bundle], installed.bundles[REPLIES.bundle]
    found = {name: (installed.folder / name).read_bytes() for name in SIGNED}
    found |= {f"{kind}/{MANIFEST}": (path / MANIFEST).read_bytes() for kind, path in installed.bundles.items()}
    found |= {f"model/{name}": (model / name).read_bytes() for name in ("probes.json", TOKENIZER)}
    found["index/replies.jsonl"] = (index / "replies.jsonl").read_bytes()
    return found | {STATEMENT: payload(installed.folder / SIGNATURE)}


def payload(signature: Path) -> bytes:
    """The statement that a signature file holds."""
    return base64.b64decode(json.loads(signature.read_bytes())["dsseEnvelope"]["payload"])


def forge(base: Installed, root: Path, changes: Mapping[str, bytes]) -> Store:
    """Make a store with a release in which documents are changed and all else is in order again.

    Args:
        base: the release; read-only.
        root: an empty folder.
        changes: bytes by name, as in `documents`; also other files, as `<kind>/<name>`.

    Returns:
        The store; its current release is the forged one, signed by the key of the tests.
    """
    store = Store(root / "store")
    bundles = {kind: _changed(base.bundles[kind], root / kind, changes, f"{kind}/") for kind in WHOLE}
    vectorizer_id = _sealed(base, bundles, changes)
    digests = {kind: digest_file(path / MANIFEST) for kind, path in bundles.items()}
    for kind, path in bundles.items():
        _place(path, store.bundle_dir(digests[kind]))
    folder = _changed(base.folder, root / "release", {k: v for k, v in changes.items() if k in SIGNED}, "")
    verdict = Blessing("gate", digest_file(folder / VERDICT))
    fields = {"bundles": digests, "vectorizer_id": vectorizer_id, "blessed": verdict}
    release = replace(base.release, **fields)  # type: ignore[arg-type]
    document = changes.get(RELEASE, release.to_bytes())
    _write(folder / RELEASE, document)
    (folder / SIGNATURE).unlink()
    sign(folder, SigningKey(release.signer, KEY, None))
    if STATEMENT in changes:
        sign_statement(folder / SIGNATURE, changes[STATEMENT])
    digest = digest_bytes(document)
    _place(folder, store.release_dir(digest))
    store.current_file.write_text(digest + "\n")
    return store


def _changed(source: Path, target: Path, changes: Mapping[str, bytes], prefix: str) -> Path:
    """A copy of a folder with some files written anew; the others are links to the same bytes."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.name == MANIFEST:
            shutil.copyfile(path, target / path.name)  # it may be written in place
        else:
            os.link(path, target / path.name)
    for name, data in changes.items():
        if name.startswith(prefix):
            _write(target / name.removeprefix(prefix), data)
    return target


def _write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def _place(path: Path, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    path.rename(final)


def _sealed(base: Installed, bundles: Mapping[Kind, Path], changes: Mapping[str, bytes]) -> str:
    """Write manifests that are true to the changed files; says which vectorizer they claim."""
    files = [name.partition("/") for name in changes if "/" in name]
    changed = {kind: [file for part, _, file in files if part == kind and file != MANIFEST] for kind in WHOLE}
    vectorizer_id = base.release.vectorizer_id
    if any(file == TOKENIZER or file.endswith(".onnx") for file in changed[VECTORIZER.bundle]):
        vectorizer_id = reseal_model(bundles[VECTORIZER.bundle]).vectorizer_id
        reseal_others(bundles, vectorizer_id)
        return vectorizer_id
    for kind in WHOLE:
        if changed[kind]:
            reseal(bundles[kind])
    for part in PARTS:  # whatever was made with heads names their digest
        tied = changed[HEADS.bundle] and HEADS.bundle in part.ties
        if tied and f"{part.bundle}/{MANIFEST}" not in changes:
            reseal(bundles[part.bundle], ties={HEADS.bundle: digest_file(bundles[HEADS.bundle] / MANIFEST)})
    return vectorizer_id


def sign_statement(signature: Path, statement: bytes) -> None:
    """Put another statement into a signature file, signed as DSSE says."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    document = json.loads(signature.read_bytes())
    kind = document["dsseEnvelope"]["payloadType"].encode()
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)
    key = load_pem_private_key(KEY.read_bytes(), None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("the key of the tests is no elliptic-curve key")
    made = base64.b64encode(key.sign(encoded, ECDSA(SHA256()))).decode()
    document["dsseEnvelope"]["payload"] = base64.b64encode(statement).decode()
    document["dsseEnvelope"]["signatures"][0]["sig"] = made
    signature.write_text(json.dumps(document))


def promoted(store: Store, folder: Path, trust: Path) -> Release:
    """Ask for the current release of a store to be promoted, with that store in MLflow's place.

    Args:
        store: holds the release.
        folder: an empty folder.
        trust: a trust folder.

    Returns:
        The release, if promotion would move the alias to it.
    """
    installed = store.current()
    tags = {
        "digest": installed.release.digest,
        "serial": str(installed.release.serial),
        "content": installed.release.content,
    }
    version = Version(installed.release.name, 1, "", tags, str(installed.folder))
    with _store_for_mlflow(installed), patch.dict(os.environ, {"REJOINDER_TRUST": str(trust)}):
        # As if it were champion already: whom the verdict compared with is no question of form.
        return promote._fit(None, version, folder, Catalog(version.name, [version], {CHAMPION: version}))


@contextmanager
def _store_for_mlflow(installed: Installed) -> Iterator[None]:
    """Deliver files of a store where the registry asks MLflow for them."""
    folders = {f"{installed.release.name}-{kind}": path for kind, path in installed.bundles.items()}

    def versions(_: object, name: str, **tags: str) -> list[Version]:
        return [Version(name, 1, "", tags, str(folders[name]))]

    def sizes(source: str) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in Path(source).iterdir()}

    def download(source: str, file: str, target: Path) -> Path:
        return Path(shutil.copy(Path(source) / file, target))

    with patch.multiple("registry.mlflow.catalog", versions=versions, sizes=sizes, download=download):
        yield
