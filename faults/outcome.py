"""Outcome: how one kind of fault was survived; a row of the table that `make faults` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How one kind of fault was survived.

    Attributes:
        fault: what was done.
        tries: how often.
        survived: how often nothing was lost.
        note: figures that belong to it.
    """

    fault: str
    tries: int
    survived: int
    note: str = ""
