"""Hypothesis runs the state machine of a release train, and the runs that kept every promise are counted."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from faults.outcome import Outcome
from faults.release_train import ReleaseTrain
from faults.world import (
    staged,
)

STEPS = 30


def state_machine(root: Path, tries: int = 300, steps: int = STEPS) -> Outcome:
    """Run the state machine.

    Args:
        root: an empty folder.
        tries: how many runs.
        steps: of each run.

    Returns:
        How many runs kept every promise.
    """
    lost = ""
    before = tempfile.tempdir
    with staged(root) as stage:
        machine = type("ReleaseTrain", (ReleaseTrain,), {"stage": stage})
        try:
            # Without the private argument, Hypothesis ends one run in five before its last step.
            run_state_machine_as_test(machine, settings=_settings(tries, steps), _min_steps=steps)
        except AssertionError as error:
            lost = f"; lost: {str(error).splitlines()[0]}"
        finally:
            tempfile.tempdir = before
    shutil.rmtree(stage.root)
    said = [f"{stage.counts[key]} {key}" for key in _SHOWN]
    return Outcome(
        f"{steps} random steps of releasing, pulling, crashing",
        stage.counts["runs"],
        stage.counts["survived"],
        ", ".join(said) + lost,
    )


_SHOWN = ("steps", "published", "promoted", "rolled back", "pulled", "cut off", "refused", "damaged")


def _settings(tries: int, steps: int) -> settings:
    return settings(
        max_examples=tries,
        stateful_step_count=steps,
        derandomize=True,  # the same runs every time: a figure that can be looked at again
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


FAULTS = (state_machine,)
