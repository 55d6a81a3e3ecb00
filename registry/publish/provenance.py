"""Provenance: the code, parameters and data that a release was built from, as an in-toto statement in SLSA's shape.

What is written is proved first: dvc.lock counts only if the verdict in it is the one that blessed the release, and
code and parameters count only if they still are what dvc.lock says they were. Whatever is not known is null, with
the reason. No message text, address, user or path of a machine is written.
"""

from __future__ import annotations

import base64
import json
import math
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path, PurePosixPath
from typing import Any

from registry.publish.dvc_lock import (
    LOCK,
    PARAMS,
    SHARED,
    Entry,
    Lock,
    md5_of,
    md5_of_folder,
    parse_lock,
    plain,
    read_yaml,
)
from rejoinder import __version__
from rejoinder.parts import in_order
from rejoinder.release.canonical import Digest, canonical_json, digest_bytes, digest_file
from rejoinder.release.document import VERDICT, Release

PROVENANCE = "provenance.json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
#: A UUID needs no domain, and nobody else can mint the same one; what follows # is for people.
BUILD_TYPE = "urn:uuid:7d1063a2-51bb-4a8c-b907-8a8caab856be#dvc-repro-1"
#: Names under which a tool may be installed; the first that is there counts.
TOOLS: Mapping[str, tuple[str, ...]] = {
    "dvc": ("dvc",),
    "torch": ("torch",),
    "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "tokenizers": ("tokenizers",),
    "transformers": ("transformers",),
}
#: Sections whose parameters are written out; of any other (`ingest` holds the canaries) only a digest is.
SHOWN_SECTIONS = frozenset(
    {SHARED, "anonymize", "validate", "dialogues", "vectorizer", "student", "export", "turns", "base", "heads"}
    | {"cache", "index", "remarks", "guard", "intents", "annotators", "ranker", "generator", "audit", "benchmark"}
    | {"gate"}
)
_DAG = "dvc.yaml"
_JUDGE = "gate"  # the stage that writes the verdict
_LOGS = "data/logs"
_ERASED = "data/erase"
#: Top folders that hold code: whatever a stage depends on below them is code, templates and word lists included.
_CODE = ("rejoinder", "registry", "stages")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")  # no path, no sentence
_GIT_SECONDS = 60


def provenance(release: Release, workspace: Path = Path()) -> bytes:
    """Say what a release was built from.

    Args:
        release: what is about to be signed.
        workspace: root of the work tree that built its bundles.

    Returns:
        Canonical JSON: an in-toto statement about the bundles, with SLSA's provenance as its predicate.
    """
    missing = {"startedOn": "DVC records no times", "finishedOn": "DVC records no times"}
    lock = _blessed_lock(release, workspace)
    if isinstance(lock, str):
        missing |= dict.fromkeys((LOCK, PARAMS, "git commit", "data"), lock)
    parameters = {} if isinstance(lock, str) else _parameters(workspace, lock, missing)
    dependencies = [] if isinstance(lock, str) else list(_dependencies(workspace, lock, missing))
    versions = _versions(missing)
    return canonical_json(
        {
            "_type": STATEMENT,
            "subject": [
                {"name": f"{release.name}-{part.bundle}", "digest": _sha256(release.bundles[part.bundle])}
                for part in in_order(release.bundles)
            ],
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": parameters,
                    "internalParameters": {
                        "missing": {name: {"value": None, "reason": reason} for name, reason in missing.items()}
                    },
                    "resolvedDependencies": dependencies,
                },
                "runDetails": {"builder": {"id": _builder_id(release.signer.key), "version": versions}},
            },
        }
    )


def base_encoder(data: bytes) -> str | None:
    """Name of the encoder that the model was trained from.

    Args:
        data: what `provenance` returned.

    Returns:
        The name; None if it is not known, or was withheld because it is no single word.
    """
    parameters = json.loads(data)["predicate"]["buildDefinition"]["externalParameters"].get("parameters", {})
    shared = parameters.get(SHARED, {})
    # Builds from before there was a section `shared` have it with the stage.
    name = (shared if shared else parameters.get("vectorizer", {})).get("base")
    return name if isinstance(name, str) else None


def _sha256(digest: Digest) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def _builder_id(key: Digest) -> str:
    """Whoever holds the signing key vouches for the build: the key's name in the form of RFC 6920."""
    raw = bytes.fromhex(key.removeprefix("sha256:"))
    return "ni:///sha-256;" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _versions(missing: dict[str, str]) -> dict[str, str]:
    found = {"rejoinder": __version__, "python": platform.python_version()}
    for tool, packages in TOOLS.items():
        version = next(filter(None, map(_version, packages)), None)
        if version is None:
            missing[tool] = "not installed where the release was made"
        else:
            found[tool] = version
    return found


def _version(package: str) -> str | None:
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return None


def _blessed_lock(release: Release, workspace: Path) -> Lock | str:
    """Parse dvc.lock if it is of the build that the gate blessed; else say why it does not count."""
    try:
        lock = parse_lock(read_yaml(workspace / LOCK))
        (judged,) = lock.outs[_JUDGE]
        folder = workspace / judged.path
        blessed = digest_file(folder / VERDICT) == release.blessed.verdict
        if not blessed or md5_of_folder(folder) != judged.md5:
            return f"the build in {LOCK} is not the one that was blessed"
    except FileNotFoundError as error:
        return f"no {Path(error.filename or LOCK).name} in the work tree"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{LOCK} cannot be read: {type(error).__name__}"
    return lock


def _parameters(workspace: Path, lock: Lock, missing: dict[str, str]) -> dict[str, Any]:
    shown = {name: _shown(name, section) for name, section in lock.params.items()}
    for key in lock.differing:
        missing[f"{SHARED}.{key}"] = "stages were built with different values"
    try:
        sections = dict(read_yaml(workspace / PARAMS))
    except (OSError, ValueError, TypeError) as error:
        missing[PARAMS] = f"cannot be read: {type(error).__name__}"
        return {"parameters": shown}
    changed = sorted(name for name, used in lock.params.items() if _now(name, sections, used) != used)
    if changed:
        missing[PARAMS] = f"changed since the build: {', '.join(changed)}"
        return {"parameters": shown}
    return {"parameters": shown, PARAMS: _sha256(digest_file(workspace / PARAMS))}


def _now(name: str, sections: Mapping[str, Any], used: Any) -> Any:
    """A section of params.yaml as it is now; of the shared one what was used of it."""
    now = plain(sections.get(name))
    return {key: now.get(key) for key in used} if name == SHARED and isinstance(now, dict) else now


def _shown(name: str, section: Any) -> dict[str, Any]:
    if name not in SHOWN_SECTIONS or not isinstance(section, dict):
        return _digest_of(section)
    return {str(key): value if _is_safe(value) else _digest_of(value) for key, value in section.items()}


def _digest_of(value: Any) -> dict[str, str]:
    import yaml

    return _sha256(digest_bytes(yaml.safe_dump(value, sort_keys=True, allow_unicode=True).encode()))


def _is_safe(value: Any) -> bool:
    """Numbers, switches, single words, and lists of them; no text that somebody might have written."""
    if isinstance(value, list):
        return all(_is_safe(part) and not isinstance(part, list) for part in value)
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None
    return value is None or (isinstance(value, int | float) and math.isfinite(value))


def _dependencies(workspace: Path, lock: Lock, missing: dict[str, str]) -> Iterator[dict[str, Any]]:
    commit = _commit(workspace, lock)
    if isinstance(commit, str):
        missing["git commit"] = commit
    else:
        yield commit
    for name in (LOCK, PARAMS):
        if name not in missing:
            yield {"name": name, "digest": _sha256(digest_file(workspace / name))}
    for entry in _data(lock):
        if entry.path == _ERASED:
            missing[_ERASED] = "withheld: a digest of so short a list would confirm a guess of who is on it"
        else:
            yield _descriptor(entry)
    yield from _seen_apart(lock)


def _seen_apart(lock: Lock) -> Iterator[dict[str, Any]]:
    """Outputs that stages have seen in different states: a refresh keeps what was trained on older dialogues."""
    made = {out.path for outs in lock.outs.values() for out in outs}
    seen: dict[str, dict[str, list[str]]] = {}
    entries: dict[str, Entry] = {}
    for stage, deps in lock.deps.items():
        for dep in deps:
            if dep.path in made:
                seen.setdefault(dep.path, {}).setdefault(dep.md5, []).append(stage)
                entries[dep.md5] = dep
    for states in seen.values():
        if len(states) > 1:
            for md5, stages in states.items():
                descriptor = _descriptor(entries[md5])
                descriptor["annotations"]["stages"] = ", ".join(stages)
                yield descriptor


def _data(lock: Lock) -> list[Entry]:
    """Everything that is no code and that no stage made, and what the stage that reads the logs made of them."""
    made = {out.path for outs in lock.outs.values() for out in outs}
    given = {
        dep.path: dep
        for deps in lock.deps.values()
        for dep in deps
        if not _is_code(dep.path) and not any(dep.path == m or dep.path.startswith(f"{m}/") for m in made)
    }
    readers = [stage for stage, deps in lock.deps.items() if any(dep.path == _LOGS for dep in deps)]
    raw = {out.path: out for stage in readers for out in lock.outs[stage]}
    return [entry for _, entry in sorted((given | raw).items())]


def _is_code(path: str) -> bool:
    return path.endswith(".py") or PurePosixPath(path).parts[0] in _CODE


def _descriptor(entry: Entry) -> dict[str, Any]:
    # The MD5 of a folder is that of DVC's own listing, so neither may pass for a plain MD5.
    kind = "dvcMd5Dir" if entry.md5.endswith(".dir") else "dvcMd5"
    sizes = {"bytes": entry.size, "files": entry.files}
    known = {key: value for key, value in sizes.items() if isinstance(value, int)}
    return {"name": entry.path, "digest": {kind: entry.md5.removesuffix(".dir")}, "annotations": known}


def _commit(workspace: Path, lock: Lock) -> dict[str, Any] | str:
    if _git(workspace, "ls-files", "--error-unmatch", _DAG) is None:
        return f"no git work tree that holds {_DAG}"
    commit = _git(workspace, "rev-parse", "HEAD")
    # dvc.lock changes with every build and is recorded by its own digest.
    status = _git(workspace, "status", "--porcelain", "--", ".", f":(exclude){LOCK}")
    if commit is None or status is None:
        return "git has no commit, or does not answer"
    if changed := _changed_code(workspace, lock):
        return f"code changed since the build: {', '.join(changed[:3])}" + (", ..." if changed[3:] else "")
    return {
        "name": "git commit",
        "uri": f"git+commit:{commit}",
        "digest": {"gitCommit": commit},
        "annotations": {"clean": not status},
    }


def _changed_code(workspace: Path, lock: Lock) -> list[str]:
    # Stages that ran at different times may have seen different code: each must have seen today's.
    code = {dep for deps in lock.deps.values() for dep in deps if _is_code(dep.path)}
    return sorted({dep.path for dep in code if md5_of(workspace / dep.path) != dep.md5})


def _git(workspace: Path, *words: str) -> str | None:
    # Inside a git hook these name the repository of the hook.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "--no-optional-locks", *words]
    try:
        done = subprocess.run(
            command,
            cwd=workspace,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


__all__ = ["BUILD_TYPE", "PREDICATE", "PROVENANCE", "STATEMENT", "base_encoder", "provenance"]
