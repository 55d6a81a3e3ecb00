"""Numbers: the file of the toy part; writes, opens and probes it."""

from __future__ import annotations

import json
from pathlib import Path

from rejoinder.errors import FormatError, Problem
from rejoinder.parts.opening import Opening
from rejoinder.release.manifest import Manifest, write_manifest
from rejoinder.release.vectorizer_spec import VectorizerId
from tests.toy import NUMBERS

HEAD = "head.json"


def write_numbers(directory: Path, numbers: list[float], vectorizer_id: VectorizerId) -> None:
    """Write the bundle."""
    directory.mkdir(parents=True)
    (directory / HEAD).write_text(json.dumps(numbers))
    write_manifest(directory, NUMBERS.bundle, vectorizer_id, {"count": len(numbers)})


def open_part(opening: Opening) -> list[float]:
    numbers: list[float] = json.loads((opening.directory / HEAD).read_text())
    if len(numbers) != opening.manifest.facts["count"]:
        raise FormatError(str(opening.directory), [Problem(HEAD, "as many numbers as the facts say", "others")])
    return numbers


def probe(opening: Opening, numbers: list[float]) -> list[Problem]:
    (norm,) = (opening.opened["model"].encode(["hi"]) ** 2).sum(axis=1)
    return [] if abs(norm - 1) < 1e-3 and sum(numbers) == 3 else [Problem("numbers", "a sum of 3", "another")]


def memory(manifest: Manifest, provider: str | None) -> int:
    del provider
    return manifest.files[HEAD].size
