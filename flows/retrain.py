"""`python -m flows.retrain`: the steps of `flows.train` as a Prefect flow, a task a step.

Runs without any server: Prefect starts its own for the time of the run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.train import Trained, train
from flows.workspace import Workspace
from registry.errors import TrackingError, TransferError
from rejoinder.errors import RejoinderError
from rejoinder.release import Release

T = TypeVar("T")


def is_transient(_task: Any, _run: Any, state: Any) -> bool:
    """Whether another try may help: a network or a database may come back, a gate's verdict stays."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, TrackingError | TransferError)


def run_as_task(name: str, step: Callable[[], T]) -> T:
    """Run a step as a task of the running flow."""

    @task(name=name, cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=is_transient)
    def run() -> T:
        return step()

    return run()


@flow(name="retrain", log_prints=False)
def retrain() -> Release:
    """Run every stage in order, register, promote, pull back, answer; return the release."""
    trained: Trained = train(Workspace(), run_as_task)
    get_run_logger().info("%s is registered, pulled, proved; %d answers", trained.release, len(trained.answers))
    return trained.release


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
