"""Index: vetted replies + model and heads bundles -> the index bundle.

replies -> vectors as turns, by the exported vectorizer (shipped: the bot says them) -> reply head -> shards
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams


class Params(StageParams):
    """How the index is laid out and searched."""

    shard_rows: int = Field(ge=1)
    """Rows of a shard; each shard is a file of its own, so that opening has no memory peak."""
    candidates: int = Field(ge=1)
    """Replies that the runtime takes from the index for each answer."""


def run(params: Params, *, base: Path, export: Path, heads: Path, out: Path) -> None:
    """Build the index bundle.

    Args:
        params: section `index`.
        base: output of the stage `base`.
        export: output of the stage `export`.
        heads: output of the stage `heads`.
        out: directory to make: index/ (the bundle), metrics.json.
    """
    import faiss
    import polars as pl

    from rejoinder.parts import HEADS, REPLIES, VECTORIZER
    from rejoinder.parts.heads import open_heads
    from rejoinder.parts.opened import open_model
    from rejoinder.parts.replies import IndexedReply, write_index, write_turns
    from rejoinder.release.manifest import read_manifest, write_manifest
    from stages.common.encoding import encode_all

    faiss.omp_set_num_threads(1)  # one thread, one order of work, one file
    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    manifest = read_manifest(heads / HEADS.bundle)
    opened = open_heads(heads / HEADS.bundle, manifest, vectorizer.dim)
    rows = pl.read_parquet(base / "replies.parquet").select("text", "senders", "count").to_dicts()
    replies = [IndexedReply(**row) for row in rows]
    texts = [reply.text for reply in replies]
    turns = encode_all(vectorizer, texts, "index: encoding")
    with atomic_directory(out) as directory:
        bundle = directory / REPLIES.bundle
        bundle.mkdir()
        write_turns(bundle, texts, turns)
        shard_rows = write_index(bundle, replies, opened.replies(turns), params.shard_rows)
        facts = {
            "shard_rows": shard_rows,
            "context_turns": opened.turns,
            "candidates": params.candidates,
            "ties": {HEADS.bundle: manifest.digest},
        }
        write_manifest(bundle, REPLIES.bundle, vectorizer.id, facts)
        write_json(directory / "metrics.json", {REPLIES.name: len(replies), "shards": len(shard_rows)})
