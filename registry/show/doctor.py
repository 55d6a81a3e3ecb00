"""Doctor: what this machine is, what is installed on it, and where things are."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from registry.mlflow.uri import SQLITE, redacted_uri, tracking_uri
from registry.publish.keys import CERTIFICATE, KEY, development_key
from registry.pull.freshness import read_freshness
from rejoinder import __version__, process
from rejoinder.cgroups import cpu_quota
from rejoinder.errors import RejoinderError
from rejoinder.home import home
from rejoinder.parts.engines import available_providers
from rejoinder.parts.notes import read_notes
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store

_PACKAGES = (
    "numpy",
    "tokenizers",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "faiss-cpu",
    "faiss-gpu",
    "mlflow-skinny",
    "mlflow",
    "model-signing",
    "cryptography",
    "torch",
)
#: Instruction sets that decide which kernels ONNX Runtime picks, hence speed and the last bits of a vector.
_CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")
_CPUINFO = Path("/proc/cpuinfo")
_KEY_VARIABLE = "REJOINDER_ANONYMIZE_KEY"


def examine(store: Store) -> dict[str, dict[str, str]]:
    """Look around; never fails, and shows no secret.

    Args:
        store: the local store.

    Returns:
        Rows of name and finding, by title.
    """
    return {
        "machine": {
            "rejoinder": __version__,
            "python": f"{platform.python_version()} ({sys.executable})",
            "platform": platform.platform(),
            "processor flags": _cpu_flags(),
            "GPUs": _gpus(),
        },
        "process": _process(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "runtime": {"runs models with": _providers(), **_choices(store)},
        "places": {
            "home": _place(home()),
            "store": _place(store.root),
            "current release": _current(store),
            "tracking URI": _tracking(),
            "anonymisation key": _key(),
        },
        "trust": {
            "folder": _place(Trust.default().root),
            "believed": _believed(),
            "highest serials seen": _seen(),
            "signs with": _signing(),
        },
    }


def _process() -> dict[str, str]:
    quota = cpu_quota()
    granted = "no quota" if quota is None else f"quota {quota:g}"
    return {
        "cores usable": f"{process.usable_cores()} (affinity {process.allowed_cores()}, {granted})",
        "threads": f"{process.threads()} ({process.THREADS} overrides)",
        **{name: os.environ.get(name, "not set") for name in process.VARIABLES},
        "set too late": "; ".join(process.late_settings()) or "nothing",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _providers() -> str:
    try:
        found = available_providers()
    except ImportError as error:
        return f"none: {error}. Next: pip install 'rejoinder[cpu]' or 'rejoinder[gpu]'"
    return ", ".join(found)


def _choices(store: Store) -> dict[str, str]:
    """What runs each model here, and how fast each form was when it was tried; what was noted on this machine."""
    try:
        notes = read_notes(store.choices)
    except ImportError:
        return {}
    return {f"model {model[:12]} runs": str(note) for model, note in notes.items()}


def _cpu_flags() -> str:
    try:
        text = _CPUINFO.read_text()
    except OSError:
        return "unknown"
    flags = set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
    return ", ".join(flag for flag in _CPU_FLAGS if flag in flags) or "none of those that matter"


def _gpus() -> str:
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "none seen"
    return "; ".join(done.stdout.strip().splitlines()) or "none seen"


def _place(path: Path) -> str:
    return f"{path.resolve()} ({'exists' if path.exists() else 'does not exist'})"


def _tracking() -> str:
    uri = tracking_uri()
    if uri.startswith(SQLITE):
        return f"{uri} -> {_place(Path(uri.removeprefix(SQLITE)))}"
    return redacted_uri()


def _key() -> str:
    if os.environ.get(_KEY_VARIABLE):
        return f"in {_KEY_VARIABLE}"
    # Where the stage `anonymize` looks; only a machine that runs the pipeline has one.
    return _place(home() / "anonymize.key")


def _believed() -> str:
    trust = Trust.default()
    try:
        names = [f"{key.name} ({key.id[7:19]})" for key in trust.keys().values()]
    except RejoinderError as error:
        return str(error)
    return ", ".join([*names, *(path.name for path in trust.certificates())]) or "nobody"


def _seen() -> str:
    try:
        return (
            ", ".join(f"{name} #{seen.serial}" for name, seen in read_freshness(Trust.default()).items()) or "none"
        )
    except RejoinderError as error:
        return str(error)


def _signing() -> str:
    """Where the key is that signs, never the key: the variable may hold it as text."""
    if os.environ.get(KEY):
        certificate = f", with the certificate in {CERTIFICATE}" if os.environ.get(CERTIFICATE) else ""
        return f"the key in {KEY}{certificate}"
    return f"a development key, {development_key()}"


def _current(store: Store) -> str:
    try:
        return str(store.current().release)
    except RejoinderError as error:
        return str(error).split("\n")[0]
