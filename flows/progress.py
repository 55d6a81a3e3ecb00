"""One line a step on standard error: its number, its seconds; on a terminal also what runs now and what is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import yaml

from rejoinder.release.document import Release
from stages.names import STAGES

T = TypeVar("T")
_PACE = Path(__file__).with_name("pace.yaml")


def pace(run: str) -> Mapping[str, float]:
    """Seconds that each step of a kind of run usually takes."""
    found: Mapping[str, float] = yaml.safe_load(_PACE.read_text(encoding="utf-8"))[run]
    return found


class Lines:
    """A runner of steps that says how far it is."""

    def __init__(self, pace: Mapping[str, float]) -> None:
        """Begin.

        Args:
            pace: seconds that each step takes on some machine; only their proportions matter once a step is done.
        """
        self._pace = pace
        self._spent = self._expected = 0.0

    def __call__(self, name: str, step: Callable[[], T]) -> T:
        """Run a step, and print its line when it is done."""
        label = _label(name)
        if sys.stderr.isatty():
            # The stage's own bars take this line's place.
            sys.stderr.write(f"{label} ... about {_minutes(self.left())} left")
            sys.stderr.flush()
        start = time.monotonic()
        result = step()
        seconds = time.monotonic() - start
        self._spent += seconds
        self._expected += self._pace.get(name, 0.0)
        remark = str(result) if isinstance(result, str | Release) else ""
        sys.stderr.write(
            f"{_CLEAR if sys.stderr.isatty() else ''}{label} {seconds:7.1f} s  {remark}".rstrip() + "\n"
        )
        return result

    def left(self) -> float:
        """Seconds that the rest will take, if it goes on at the rate so far."""
        rate = self._spent / self._expected if self._expected else 1.0
        return rate * (sum(self._pace.values()) - self._expected)


_CLEAR = "\r\x1b[K"
_WIDTH = max(map(len, STAGES))


def _label(name: str) -> str:
    number = f"[{STAGES.index(name) + 1:2}/{len(STAGES)}]" if name in STAGES else " " * 7
    return f"{number} {name:{_WIDTH}}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
