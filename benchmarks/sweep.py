"""Sweep: look for better heads by Bayesian optimisation, on the turn vectors of a build, by validation alone.

The first trial is what params.yaml says. A study is kept in build/sweep and goes on where it was left; a trial is
a run in MLflow, below one run of the whole study. The best values are printed for `dvc exp run`, not taken over.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.heads import KINDS, Build, Tried
from benchmarks.report import examples, heading, out_option, publish, table
from registry.mlflow.connection import connect, mlflow_errors
from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.opened import open_model
from rejoinder.progress import progress
from rejoinder.release.canonical import canonical_json, digest_bytes
from stages.common.params import load_params
from stages.common.turn_vectors import TurnVectors
from stages.evaluation.candidates import Candidates
from stages.heads.stage import Params
from stages.training.loop import EXPERIMENT

if TYPE_CHECKING:
    import optuna

MODULE = "benchmarks.sweep"
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
#: What is varied; everything else is as in params.yaml.
VARIED = ("kind", "turns", "hidden", "dropout", "learning_rate")
_HIDDEN = (256, 512, 1024, 2048)
_CHILD_OF, _RUN = "mlflow.parentRunId", "mlflow_run"


def suggested(trial: optuna.Trial, params: Params) -> Params:
    """The parameters of one trial."""
    return params.model_copy(
        update={
            "kind": trial.suggest_categorical("kind", KINDS),
            "turns": trial.suggest_int("turns", 1, 4),
            "hidden": trial.suggest_categorical("hidden", _HIDDEN),
            "dropout": trial.suggest_float("dropout", 0.0, 0.3, step=0.05),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        }
    )


def study_of(storage: Path, world: Build, params: Params) -> optuna.Study:
    """Open the study of a build and a budget, or begin it with what params.yaml says.

    Args:
        storage: an SQLite file; made if it is not there.
        world: what heads are trained and judged on.
        params: section `heads`.

    Returns:
        The study; one on other vectors, lists or budgets has another name.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fixed = params.model_dump(exclude=set(VARIED))
    lists = Candidates.load(world.dialogues / "validation").checksum
    name = digest_bytes(canonical_json({**fixed, "turns_by": world.vectorizer.id, "lists": lists}))[7:19]
    study = optuna.create_study(
        storage=f"sqlite:///{storage}", study_name=name, direction="maximize", load_if_exists=True,
    )  # fmt: skip
    # With one seed a study that goes on would try once more what it has tried.
    study.sampler = optuna.samplers.TPESampler(seed=params.seed + len(study.trials))
    if not finished(study):
        study.enqueue_trial({name: getattr(params, name) for name in VARIED})
    return study


def search(study: optuna.Study, world: Build, params: Params, trials: int) -> None:
    """Try some more values; what was tried stays, whatever ends this.

    Args:
        study: of `study_of`.
        world: what heads are trained and judged on.
        params: section `heads`.
        trials: how many.
    """
    client = connect()
    with mlflow_errors("record a sweep"):
        experiment = client.get_experiment_by_name(EXPERIMENT)
        place = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
        parent = study.user_attrs.get(_RUN)
        if parent is None:
            parent = client.create_run(place, run_name=f"sweep of {HEADS.name} {study.study_name}").info.run_id
            study.set_user_attr(_RUN, parent)
    with progress("sweep: heads", "trial", trials) as advance:

        def objective(trial: optuna.Trial) -> float:
            start = int(time.time() * 1000)
            tried = world.try_out(suggested(trial, params), on_test=False)
            _adopt(client, place, parent, start, tried)
            trial.set_user_attr("weights", tried.weights)
            trial.set_user_attr("cpu_s", tried.cpu_s)
            advance(1)
            return tried.validation

        try:
            study.optimize(objective, n_trials=trials)
        finally:
            with mlflow_errors("record a sweep"):
                if best := finished(study):
                    client.log_metric(parent, "best_validation_r_at_1", float(best[0].value or 0.0))
                client.set_terminated(parent)


def _adopt(client: Any, place: str, parent: str, start: int, tried: Tried) -> None:
    """Put the run that training has recorded since `start` (milliseconds) below the study's."""
    with mlflow_errors("record a sweep"):
        wanted = f"attributes.run_name = '{HEADS.name}' and attributes.start_time >= {start}"
        latest = client.search_runs([place], wanted, max_results=1)
        if latest:
            client.set_tag(latest[0].info.run_id, _CHILD_OF, parent)
            client.log_metric(latest[0].info.run_id, "validation_r_at_1_best", tried.validation)


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that came to an end, the best first."""
    done = [trial for trial in study.trials if trial.value is not None]
    return sorted(done, key=lambda trial: -float(trial.value or 0.0))


def report(study: optuna.Study, params: Params, shown: int = 20) -> str:
    """All that was found, as Markdown."""
    best = finished(study)
    rows = []
    for trial in best[:shown]:
        varied = [trial.params[name] for name in VARIED]
        shown_values = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in varied]
        weights, spent = trial.user_attrs["weights"] / 1e6, trial.user_attrs["cpu_s"]
        rows.append([str(trial.number), *shown_values, f"{trial.value:.4f}", f"{weights:.2f}", f"{spent:.0f}"])
    changed = {n: best[0].params[n] for n in VARIED if best[0].params[n] != getattr(params, n)}
    words = " ".join(f"-S {HEADS.name}.{n}={value}" for n, value in changed.items())
    following = f"To try the best in a build: `dvc exp run {words}`" if changed else "params.yaml holds the best."
    columns = ["trial", *VARIED, "validation R@1 of 100", "weights, millions", "CPU-s"]
    return f"{table(columns, rows)}\n{len(best)} trials. {following}\n"


def draw(study: optuna.Study, path: Path) -> None:
    """Draw every trial as a line across what was varied, the better the darker (parallel coordinates)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    trials = finished(study)[::-1]  # the best on top
    places = {name: _places([trial.params[name] for trial in trials]) for name in VARIED}
    places["validation R@1"] = _places([float(trial.value or 0.0) for trial in trials])
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    for row in range(len(trials)):
        goodness = places["validation R@1"][0][row]
        line = [heights[row] for heights, _ in places.values()]
        axes.plot(range(len(line)), line, color=plt.colormaps["viridis_r"](goodness), alpha=0.3 + 0.7 * goodness)
    for column, (_, ticks) in enumerate(places.values()):
        axes.axvline(column, color="0.8", zorder=0)
        for label, height in ticks.items():
            axes.annotate(label, (column, height), xytext=(4, 0), textcoords="offset points", fontsize=8)
    axes.set_xticks(range(len(places)), places)
    axes.set_yticks([])
    axes.set_title(f"{len(trials)} trials of {HEADS.name}")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _places(values: Sequence[Any]) -> tuple[list[float], dict[str, float]]:
    """Heights from 0 to 1, and what is written at some of them: of numbers the ends, of names each."""
    distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    if isinstance(distinct[0], str) or len(distinct) <= len(_HIDDEN):
        heights = {value: number / max(1, len(distinct) - 1) for number, value in enumerate(distinct)}
        return [heights[value] for value in values], {str(value): height for value, height in heights.items()}
    low, high = distinct[0], distinct[-1]
    return [(value - low) / (high - low) for value in values], {f"{low:.3g}": 0.0, f"{high:.3g}": 1.0}


@click.command(help=__doc__, epilog=examples(MODULE, "", "--trials 30 --out docs/measured/sweep.md"))
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="Holds export and turns.")
@click.option("--dialogues", type=_FOLDER, help="Pairs and lists; by default those of the build.")
@click.option("--trials", default=8, show_default=True, help="How many more to try; 0 only reports.")
@click.option("--steps", default=0, help="Training steps of a trial; by default those of params.yaml.")
@out_option
def main(*, build: Path, dialogues: Path | None, trials: int, steps: int, out: Path | None) -> None:
    """Entry point."""
    params = load_params(Path("params.yaml"), HEADS.name, Params)
    steps = steps or params.max_steps
    cut = {"max_steps": steps, "validate_every": min(params.validate_every, steps)}
    params = params.model_copy(update=cut)
    vectorizer, _ = open_model(build / "export" / VECTORIZER.bundle)
    world = Build(dialogues or build / "dialogues", vectorizer, TurnVectors(build / "turns", vectorizer.id))
    folder = build / "sweep"
    folder.mkdir(exist_ok=True)
    study = study_of(folder / "heads.db", world, params)
    if trials:
        search(study, world, params, trials)
    if not finished(study):
        raise click.ClickException("no trial has come to an end. Next: name --trials")
    draw(study, folder / "heads.png")
    head = heading("Sweep over heads", MODULE, ["optuna", "torch", "pytorch-lightning"])
    publish(f"{head}\nPicture: {folder / 'heads.png'}\n\n{report(study, params)}", out)


if __name__ == "__main__":
    main()
