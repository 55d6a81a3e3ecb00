"""Every error the runtime raises.

    RejoinderError
    ├── InputError            the caller's words or arguments cannot be used
    ├── StoreError            nothing is installed, or the store is not in order
    └── BundleError           a bundle or release was refused; carries every problem found
        ├── FormatError       not one of our documents, or of a format this version cannot read
        ├── IntegrityError    bytes differ from what was released
        ├── ConsistencyError  parts were made by different vectorizers, or do not fit this runtime
        └── ProbeError        bytes are right, yet this machine computes other vectors

A message says what failed, which file, what was expected, what was found, and what to do next. It never
quotes a message text, a name or a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing found wrong: where, what was expected, what was found."""

    where: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}"


class RejoinderError(Exception):
    """Base of everything raised on purpose by `rejoinder`."""


class InputError(RejoinderError):
    """The caller's words or arguments cannot be used."""


class StoreError(RejoinderError):
    """Nothing is installed, or the local store is not in order."""


class BundleError(RejoinderError):
    """A bundle or release was refused.

    Attributes:
        problems: every problem found, in the order of checking.
    """

    summary = "refused"
    remedy = "pull the release again: rejoinder pull"

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        """Compose one message from all problems.

        Args:
            subject: what was being opened, e.g. a bundle's kind.
            problems: at least one problem.
        """
        self.problems = tuple(problems)
        lines = [f"{subject}: {self.summary} ({len(self.problems)} problem(s))"]
        lines += [f"  - {problem}" for problem in self.problems]
        super().__init__("\n".join([*lines, f"  next: {self.remedy}"]))


class FormatError(BundleError):
    """Not one of our documents, or of a format this version cannot read."""

    summary = "not a readable bundle document"


class IntegrityError(BundleError):
    """Bytes differ from what was released."""

    summary = "bytes differ from what was released"


class ConsistencyError(BundleError):
    """Parts were made by different vectorizers, or do not fit this runtime."""

    summary = "parts do not belong together"
    remedy = "rebuild the part with this model (dvc repro), or pull a whole release: rejoinder pull"


class ProbeError(BundleError):
    """Bytes are right, yet this machine computes other vectors."""

    summary = "this machine does not reproduce the release's vectors"
    remedy = "compare `rejoinder doctor` with the machine that built the release (provider, onnxruntime version)"
