"""Index: vetted replies + model bundle -> the index bundle, vectors by the exported vectorizer."""

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


def run(params: Params, *, dialogues: Path, export: Path, out: Path) -> None:
    """Build the index bundle.

    Args:
        params: section `index`.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        out: directory to make: index/ (the bundle), metrics.json.
    """
    import faiss
    import polars as pl

    from rejoinder.parts import REPLIES, VECTORIZER
    from rejoinder.parts.opened import open_model
    from rejoinder.parts.replies import IndexedReply, write_index
    from rejoinder.release.manifest import write_manifest
    from stages.common.encoding import encode_all

    faiss.omp_set_num_threads(1)  # one thread, one order of work, one file
    vectorizer, model = open_model(export / VECTORIZER.bundle)
    rows = pl.read_parquet(dialogues / "replies.parquet").select("text", "senders", "count").to_dicts()
    replies = [IndexedReply(**row) for row in rows]
    vectors = encode_all(vectorizer, [reply.text for reply in replies], "index: encoding")
    with atomic_directory(out) as directory:
        bundle = directory / REPLIES.bundle
        bundle.mkdir()
        shard_rows = write_index(bundle, replies, vectors, params.shard_rows)
        facts = {
            "shard_rows": shard_rows,
            "context_turns": model.facts["context_turns"],
            "candidates": params.candidates,
        }
        write_manifest(bundle, REPLIES.bundle, vectorizer.id, facts)
        write_json(directory / "metrics.json", {REPLIES.name: len(replies), "shards": len(shard_rows)})
