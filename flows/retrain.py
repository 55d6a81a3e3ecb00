"""`python -m flows.retrain`: the DAG, registration and a verification pull, as a Prefect flow.

One task a stage, through the dvc command. Runs without any server: Prefect starts its own for the time of the run.
"""

from __future__ import annotations

import sys
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows import release as steps
from flows.dag import is_current, reproduce
from flows.errors import FlowError
from registry.errors import TrackingError, TransferError
from rejoinder.errors import RejoinderError
from rejoinder.release import Release
from stages import STAGES


def is_transient(_task: Any, _run: Any, state: Any) -> bool:
    """Whether another try may help: a network or a database may come back, a gate's verdict stays."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, TrackingError | TransferError)


@task(task_run_name="{stage}", cache_policy=NO_CACHE)
def run_stage(stage: str) -> None:
    """Bring one stage up to date."""
    reproduce("--single-item", stage)


@task(cache_policy=NO_CACHE)
def refresh_verdict() -> None:
    """Measure and judge again if there is another champion than the one that the candidate was measured against."""
    if steps.is_stale():
        reproduce("--force", "--single-item", "benchmark")
        reproduce("--single-item", "gate")


@task(cache_policy=NO_CACHE)
def check_current() -> None:
    """Check that the tasks above were the whole DAG.

    Raises:
        FlowError: if dvc knows of anything left to do.
    """
    if not is_current():
        raise FlowError("the DAG is not up to date after its last stage: expected dvc status to be clean")


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=is_transient)
def register() -> Release:
    """Register what the gate has blessed."""
    return steps.register()


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=is_transient)
def verification_pull(release: Release) -> int:
    """Pull the release as a serving node would, prove it and answer from it; returns the number of answers."""
    steps.pull_back(release)
    return len(steps.verify_and_answer())


@flow(name="retrain", log_prints=False)
def retrain() -> Release:
    """Run every stage in order, register, and pull back.

    Returns:
        The release: a new one, or the one that already holds the same.
    """
    for stage in STAGES:
        run_stage(stage)
    refresh_verdict()
    check_current()
    release = register()
    answers = verification_pull(release)
    get_run_logger().info("%s is registered, pulled, proved; %d answers", release, answers)
    return release


def main() -> None:
    """Entry point.

    Raises:
        SystemExit: with one message, if a step fails; Prefect's log above names the task.
    """
    try:
        retrain()
    except RejoinderError as error:
        sys.exit(f"retrain: {error}")


if __name__ == "__main__":
    main()
