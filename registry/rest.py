"""An MLflow server as a source, over its REST interface.

MLflow's own client takes four CPU-seconds to import, writes truncated files without a word when a connection ends
early, and retries for minutes. Pulling needs three calls and a download; these are bounded in size, tries and time,
and go on where an interrupted one has stopped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from registry.errors import NotFoundError, RegistryError, TrackingError, TransferError
from registry.source import Pointer, Which
from registry.tracking import shown_uri
from rejoinder.manifest import Digest, Kind, is_digest
from rejoinder.signature import MAX_BYTES

if TYPE_CHECKING:
    from requests import Response, Session

T = TypeVar("T")
TRIES = 4
_PAUSE = 0.5  # seconds before the second try; doubled from try to try
_TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two pieces of an answer
_CHUNK = 1 << 20
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


class ServerSource:
    """Pulls from an MLflow server that also serves the artifacts (`--artifacts-destination`)."""

    def __init__(self, uri: str, pause: float = _PAUSE) -> None:
        """Name the server; user and password come from MLflow's own environment variables.

        Args:
            uri: of the server.
            pause: seconds before the second try.
        """
        self._uri = uri.rstrip("/")
        self._pause = pause
        self._session = _session()

    def resolve(self, name: str, which: Which) -> Pointer:
        """Find a release."""
        if isinstance(which, str):
            found = self._get("registered-models/alias", name=name, alias=which)
            version = found.get("model_version")
        else:
            version = self._search(name, serial=str(which))
        digest = _tags(version).get("digest", "") if version else ""
        if not version or not is_digest(digest):
            raise NotFoundError(f"release {name} {which}: not in MLflow at {shown_uri()}. Next: rejoinder promote")
        return Pointer(Digest(digest), self._place(version))

    def bundle(self, name: str, kind: Kind, digest: Digest) -> str:
        """Find a bundle."""
        version = self._search(f"{name}-{kind}", digest=digest)
        if not version:
            raise NotFoundError(
                f"{kind} bundle {digest}: not in MLflow at {shown_uri()}. Next: register the release again"
            )
        return self._place(version)

    def fetch(self, place: str, file: str, target: Path, size: int | None = None) -> None:
        """Fetch one file; goes on from what an earlier try has left, where the server can."""
        url = f"{self._uri}/api/2.0/mlflow-artifacts/artifacts/{place}/{quote(file)}"
        with _refusing(file, TransferError):
            self._trying(lambda: self._fetch_once(url, target, size))

    def _fetch_once(self, url: str, target: Path, size: int | None) -> None:
        start = _usable(target, size)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with self._session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == 416:
                target.unlink()
                raise _AgainError("the server would not go on")
            _check_status(answer)
            goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(
                f"bytes {start}-"
            )
            _write(answer, target, start if goes_on else 0, MAX_BYTES if size is None else size)
        found = target.stat().st_size
        if size is not None and found < size:
            raise _AgainError(f"expected {size} bytes, got {found}")

    def _search(self, model: str, **tag: str) -> dict[str, Any] | None:
        """The newest version of a model with a tag."""
        ((key, value),) = tag.items()
        text = f"name='{model}' and tags.`{key}`='{value}'"
        found = self._get("model-versions/search", filter=text, max_results="200")
        versions = [v for v in found.get("model_versions", []) if _tags(v).get(key) == value]
        return max(versions, key=lambda version: int(version["version"]), default=None)

    def _place(self, version: dict[str, Any]) -> str:
        found = self._get("model-versions/get-download-uri", name=version["name"], version=version["version"])
        uri = urlsplit(str(found.get("artifact_uri", "")))
        if uri.scheme != "mlflow-artifacts":
            raise TrackingError(
                f"{version['name']} version {version['version']}: expected files behind the MLflow server, got an "
                f"address of scheme {uri.scheme!r}. Next: start the server with --artifacts-destination, then "
                "register again"
            )
        return quote(uri.path.strip("/"))

    def _get(self, call: str, **query: str) -> dict[str, Any]:
        """One call; an empty answer where the server knows no such thing."""
        url = f"{self._uri}/api/2.0/mlflow/{call}"
        with _refusing(call, TrackingError):
            return self._trying(lambda: _answer(self._session.get(url, params=query, timeout=_TIMEOUT)))

    def _trying(self, once: Callable[[], T]) -> T:
        from requests import RequestException

        for number in range(1, TRIES + 1):
            try:
                return once()
            except (_AgainError, RequestException):
                if number == TRIES:
                    raise
                time.sleep(self._pause * 2 ** (number - 1))
        raise AssertionError("unreachable")


class _AgainError(Exception):
    """Another try may help."""


@contextmanager
def _refusing(what: str, error_class: type[RegistryError]) -> Iterator[None]:
    """Turn the failure of the last try into one error, which holds no address with a password in it."""
    from requests import RequestException

    try:
        yield
    except (_AgainError, RequestException) as error:
        reason = str(error) if isinstance(error, _AgainError) else type(error).__name__
        raise error_class(
            f"MLflow at {shown_uri()} could not deliver {what}: {reason}, in {TRIES} tries. "
            "Next: check the server, then try again; a pull goes on where it has stopped"
        ) from None


def _session() -> Session:
    from requests import Session

    session = Session()
    token, user = os.environ.get("MLFLOW_TRACKING_TOKEN"), os.environ.get("MLFLOW_TRACKING_USERNAME")
    if user:
        session.auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))
    elif token:
        session.headers["Authorization"] = f"Bearer {token}"
    if certificates := os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"):
        session.verify = certificates
    return session


def _usable(target: Path, size: int | None) -> int:
    """How many bytes of an earlier try can be gone on from; what cannot is removed."""
    found = target.stat().st_size if target.exists() else 0
    if size is not None and found < size:
        return found
    target.unlink(missing_ok=True)  # of unknown size, too long, or whole and yet asked for again: start anew
    return 0


def _write(answer: Response, target: Path, start: int, limit: int) -> None:
    """Append an answer's bytes after the first `start`, which are there already; stops at the first too many."""
    done = start
    with target.open("r+b" if start else "wb") as file:
        file.seek(start)
        file.truncate()
        for chunk in answer.iter_content(_CHUNK):
            done += len(chunk)
            if done > limit:
                break
            file.write(chunk)
    if done > limit:
        target.unlink()
        raise _AgainError(f"expected at most {limit} bytes, got more")
    expected = answer.headers.get("Content-Length", "")
    if expected.isdecimal() and done - start != int(expected):
        raise _AgainError("the connection ended early")


def _check_status(answer: Response) -> None:
    if answer.status_code in _AGAIN:
        raise _AgainError(f"HTTP status {answer.status_code}")
    if answer.status_code in (401, 403):
        raise TrackingError(
            f"MLflow at {shown_uri()} refused: HTTP status {answer.status_code}. Next: check "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and that this user may read"
        )
    if answer.status_code == 404:
        raise NotFoundError(f"MLflow at {shown_uri()} has no such file. Next: register the release again")
    if not answer.ok:
        raise TrackingError(
            f"MLflow at {shown_uri()} refused: HTTP status {answer.status_code}. Next: check its log"
        )


def _answer(answer: Response) -> dict[str, Any]:
    if answer.status_code in (400, 404) and "application/json" in answer.headers.get("Content-Type", ""):
        code = answer.json().get("error_code")
        if code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return {}
    _check_status(answer)
    found = answer.json()  # a RequestException if it is no JSON
    if not isinstance(found, dict):
        raise _AgainError("expected a JSON object, got something else")
    return found


def _tags(version: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in version.get("tags", [])}
