"""Deny list: what a release must not say, though it holds it. An operator's, beside what the gate has judged.

It only takes away and holds no vectors: no build makes it and no gate judges it. It is signed with the release that
names it, and goes along with every later one until it is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.errors import FormatError, InputError, Problem
from rejoinder.parts import DENY
from rejoinder.release.canonical import canonical_json, check_canonical, parse_document
from rejoinder.release.manifest import Manifest, write_manifest
from rejoinder.release.vectorizer_spec import VectorizerId
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening

DENIED = "deny.json"
FORMAT = 1
_LISTS = ("replies", "themes")
_MEMORY_FACTOR = 8  # bytes of memory per byte of the file


@dataclass(frozen=True, slots=True)
class DenyList:
    """What must not be said.

    Attributes:
        replies: normalised texts, sorted.
        themes: names of what was written for the release, sorted: "weather" stands for every reply of that theme.
    """

    replies: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()

    def denies(self, text: str, source: str) -> bool:
        """Whether a candidate must not be said.

        Args:
            text: the candidate.
            source: where it comes from: the part's name, and after a slash the theme.

        Returns:
            True if its text or its theme is listed.
        """
        return normalize(text) in self.replies or source.partition("/")[2] in self.themes

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical_json({"format": FORMAT, **asdict(self)})


def read_deny_list(path: Path) -> DenyList:
    """Read what an operator has written.

    Args:
        path: YAML with `replies` and `themes`, lists of texts; either may be left out.

    Returns:
        The list; an empty one takes an earlier one back.

    Raises:
        InputError: if it is anything else; names keys and places, never a text.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: expected YAML, got {type(error).__name__}") from None
    if problems := list(_written_problems(found)):
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise InputError(f"{path}: a deny list that cannot be used\n{lines}\n  next: correct the lines above")
    replies = {normalize(text) for text in found.get("replies") or ()}
    return DenyList(tuple(sorted(replies)), tuple(sorted(set(found.get("themes") or ()))))


def _written_problems(found: Any) -> Iterator[str]:
    if not isinstance(found, dict) or not set(found) <= set(_LISTS):
        got = ", ".join(sorted(map(str, found))) if isinstance(found, dict) else type(found).__name__
        yield f"expected the keys {' and '.join(_LISTS)}, got {got}"
        return
    for key, texts in found.items():
        if not isinstance(texts, list | None):
            yield f"{key}: expected a list, got {type(texts).__name__}"
            continue
        for number, text in enumerate(texts or (), 1):
            if not isinstance(text, str) or not normalize(text):
                yield f"{key}, entry {number}: expected a text, got something else (quote yes, no and numbers)"


def write_deny_list(directory: Path, denied: DenyList, vectorizer_id: VectorizerId) -> Manifest:
    """Write a deny list as a bundle.

    Args:
        directory: an existing directory.
        denied: the list.
        vectorizer_id: of the release that it joins.

    Returns:
        The manifest.
    """
    (directory / DENIED).write_bytes(denied.to_bytes())
    facts = {name: len(getattr(denied, name)) for name in _LISTS}
    return write_manifest(directory, DENY.bundle, vectorizer_id, facts)


def parse_deny_list(data: bytes, subject: str) -> DenyList:
    """Parse the bytes of a deny list.

    Args:
        data: of deny.json, verified.
        subject: where they came from.

    Returns:
        The list.

    Raises:
        FormatError: if they are none.
    """
    document = parse_document(data, subject, FORMAT)
    lists = [document.get(name) for name in _LISTS]
    if not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in lists):
        raise FormatError(subject, [Problem(DENIED, "replies and themes", "something else")])
    denied = DenyList(*(tuple(texts or ()) for texts in lists))
    check_canonical(data, subject, denied.to_bytes)
    return denied


def open_part(opening: Opening) -> DenyList:
    """Load the deny list of a release."""
    path = opening.directory / DENIED
    if DENIED not in opening.manifest.files:
        raise FormatError(str(opening.directory), [Problem(DENIED, "a file of the bundle", "nothing")])
    return parse_deny_list(path.read_bytes(), str(path))


def probe(opening: Opening, denied: DenyList) -> list[Problem]:
    """Compare what is listed with what the manifest counts."""
    counts = {name: len(getattr(denied, name)) for name in _LISTS}
    facts = opening.manifest.facts
    return [
        Problem(f"denied {name}", str(facts.get(name))[:20], str(count))
        for name, count in counts.items()
        if facts.get(name) != count
    ]


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of the texts, once read."""
    del provider
    return _MEMORY_FACTOR * manifest.files[DENIED].size
