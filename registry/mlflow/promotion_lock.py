"""One promoter at a time: MLflow moves an alias for whoever asks, and compares nothing.

A local database is guarded by a lock of the kernel's, which frees it when a promoter is killed. A server is guarded
by tickets, made of the one thing that MLflow numbers atomically: versions. A promoter creates a version of the
registered model `<name>-promoters`; the lowest ticket that is open holds. A ticket is good for a lease, counted on
the server's clock from its creation or last renewal: a killed promoter blocks the others for a minute.

Nobody takes over before an expired ticket is closed, and the fence of its owner looks whether it still is open.
Between the two lies a grace, longer than a request takes: a holder gives up before the others may begin.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from registry.errors import PromoterError, TrackingError
from registry.mlflow.client import create_version
from registry.mlflow.connection import mlflow_errors
from registry.mlflow.uri import SQLITE, redacted_uri, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A version needs a source. MLflow's server takes this one: it names no file, no host and no run.
_SOURCE = "promoter:/ticket"
_OWNER, _CLOSED = "owner", "closed"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds.

    Attributes:
        lease: how long a ticket is good after its creation or renewal.
        grace: how much longer the others leave it alone; longer than a request takes.
        wait: how long to wait for the others.
        poll: pause between two looks, for every promoter ahead.
    """

    lease: float = 60
    grace: float = 10
    wait: float = 120
    poll: float = 0.25


class Fence(Protocol):
    """What a promoter holds while it is the only one."""

    def check(self) -> None:
        """Refuse if we hold no longer; to be called right before an alias is moved."""

    def renew(self) -> None:
        """Hold for another lease; refused once the last one has run out."""


@contextmanager
def promotion_lock(client: MlflowClient, name: str, timing: Timing = Timing()) -> Iterator[Fence]:
    """Wait until no other promoter of this name is at work, and keep the others out.

    Args:
        client: an open client of `tracking_uri`.
        name: of the release.
        timing: the same for all promoters.

    Yields:
        The fence to pass before every change.

    Raises:
        PromoterError: if another promoter holds for too long, or we have lost our turn.
        TrackingError: if MLflow fails.
    """
    uri = tracking_uri()
    if uri.startswith(SQLITE):
        with _file_lock(Path(f"{uri.removeprefix(SQLITE)}.{name}.lock"), timing.wait):
            yield _KernelFence()
        return
    ticket = _Ticket(client, f"{name}-promoters", timing)
    try:
        ticket.take()
        ticket.wait()
        yield ticket
    finally:
        ticket.release()


class _KernelFence:
    """The kernel takes its lock back from nobody who lives."""

    def check(self) -> None:
        """Nothing can have happened."""

    def renew(self) -> None:
        """Nothing runs out."""


@contextmanager
def _file_lock(path: Path, seconds: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(path, timeout=seconds):
            yield
    except Timeout:
        raise _busy(str(path), seconds) from None


def _busy(what: str, seconds: float) -> PromoterError:
    return PromoterError(
        f"another promoter holds the release; nothing was changed: expected {what} to be free within "
        f"{seconds:g} s, got no turn. Next: let the other promotion end, then try again"
    )


class _Ticket:
    """Our own ticket: taken, waited with, renewed, checked, closed."""

    def __init__(self, client: MlflowClient, model: str, timing: Timing) -> None:
        self._client = client
        self._model = model
        self._timing = timing
        self._owner = secrets.token_hex(8)
        self._number = 0
        self._began = 0.0  # of the lease, on our clock: before the request, so never later than the server says
        self._offset = 0.0  # from our clock to the server's; too low by half a request, which only makes us patient

    def take(self) -> None:
        """Create the ticket; promoters that collide in MLflow try again."""
        end = time.monotonic() + self._timing.wait
        while not self._number:
            self._began = time.monotonic()
            with mlflow_errors(f"take a ticket of {self._model}"):
                made = self._create(may_retry=self._began < end)
            if made is None:
                time.sleep(random.uniform(0.05, 0.5))  # noqa: S311  (to part promoters that collided, no secret)
                continue
            self._number = int(made.version)
            self._offset = made.creation_timestamp / 1000 - time.monotonic()

    def _create(self, may_retry: bool) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return create_version(self._client, self._model, _SOURCE, tags={_OWNER: self._owner})
        except MlflowException as error:
            if "Giving up" not in str(error) or not may_retry:
                raise
        return None

    def wait(self) -> None:
        """Return once every lower ticket is closed; close those that have expired."""
        end = time.monotonic() + self._timing.wait
        while ahead := [version for version in self._open_tickets() if not self._pass_over(version)]:
            if time.monotonic() > end:
                raise _busy(f"{self._model} version {min(int(v.version) for v in ahead)}", self._timing.wait)
            if self._left() < self._timing.lease / 2:
                self.renew()
            time.sleep(min(self._timing.poll * len(ahead), self._timing.lease / 8))
        if self._left() < self._timing.lease * 0.9:  # the first in the queue has only just taken its ticket
            self.renew()

    def _open_tickets(self) -> list[Any]:
        found: list[Any] = []
        token = None
        with mlflow_errors(f"list the tickets of {self._model}"):
            while True:
                page = self._client.search_model_versions(
                    f"name='{self._model}'", max_results=_PAGE, page_token=token
                )
                found += page
                token = page.token
                if not token:
                    break
        return [v for v in found if int(v.version) < self._number and _CLOSED not in v.tags]

    def _pass_over(self, version: Any) -> bool:
        """Close a ticket that no one will use: expired, or ours from a request whose answer was lost."""
        now = time.monotonic() + self._offset
        ends = version.last_updated_timestamp / 1000 + self._timing.lease + self._timing.grace
        if now <= ends and version.tags.get(_OWNER) != self._owner:
            return False
        with mlflow_errors(f"close an expired ticket of {self._model}"):
            self._close(version.version)
        return True

    def renew(self) -> None:
        """Count the lease anew; the server notes the time."""
        before, began = self._began, time.monotonic()
        self._refuse_unless(self._left() > 0)
        version = self._ask(
            lambda: self._client.update_model_version(self._model, str(self._number), description="renewed")
        )
        # An answer that took longer than the old lease may come from a time when others had begun.
        self._refuse_unless(_is_open(version) and time.monotonic() - before < self._timing.lease)
        self._began = began

    def check(self) -> None:
        """Refuse if the lease has run out, or another promoter has closed the ticket."""
        self._refuse_unless(self._left() > 0)
        version = self._ask(lambda: self._client.get_model_version(self._model, str(self._number)))
        self._refuse_unless(_is_open(version) and self._left() > 0)

    def _left(self) -> float:
        return self._began + self._timing.lease - time.monotonic()

    def _ask(self, call: Any) -> Any:
        with mlflow_errors(f"look at our ticket of {self._model}"), _suppressed("RESOURCE_DOES_NOT_EXIST"):
            return call()
        return None

    def _refuse_unless(self, ours: bool) -> None:
        if not ours:
            raise PromoterError(
                f"{self._model} version {self._number} at {redacted_uri()}: our turn to promote has run out "
                f"({self._timing.lease:g} s), another promoter may hold the release; nothing more was changed. "
                "Next: rejoinder releases --remote, then try again"
            )

    def release(self) -> None:
        """Close the ticket; where that fails, its lease ends by itself."""
        if self._number:
            with suppress(TrackingError), mlflow_errors("close our ticket"):
                self._close(str(self._number))

    def _close(self, number: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.delete_model_version(self._model, str(number))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return
            # Who may edit, but not delete what another account made, closes it so.
            self._client.set_model_version_tag(self._model, str(number), _CLOSED, "true")


def _is_open(version: Any) -> bool:
    return version is not None and _CLOSED not in version.tags


@contextmanager
def _suppressed(code: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise
