"""HTTP: one MLflow server that also serves the artifacts, asked with timeouts and in bounds.

MLflow's own client takes four CPU-seconds to import, writes truncated files without a word when a connection ends
early, and retries for minutes. These requests are bounded in size, tries and time, and go on where an interrupted
one has stopped. Redirections are refused: a password goes to one server only.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from registry.errors import NotFoundError, RegistryError, TrackingError, TransferError
from registry.mlflow.uri import redacted_uri
from rejoinder.release.signature import MAX_BYTES

if TYPE_CHECKING:
    from requests import Response, Session

T = TypeVar("T")
_CHUNK = 1 << 20
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to put up with a server.

    Attributes:
        attempts: of every request.
        backoff: seconds before the second try; doubled from try to try.
        connect: seconds to connect.
        read_timeout: seconds between two pieces of an answer, and before its first.
        rate: bytes per second; whoever is slower over a whole answer, after `read_timeout` seconds, is hung up on.
    """

    attempts: int = 4
    backoff: float = 0.5
    connect: float = 10.0
    read_timeout: float = 60.0
    rate: float = 50_000.0


DEFAULT_TIMEOUTS = Timeouts()


class Endpoint:
    """A server. User and password come from MLflow's own environment variables."""

    def __init__(self, uri: str, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        """Name the server; nothing is asked yet.

        Args:
            uri: of the server.
            timeouts: how long to put up with it.
        """
        self._uri = uri.rstrip("/")
        self._timeouts = timeouts
        self._session = _session()

    def call(self, call: str, **query: str) -> dict[str, Any]:
        """Ask MLflow something.

        Args:
            call: path below `/api/2.0/mlflow/`.
            **query: its parameters.

        Returns:
            The answer; empty where the server knows no such thing.

        Raises:
            TrackingError: if it cannot be had.
        """
        return self._json(f"{self._uri}/api/2.0/mlflow/{call}", call, query)

    def sizes(self, place: str) -> dict[str, int]:
        """What a folder holds.

        Args:
            place: path of the folder among the artifacts.

        Returns:
            Size in bytes by file name.

        Raises:
            TrackingError: if it cannot be had.
        """
        with in_shape():
            found = self._json(f"{self._uri}/{_ARTIFACTS}", "a list of files", {"path": place}).get("files", [])
            return {Path(file["path"]).name: int(file["file_size"]) for file in found if not file["is_dir"]}

    def fetch(self, place: str, file: str, target: Path, size: int | None = None) -> None:
        """Fetch one file; goes on from what an earlier try has left, where the server can.

        Args:
            place: path of its folder among the artifacts.
            file: its name.
            target: where to write it.
            size: in bytes, if known; without it, at most `rejoinder.release.signature.MAX_BYTES` are taken.

        Raises:
            NotFoundError: if there is no such file.
            TransferError: if it cannot be had, or not whole.
            TrackingError: if the server refuses.
        """
        url = f"{self._uri}/{_ARTIFACTS}/{quote(place)}/{quote(file)}"
        with self._refusing(file, TransferError):
            self._trying(lambda: self._fetch_once(url, target, size))

    def _fetch_once(self, url: str, target: Path, size: int | None) -> None:
        start = _usable(target, size)
        limit = MAX_BYTES if size is None else size
        with self._ask(url, {"Range": f"bytes={start}-"} if start else {}) as answer:
            if answer.status_code == 416:
                target.unlink()
                raise _RetryableError("the server would not go on")
            if answer.status_code == 404:
                raise NotFoundError(
                    f"{target.name}: expected in MLflow at {redacted_uri()}, got no such file. "
                    "Next: register the release again"
                )
            _check_status(answer)
            goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(
                f"bytes {start}-"
            )
            _write(answer, target, start if goes_on else 0, limit, self._timeouts)
        found = target.stat().st_size
        if size is not None and found < size:
            raise _RetryableError(f"expected {size} bytes, got {found}")

    def _json(self, url: str, what: str, query: dict[str, str]) -> dict[str, Any]:
        with self._refusing(what, TrackingError):
            return self._trying(lambda: self._get_once(url, query))

    def _get_once(self, url: str, query: dict[str, str]) -> dict[str, Any]:
        with self._ask(url, {}, query) as answer:
            return _answer(answer, self._timeouts)

    def _ask(self, url: str, headers: dict[str, str], query: dict[str, str] | None = None) -> Response:
        """Send a request; nothing of the answer's body has been read."""
        timeout = (self._timeouts.connect, self._timeouts.read_timeout)
        return self._session.get(
            url, headers=headers, params=query, stream=True, timeout=timeout, allow_redirects=False
        )

    def _trying(self, once: Callable[[], T]) -> T:
        for number in range(1, self._timeouts.attempts + 1):
            try:
                return once()
            except _passing():
                if number == self._timeouts.attempts:
                    raise
                time.sleep(self._timeouts.backoff * 2 ** (number - 1))
        raise AssertionError("unreachable")

    @contextmanager
    def _refusing(self, what: str, error_class: type[RegistryError]) -> Iterator[None]:
        """Turn the failure of the last try into one error, which holds no address with a password in it."""
        try:
            yield
        except _passing() as error:
            reason = str(error) if isinstance(error, _RetryableError) else type(error).__name__
            raise error_class(
                f"MLflow at {redacted_uri()} could not deliver {what}: {reason}, "
                f"in {self._timeouts.attempts} tries. Next: check the server, then try again; a pull goes on where "
                "it has stopped"
            ) from None


@functools.lru_cache(maxsize=1)
def _endpoint(uri: str, account: tuple[str | None, ...]) -> Endpoint:
    del account  # another account is another connection
    return Endpoint(uri)


def endpoint(uri: str) -> Endpoint:
    """The server at an address; asked again with the same account, over the same connection.

    Args:
        uri: of the server.

    Returns:
        The server.
    """
    return _endpoint(uri, tuple(os.environ.get(name) for name in _ACCOUNT))


def place_of(address: str) -> str:
    """Where the server keeps what MLflow gives an address for.

    Args:
        address: of a folder of artifacts.

    Returns:
        Path of the folder among the artifacts; empty if it is not this server that hands them out.
    """
    uri = urlsplit(address)
    return uri.path.strip("/") if uri.scheme == "mlflow-artifacts" else ""


class _RetryableError(Exception):
    """Another try may help."""


def _passing() -> tuple[type[Exception], ...]:
    """What may be otherwise at the next try."""
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    return (_RetryableError, RequestException, HTTPError)


@contextmanager
def in_shape() -> Iterator[None]:
    """Refuse an answer of another shape: whoever answers need not be MLflow.

    Yields:
        Nothing.

    Raises:
        TrackingError: if what is read of an answer is not there.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrackingError(
            f"MLflow at {redacted_uri()} answered in a form that MLflow does not use ({type(error).__name__}). "
            "Next: check MLFLOW_TRACKING_URI"
        ) from None


_USER, _PASSWORD, _TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
_CERTIFICATES = "MLFLOW_TRACKING_SERVER_CERT_PATH"
_ACCOUNT = (_USER, _PASSWORD, _TOKEN, _CERTIFICATES)


def _session() -> Session:
    from requests import Session

    session = Session()
    session.headers["Accept-Encoding"] = "identity"  # sizes are known as they are stored
    token, user = os.environ.get(_TOKEN), os.environ.get(_USER)
    if user:
        session.auth = (user, os.environ.get(_PASSWORD, ""))
    elif token:
        session.headers["Authorization"] = f"Bearer {token}"
    if certificates := os.environ.get(_CERTIFICATES):
        session.verify = certificates
    return session


def _usable(target: Path, size: int | None) -> int:
    """How many bytes of an earlier try can be gone on from; what cannot is removed."""
    found = target.stat().st_size if target.exists() else 0
    if size is not None and found < size:
        return found
    target.unlink(missing_ok=True)  # of unknown size, too long, or whole and yet asked for again: start anew
    return 0


def _write(answer: Response, target: Path, start: int, limit: int, timeouts: Timeouts) -> None:
    """Append an answer's bytes, after the first `start` that are there; stops at the first byte too many."""
    done = start
    with target.open("r+b" if start else "wb") as file:
        file.seek(start)
        file.truncate()
        for chunk in _pieces(answer, limit, timeouts):
            done += len(chunk)
            if done > limit:
                break
            file.write(chunk)
    if done > limit:
        target.unlink()
        raise _RetryableError(f"expected at most {limit} bytes, got more")
    expected = answer.headers.get("Content-Length", "")
    if expected.isdecimal() and done - start != int(expected):
        raise _RetryableError("the connection ended early")


def _pieces(answer: Response, limit: int, timeouts: Timeouts) -> Iterator[bytes]:
    """An answer's bytes as they arrive; a timeout of the connection alone would wait for each anew, for ever."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise _RetryableError("expected bytes as they are stored, got compressed ones")
    end = time.monotonic() + timeouts.read_timeout + limit / timeouts.rate
    while piece := answer.raw.read1(_CHUNK, decode_content=False):
        yield piece
        if time.monotonic() > end:
            raise _RetryableError(f"slower than {timeouts.rate:g} bytes per second")


def _check_status(answer: Response) -> None:
    if answer.status_code in _AGAIN:
        raise _RetryableError(f"HTTP status {answer.status_code}")
    if answer.status_code in (401, 403):
        raise TrackingError(
            f"MLflow at {redacted_uri()} refused: HTTP status {answer.status_code}. Next: check "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, that this user may read, and the name: what is "
            "not there is forbidden, too"
        )
    if answer.status_code == 404:
        raise NotFoundError(f"MLflow at {redacted_uri()} has no such file. Next: register the release again")
    if answer.status_code not in (200, 206):
        raise TrackingError(
            f"MLflow at {redacted_uri()} refused: HTTP status {answer.status_code}. Next: check its log"
        )


def _answer(answer: Response, timeouts: Timeouts) -> dict[str, Any]:
    is_json = "application/json" in answer.headers.get("Content-Type", "")
    if not (answer.status_code in (400, 404) and is_json):
        _check_status(answer)
    found = _parse(answer, timeouts)
    if answer.status_code in (400, 404):
        if found.get("error_code") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return {}
        _check_status(answer)
    return found


def _parse(answer: Response, timeouts: Timeouts) -> dict[str, Any]:
    data = bytearray()
    for piece in _pieces(answer, MAX_BYTES, timeouts):
        data += piece
        if len(data) > MAX_BYTES:
            raise _RetryableError(f"expected at most {MAX_BYTES} bytes, got more")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _RetryableError("expected a JSON object, got something else")
    return found
