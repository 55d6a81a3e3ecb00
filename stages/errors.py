"""Errors raised by stages.

StageError
├── ParamsError   params.yaml cannot be used
├── DataError     the data cannot be used
└── GateError     the candidate was not blessed
"""

from __future__ import annotations

from rejoinder.errors import RejoinderError


class StageError(RejoinderError):
    """Base of everything a stage raises on purpose."""

    kind = "stage"


class ParamsError(StageError):
    """params.yaml cannot be used."""

    kind = "params"


class DataError(StageError):
    """The data cannot be used."""

    kind = "data"


class GateError(StageError):
    """The candidate was not blessed."""

    kind = "gate"
