"""Scored: what rankers that were trained elsewhere are worth, alone and beside the heads; a start made of one.

Weights beside the heads are fitted on the validation split's fixed lists; nothing is chosen on test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import polars as pl

from benchmarks.rankers import likelihood, sessions
from benchmarks.rankers.prepare import judged_sets
from benchmarks.rankers.slates import COLUMNS, Slates, World
from benchmarks.report import examples, heading, out_option, publish, table
from stages.evaluation.retrieval import Scores
from stages.evaluation.slates import SIZE, below_median, calibration
from stages.ranker.weigh import weigh

if TYPE_CHECKING:
    from torch import Tensor

MODULE = "benchmarks.rankers.scored"
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FITTED = "validation"


@dataclass(frozen=True, eq=False)
class Scored:
    """Sets of slates, and what heads and rankers say of them.

    Attributes:
        sets: by name.
        heads: float32 [n, k] of each set.
        scores: the same by "ranker.set".
    """

    sets: dict[str, Slates]
    heads: dict[str, Scores]
    scores: dict[str, Scores]

    @property
    def names(self) -> list[str]:
        """The rankers."""
        return sorted({name.rsplit(".", 1)[0] for name in self.scores if name.endswith(".hard")})

    @cached_property
    def weights(self) -> dict[str, tuple[float, float]]:
        """Of each ranker beside the heads, and the temperature of both, fitted on validation."""
        slates, heads = self.sets[_FITTED], self.heads[_FITTED]
        fitted = {
            name: weigh(heads, self.scores[f"{name}.{_FITTED}"][..., None], slates.conversations)
            for name in self.names
        }
        return {name: (found.weights[0], found.temperature) for name, found in fitted.items()}

    def both(self, name: str, kind: str) -> Scores:
        """Heads and a ranker together."""
        return np.asarray(self.heads[kind] + self.weights[name][0] * self.scores[f"{name}.{kind}"], np.float32)


@click.command(
    help=__doc__, epilog=examples(MODULE, "OUT --prepared build/rankers --out docs/measured/ranker-gpu.md")
)
@click.argument("folder", type=_FOLDER)
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="Holds dialogues, turns, heads.")
@click.option("--prepared", type=_FOLDER, required=True, help="What the rankers learnt from.")
@click.option("--start", type=click.Path(path_type=Path), help="File to make of the best once6 in FOLDER.")
@out_option
def main(*, folder: Path, build: Path, prepared: Path, start: Path | None, out: Path | None) -> None:
    """Entry point."""
    world = World.of_build(build)
    pairs = pl.read_parquet(build / "dialogues" / "pairs.parquet", columns=COLUMNS)
    sets = judged_sets(build, pairs, world)
    with np.load(folder / "scores.npz") as file:
        scores = {name: file[name] for name in file.files}
    scored = Scored(sets, {name: likelihood.heads_ranker(slates) for name, slates in sets.items()}, scores)
    said = sessions.read_sessions(pairs, build / "anonymize" / "feedback.parquet")
    text = [
        heading("Rankers, trained elsewhere", MODULE, ["torch", "scikit-learn"]),
        *(_likelihood(scored, kind) for kind in ("hard", "random")),
        _more(scored),
        _sessions(scored, said, world),
    ]
    if "pairs.laughter" in scores:
        text.append(_laughter(scores["pairs.laughter"], prepared / "laughter.npz"))
    publish("\n".join(text), out)
    if start is not None:
        write_best(folder, start, pairs)


def _likelihood(scored: Scored, kind: str) -> str:
    base = likelihood.judge(scored.heads[kind])
    rows = [["context head", f"{base.r_at_1:.4f}", f"{base.auc:.4f}", "-", "-", f"{base.pairwise:.4f}", "-"]]
    for name in scored.names:
        alone, both = (likelihood.judge(of) for of in (scored.scores[f"{name}.{kind}"], scored.both(name, kind)))
        mean, low, high = likelihood.gain(both, base, scored.sets[kind])
        over = f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"
        figures = (alone.r_at_1, alone.auc, both.r_at_1), (both.pairwise, both.auc)
        told = [[f"{figure:.4f}" for figure in some] for some in figures]
        rows.append([name, *told[0], over, *told[1]])
    head = ["who ranks", "R@1", "AUC", "R@1 with heads", "over the context head", "pairwise", "AUC with heads"]
    return f"## The gold reply among ten, {kind}\n\n" + table(head, rows)


def _more(scored: Scored) -> str:
    rows = []
    for name in scored.names:
        weight, t = scored.weights[name]
        hard, junk = (scored.both(name, kind) for kind in ("hard", "junk"))
        raw, scaled = (calibration(hard, by)[0] for by in (1.0, t))
        bands = [f"{auc:.3f}" for _, auc in likelihood.by_length(hard, scored.sets["hard"])]
        below = below_median(junk[:, :SIZE], junk[:, SIZE:])
        rows.append([name, f"{weight:.4f}", f"{raw:.3f}", f"{scaled:.3f}", *bands, f"{below:.1%}"])
    bands = [f"AUC, {band} words" for band, _ in likelihood.by_length(scored.heads["hard"], scored.sets["hard"])]
    head = ["with heads", "weight", "ECE", "after scaling", *bands, "junk below the median"]
    return f"## Calibration, lengths, junk\n\n{table(head, rows)}"


def _sessions(scored: Scored, said: sessions.Sessions, world: World) -> str:
    rows = []
    for name in scored.names:
        for how, of in (
            ("alone", scored.scores[f"{name}.sessions"]),
            ("with heads", scored.both(name, "sessions")),
        ):
            found = sessions.untrained_auc(said, world, lambda _, of=of: of)  # type: ignore[misc]
            rows.append([f"{name}, {how}", *(f"{x[0]:.3f} [{x[1]:.3f}, {x[2]:.3f}]" for x in found.values())])
    return "## Ratings of conversations, never trained on\n\n" + table(
        ["mean score", "AUC", "length", "over"], rows
    )


def _laughter(scores: Scores, path: Path) -> str:
    from sklearn.metrics import roc_auc_score

    with np.load(path) as file:
        labels, held = file["labels"], file["held"]
    aucs = [float(roc_auc_score(labels[out], found[out])) for found, out in zip(scores, held, strict=True)]
    told = " ".join(f"{auc:.3f}" for auc in aucs)
    return f"## Laughter\n\nCross-encoder, last turn and reply, episodes held out: {np.mean(aucs):.3f} ({told}).\n"


def write_best(folder: Path, start: Path, pairs: pl.DataFrame) -> None:
    """Join the files of the best context-once ranker into one to begin with.

    Args:
        folder: output of `benchmarks.rankers.cross`.
        start: the file to write.
        pairs: that were learnt from, with split and conversation_id.
    """
    from safetensors.torch import load_file

    from stages.ranker.start import write_start

    tensors: dict[str, Tensor] = {}
    for path in sorted(folder.glob("once6-*.safetensors")):
        tensors |= load_file(path)
    start.parent.mkdir(parents=True, exist_ok=True)
    write_start(start, tensors, pairs.filter(pl.col("split") == "train")["conversation_id"].unique())


if __name__ == "__main__":
    main()
