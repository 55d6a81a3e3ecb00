"""Prepared remarks: replies written for a theme, and the turns that call for it.

A network that has learnt the example turns says which theme a turn calls for, if any; which of the theme's replies
is said, the context head decides. Nobody has said them: they are the release's own words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.errors import BundleError, ConsistencyError, FormatError, Problem
from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.arrays import Vectors, map_array, unit_rows
from rejoinder.parts.classifier import network_scores
from rejoinder.parts.probes import pick_rows, stored_vectors_problems
from rejoinder.parts.themes import Theme
from rejoinder.parts.vector_table import TableFiles, VectorTable, write_table
from rejoinder.release.manifest import Manifest, missing_files
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.heads import Heads
    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

THEMES = "themes.jsonl"
#: float16 [n, turn_dim] of the example turns; float16 [m, dim] of the replies, by the reply head.
EXAMPLES, REPLIES = "examples.npy", "replies.npy"
#: The replies' vectors as turns: the bot says them.
TURNS = TableFiles("keys.npy", "turns.npy")
#: float16 [turn_dim + 1 + k, h]: a hidden layer that scores no theme and each theme that has examples. Remarks made
#: earlier have none: their nearest examples decide.
NETWORK = "network.npy"
#: Example turns that speak for a theme, and the weight of its best reply beside them where there is no network.
_NEAREST, _HEADS_WEIGHT = 3, 0.3
#: What the mean cosine with a theme's nearest examples and the score of its best reply weigh beside the network,
#: and what they are taken to be where no theme is called for. Of a fifth of the product's examples, set aside, the
#: theme is found in 47% of cases by the nearest examples, 57% by the network, 59% by all three.
_COSINES, _HEADS, _NO_COSINE, _NO_HEADS = 5.0, 2.0, 0.55, 0.3
_MEMORY_FACTOR = 8  # bytes of memory per byte of themes.jsonl and of arrays, which are made single once


def write_remarks(
    directory: Path, themes: Sequence[Theme], examples: Vectors, vectorizer: Vectorizer, heads: Heads
) -> None:
    """Write themes and their vectors.

    Args:
        directory: an existing directory.
        themes: of which one may be the last resort.
        examples: float32 [n, turn_dim], of their turns, theme by theme.
        vectorizer: makes vectors of turns.
        heads: make those of replies.
    """
    (directory / THEMES).write_text("".join(map(_line, themes)), encoding="utf-8")
    replies = [reply for theme in themes for reply in theme.replies]
    np.save(directory / EXAMPLES, examples.astype(np.float16))
    turns = vectorizer.encode([normalize(reply) for reply in replies])
    write_table(directory, replies, turns, TURNS)
    # Of what the table gives back, not of what was computed: whoever opens the bundle finds the very same.
    stored = unit_rows(turns.astype(np.float16))
    np.save(directory / REPLIES, heads.replies(stored).astype(np.float16))


def _line(theme: Theme) -> str:
    entry: dict[str, Any] = {"theme": theme.name, "turns": theme.turns, "replies": theme.replies}
    return json.dumps(entry | ({"gentle": True} if theme.is_gentle else {})) + "\n"


def read_written_themes(path: Path) -> list[Theme]:
    """Read the themes of a bundle.

    Args:
        path: themes.jsonl, its bytes verified.

    Returns:
        The themes.

    Raises:
        FormatError: if a line is no theme.
    """
    try:
        return [_theme(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(str(path), [Problem(path.name, "a theme a line", type(error).__name__)]) from None


def _theme(line: str) -> Theme:
    entry: dict[str, Any] = json.loads(line)
    turns, replies, is_gentle = tuple(entry["turns"]), tuple(entry["replies"]), entry.pop("gentle", False)
    if (
        set(entry) != {"theme", "turns", "replies"}
        or type(is_gentle) is not bool
        or not all(type(text) is str for text in (entry["theme"], *turns, *replies))
    ):
        raise TypeError("another key, or a value of another type")
    "".join([entry["theme"], *turns, *replies]).encode()  # half a character is no text; its error is a ValueError
    return Theme(entry["theme"], turns, replies, is_gentle)


class Remarks:
    """Opened remarks. Safe to share between threads."""

    def __init__(self, directory: Path, manifest: Manifest, dim: int, turn_dim: int) -> None:
        """Load themes and vectors; the directory's bytes must have been verified.

        Args:
            directory: a verified remarks bundle.
            manifest: its manifest.
            dim: length of the heads' vectors.
            turn_dim: length of a turn's vector.

        Raises:
            BundleError: if a file cannot be read or is not what the manifest says; names every file.
        """
        if problems := fact_problems(manifest):
            raise ConsistencyError(str(directory), problems)
        self.facts: dict[str, Any] = dict(manifest.facts)
        self.themes = read_written_themes(directory / THEMES)
        self.gentle = {theme.name for theme in self.themes if theme.is_gentle}
        self.replies = [reply for theme in self.themes for reply in theme.replies]
        examples = sum(len(theme.turns) for theme in self.themes)
        errors: list[BundleError] = []
        arrays: list[npt.NDArray[Any]] = []
        for name, shape in ((EXAMPLES, (examples, turn_dim)), (REPLIES, (len(self.replies), dim))):
            try:
                arrays.append(map_array(directory / name, np.float16, shape))
            except (FormatError, ConsistencyError) as error:
                errors.append(error)
        try:
            self.turns = VectorTable(directory, TURNS, len({normalize(r) for r in self.replies}), turn_dim)
        except BundleError as error:
            errors.append(error)
        if errors:
            raise BundleError.all_of(str(directory), errors)
        self.examples, self.vectors = (unit_rows(array) for array in arrays)
        self._numbers = {theme.name: number for number, theme in enumerate(self.themes)}
        self._asked = np.flatnonzero([bool(theme.turns) for theme in self.themes])
        self._network = _open_network(directory, manifest, turn_dim, 1 + len(self._asked))
        self._examples_of = _padded([len(theme.turns) for theme in self.themes])
        self._ends = np.cumsum([len(theme.replies) for theme in self.themes])

    def nearest(self, turn: Vectors, context: Vectors) -> tuple[int, float]:
        """The theme that a turn calls for.

        Args:
            turn: float32 [turn_dim].
            context: float32 [dim], of the turn and those before it.

        Returns:
            Its number, and how well it fits: its probability. Without a network, the cosine with its nearest
            example plus the score of its best reply.
        """
        # The last place stands for "no example": below any cosine.
        cosines = np.append(self.examples @ turn, np.float32(-2))[self._examples_of]
        nearest = np.partition(cosines, -_NEAREST, axis=1)[:, -_NEAREST:]
        nearest = np.where(nearest < -1.5, cosines.max(axis=1, keepdims=True), nearest)  # of a theme with fewer
        heads = np.maximum.reduceat(self.vectors @ context, np.r_[0, self._ends[:-1]])
        near = nearest.mean(axis=1)
        if self._network is None:
            best = int((near + _HEADS_WEIGHT * heads).argmax())
            return best, float(cosines[best].max() + heads[best])
        scores = network_scores(self._network, turn[None])[0]
        scores[0] += _COSINES * _NO_COSINE + _HEADS * _NO_HEADS
        scores[1:] += _COSINES * near[self._asked] + _HEADS * heads[self._asked]
        likely = np.exp(scores - scores.max())
        best = 1 + int(scores[1:].argmax())
        return int(self._asked[best - 1]), float(likely[best] / likely.sum())

    def numbered(self, name: str) -> int | None:
        """The number of the theme of a name, if there is one."""
        return self._numbers.get(name)

    def ranked(self, theme: int, context: Vectors) -> list[tuple[str, float]]:
        """Replies of a theme, those first that the heads think nearest to a context.

        Args:
            theme: its number.
            context: float32 [dim].

        Returns:
            Replies and inner products.
        """
        end = int(self._ends[theme])
        first = end - len(self.themes[theme].replies)
        scores = self.vectors[first:end] @ context
        return [(self.replies[first + n], float(scores[n])) for n in np.argsort(-scores, kind="stable").tolist()]


def _open_network(
    directory: Path, manifest: Manifest, turn_dim: int, labels: int
) -> npt.NDArray[np.float32] | None:
    if NETWORK not in manifest.files:
        return None
    return map_array(directory / NETWORK, np.float16, (turn_dim + 1 + labels, None)).astype(np.float32)


def _padded(counts: Sequence[int]) -> npt.NDArray[np.int64]:
    """Numbers of each theme's examples, a row a theme, filled up with that of "no example"."""
    total = sum(counts)
    rows = np.full((len(counts), max([_NEAREST, *counts])), total, np.int64)
    first = 0
    for row, count in enumerate(counts):
        rows[row, :count] = range(first, first + count)
        first += count
    return rows


def fact_problems(manifest: Manifest) -> list[Problem]:
    """Check the facts that remarks are opened by.

    Args:
        manifest: of a remarks bundle.

    Returns:
        What cannot be right.
    """
    problems = []
    for fact in ("min_fit", "min_score"):
        value = manifest.facts.get(fact)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -2 <= value <= 2:
            problems.append(Problem(f"facts: {fact}", "a number from -2 to 2", "something else"))
    needed = (THEMES, EXAMPLES, REPLIES, TURNS.keys, TURNS.vectors)
    return problems + missing_files(manifest, needed)


def open_part(opening: Opening) -> Remarks:
    """Load the remarks of a release."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    heads: Heads = opening.opened[HEADS.bundle]
    return Remarks(opening.directory, opening.manifest, heads.dim, vectorizer.dim)


def probe(opening: Opening, remarks: Remarks) -> list[Problem]:
    """Encode examples and replies again, picked by the bundle's digest."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    heads: Heads = opening.opened[HEADS.bundle]
    digest = opening.manifest.digest
    turns = [turn for theme in remarks.themes for turn in theme.turns]
    asked, said = pick_rows(digest, len(turns)), pick_rows(digest, len(remarks.replies))
    texts = [remarks.replies[row] for row in said]
    rows = remarks.turns.rows_of(texts)
    if (rows < 0).any():
        missed = int((rows < 0).sum())
        return [Problem("remarks' turns", "every reply found", f"misses for {missed} of {len(texts)}")]
    stored = remarks.turns.vectors(rows)
    examples = vectorizer.encode([normalize(turns[row]) for row in asked])
    return [
        *stored_vectors_problems("remarks' examples", examples, remarks.examples[asked], opening.tolerance),
        *stored_vectors_problems("remarks' turns", vectorizer.encode(texts), stored, opening.tolerance),
        *stored_vectors_problems("remarks' replies", heads.replies(stored), remarks.vectors[said], 0.0),
    ]


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of texts and vectors, once read."""
    del provider
    names = (THEMES, EXAMPLES, REPLIES, *({NETWORK} & set(manifest.files)))
    return _MEMORY_FACTOR * sum(manifest.files[name].size for name in names)
