"""Rankers: who tells the gold reply from others, on one set of slates; what laughter and ratings say of a reply.

All read the same contexts and replies. Nothing is chosen on test: every model is trained for the same number of
epochs, and what it is after the last step is judged.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean

import click
import polars as pl

from benchmarks.rankers import junk, laughter, likelihood, sessions
from benchmarks.rankers.learning import Learnt, learn
from benchmarks.rankers.likelihood import BASELINES, Judged, Ranker
from benchmarks.rankers.models import build_models
from benchmarks.rankers.slates import COLUMNS, Slates, World, fixed_slates, learning_slates
from benchmarks.report import examples, heading, out_option, publish, table
from stages.evaluation.candidates import Candidates
from stages.evaluation.slates import calibration

MODULE = "benchmarks.rankers"
MODELS = ("words", "lstm", "linear", "mlp")
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(help=__doc__, epilog=examples(MODULE, "", "--models mlp --seeds 3 --out docs/measured/ranker.md"))
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="Holds dialogues, turns, heads.")
@click.option("--models", multiple=True, type=click.Choice(MODELS), default=MODELS, show_default=True)
@click.option("--contexts", default=60_000, show_default=True, help="That are learnt from.")
@click.option("--epochs", default=2, show_default=True)
@click.option(
    "--seeds", default=1, show_default=True, help="Of every model; of the episodes of laughter at least 3."
)
@out_option
def main(*, build: Path, models: tuple[str, ...], contexts: int, epochs: int, seeds: int, out: Path | None) -> None:
    """Entry point."""
    world = World.of_build(build)
    pairs = pl.read_parquet(build / "dialogues" / "pairs.parquet", columns=COLUMNS)
    makers = build_models(world.heads)
    slates = learning_slates(pairs.filter(pl.col("split") == "train"), contexts, world, seed=0)
    learnt = {
        name: [learn(makers[name], slates, epochs, seed, name) for seed in range(1, seeds + 1)] for name in models
    }
    lists = {split: Candidates.load(build / "dialogues" / split) for split in ("validation", "test")}
    judged = {kind: fixed_slates(lists["test"], kind, world) for kind in ("hard", "random")}
    tuned = fixed_slates(lists["validation"], "hard", world)
    said = sessions.read_sessions(pairs, build / "anonymize" / "feedback.parquet")
    reacted = laughter.read_reacted(pairs, world)
    rankers: dict[str, Ranker] = {**BASELINES, **{name: runs[0].scores for name, runs in learnt.items()}}
    text = [
        heading("Rankers", MODULE, ["torch", "scikit-learn"]),
        f"Learnt from {len(slates):,} contexts, {slates.rows.shape[1]} replies each, {epochs} epochs.\n",
        _likelihood(judged, learnt),
        _more(judged["hard"], tuned, rankers),
        _laughter(laughter.laughter_aucs(reacted, max(3, seeds)), len(reacted.texts)),
        _sessions(said, world, rankers),
    ]
    publish("\n".join(text), out)


def _likelihood(judged: dict[str, Slates], learnt: dict[str, list[Learnt]]) -> str:
    lines = ["## The gold reply among ten", ""]
    for kind, slates in judged.items():
        base = {name: likelihood.judge(rank(slates)) for name, rank in BASELINES.items()}
        best = max(base, key=lambda name: base[name].r_at_1)
        rows = [[name, *_figures(found), "-", "-", "-"] for name, found in base.items()]
        for name, runs in learnt.items():
            found = [likelihood.judge(run.scores(slates)) for run in runs]
            over = likelihood.gain(found[0], base[best], slates)
            rows.append(
                [name, *_figures(*found), _interval(over), f"{runs[0].weights / 1e6:.1f}", f"{runs[0].cpu_s:.0f}"]
            )
        head = ["who ranks", "R@1", "pairwise", "AUC", f"R@1 over {best}", "weights, millions", "CPU-s"]
        lines += [f"{kind} ({len(slates)} slates, `{slates.checksum[:19]}`):", "", table(head, rows)]
    return "\n".join(lines)


def _figures(*found: Judged) -> list[str]:
    return [f"{mean(getattr(one, of) for one in found):.4f}" for of in ("r_at_1", "pairwise", "auc")]


def _interval(three: tuple[float, float, float]) -> str:
    return f"{three[0]:+.4f} [{three[1]:+.4f}, {three[2]:+.4f}]"


def _more(slates: Slates, tuned: Slates, rankers: dict[str, Ranker]) -> str:
    rows = []
    for name, rank in rankers.items():
        scores, t = rank(slates), likelihood.temperature(rank(tuned))
        raw, scaled = calibration(scores, 1.0)[0], calibration(scores, t)[0]
        bands = [f"{auc:.3f}" for _, auc in likelihood.by_length(scores, slates)]
        rows.append([name, f"{raw:.3f}", f"{scaled:.3f}", *bands, f"{junk.below_median(rank, slates):.1%}"])
    names = [f"AUC, {name} words" for name, _ in likelihood.by_length(BASELINES["random"](slates), slates)]
    head = ["who ranks", "ECE", "after scaling", *names, "junk below the median"]
    about = "Hard slates; the temperature is of the validation split."
    return f"## Calibration, lengths, junk\n\n{about}\n\n{table(head, rows)}"


def _laughter(aucs: dict[str, list[float]], count: int) -> str:
    rows = [[name, f"{mean(of):.3f}", " ".join(f"{auc:.3f}" for auc in of)] for name, of in aucs.items()]
    return f"## Laughter\n\n{count:,} replies, 20 of 96 episodes held out.\n\n" + table(
        ["features", "AUC", "seeds"], rows
    )


def _sessions(said: sessions.Sessions, world: World, rankers: dict[str, Ranker]) -> str:
    learning = [name for name in rankers if name not in BASELINES]
    rows = []
    for name in ("context head", *learning):
        rows.append([f"{name}, mean score, untrained", *_three(sessions.untrained_auc(said, world, rankers[name]))])
    rows.append(["linear on mean turn vectors, 5 folds", *_three(sessions.trained_auc(said, world))])
    good, count = int(said.is_good.sum()), len(said.is_good)
    about = (
        f"{good} good and {count - good} poor conversations of two people, {sessions.PAIRS[0]} to "
        f"{sessions.PAIRS[1]} pairs. {said.components[1]:.0%} of conversations hang together through people, so "
        "folds and intervals are by the person of the two who talks less often."
    )
    return f"## Ratings of conversations\n\n{about}\n\n" + table(["what", "AUC", "of length", "difference"], rows)


def _three(found: dict[str, tuple[float, float, float]]) -> list[str]:
    return [f"{of[0]:.3f} [{of[1]:.3f}, {of[2]:.3f}]" for of in found.values()]


if __name__ == "__main__":
    main()
