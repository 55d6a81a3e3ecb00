"""A sweep begins with what there is, goes on where it was left, and never looks at the test lists."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.heads import Tried
from benchmarks.sweep import VARIED, draw, finished, report, search, study_of
from registry.mlflow.connection import connect
from stages.common.params import load_params
from stages.evaluation.candidates import Candidates
from stages.heads.stage import Params
from stages.training.loop import EXPERIMENT
from tests.reach import ROOT

PARAMS = load_params(ROOT / "params.yaml", "heads", Params)


class World:
    """Heads whose R@1 is known, in place of training; notes each run as training does."""

    def __init__(self, dialogues: Path, vectorizer_id: str = "v") -> None:
        self.dialogues = dialogues
        self.vectorizer = type("Vectorizer", (), {"id": vectorizer_id})()
        self.tried: list[Params] = []

    def try_out(self, params: Params, *, on_test: bool) -> Tried:
        assert not on_test
        self.tried.append(params)
        client = connect()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        client.create_run(experiment.experiment_id, run_name="heads")
        return Tried(params, 0.3 - params.turns / 10 - params.dropout / 100, 1.5e6, 9.0, {})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Candidates, "load", lambda folder: type("Lists", (), {"checksum": folder.name}))
    return World(tmp_path)


def test_the_first_trial_is_what_there_is_and_later_ones_vary_nothing_else(world: Any, tmp_path: Path) -> None:
    study = study_of(tmp_path / "heads.db", world, PARAMS)
    search(study, world, PARAMS, 3)
    assert world.tried[0] == PARAMS
    kept = set(Params.model_fields) - set(VARIED)
    assert all(tried.model_dump(include=kept) == PARAMS.model_dump(include=kept) for tried in world.tried)
    assert len({tried.model_dump_json() for tried in world.tried}) == 3
    assert len(Params.model_validate(world.tried[1].model_dump()).model_dump()) == len(PARAMS.model_dump())


def test_a_study_goes_on_where_it_was_left_and_another_build_has_its_own(world: Any, tmp_path: Path) -> None:
    for _ in range(3):
        again = study_of(tmp_path / "heads.db", world, PARAMS)
        search(again, world, PARAMS, 1)
    assert len(finished(again)) == 3
    assert len({tried.model_dump_json() for tried in world.tried}) == 3
    assert finished(again)[0].value == max(trial.value or 0 for trial in again.trials)
    shorter = PARAMS.model_copy(update={"max_steps": 7})
    assert finished(study_of(tmp_path / "heads.db", world, shorter)) == []
    assert finished(study_of(tmp_path / "heads.db", World(tmp_path, "other"), PARAMS)) == []  # type: ignore[arg-type]


def test_what_there_is_is_tried_though_the_first_try_was_broken_off(world: Any, tmp_path: Path) -> None:
    def stop(params: Params, *, on_test: bool) -> Tried:
        raise KeyboardInterrupt

    whole, world.try_out = world.try_out, stop
    with pytest.raises(KeyboardInterrupt):
        search(study_of(tmp_path / "heads.db", world, PARAMS), world, PARAMS, 1)
    world.try_out = whole
    search(study_of(tmp_path / "heads.db", world, PARAMS), world, PARAMS, 1)
    assert world.tried == [PARAMS]
    client = connect()
    runs = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    parents = [run for run in runs if run.info.run_name.startswith("sweep of heads")]
    assert [run.info.status for run in parents] == ["FINISHED"]


def test_every_trial_is_a_run_below_the_studys(world: Any, tmp_path: Path) -> None:
    search(study_of(tmp_path / "heads.db", world, PARAMS), world, PARAMS, 2)
    client = connect()
    runs = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    (parent,) = (run for run in runs if run.info.run_name.startswith("sweep of heads"))
    below = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert (len(below), parent.info.status) == (2, "FINISHED")
    best = max(run.data.metrics["validation_r_at_1_best"] for run in below)
    assert parent.data.metrics["best_validation_r_at_1"] == best


def test_the_report_names_what_to_try_and_the_picture_is_one(world: Any, tmp_path: Path) -> None:
    study = study_of(tmp_path / "heads.db", world, PARAMS)
    search(study, world, PARAMS, 6)
    text = report(study, PARAMS)
    assert text.count("\n| ") == 7
    assert "6 trials. To try the best in a build: `dvc exp run -S heads." in text
    draw(study, tmp_path / "heads.png")
    assert (tmp_path / "heads.png").read_bytes().startswith(b"\x89PNG")


def test_one_trial_is_reported_and_drawn_as_well(world: Any, tmp_path: Path) -> None:
    study = study_of(tmp_path / "heads.db", world, PARAMS)
    search(study, world, PARAMS, 1)
    assert "1 trials. params.yaml holds the best." in report(study, PARAMS)
    draw(study, tmp_path / "heads.png")
