"""Describe: one release in figures, and what changed between two; no message text is read or shown.

Everything here is a pure function of signed documents and manifests; a finder (`registry.show.finders`) finds and
verifies them first.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from registry.publish.bom import BOM
from registry.publish.model_cards import Estimate, estimates
from registry.publish.provenance import PROVENANCE, TOOLS
from rejoinder.errors import FormatError, Problem
from rejoinder.parts import Kind, in_order
from rejoinder.release.canonical import Digest
from rejoinder.release.document import RELEASE, VERDICT, Release, parse_release
from rejoinder.release.manifest import Manifest

#: What a release is described by, in the order of the tables.
SECTIONS = ("release", "bundles", "files", "sizes", "metrics", "params", "sources", "tools", "libraries")
#: Sections whose figures have a change worth a number.
MEASURED = ("sizes", "metrics")
#: What the verdict holds that may be told; its audit may name places of leaks.
_TOLD = ("verdict", "reasons", "checks", "champion", "metrics")
_MAX_DEPTH = 50
_UNKNOWABLE = frozenset({"startedOn", "finishedOn"})

Value = str | float | bool | None | Estimate | Sequence[str | float | bool | None]


class Finder(Protocol):
    """Where releases are found."""

    def folder(self, which: str, into: Path) -> tuple[Path, dict[Kind, Manifest]]:
        """Find a release.

        Args:
            which: a serial, or an alias that this finder knows.
            into: a folder that may be filled with the release's documents.

        Returns:
            The release folder, verified, and the manifests of its bundles.

        Raises:
            NotFoundError: if there is no such release.
            BundleError: if its documents are not what was signed.
        """


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of one release.

    Attributes:
        release: its document.
        verdict: what the gate said of it: verdict, reasons, checks, champion, metrics.
        provenance: the in-toto statement.
        bom: summary of the bill of materials: components by type, versions of libraries, licences.
        sizes_mb: of each bundle.
        files: digest by `kind/name`.
    """

    release: Release
    verdict: Mapping[str, Any]
    provenance: Mapping[str, Any]
    bom: Mapping[str, Any]
    sizes_mb: Mapping[Kind, float]
    files: Mapping[str, Digest]

    def to_json(self) -> dict[str, Any]:
        """The description as JSON values."""
        return {**asdict(self), "release": {**asdict(self.release), "digest": self.release.digest}}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two releases may differ in; None where one of them does not have it."""

    section: str
    key: str
    before: Value
    after: Value

    @property
    def delta(self) -> float | None:
        """After less before, of two figures of a measured section."""
        before, after = _number(self.before), _number(self.after)
        if self.section not in MEASURED or before is None or after is None:
            return None
        return after - before

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON values."""
        return {**asdict(self), "delta": self.delta}


def describe(folder: Path, manifests: Mapping[Kind, Manifest]) -> Description:
    """Describe a release.

    Args:
        folder: of the release, verified.
        manifests: of its bundles, verified.

    Returns:
        The description.

    Raises:
        FormatError: if a document is none of ours.
    """
    release = parse_release(_read(folder / RELEASE), str(folder / RELEASE))
    verdict = _document(folder / VERDICT)
    entries = {part.bundle: manifests[part.bundle].files for part in in_order(release.bundles)}
    return Description(
        release=release,
        verdict={key: verdict[key] for key in _TOLD if key in verdict},
        provenance=_document(folder / PROVENANCE),
        bom=_summary(_document(folder / BOM)),
        sizes_mb={
            kind: (sum(e.size for e in entries[kind].values()) + len(manifests[kind].to_bytes())) / 1e6
            for kind in entries
        },
        files={f"{kind}/{name}": entry.sha256 for kind in entries for name, entry in sorted(entries[kind].items())},
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError(str(path), [Problem(path.name, "a readable file", type(error).__name__)]) from None


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_read(path), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise FormatError(str(path), [Problem(path.name, "JSON", type(error).__name__)]) from None
    if not isinstance(document, dict):
        raise FormatError(str(path), [Problem(path.name, "an object", "something else")])
    if _is_deeper(document, _MAX_DEPTH):
        raise FormatError(str(path), [Problem(path.name, f"at most {_MAX_DEPTH} levels", "more")])
    return document


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether a value nests deeper than any document of ours, and deeper than recursion over it would bear."""
    level = [value]
    for _ in range(depth):
        level = [p for v in level if isinstance(v, dict | list) for p in (v.values() if isinstance(v, dict) else v)]
    return bool(level)


def _finite(text: str) -> float | None:
    """A number, or None in place of NaN and infinities: they equal nothing, and JSON has none."""
    value = float(text)
    return value if math.isfinite(value) else None


def _summary(bom: Mapping[str, Any]) -> dict[str, Any]:
    components = list(_components(bom))
    named = [component for component in components if component.get("type") != "file"]
    return {
        **{key: bom[key] for key in ("serialNumber", "version", "specVersion") if key in bom},
        "components": dict(sorted(Counter(str(component.get("type")) for component in components).items())),
        "libraries": {str(c.get("name")): c.get("version") for c in named if c.get("type") == "library"},
        "licences": {str(c.get("name")): licence for c in named if (licence := _licence(c))},
    }


def _components(parent: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for component in (*_objects(parent, "components"), *_objects(_at(parent, "pedigree"), "ancestors")):
        yield component
        yield from _components(component)


def _licence(component: Mapping[str, Any]) -> str:
    choices = [{**choice, **_at(choice, "license")} for choice in _objects(component, "licenses")]
    return ", ".join(str(c.get("expression") or c.get("id") or c.get("name")) for c in choices)


def _at(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """What lies under these keys if it is an object; a release of other tools may lack any of them."""
    for key in keys:
        document = document.get(key) or {}
        if not isinstance(document, Mapping):
            return {}
    return document


def _objects(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects in the list under a key."""
    found = document.get(key)
    return [part for part in found if isinstance(part, Mapping)] if isinstance(found, list) else []


def facts(of: Description) -> dict[str, dict[str, Value]]:
    """Everything about a release that can be compared.

    Args:
        of: the release.

    Returns:
        Values by section and key.
    """
    numbers = {key: v for key, v in _leaves(_at(of.verdict, "metrics"), "/") if _number(v) is not None}
    # The manifests tell the sizes of what was released; the verdict, of what was judged.
    metrics = {key: float(v) for key, v in numbers.items() if not key.startswith("sizes_mb/")}
    build = _at(of.provenance, "predicate", "buildDefinition")
    return {
        "release": _release_facts(of.release),
        "bundles": {part.bundle: of.release.bundles[part.bundle] for part in in_order(of.release.bundles)},
        "files": {**of.files},
        "sizes": {**of.sizes_mb, "total": sum(of.sizes_mb.values())},
        "metrics": dict(estimates(metrics)),
        "params": dict(_leaves(_at(build, "externalParameters", "parameters"), ".")),
        "sources": _sources(build),
        "tools": dict(_leaves(_at(of.provenance, "predicate", "runDetails", "builder", "version"), ".")),
        "libraries": dict(_leaves(_at(of.bom, "libraries"), ".")),
    }


def _release_facts(release: Release) -> dict[str, Value]:
    return {
        "name": release.name,
        "serial": release.serial,
        "created": release.created,
        "expires": release.expires,
        "reissues": release.reissues,
        "runtime": f"from {release.runtime[0]}, below {release.runtime[1]}",
        "vectorizer_id": release.vectorizer_id,
        "blessed by": release.blessed.by,
        "verdict": release.blessed.verdict,
        "signed by": release.signer.name,
        "key": release.signer.key,
    }


def _sources(build: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for source in _objects(build, "resolvedDependencies"):
        digests = _at(source, "digest").items()
        found[str(source.get("name"))] = ", ".join(f"{algorithm}:{value}" for algorithm, value in digests)
        if (clean := _at(source, "annotations").get("clean")) is not None:
            found["git work tree"] = "clean" if clean else "with changes that are in no commit"
    missing = _at(build, "internalParameters", "missing")
    for name in missing.keys() - _UNKNOWABLE - TOOLS.keys():
        found[name] = f"not known: {_at(missing, name).get('reason')}"
    return dict(sorted(found.items()))


def _leaves(value: Any, joint: str, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, joint, f"{path}{joint if path else ''}{key}")
    else:
        yield path, value


def _number(value: Any) -> float | None:
    if isinstance(value, Estimate):
        return value.value
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def differences(a: Description, b: Description, *, everything: bool = False) -> list[Difference]:
    """Compare two releases.

    Args:
        a: the one before.
        b: the one after.
        everything: also list what is equal in both.

    Returns:
        What differs, by section and key.
    """
    before, after = facts(a), facts(b)
    listed = [
        Difference(section, key, before[section].get(key), after[section].get(key))
        for section in SECTIONS
        for key in dict.fromkeys([*before[section], *after[section]])
    ]
    return [one for one in listed if everything or one.before != one.after]
