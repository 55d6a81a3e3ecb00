"""Prepared remarks in the words of the tests' tiny model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rejoinder.parts.heads import open_heads
from rejoinder.parts.remarks import write_remarks
from rejoinder.parts.themes import LAST_RESORT, Theme
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.manifest import Manifest, write_manifest
from rejoinder.text import normalize

THEMES = (
    Theme("lonely", ("i feel lonely", "we feel lonely"), ("You know music, they know pizza.", "I know home.")),
    Theme("rain", ("i love rain", "they miss rain"), ("We want rain?", "You like the weather?")),
    Theme(LAST_RESORT, (), ("I want hello.", "They know hello.")),
)


def build_remarks(
    directory: Path,
    heads: Path,
    manifest: Manifest,
    vectorizer: Vectorizer,
    themes: Sequence[Theme] = THEMES,
    *,
    min_fit: float = 2.0,
    min_score: float = -2.0,
) -> None:
    """Build remarks with heads; by default no turn calls for any but those of last resort."""
    directory.mkdir()
    examples = vectorizer.encode([normalize(turn) for theme in themes for turn in theme.turns])
    write_remarks(directory, themes, examples, vectorizer, open_heads(heads, manifest))
    facts = {"min_fit": min_fit, "min_score": min_score, "ties": {"heads": manifest.digest}}
    write_manifest(directory, "remarks", vectorizer.id, facts)
