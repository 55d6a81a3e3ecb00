"""Turn vectors: what the exported vectorizer makes of every distinct turn, once for all stages after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.vector_table import TableFiles, VectorTable, write_table
from rejoinder.release.canonical import digest_file
from stages.common.errors import DataError
from stages.common.output import read_json, write_json

if TYPE_CHECKING:
    from rejoinder.parts.vectorizer import Vectorizer

FILES = TableFiles("keys.npy", "vectors.npy")
ABOUT = "turns.json"


def write_turns(directory: Path, vectorizer: Vectorizer, texts: Sequence[str], vectors: Vectors) -> None:
    """Write the vectors of all turns; no text is written.

    Args:
        directory: an existing directory.
        vectorizer: made the vectors.
        texts: n texts of different canonical forms.
        vectors: float32 [n, dim].
    """
    write_table(directory, texts, vectors, FILES)
    made = {"vectorizer_id": vectorizer.id, "execution": str(vectorizer.execution), "sha256": _digests(directory)}
    write_json(directory / ABOUT, {**made, "turns": len(texts), "dim": vectors.shape[1]})


def _digests(directory: Path) -> dict[str, str]:
    return {name: digest_file(directory / name) for name in (FILES.keys, FILES.vectors)}


class TurnVectors:
    """The vectors of all turns, mapped read-only."""

    def __init__(self, directory: Path, vectorizer_id: str) -> None:
        """Map what `write_turns` wrote.

        Args:
            directory: output of the stage `turns`.
            vectorizer_id: who must have made them.

        Raises:
            DataError: if another vectorizer made them.
        """
        about = read_json(directory / ABOUT)
        if about["vectorizer_id"] != vectorizer_id:
            raise DataError(
                f"{directory}: expected turns by vectorizer {vectorizer_id}, got {about['vectorizer_id']}. "
                "Next: dvc repro turns"
            )
        self._directory = directory
        self.dim: int = about["dim"]
        self.table = VectorTable(directory, FILES, about["turns"], self.dim)
        self._about = about

    def are_of(self, vectorizer: Vectorizer) -> bool:
        """Whether they are, to the last byte, what this very execution of the vectorizer made."""
        about = self._about
        made = about.get("vectorizer_id"), about.get("execution"), about.get("sha256")
        return made == (vectorizer.id, str(vectorizer.execution), _digests(self._directory))

    def rows_of(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Look turns up.

        Args:
            texts: n turns.

        Returns:
            int64 [n], the row of each.

        Raises:
            DataError: if one of them is not there.
        """
        rows = self.table.rows_of(texts)
        if missing := int((rows < 0).sum()):
            raise DataError(
                f"{self._directory}: expected a vector of every turn, got none for {missing} of {len(texts)}. "
                "Next: dvc repro turns"
            )
        return rows

    def of(self, texts: Sequence[str]) -> Vectors:
        """Vectors of turns, float32 [n, dim]; raises what `rows_of` does."""
        return self.table.vectors(self.rows_of(texts))
