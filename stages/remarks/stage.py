"""Remarks: prepared replies by theme + model and heads bundles -> the remarks bundle.

data/remarks/*.yaml -> checked -> example turns beside ordinary ones -> a network that finds the theme -> vectors
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rejoinder.parts.themes import Theme
    from rejoinder.parts.vectorizer import Vectorizer
    from stages.common.turn_vectors import TurnVectors
    from stages.remarks.network import Found


class Params(StageParams):
    """When a theme answers, and how the network that finds it is trained."""

    min_fit: float = Field(ge=0, le=1)
    """From this probability on a theme answers."""
    min_score: float = Field(ge=-1, le=1)
    """Of a context with a retrieved reply: below it the words of last resort are better."""
    hidden: int = Field(ge=1)
    """Units of the network."""
    ordinary: int = Field(ge=1)
    """Turns of the training split that are learnt as of no theme, and of the validation split that are measured."""
    ordinary_weight: float = Field(gt=0)
    """What each of them weighs beside an example."""
    max_cosine: float = Field(ge=0, le=1)
    """An ordinary turn this near to an example may well be of its theme: it is not learnt as of none."""
    held_out: float = Field(gt=0, lt=1)
    """Share of the examples that a first network does not see, to measure by; the one that ships sees all."""
    seed: int
    """Of the ordinary turns, of what is held out, and of the network."""


def find_themes(
    params: Params, themes: Sequence[Theme], vectorizer: Vectorizer, known: TurnVectors, pairs: Path
) -> Found:
    """Train the network that finds themes.

    Args:
        params: section `remarks`.
        themes: all of them.
        vectorizer: the exported one.
        known: its vectors of all turns.
        pairs: pairs.parquet of the stage `dialogues`.

    Returns:
        The network, and how it does.
    """
    import numpy as np

    from stages.classify.ordinary import SPLITS, far_turns, ordinary_turns
    from stages.classify.training_set import Recipe, Written, encoded
    from stages.remarks.network import fit_themes

    asked = [theme for theme in themes if theme.turns]
    written = Written(
        [turn for theme in asked for turn in theme.turns],
        np.repeat(np.arange(1, 1 + len(asked)), [len(theme.turns) for theme in asked]),
        ("none", *(theme.name for theme in asked)),
    )
    learnt, judged = (ordinary_turns(pairs, split, params.ordinary, params.seed) for split in SPLITS)
    vectors = encoded(vectorizer, written)
    far = far_turns(learnt, known, vectors, params.max_cosine)
    recipe = Recipe(0.0, params.held_out, params.seed, params.hidden, params.ordinary_weight)
    return fit_themes(written, vectors, (known.of(far), known.of(judged)), recipe, params.min_fit)


def run(
    params: Params,
    *,
    remarks: Path = Path("data/remarks"),
    dialogues: Path,
    export: Path,
    turns: Path,
    heads: Path,
    out: Path,
) -> None:
    """Build the remarks bundle.

    Args:
        params: section `remarks`.
        remarks: folder of themes.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        turns: output of the stage `turns`.
        heads: output of the stage `heads`.
        out: directory to make: remarks/ (the bundle), metrics.json.
    """
    import numpy as np

    from rejoinder.parts import HEADS, REMARKS, VECTORIZER
    from rejoinder.parts.heads import open_heads
    from rejoinder.parts.opened import open_model
    from rejoinder.parts.remarks import NETWORK, write_remarks
    from rejoinder.parts.themes import read_themes, theme_files
    from rejoinder.release.canonical import digest_file
    from rejoinder.release.manifest import read_manifest, write_manifest
    from stages.common.turn_vectors import TurnVectors

    themes = read_themes(remarks)
    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    manifest = read_manifest(heads / HEADS.bundle)
    opened = open_heads(heads / HEADS.bundle, manifest, vectorizer.dim)
    known = TurnVectors(turns, vectorizer.id)
    found = find_themes(params, themes, vectorizer, known, dialogues / "pairs.parquet")
    with atomic_directory(out) as directory:
        bundle = directory / REMARKS.bundle
        bundle.mkdir()
        write_remarks(bundle, themes, found.vectors, vectorizer, opened)
        np.save(bundle / NETWORK, found.network)
        facts = {
            "min_fit": params.min_fit,
            "min_score": params.min_score,
            "written_in": {path.name: digest_file(path) for path in theme_files(remarks)},
            "ties": {HEADS.bundle: manifest.digest},
        }
        write_manifest(bundle, REMARKS.bundle, vectorizer.id, facts)
        counts = {"themes": len(themes), "turns": sum(len(theme.turns) for theme in themes)}
        told = {**counts, "texts": sum(len(theme.replies) for theme in themes), **found.figures}
        write_json(directory / "metrics.json", told)
