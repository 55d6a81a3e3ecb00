"""Phrase cache: phrase -> vector, a table shipped with the release.

The phrases lie in a text file in the order of the table's rows; only the probes read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.errors import Problem
from rejoinder.parts import VECTORIZER
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.probes import pick_rows, stored_vectors_problems
from rejoinder.parts.vector_table import TableFiles, VectorTable, write_table
from rejoinder.release.manifest import Manifest

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

FILES = TableFiles("keys.npy", "vectors.npy")
PHRASES_FILE = "phrases.txt"


def write_cache(directory: Path, phrases: Sequence[str], vectors: Vectors) -> None:
    """Write a cache.

    Args:
        directory: an existing directory.
        phrases: n distinct canonical phrases.
        vectors: float32 [n, dim], their vectors.

    Raises:
        ValueError: if two phrases share a key.
    """
    order = write_table(directory, phrases, vectors, FILES)
    (directory / PHRASES_FILE).write_text("".join(phrases[row] + "\n" for row in order), encoding="utf-8")


class PhraseCache:
    """The phrases' vectors and, on request, the phrases.

    Attributes:
        table: the vectors.
    """

    def __init__(self, directory: Path, phrases: int | None = None, dim: int | None = None) -> None:
        """Map the files; the directory's bytes must have been verified.

        Args:
            directory: a verified cache bundle.
            phrases: how many it must hold, if known.
            dim: length that its vectors must have, if known.

        Raises:
            BundleError: if an array cannot be read or is not of the right type and shape; names every file.
        """
        self.table = VectorTable(directory, FILES, phrases, dim)
        self._directory = directory

    def __len__(self) -> int:
        return len(self.table)

    def phrases(self) -> list[str]:
        """All phrases in row order; reads the whole file."""
        return (self._directory / PHRASES_FILE).read_text(encoding="utf-8").split("\n")[:-1]


def open_part(opening: Opening) -> PhraseCache:
    """Map the phrase cache of a release."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    return PhraseCache(opening.directory, opening.manifest.facts["phrases"], vectorizer.dim)


def probe(opening: Opening, cache: PhraseCache) -> list[Problem]:
    """Look rows up and encode them again, picked by the bundle's digest."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    phrases = cache.phrases()
    rows = pick_rows(opening.manifest.digest, len(phrases))
    fresh = vectorizer.encode([phrases[row] for row in rows])
    lost = [row for row in rows if cache.table.get(phrases[row]) is None]
    problems = [Problem("cache keys", "every phrase found", f"misses for rows {lost}")] if lost else []
    return problems + stored_vectors_problems("cache vectors", fresh, cache.table.vectors(rows), opening.tolerance)


def memory(manifest: Manifest, provider: str | None) -> int:
    """Nothing: all of it is mapped, and mapped files take no memory that the machine could not have back."""
    del manifest, provider
    return 0
