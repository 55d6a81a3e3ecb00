"""Remarks: prepared replies by theme + model and heads bundles -> the remarks bundle.

data/remarks/*.yaml -> checked -> vectors of example turns and of replies, by the exported vectorizer and the heads
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams


class Params(StageParams):
    """When a theme answers."""

    min_fit: float = Field(ge=-2, le=2)
    """From here on a theme answers: cosine of the turn with the nearest example, plus its best reply's score."""
    min_score: float = Field(ge=-1, le=1)
    """Of a context with a retrieved reply: below it the words of last resort are better."""


def run(params: Params, *, remarks: Path = Path("data/remarks"), export: Path, heads: Path, out: Path) -> None:
    """Build the remarks bundle.

    Args:
        params: section `remarks`.
        remarks: folder of themes.
        export: output of the stage `export`.
        heads: output of the stage `heads`.
        out: directory to make: remarks/ (the bundle), metrics.json.
    """
    from rejoinder.parts import HEADS, REMARKS, VECTORIZER
    from rejoinder.parts.heads import open_heads
    from rejoinder.parts.opened import open_model
    from rejoinder.parts.remarks import write_remarks
    from rejoinder.parts.themes import read_themes, theme_files
    from rejoinder.release.canonical import digest_file
    from rejoinder.release.manifest import read_manifest, write_manifest

    themes = read_themes(remarks)
    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    manifest = read_manifest(heads / HEADS.bundle)
    opened = open_heads(heads / HEADS.bundle, manifest, vectorizer.dim)
    with atomic_directory(out) as directory:
        bundle = directory / REMARKS.bundle
        bundle.mkdir()
        write_remarks(bundle, themes, vectorizer, opened)
        facts = {
            **params.model_dump(),
            "written_in": {path.name: digest_file(path) for path in theme_files(remarks)},
            "ties": {HEADS.bundle: manifest.digest},
        }
        write_manifest(bundle, REMARKS.bundle, vectorizer.id, facts)
        counts = {"themes": len(themes), "turns": sum(len(theme.turns) for theme in themes)}
        write_json(directory / "metrics.json", {**counts, "texts": sum(len(theme.replies) for theme in themes)})
