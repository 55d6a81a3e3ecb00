from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flows import release, train
from flows.errors import FlowError
from flows.workspace import Workspace
from stages.names import STAGES

T = TypeVar("T")


class Stages:
    """Notes which stages run, in place of dvc."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, changed: list[str]) -> None:
        self.ran: list[tuple[str, bool]] = []
        self.changed = [changed, []]
        monkeypatch.setattr(train, "run_stage", self.run)
        monkeypatch.setattr(train, "changed_stages", lambda _: self.changed.pop(0))

    def run(self, _: Workspace, stage: str, *, force: bool = False) -> bool:
        self.ran.append((stage, force))
        return True


def test_stages_before_the_first_change_are_not_even_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = Stages(monkeypatch, ["export"])
    results = {stage: step() for stage, step in train._build(Workspace())}
    assert tuple(results) == STAGES
    assert [stage for stage, _ in stages.ran] == list(STAGES[6:])
    assert {results[stage] for stage in STAGES[:6]} == {"unchanged"}


def test_a_candidate_that_was_measured_against_an_older_champion_is_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = Stages(monkeypatch, [])
    monkeypatch.setattr(release, "is_stale", lambda _: True)
    train.refresh_verdict(Workspace())
    assert stages.ran == [("benchmark", True), ("gate", False)]


def test_a_dag_that_is_not_up_to_date_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    Stages(monkeypatch, ["cache"])
    monkeypatch.setattr(release, "is_stale", lambda _: False)
    with pytest.raises(FlowError, match="dvc status names cache"):
        train.refresh_verdict(Workspace())


def test_the_steps_and_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "changed_stages", lambda _: STAGES)
    names = []

    def note(name: str, step: Callable[[], T]) -> Any:
        names.append(name)

    train.train(Workspace(Path("somewhere")), note)
    assert names == [*STAGES, "verdict", "register", "promote", "pull", "answer"]
