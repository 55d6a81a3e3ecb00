"""The gate's verdict, as the registry needs it: are exactly these bundles blessed, and against whom?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.errors import VerdictError
from registry.mlflow.catalog import Catalog
from registry.mlflow.client import Version
from rejoinder.parts import Kind, kinds_problem, part_of, required_kinds
from rejoinder.release.canonical import Digest, digest_bytes, digest_file, is_digest
from rejoinder.release.manifest import MANIFEST

BLESSED = "BLESSED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict that blesses.

    Attributes:
        data: the verdict file's bytes.
        digest: of these bytes.
        bundles: the bundle digests that were judged.
        champion: digest of the release that they were compared with, if there was one.
        metrics: every number under the file's "metrics", by slash-joined key.
    """

    data: bytes
    digest: Digest
    bundles: Mapping[Kind, Digest]
    champion: Digest | None
    metrics: Mapping[str, float]


def read_verdict(path: Path) -> Verdict:
    """Read a verdict file.

    Args:
        path: JSON written by the gate.

    Returns:
        The verdict.

    Raises:
        VerdictError: if it is not a verdict, or does not bless.
    """
    try:
        data = path.read_bytes()
        document = json.loads(data)
    except FileNotFoundError:
        raise VerdictError(f"{path}: expected the gate's verdict, got no such file. Next: dvc repro gate") from None
    except (OSError, ValueError, RecursionError) as error:
        raise VerdictError(f"{path}: expected JSON, got {type(error).__name__}. Next: dvc repro gate") from None
    champion = _check_shape(path, document)
    if document["verdict"] != BLESSED:
        lines = [f"  - {reason}" for reason in document.get("reasons") or ["no reason given"]]
        raise VerdictError(
            "\n".join([f"{path}: expected {BLESSED}, got {str(document['verdict'])[:40]}", *lines, _IMPROVE])
        )
    metrics = dict(_numbers("", document.get("metrics")))
    return Verdict(data, digest_bytes(data), document["bundles"], champion, metrics)


_IMPROVE = "  next: improve the build until the gate blesses it; nothing was registered"


def _check_shape(path: Path, document: Any) -> Digest | None:
    problems = []
    fields = document if isinstance(document, dict) else {}
    if "verdict" not in fields:
        problems.append("verdict: expected BLESSED or NOT_BLESSED")
    bundles = fields.get("bundles")
    if not isinstance(bundles, dict) or kinds_problem(bundles) or not all(map(is_digest, bundles.values())):
        problems.append(f"bundles: expected digests of {', '.join(required_kinds())} and others known here")
    champion = fields.get("champion")
    digest = champion.get("digest") if isinstance(champion, dict) else champion
    if digest is not None and not is_digest(digest):
        problems.append("champion: expected null or a release's digest")
    if problems:
        lines = [f"  - {problem}, got something else" for problem in problems]
        raise VerdictError("\n".join([f"{path}: not a verdict", *lines, "  next: dvc repro gate"]))
    return digest


def _numbers(prefix: str, value: Any) -> list[tuple[str, float]]:
    if isinstance(value, dict):
        return [pair for key, part in value.items() for pair in _numbers(f"{prefix}/{key}".lstrip("/"), part)]
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return [(prefix, float(value))] if prefix and fine else []


def check_judged(verdict: Verdict, bundles: Mapping[Kind, Path]) -> None:
    """Check that the verdict is about these directories.

    Args:
        verdict: what the gate said.
        bundles: what is to be registered, by kind.

    Raises:
        VerdictError: naming every directory that the gate has not judged.
    """
    found = {}
    for kind, directory in bundles.items():
        manifest = directory / MANIFEST
        found[kind] = digest_file(manifest) if manifest.is_file() else f"no bundle in {directory}"
    check_judged_digests(verdict, found, "what is to be registered")


def check_judged_digests(verdict: Verdict, found: Mapping[Kind, str], whose: str) -> None:
    """Check that the verdict is about these bundles.

    Args:
        verdict: what the gate said.
        found: digest by kind.
        whose: for the message.

    Raises:
        VerdictError: naming every bundle that the gate has not judged.
    """
    about = [kind for kind in found if part_of(kind).judged or kind in verdict.bundles]
    wrong = [kind for kind in about if found[kind] != verdict.bundles.get(kind)]
    lines = [
        f"  - {kind}: the gate judged {verdict.bundles.get(kind, 'none')}, {whose} is {found[kind]}"
        for kind in wrong
    ]
    if lines:
        raise VerdictError(
            "\n".join(["the verdict is about other bundles", *lines, "  next: dvc repro gate, then register"])
        )


def check_champion(verdict: Verdict, catalog: Catalog) -> None:
    """Check that the verdict was reached against what is champion now.

    A release that holds the champion's bundles under an older serial will do: it is the same to compare with. So
    will one that differs in what no gate judges.

    Args:
        verdict: what the gate said.
        catalog: the releases of the name.

    Raises:
        VerdictError: if another release has been promoted since.
    """
    now = catalog.champion
    if now is None:
        fine = verdict.champion is None
    else:
        same = {v.tags.get("digest") for v in catalog.releases if is_like(v, now)}
        fine = verdict.champion in same
    if not fine:
        raise VerdictError(
            f"stale verdict: compared with champion {verdict.champion or 'none'}, but it is now "
            f"{now.tags.get('digest') if now else 'none'}. Next: measure and judge again: "
            "dvc repro --force --single-item benchmark && dvc repro gate"
        )


def is_like(version: Version, other: Version) -> bool:
    """Whether two releases hold the same judged bundles, as far as their tags say."""
    return any(version.tags.get(tag) == other.tags.get(tag) is not None for tag in ("content", "verdict"))
