"""The steps from raw logs to a pulled release that answers, written down once.

They are run plainly, a line a step (`flows.repro`, `flows.demo`), or as tasks of Prefect (`flows.retrain`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from flows import release as after
from flows.dag import changed_stages, run_stage
from flows.errors import FlowError
from flows.workspace import Workspace
from rejoinder.release.document import Release
from stages import STAGES

T = TypeVar("T")
UNCHANGED = "unchanged"


class Runner(Protocol):
    """Runs a step by its name."""

    def __call__(self, name: str, step: Callable[[], T]) -> T:
        """Run it and return its result."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A release that is registered and pulled, and what it answers."""

    release: Release
    answers: list[after.Answered]


def train(workspace: Workspace, run: Runner) -> Trained:
    """Run every stage in order, register, promote, pull back and answer.

    Args:
        workspace: where the DAG runs; the working directory.
        run: runs each step.

    Returns:
        The release: a new one, or the one that already holds the same.
    """
    for stage, step in _build(workspace):
        run(stage, step)
    run("verdict", partial(refresh_verdict, workspace))
    release = run("register", partial(after.register, workspace))
    run("promote", partial(after.promote, workspace, release))
    run("pull", partial(after.pull_back, release))
    return Trained(release, run("answer", after.verify_and_answer))


def trained_already(workspace: Workspace) -> Release | None:
    """The pulled release, if it holds what the present data, code and parameters make."""
    release = after.released_already(workspace)
    return release if release is not None and not changed_stages(workspace) else None


def _build(workspace: Workspace) -> Iterator[tuple[str, Callable[[], str]]]:
    """Every stage, and what brings it up to date; before the first change, nothing has to be asked."""
    changed = changed_stages(workspace)
    before = next((n for n, stage in enumerate(STAGES) if stage in changed), len(STAGES))
    for number, stage in enumerate(STAGES):
        yield stage, (lambda: UNCHANGED) if number < before else partial(_bring_up, workspace, stage)


def _bring_up(workspace: Workspace, stage: str) -> str:
    return "" if run_stage(workspace, stage) else UNCHANGED


def refresh_verdict(workspace: Workspace) -> None:
    """Measure and judge again if there is another champion than the one that the candidate was measured against."""
    if after.is_stale(workspace):
        run_stage(workspace, "benchmark", force=True)
        run_stage(workspace, "gate")
    if left := changed_stages(workspace):
        raise FlowError(f"the DAG is not up to date after its last stage: dvc status names {', '.join(left)}")
