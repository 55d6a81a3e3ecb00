"""Code: pickles, loaders and scripts planted where a careless reader would run them; none is ever run."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import numpy as np

from faults.forger import forge
from faults.mutants import trusting
from faults.outcome import Outcome
from faults.sample import Tally, believing, built, stored, words
from registry.publish.keys import SigningKey
from registry.publish.sign import sign
from registry.pull.pull import pull
from registry.pull.sources.folder import FolderSource
from rejoinder.errors import RejoinderError
from rejoinder.parts import PHRASES, VECTORIZER
from rejoinder.parts.engines import available_providers
from rejoinder.parts.opened import open_current
from rejoinder.release.forms import CUDA, model_file
from rejoinder.release.manifest import read_manifest
from rejoinder.release.signature import SIGNATURE
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.bundles import KEY, WHOLE, build_whole, weights, write_onnx

CANARY = "canary"


def payloads(canary: Path) -> dict[str, bytes]:
    """Files that write the canary when they are loaded, imported or run, by the name that invites it."""
    script = f"open({str(canary)!r}, 'w').write('it ran')\n".encode()
    pickled = b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."
    loader = b"flavors:\n  python_function:\n    loader_module: conftest\n    code: .\n    python_version: 3.11\n"
    return {
        "MLmodel": loader,
        "mlmodel": loader,
        "python_model.pkl": pickled,
        "model.pth": pickled,
        "planted.pth": b"import os; os.system('touch " + str(canary).encode() + b"')\n",
        "conftest.py": script,
        "__init__.py": script,
        "sitecustomize.py": script,
        "planted.npy": object_array(pickled),
    }


def object_array(pickled: bytes, shape: tuple[int, ...] = (1,)) -> bytes:
    """A .npy file of objects, which is a pickle behind a header."""
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + pickled


def external_onnx(folder: Path) -> dict[str, bytes]:
    """A model whose weights lie in another file, and that file."""
    from onnx import load, save

    folder.mkdir()
    write_onnx(folder / "whole.onnx", weights(0))
    options = {"save_as_external_data": True, "location": "weights.data", "size_threshold": 0}
    save(load(str(folder / "whole.onnx")), str(folder / "model.onnx"), **options)
    return {
        "model.onnx": (folder / "model.onnx").read_bytes(),
        "weights.data": (folder / "weights.data").read_bytes(),
    }


def code_beside(root: Path, tries: int = 9 * len(WHOLE)) -> Outcome:
    """Plant each payload beside the files of each bundle and of the release folder: refused, and never run."""
    store, canary = stored(root), root / CANARY
    installed = store.current()
    planted = [
        (folder, name, data)
        for name, data in payloads(canary).items()
        for folder in (*installed.bundles.values(), installed.folder)
    ]
    tally = Tally()
    for folder, name, data in planted[:tries]:
        (folder / name).write_bytes(data)
        tally.add(*_refused(store, canary, believing(), name))
        (folder / name).unlink()
    return Outcome("code beside the files of a release", tally.tries, tally.survived, tally.note())


def code_signed(root: Path, tries: int = 26) -> Outcome:
    """Plant code in the place of a file, or beside the signed ones, and sign that: refused, and never run."""
    base, canary, tally = built(root / "base"), root / CANARY, Tally()
    pickled = payloads(canary)["python_model.pkl"]
    external = external_onnx(root / "external")
    changes: dict[str, Mapping[str, bytes]] = {
        "ONNX with external data": {"model/model.cpu.onnx": external["model.onnx"]},
        "ONNX with external data, listed": {
            "model/model.cpu.onnx": external["model.onnx"],
            "model/weights.data": external["weights.data"],
        },
    }
    for kind in WHOLE:
        for path in sorted(base.bundles[kind].glob("*.npy")):
            changes[f"an object array as {kind}/{path.name}"] = {
                f"{kind}/{path.name}": object_array(pickled, np.load(path).shape)
            }
    for kind in WHOLE:
        changes |= {
            f"a pickle as {kind}/{f}": {f"{kind}/{f}": pickled} for f in read_manifest(base.bundles[kind]).files
        }
    for what, files in list(changes.items())[:tries]:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            store = forge(base, Path(folder), files)
            unread = next(iter(files)) == f"model/{model_file('fp16')}" and CUDA not in available_providers()
            tally.add(*_refused(store, canary, believing(), what, may_open=unread))
    for name, data in list(payloads(canary).items())[: max(0, tries - len(changes))]:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            tally.add(*_refused(_signed_with(forge(base, Path(folder), {}), name, data), canary, believing(), name))
    return Outcome("code in the place of a file, signed", tally.tries, tally.survived, tally.note())


def _signed_with(store: Store, name: str, data: bytes) -> Store:
    """Sign a release folder that holds one file more."""
    installed = store.current()
    (installed.folder / name).write_bytes(data)
    (installed.folder / SIGNATURE).unlink()
    sign(installed.folder, SigningKey(installed.release.signer, KEY, None))
    return store


def code_listed(root: Path, tries: int = 9 * len(WHOLE)) -> Outcome:
    """List a payload in a manifest and sign that: refused by its name, or installed as dead bytes; never run."""
    base, canary, tally = built(root / "base"), root / CANARY, Tally()
    trust = trusting(root)
    listed = [(kind, name, data) for name, data in payloads(canary).items() for kind in WHOLE]
    for kind, name, data in listed[:tries]:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            store = forge(base, Path(folder), {f"{kind}/{name}": data})
            try:
                open_current(store, trust=trust).close()
                end = ("dead bytes that a trusted publisher has listed; never run", "")
            except RejoinderError:
                end = ("refused", "")
            except Exception as error:
                end = ("lost", f"{kind}/{name}: {words(error)}")
            tally.add(*(("lost", f"{kind}/{name} was run") if canary.exists() else end))
            canary.unlink(missing_ok=True)
    return Outcome("code listed in a manifest, signed", tally.tries, tally.survived, tally.note())


def code_in_a_source(root: Path, tries: int = 20) -> Outcome:
    """Plant each payload in the folder that a pull reads from: it is left behind, and never run."""
    source, canary, trust = stored(root), root / CANARY, trusting(root)
    installed, tally = source.current(), Tally()
    for number, (name, data) in enumerate((payloads(canary).items()) if tries else ()):
        if number < tries:
            for folder in (*installed.bundles.values(), installed.folder):
                (folder / name).write_bytes(data)
            target = Store(root / f"target-{number}")
            tally.add(*_left_behind(source, target, canary, trust, name))
            for folder in (*installed.bundles.values(), installed.folder):
                (folder / name).unlink()
    return Outcome("code in a folder that is pulled from", tally.tries, tally.survived, tally.note())


def _left_behind(source: Store, target: Store, canary: Path, trust: Trust, what: str) -> tuple[str, str]:
    try:
        pull(target, source=FolderSource(source.root), trust=trust)
        open_current(target, trust=trust).close()
    except RejoinderError:
        end = ("refused", "")
    except Exception as error:
        end = ("lost", f"{what}: {words(error)}")
    else:
        arrived = [path.name for path in target.root.rglob("*") if path.name == what]
        end = ("lost", f"{what}: arrived") if arrived else ("left behind", "")
    return ("lost", f"{what} was run") if canary.exists() else end


def code_in_mlflow(root: Path, tries: int = 13) -> Outcome:
    """Plant payloads in the artifact folder of each version, and in the place of its files: never run."""
    from tests.registry.artifacts import ship, stored_file

    trust, canary, tally = trusting(root), root / CANARY, Tally()
    environment = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
        "REJOINDER_TRUST": str(trust.root),
        "REJOINDER_SIGNING_KEY": str(KEY),
    }
    with patch.dict(os.environ, environment):
        ship(build_whole(root / "bundles"), "planted")
        folders = [stored_file("planted", kind, "x").parent for kind in (*WHOLE, None)]
        for name, data in list(payloads(canary).items())[: max(1, tries - 4)]:
            for folder in folders:
                (folder / name).write_bytes(data)
            tally.add(*_pulled(root / f"beside-{tally.tries}", canary, trust, name))
            for folder in folders:
                (folder / name).unlink()
        files = [
            (VECTORIZER.bundle, "probes.npy"),
            (PHRASES.bundle, "keys.npy"),
            (VECTORIZER.bundle, "tokenizer.json"),
            (None, "verdict.json"),
        ]
        for kind, file in files[: max(0, tries - tally.tries)]:
            path = stored_file("planted", kind, file)
            before = path.read_bytes()
            path.write_bytes(payloads(canary)["python_model.pkl"].ljust(len(before), b"\n")[: len(before)])
            tally.add(*_pulled(root / f"instead-{tally.tries}", canary, trust, file, must_refuse=True))
            path.write_bytes(before)
    return Outcome("code in MLflow's artifacts", tally.tries, tally.survived, tally.note())


def _pulled(root: Path, canary: Path, trust: Trust, what: str, must_refuse: bool = False) -> tuple[str, str]:
    store = Store(root)
    try:
        pull(store, "planted", trust=trust)
        open_current(store, trust=trust).close()
        arrived = must_refuse or any(path.name == what for path in store.root.rglob("*"))
        end = ("lost", f"{what}: installed") if arrived else ("left behind", "")
    except RejoinderError:
        end = ("refused", "") if must_refuse else ("lost", f"{what}: in the way of a pull")
    except Exception as error:
        end = ("lost", f"{what}: {words(error)}")
    return ("lost", f"{what} was run") if canary.exists() else end


def _refused(store: Store, canary: Path, trust: Trust, what: str, may_open: bool = False) -> tuple[str, str]:
    """Open a store; it must be refused, and the canary must not have been written."""
    try:
        open_current(store, trust=trust).close()
        end = ("never read here: the form of another provider", "") if may_open else ("lost", f"{what}: opened")
    except RejoinderError:
        end = ("refused, never run", "")
    except Exception as error:
        end = ("lost", f"{what}: {words(error)}")
    ran = canary.exists()
    canary.unlink(missing_ok=True)
    return ("lost", f"{what} was run") if ran else end


FAULTS = (code_beside, code_signed, code_listed, code_in_a_source, code_in_mlflow)
