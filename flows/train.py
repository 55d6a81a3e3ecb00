"""The steps from raw logs to a pulled release that answers, written down once.

They are run plainly, a line a step (`flows.repro`, `flows.demo`, `flows.refresh`), or as tasks of Prefect
(`flows.retrain`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from flows import release as after
from flows.dag import changed_stages, run_stage
from flows.errors import FlowError
from flows.workspace import Workspace
from rejoinder.release.document import Release
from stages.names import STAGES

T = TypeVar("T")
UNCHANGED, KEPT = "unchanged", "kept"


class Runner(Protocol):
    """Runs a step by its name."""

    def __call__(self, name: str, step: Callable[[], T]) -> T:
        """Run it and return its result."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A release that is registered and pulled, and what it answers."""

    release: Release
    answers: list[after.Answered]


def train(workspace: Workspace, run: Runner, kept: Collection[str] = ()) -> Trained:
    """Run every stage in order, register, promote, pull back and answer.

    Args:
        workspace: where the DAG runs; the working directory.
        run: runs each step.
        kept: stages that are not run, whatever has changed before them: their outputs stay.

    Returns:
        The release: a new one, or the one that already holds the same.
    """
    for stage, step in _build(workspace, kept):
        run(stage, step)
    run("verdict", partial(refresh_verdict, workspace, kept))
    release = run("register", partial(after.register, workspace))
    run("promote", partial(after.promote, workspace, release))
    run("pull", partial(after.pull_back, release))
    return Trained(release, run("answer", after.verify_and_answer))


def trained_already(workspace: Workspace, kept: Collection[str] = ()) -> Release | None:
    """The pulled release, if it holds what the present data, code and parameters make of what is not kept."""
    release = after.released_already(workspace)
    return release if release is not None and not _to_run(workspace, kept) else None


def _to_run(workspace: Workspace, kept: Collection[str]) -> list[str]:
    return [stage for stage in changed_stages(workspace) if stage not in kept]


def _build(workspace: Workspace, kept: Collection[str] = ()) -> Iterator[tuple[str, Callable[[], str]]]:
    """Every stage, and what brings it up to date; before the first change, nothing has to be asked."""
    changed = _to_run(workspace, kept)
    before = next((n for n, stage in enumerate(STAGES) if stage in changed), len(STAGES))
    for number, stage in enumerate(STAGES):
        if stage in kept:
            yield stage, lambda: KEPT
        else:
            yield stage, (lambda: UNCHANGED) if number < before else partial(_bring_up, workspace, stage)


def _bring_up(workspace: Workspace, stage: str) -> str:
    return "" if run_stage(workspace, stage) else UNCHANGED


def refresh_verdict(workspace: Workspace, kept: Collection[str] = ()) -> None:
    """Measure and judge again if there is another champion than the one that the candidate was measured against."""
    if after.is_stale(workspace):
        run_stage(workspace, "benchmark", force=True)
        run_stage(workspace, "gate")
    if left := _to_run(workspace, kept):
        raise FlowError(f"the DAG is not up to date after its last stage: dvc status names {', '.join(left)}")
