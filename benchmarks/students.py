"""Students: what fewer layers cost and spare, by the DAG's own stages on a slice of the training pairs.

The teacher, students of some layers, and the untuned encoder, each exported in every form, its turns encoded, heads
trained on them; judged on all test items. With fewer pairs than a release's, figures are comparable within the
table alone. What was made stays in build/students: a run that was stopped goes on.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from benchmarks.report import examples, heading, out_option, publish, table
from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.heads import open_heads
from rejoinder.parts.opened import open_model
from rejoinder.release.manifest import read_manifest
from stages.benchmark.comparison import AT
from stages.benchmark.forms import Once
from stages.benchmark.stage import open_other_forms
from stages.benchmark.systems import exported, heads_scores
from stages.common.errors import DataError
from stages.common.output import atomic_directory, read_json
from stages.common.params import load_params
from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import Ranks, bootstrap_interval, ranks
from stages.export import stage as export
from stages.heads import stage as heads
from stages.student import stage as student
from stages.training.encoder import SentenceEncoder, load_base
from stages.turns import stage as turns
from stages.vectorizer import stage as vectorizer

MODULE = "benchmarks.students"
TEACHER, UNTUNED = "teacher", "untuned"
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_PARAMS = Path("params.yaml")
_ROUNDS = 2000  # of the bootstrap


@dataclass(frozen=True, slots=True)
class Judged:
    """One encoder with heads of its own.

    Attributes:
        name: of the encoder.
        ranks: of the gold replies, int64 [items], by form and list.
        forms: each form on each engine, as the stage `export` measured it.
        about: metrics of its training.
    """

    name: str
    ranks: dict[str, dict[str, Ranks]]
    forms: list[dict[str, Any]]
    about: dict[str, Any]


def slice_of(dialogues: Path, limit: int, seed: int, out: Path) -> Path:
    """Copy dialogues with at most so many training pairs, of whole conversations, a fifth to validate on.

    Args:
        dialogues: output of the stage `dialogues`.
        limit: training pairs.
        seed: of the draw.
        out: the folder to make, unless it is there.

    Returns:
        The folder; its test lists are the whole ones.
    """
    if out.exists():
        return out
    pairs = pl.read_parquet(dialogues / "pairs.parquet")
    kept = []
    for split, most in (("train", limit), ("validation", limit // 5)):
        part = pairs.filter(split=split)
        sizes = part.group_by("conversation_id").len().sort("conversation_id")
        order = np.random.default_rng(seed).permutation(len(sizes))
        drawn = sizes[order].filter(pl.col("len").cum_sum() <= most)["conversation_id"]
        kept.append(part.filter(pl.col("conversation_id").is_in(drawn.implode())))
    with atomic_directory(out) as directory:
        pl.concat(kept).write_parquet(directory / "pairs.parquet")
        for lists in ("validation", "test"):
            (directory / lists).symlink_to((dialogues / lists).resolve())
    return out


@dataclass(frozen=True, slots=True)
class Front:
    """Encoders on one slice, each in a folder of its own.

    Attributes:
        folder: holds a folder an encoder.
        vectorizer: output of the stage `vectorizer`.
        dialogues: the slice.
        steps: of a student's training, each on turns of its own; 0 for those of params.yaml.
    """

    folder: Path
    vectorizer: Path
    dialogues: Path
    steps: int

    def judge(self, name: str) -> Judged:
        """Make an encoder, its forms, turns and heads, unless they are there, and rank the test lists.

        Args:
            name: `teacher`, `untuned`, or how many layers a student keeps.

        Returns:
            How it fared.
        """
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        made, forms, vectors, trained = (place / stage for stage in ("student", "export", "turns", HEADS.name))
        if not made.exists():
            self._encoder(name, made)
        if not forms.exists():
            self._export(made, forms)
        if not vectors.exists():
            turns.run(turns.Params(), dialogues=self.dialogues, export=forms, out=vectors)
        if not trained.exists():
            params_of_heads = load_params(_PARAMS, HEADS.name, heads.Params)
            heads.run(params_of_heads, dialogues=self.dialogues, export=forms, turns=vectors, out=trained)
        about = read_json(made / "metrics.json")["validation"] if name.isdecimal() else {}
        return Judged(name, self._ranks(forms, trained), read_json(forms / "forms.json"), about)

    def _encoder(self, name: str, out: Path) -> None:
        params = load_params(_PARAMS, "student", student.Params)
        if name.isdecimal():
            params = params.model_copy(update={"encoder": "student", "layers": int(name)} | self._budget(params))
            student.run(params, dialogues=self.dialogues, vectorizer=self.vectorizer, out=out)
            return
        encoder = SentenceEncoder.load(self.vectorizer / "teacher")
        if name == UNTUNED:
            base = load_params(_PARAMS, VECTORIZER.name, vectorizer.Params).base
            read = encoder.config
            encoder = load_base(base, max_length=read.max_length, context_turns=read.context_turns)
        with atomic_directory(out) as directory:
            encoder.save(directory / "student")

    def _export(self, made: Path, out: Path) -> None:
        """Export every form, or the first alone where another is too far from it to be proved."""
        params = load_params(_PARAMS, "export", export.Params).model_copy(update={"encoder": "student"})
        folders = dict(dialogues=self.dialogues, vectorizer=self.vectorizer, student=made, out=out)  # noqa: C408
        try:
            export.run(params, **folders)
        except DataError as error:
            click.echo(error, err=True)
            export.run(params.model_copy(update={"forms": params.forms[:1]}), **folders)

    def _budget(self, params: student.Params) -> dict[str, int]:
        if not self.steps:
            return {}
        every = min(params.validate_every, self.steps)
        return {"max_steps": self.steps, "turns": self.steps * params.batch_size, "validate_every": every}

    def _ranks(self, forms: Path, trained: Path) -> dict[str, dict[str, Ranks]]:
        opened, model = open_model(forms / VECTORIZER.bundle)
        stored = Once(exported(opened))
        lists = Candidates.load(self.dialogues / "test")
        bundle = trained / HEADS.bundle
        made = open_heads(bundle, read_manifest(bundle), opened.dim)
        scores = {opened.execution.form: heads_scores(stored, made, lists)}
        for form, other in open_other_forms(forms / VECTORIZER.bundle, model, opened).items():
            scores[form] = heads_scores(exported(other), made, lists, stored=stored)
        return {form: {kind: ranks(found, lists, kind) for kind in AT} for form, found in scores.items()}


def report(judged: Sequence[Judged], conversations: Sequence[str]) -> str:
    """A row an encoder and form: R@k on each list, what it loses to the teacher, speed, bytes.

    Args:
        judged: the teacher first.
        conversations: of each test item.

    Returns:
        Markdown.
    """
    first = judged[0].ranks
    truth = next(iter(first.values()))["random"] <= 1
    rows = []
    for one in judged:
        for form, by_list in one.ranks.items():
            figures = [f"{float((by_list[kind] <= k).mean()):.4f}" for kind, k in AT.items()]
            lost = (by_list["random"] <= 1).astype(np.float64) - truth
            low, high = bootstrap_interval(lost, conversations, rounds=_ROUNDS, seed=1)
            best = max((m for m in one.forms if m["form"] == form), key=lambda m: float(m["per_cpu_second"]))
            speed = f"{best['per_cpu_second']:.0f} / {best['one_by_one']:.0f} ({best['provider']})"
            name = f"student, layers {', '.join(map(str, one.about['layers']))}" if one.about else one.name
            near = f"{one.about['cosine']:.3f}" if one.about else ""
            change = f"{lost.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
            rows.append([f"{name}, {form}", *figures, change, near, speed, f"{best['megabytes']:.1f}"])
    asked = [f"{kind}, R@{k}" for kind, k in AT.items()]
    return table(
        [
            "encoder, form",
            *asked,
            "random, over the teacher",
            "cosine with the teacher",
            "texts a CPU-s, batched / alone",
            "MB",
        ],
        rows,
    )


def draw(judged: Sequence[Judged], path: Path) -> None:
    """Draw R@1 over speed, a point an encoder and form: what is up and right is better."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for number, form in enumerate(judged[0].ranks):
        points = []
        for one in judged:
            if form not in one.ranks:
                continue
            speed = max(float(m["one_by_one"]) for m in one.forms if m["form"] == form)
            points.append((speed, float((one.ranks[form]["random"] <= 1).mean())))
            words = f"{one.name} layers" if one.name.isdecimal() else one.name
            axes.annotate(f"{words}, {form}", points[-1], xytext=(5, 3), textcoords="offset points", fontsize=8)
        axes.scatter(*zip(*points, strict=True), color=f"C{number}", label=form)
    axes.set_xlabel("texts per CPU-second, one by one, on the faster engine")
    axes.set_ylabel("R@1 of 100 with heads")
    axes.legend(title="form")
    figure.savefig(path, dpi=120)
    plt.close(figure)


@click.command(
    help=__doc__, epilog=examples(MODULE, "", "--layers 3 --pairs 60000 --out docs/measured/students.md")
)
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="Holds dialogues and vectorizer.")
@click.option("--layers", multiple=True, default=(2, 3, 4, 5), show_default=True, type=click.IntRange(1))
@click.option("--pairs", default=20_000, show_default=True, help="Training pairs of the heads.")
@click.option("--steps", default=0, help="Steps of a student's training; by default those of params.yaml.")
@out_option
def main(*, build: Path, layers: tuple[int, ...], pairs: int, steps: int, out: Path | None) -> None:
    """Entry point."""
    folder = build / "students" / f"{pairs}-pairs-{steps}-steps"  # other budgets make other students
    folder.mkdir(parents=True, exist_ok=True)
    front = Front(
        folder, build / VECTORIZER.name, slice_of(build / "dialogues", pairs, 1, folder / "dialogues"), steps
    )
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{scratch}/mlflow.db"  # trials are no runs of the product's
        judged = [front.judge(name) for name in (TEACHER, *map(str, layers), UNTUNED)]
    draw(judged, folder / "students.png")
    items = Candidates.load(front.dialogues / "test").items
    head = heading("Students: fewer layers", MODULE, ["torch", "onnxruntime", "openvino", "nncf"])
    about = (
        f"Heads trained on {pairs:,} pairs at most; {len(items):,} test items. Picture: {folder / 'students.png'}"
    )
    publish(f"{head}\n{about}\n\n{report(judged, items['conversation_id'].to_list())}", out)


if __name__ == "__main__":
    main()
