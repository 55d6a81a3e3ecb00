"""Heads: which kind of context head, over how many turns, on the turn vectors of a build.

One seed for the grid, three for the three best by validation; test lists are asked once, of these three alone. All
variants have the same budget of steps and the same hidden width.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean

import click
import polars as pl

from benchmarks.report import examples, heading, out_option, publish, table
from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.heads import open_heads
from rejoinder.parts.opened import open_model
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.progress import track
from rejoinder.release.manifest import read_manifest
from stages.benchmark.comparison import AT
from stages.benchmark.systems import heads_scores
from stages.common.params import load_params
from stages.common.turn_vectors import TurnVectors
from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import ranks
from stages.heads.stage import Params, train_heads, write_bundle

MODULE = "benchmarks.heads"
KINDS = ("mlp", "gated", "attention")
FINALISTS = 3
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@dataclass(frozen=True, slots=True)
class Tried:
    """One variant, trained once.

    Attributes:
        params: what it was.
        validation: R@1 of 100 over the validation pairs.
        weights: how many it has.
        cpu_s: of its training.
        test: on the test lists, by list; empty if they were not asked.
    """

    params: Params
    validation: float
    weights: float
    cpu_s: float
    test: dict[str, float]

    @property
    def name(self) -> str:
        """Kind and number of turns."""
        return f"{self.params.kind}, {self.params.turns} turns"


@dataclass(frozen=True, slots=True)
class Build:
    """What heads are trained and judged on."""

    dialogues: Path
    vectorizer: Vectorizer
    turns: TurnVectors

    def try_out(self, params: Params, *, on_test: bool) -> Tried:
        """Train one variant.

        Args:
            params: what to train.
            on_test: whether to rank the test lists.

        Returns:
            How it fared.
        """
        source = self.dialogues / "pairs.parquet"
        pairs = pl.read_parquet(source, columns=["pair_id", "split", "context", "context_own", "reply"])
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            model, metrics = train_heads(params, self.turns, pairs, source, Path(folder))
            spent = time.process_time() - start
            bundle = Path(folder) / HEADS.bundle
            write_bundle(bundle, model, self.vectorizer, params)
            found = self._on_test(bundle) if on_test else {}
        return Tried(params, metrics["r_at_1"], metrics["weights"], spent, found)

    def _on_test(self, bundle: Path) -> dict[str, float]:
        lists = Candidates.load(self.dialogues / "test")
        heads = open_heads(bundle, read_manifest(bundle), self.turns.dim)
        scores = heads_scores(self.turns.of, heads, lists)
        return {kind: float((ranks(scores, lists, kind) <= k).mean()) for kind, k in AT.items()}


@click.command(
    help=__doc__, epilog=examples(MODULE, "", "--turns 2 --turns 4 --kinds mlp --out docs/measured/heads.md")
)
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="Holds export and turns.")
@click.option("--dialogues", type=_FOLDER, help="Pairs and lists; by default those of the build.")
@click.option("--kinds", multiple=True, default=KINDS, type=click.Choice(KINDS), show_default=True)
@click.option("--turns", multiple=True, default=(1, 2, 3, 4), show_default=True, help="Turns of context.")
@click.option("--dim", default=0, help="Length of the heads' vectors; by default that of params.yaml.")
@out_option
def main(
    *,
    build: Path,
    dialogues: Path | None,
    kinds: tuple[str, ...],
    turns: tuple[int, ...],
    dim: int,
    out: Path | None,
) -> None:
    """Entry point."""
    params = load_params(Path("params.yaml"), HEADS.name, Params)
    params = params.model_copy(update={"dim": dim or params.dim})
    vectorizer, _ = open_model(build / "export" / VECTORIZER.bundle)
    world = Build(dialogues or build / "dialogues", vectorizer, TurnVectors(build / "turns", vectorizer.id))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"  # trials are no runs of the product's
        grid = [
            world.try_out(params.model_copy(update={"kind": kind, "turns": count}), on_test=False)
            for kind, count in track(list(product(kinds, turns)), "heads: grid", "variant")
        ]
        best = sorted(grid, key=lambda tried: -tried.validation)[:FINALISTS]
        finals = [
            [world.try_out(t.params.model_copy(update={"seed": s}), on_test=True) for s in (1, 2, 3)]
            for t in track(best, "heads: finalists", "variant")
        ]
    head = heading("Heads: kinds and turns", MODULE, ["torch", "pytorch-lightning"])
    about = f"\nTurn vectors of {vectorizer.id[:19]}..., {vectorizer.dim} -> {params.dim} dimensions.\n"
    publish(
        "\n".join([head, about, "## Grid, one seed", "", _grid(grid), "## Finalists", "", _finals(finals)]), out
    )


def _grid(grid: list[Tried]) -> str:
    rows = [[t.name, f"{t.validation:.4f}", f"{t.weights / 1e6:.2f}", f"{t.cpu_s:.0f}"] for t in grid]
    return table(["variant", "validation R@1 of 100", "weights, millions", "CPU-s"], rows)


def _finals(finals: list[list[Tried]]) -> str:
    rows = []
    for runs in finals:
        figures = [[run.validation for run in runs], *([run.test[kind] for run in runs] for kind in AT)]
        rows.append([runs[0].name, *(f"{mean(f):.4f} ({min(f):.4f} - {max(f):.4f})" for f in figures)])
    asked = [f"test {kind}, R@{k}" for kind, k in AT.items()]
    return table(["variant, mean of three seeds (least - most)", "validation R@1", *asked], rows)


if __name__ == "__main__":
    main()
