"""Prepare: slates as tokens, in one folder that a machine with an accelerator needs nothing else beside.

Such a machine often has torch and nothing more: neither the data tools nor the data.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import polars as pl

from benchmarks.rankers import junk, laughter, sessions
from benchmarks.rankers.slates import COLUMNS, Slates, World, fixed_slates, learning_slates
from benchmarks.report import examples
from rejoinder.parts.reading import Reading
from rejoinder.progress import track
from stages.evaluation.candidates import Candidates
from stages.ranker.slates import Tokens, drawn_pairs, read_tokens, worded_alike

MODULE = "benchmarks.rankers.prepare"
#: Tokens that are read of a context and of a reply.
CONTEXT_TOKENS, REPLY_TOKENS = 60, 20
#: Contexts of the validation split, by whose slates weights are fitted.
TUNED = 3000
#: Draws of the episodes of laughter that are held out.
SEEDS = 3
#: Replies that are kept of each kind beside a gold one; of a share of the pool those of these ranks by the heads.
OF_EACH, _SHARE, _TOP, _BLOCK = 12, 40, (8, 75), 1000
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(help=__doc__, epilog=examples(MODULE, "--out build/rankers"))
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="Holds dialogues, turns, heads.")
@click.option("--contexts", default=1_000_000, show_default=True, help="At most, that are learnt from.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to make.")
def main(*, build: Path, contexts: int, out: Path) -> None:
    """Entry point."""
    out.mkdir(parents=True)
    world = World.of_build(build)
    pairs = pl.read_parquet(build / "dialogues" / "pairs.parquet", columns=COLUMNS)
    reading = Reading(world.tokenizer, CONTEXT_TOKENS, REPLY_TOKENS)
    sets = judged_sets(build, pairs, world)
    for name, slates in track(list(sets.items()), "rankers: tokens", "set"):
        write(out / f"{name}.npz", tokens_of(slates, reading), slates.rows)
    laughed = laughter.read_reacted(pairs, world)
    rows = np.arange(len(laughed.labels))[:, None]
    own = [[False]] * len(laughed.asked)
    tokens = read_tokens(reading, [[text] for text in laughed.asked], own, laughed.texts)
    held = np.stack([laughter.held_out_episodes(laughed.episodes, seed) for seed in range(SEEDS)])
    write(out / "laughter.npz", tokens, rows, labels=laughed.labels, held=held)
    write_learning(out / "learning.npz", pairs.filter(pl.col("split") == "train"), contexts, world)


def judged_sets(build: Path, pairs: pl.DataFrame, world: World) -> dict[str, Slates]:
    """Every set of slates that rankers are judged by or weighted on, by name."""
    lists = {split: Candidates.load(build / "dialogues" / split) for split in ("validation", "test")}
    hard = fixed_slates(lists["test"], "hard", world)
    return {
        "hard": hard,
        "random": fixed_slates(lists["test"], "random", world),
        "validation": fixed_slates(lists["validation"], "hard", world),
        "tuned": tuned_slates(pairs, world),
        "junk": junk.with_junk(hard),
        "sessions": sessions.as_slates(
            sessions.read_sessions(pairs, build / "anonymize" / "feedback.parquet"), world
        ),
    }


def tuned_slates(pairs: pl.DataFrame, world: World) -> Slates:
    """Slates of the validation split, drawn as those to learn from are."""
    return learning_slates(pairs.filter(pl.col("split") == "validation"), TUNED, world, seed=1)


def tokens_of(slates: Slates, reading: Reading) -> Tokens:
    """Slates as tokens."""
    return read_tokens(reading, slates.contexts, slates.own, slates.pool)


def write(path: Path, tokens: Tokens, rows: object, **more: object) -> None:
    """Write one set."""
    small = {name: getattr(tokens, name).astype(np.uint16) for name in ("contexts", "kinds", "pool")}
    np.savez_compressed(path, **small, rows=rows, **more)  # type: ignore[arg-type]


def write_learning(path: Path, pairs: pl.DataFrame, most: int, world: World) -> None:
    """Write what slates are drawn from: beside each gold reply others that are worded alike, and that heads like.

    Of those that the heads like best none are taken: the gold one mostly scores below them. About half of what is
    taken scores above it (docs/negative-results.md).
    """
    draw = np.random.default_rng(0)
    table, gold, pool = drawn_pairs(pairs, most, draw)
    contexts, own, names = (table[column].to_list() for column in ("context", "context_own", "conversation_id"))
    slates = Slates(world, contexts, own, names, pool, gold[:, None])
    near = np.empty((len(gold), OF_EACH), np.uint32)
    for start in track(range(0, len(gold), _BLOCK), "rankers: replies that heads like", "block"):
        some = draw.permutation(len(pool))[: max(2 * OF_EACH, len(pool) // _SHARE)]
        scores = slates.context_vectors[start : start + _BLOCK] @ slates.reply_vectors[some].T
        best = np.argsort(-scores, axis=1)[:, _TOP[0] : _TOP[1]]
        near[start : start + _BLOCK] = some[draw.permuted(best, axis=1)[:, :OF_EACH]]
    reading = Reading(world.tokenizer, CONTEXT_TOKENS, REPLY_TOKENS)
    alike = worded_alike(pool, gold, OF_EACH).astype(np.uint32)
    write(path, tokens_of(slates, reading), gold, alike=alike, near=near)


if __name__ == "__main__":
    main()
