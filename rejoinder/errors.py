"""Every error that is raised on purpose has one root; these are the runtime's.

    RejoinderError
    ├── InputError            the caller's words or arguments cannot be used
    ├── StoreError            nothing is installed, or the store is not in order
    ├── SwapError             a new release could not take over; the old one goes on serving
    ├── QueueFullError        more is waiting than can be answered in time
    ├── ClosedError           the server is going away
    ├── TooLateError          the time of a request was up before it was answered
    ├── HttpError             a request cannot be served: rejoinder.serving.http.errors
    ├── BundleError           a bundle or release was refused; carries every problem found
    │   ├── FormatError       not one of our documents, or of a format this version cannot read
    │   ├── SignatureError    not signed by a key that this machine trusts
    │   ├── FreshnessError    expired, from the future, or older than a release that was seen before
    │   ├── IntegrityError    bytes differ from what was released
    │   ├── ConsistencyError  parts were made by different vectorizers, or do not fit this runtime
    │   └── ProbeError        bytes are right, yet this machine computes other vectors
    ├── RegistryError         releases could not travel: registry.errors
    ├── StageError            a stage could not do its work: stages.common.errors
    └── FlowError             a step of a flow failed: flows.errors

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
    """Base of everything raised on purpose; its message is meant for the person who ran it."""


class InputError(RejoinderError):
    """The caller's words or arguments cannot be used."""


class StoreError(RejoinderError):
    """Nothing is installed, or the local store is not in order."""


class SwapError(RejoinderError):
    """A new release could not take over; the old one goes on serving."""


class QueueFullError(RejoinderError):
    """More is waiting than can be answered in time."""


class ClosedError(RejoinderError):
    """The server is going away and takes nothing new."""


class TooLateError(RejoinderError):
    """The time of a request was up before it was answered."""


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

    @classmethod
    def all_of(cls, subject: str, errors: Sequence[BundleError]) -> BundleError:
        """One error out of several, so that a reader sees every problem at once.

        Args:
            subject: what was being opened.
            errors: at least one; the first decides the class and the remedy.

        Returns:
            An error of the class of the first, with the problems of all.
        """
        return type(errors[0])(subject, [problem for error in errors for problem in error.problems])


class FormatError(BundleError):
    """Not one of our documents, or of a format this version cannot read."""

    summary = "not a readable bundle document"
    remedy = "pull the release again: rejoinder pull; if it is newer than this version, update rejoinder here first"


class SignatureError(BundleError):
    """Not signed by a key that this machine trusts."""

    summary = "not signed by a trusted key"
    remedy = (
        "get the publisher's public key by a way you trust and put it into the trust folder (REJOINDER_TRUST); "
        "a development key is good on the machine that made it only: rejoinder keys new"
    )


class FreshnessError(BundleError):
    """Expired, from the future, or older than a release that was seen before."""

    summary = "not fresh"
    remedy = "check this machine's clock; then have the release issued again: rejoinder promote, or rollback"


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


def first_line(error: Exception) -> str:
    """What an error of somebody else's library says, in one short line."""
    return (str(error).splitlines() or [""])[0][:200]
