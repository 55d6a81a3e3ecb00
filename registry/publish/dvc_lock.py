"""dvc.lock: what DVC says a build was made from, read as it stands.

DVC's own reader takes a second to import, and only where the pipeline is installed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

LOCK, PARAMS = "dvc.lock", "params.yaml"
SHARED = "shared"
#: What DVC leaves out of a folder, as .dvcignore says.
IGNORED = "__pycache__"
_EXPONENT = re.compile(r"-?[0-9]+(\.[0-9]+)?e[+-]?[0-9]+")
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder as dvc.lock describes it."""

    path: str
    md5: str
    size: int | None
    files: int | None


@dataclass(frozen=True, slots=True)
class Lock:
    """What dvc.lock says: inputs and outputs by stage, and the parameters that were used, by section."""

    deps: Mapping[str, tuple[Entry, ...]]
    outs: Mapping[str, tuple[Entry, ...]]
    params: Mapping[str, Any]
    differing: tuple[str, ...]  # shared parameters that stages were built with different values of


def read_yaml(path: Path) -> Any:
    """Read a YAML file; ValueError if it is none."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError("not YAML") from error


def parse_lock(document: Any) -> Lock:
    """What the parsed file says; KeyError, TypeError or ValueError if it is no dvc.lock."""
    stages = document["stages"]
    used = {name: stage.get("params", {}).get(PARAMS, {}) for name, stage in stages.items()}
    params = {name: plain(given.get(name)) for name, given in used.items()}
    shared, differing = _shared(used)
    entries = {
        side: {name: tuple(map(_entry, stage.get(side, ()))) for name, stage in stages.items()}
        for side in ("deps", "outs")
    }
    return Lock(entries["deps"], entries["outs"], params | ({SHARED: shared} if shared else {}), differing)


def _shared(used: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Shared parameters, which DVC writes to each stage under a dotted name; None where stages differ."""
    found: dict[str, list[Any]] = {}
    for given in used.values():
        for name, value in given.items():
            if name.startswith(f"{SHARED}."):
                found.setdefault(name.removeprefix(f"{SHARED}."), []).append(plain(value))
    differing = tuple(key for key, values in found.items() if any(value != values[0] for value in values))
    return {key: None if key in differing else values[0] for key, values in found.items()}, differing


def _entry(fields: Any) -> Entry:
    md5, path = fields["md5"], PurePosixPath(fields["path"])
    if not _MD5.fullmatch(md5) or path.is_absolute() or ".." in path.parts:
        raise ValueError("a path outside the work tree, or no MD5")
    return Entry(str(path), md5, fields.get("size"), fields.get("nfiles"))


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def md5_of_folder(folder: Path) -> str:
    """What DVC calls the MD5 of a folder: that of its listing."""
    files = (p for p in folder.rglob("*") if p.is_file() and IGNORED not in p.relative_to(folder).parts)
    listing = sorted(({"md5": _md5(p), "relpath": p.relative_to(folder).as_posix()} for p in files), key=_relpath)
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _relpath(entry: Mapping[str, str]) -> str:
    return entry["relpath"]


def plain(value: Any) -> Any:
    """One spelling for equal values: DVC writes 5e-05, which PyYAML takes for a text."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    return value


def md5_of(path: Path) -> str | None:
    """What DVC calls the MD5 of a file or folder; None if there is neither."""
    if path.is_dir():
        return md5_of_folder(path)
    return _md5(path) if path.is_file() else None
