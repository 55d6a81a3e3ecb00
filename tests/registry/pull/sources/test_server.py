"""A server is asked with patience and in bounds, and believed no further."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from faults.proxy import (
    ARTIFACTS,
    Fault,
    Line,
    Proxy,
    Reply,
    Request,
    Shelf,
    endless,
    proxied,
    serving,
    trickle,
)
from registry.errors import NotFoundError, RegistryError, TrackingError, TransferError
from registry.mlflow.rest import Timeouts
from registry.pull.pull import pull
from registry.pull.sources.server import ServerSource
from rejoinder.release.proof import Installed
from rejoinder.store.store import Store

PASSWORD = "a-secret-to-keep"  # noqa: S105
QUICK = Timeouts(attempts=3, backoff=0.0, read_timeout=1.0, rate=1e8)


@dataclass
class Answers:
    """A server that gives prepared answers, the last one again and again.

    Attributes:
        replies: what it gives.
        asked: what it was asked.
    """

    replies: list[Reply]
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.replies[min(len(self.asked), len(self.replies)) - 1]


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "puller")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://puller:{PASSWORD}@mlflow.example")
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return Shelf(store)


@pytest.fixture
def line(shelf: Shelf) -> Iterator[tuple[str, Proxy]]:
    with proxied(shelf) as (uri, proxy):
        yield uri, proxy


@pytest.fixture
def file(store: Store, mine: Installed) -> Path:
    """The largest file of the release."""
    return store.bundle_dir(mine.release.bundles["model"]) / "model.cpu.onnx"


def place_of(path: Path) -> str:
    return f"bundles/{path.parent.name}"


def fetch(answers: Answers, target: Path, size: int | None = None) -> None:
    with serving(answers) as uri:
        ServerSource(uri, QUICK).fetch("place", "file", target, size)


def test_a_release_is_found_by_alias_and_by_serial(shelf: Shelf, store: Store, mine: Installed) -> None:
    with serving(shelf) as uri:
        source = ServerSource(uri, QUICK)
        pointer = source.resolve("rejoinder", "champion")
        assert pointer == source.resolve("rejoinder", 1)
        digest = mine.release.bundles["index"]
        assert source.bundle("rejoinder", "index", digest) == f"bundles/{store.bundle_dir(digest).name}"
    assert (pointer.digest, pointer.place) == (
        mine.release.digest,
        f"releases/{store.release_dir(mine.release.digest).name}",
    )


def test_what_is_not_there_is_named(shelf: Shelf, mine: Installed) -> None:
    with serving(shelf) as uri:
        source = ServerSource(uri, QUICK)
        for act in (
            lambda: source.resolve("rejoinder", "challenger"),
            lambda: source.resolve("rejoinder", 9),
            lambda: source.resolve("nobody", "champion"),
            lambda: source.bundle("rejoinder", "model", mine.release.bundles["cache"]),
        ):
            with pytest.raises(NotFoundError, match="not in MLflow"):
                act()


@pytest.mark.parametrize(
    ("status", "error", "tries"),
    [(401, TrackingError, 1), (403, TrackingError, 1), (404, NotFoundError, 1), (302, TrackingError, 1)]
    + [(status, RegistryError, QUICK.attempts) for status in (408, 429, 500, 502, 503, 504)],
)
@pytest.mark.parametrize("call", ["resolve", "fetch"])
def test_a_status_is_refused_after_a_bounded_number_of_tries(
    tmp_path: Path, status: int, error: type[Exception], tries: int, call: str
) -> None:
    answers = Answers([Reply(status, b"<html>", {"Location": "http://127.0.0.1:9/"})])
    with serving(answers) as uri:
        source = ServerSource(uri, QUICK)
        acts: dict[str, Callable[[], object]] = {
            "resolve": lambda: source.resolve("a", "b"),
            "fetch": lambda: source.fetch("place", "file", tmp_path / "f"),
        }
        with pytest.raises(error, match=r"MLflow at http://mlflow\.example") as caught:
            acts[call]()
    assert len(answers.asked) == tries
    assert (f"in {tries} tries" in str(caught.value)) == (tries > 1)
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_recovers_is_asked_again(tmp_path: Path, status: int) -> None:
    answers = Answers([Reply(status, b""), Reply(status, b""), Reply(200, b"content")])
    fetch(answers, tmp_path / "f", 7)
    assert (tmp_path / "f").read_bytes() == b"content"
    assert len(answers.asked) == 3


def test_pauses_double_from_try_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("registry.mlflow.rest.time.sleep", pauses.append)
    with serving(Answers([Reply(503, b"")])) as uri, pytest.raises(TransferError):
        ServerSource(uri, Timeouts(attempts=4, backoff=0.5)).fetch("place", "file", tmp_path / "f")
    assert [pause for pause in pauses if pause in (0.5, 1.0, 2.0, 4.0)] == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_an_interrupted_download_is_gone_on_with(
    line: tuple[str, Proxy], shelf: Shelf, file: Path, tmp_path: Path, *, ranges: bool, framing: str
) -> None:
    shelf.ranges = ranges
    uri, proxy = line
    proxy.fault = Fault(file.name, lambda to, reply: to.send(reply, framing, 0.5), 1)
    size = file.stat().st_size
    ServerSource(uri, QUICK).fetch(place_of(file), file.name, tmp_path / "f", size)
    assert (tmp_path / "f").read_bytes() == file.read_bytes()
    assert [asked.headers.get("Range") for asked in shelf.asked] == [None, f"bytes={size // 2}-"]


def test_what_an_earlier_pull_has_left_is_gone_on_with(shelf: Shelf, file: Path, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(file.read_bytes()[:100])
    with serving(shelf) as uri:
        ServerSource(uri, QUICK).fetch(place_of(file), file.name, tmp_path / "f", file.stat().st_size)
    assert (tmp_path / "f").read_bytes() == file.read_bytes()
    assert shelf.asked[0].headers["Range"] == "bytes=100-"


def test_a_file_of_unknown_size_and_one_that_is_whole_are_fetched_anew(
    shelf: Shelf, file: Path, tmp_path: Path
) -> None:
    with serving(shelf) as uri:
        for size in (None, file.stat().st_size):
            (tmp_path / "f").write_bytes(b"x" * file.stat().st_size)
            ServerSource(uri, QUICK).fetch(place_of(file), file.name, tmp_path / "f", size)
            assert (tmp_path / "f").read_bytes() == file.read_bytes()
    assert not [asked for asked in shelf.asked if "Range" in asked.headers]


def test_a_server_that_cannot_go_on_is_asked_for_all(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    answers = Answers([Reply(416, b""), Reply(200, b"content")])
    fetch(answers, tmp_path / "f", 7)
    assert (tmp_path / "f").read_bytes() == b"content"


@pytest.mark.parametrize("header", ["bytes 0-6/7", "bytes 4-6/7", "nonsense"])
def test_a_part_that_was_not_asked_for_is_not_appended(tmp_path: Path, header: str) -> None:
    (tmp_path / "f").write_bytes(b"old")
    fetch(Answers([Reply(206, b"content", {"Content-Range": header})]), tmp_path / "f", 7)
    assert (tmp_path / "f").read_bytes() == b"content"


@pytest.mark.parametrize(("body", "what"), [(b"contents", "got more"), (b"conten", "got 6")])
def test_a_file_too_long_or_too_short_is_refused(tmp_path: Path, body: bytes, what: str) -> None:
    with pytest.raises(TransferError, match=what):
        fetch(Answers([Reply(200, body)]), tmp_path / "f", 7)


def test_compressed_bytes_are_refused(tmp_path: Path) -> None:
    answers = Answers([Reply(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})])
    with pytest.raises(TransferError, match="compressed"):
        fetch(answers, tmp_path / "f", 7)
    assert answers.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("send", [trickle, endless])
@pytest.mark.parametrize("where", ["alias", "model.cpu.onnx"])
def test_a_server_that_does_not_stop_is_hung_up_on(
    line: tuple[str, Proxy], file: Path, tmp_path: Path, where: str, send: Any
) -> None:
    uri, proxy = line
    proxy.fault = Fault(where, send, 99)
    source = ServerSource(uri, Timeouts(attempts=2, backoff=0.0, read_timeout=0.3, rate=1e8))
    acts: dict[str, Callable[[], object]] = {
        "alias": lambda: source.resolve("rejoinder", "champion"),
        file.name: lambda: source.fetch(place_of(file), where, tmp_path / "f", file.stat().st_size),
    }
    with pytest.raises(RegistryError, match="in 2 tries"):
        acts[where]()
    assert proxy.fault.times == 97


def test_a_redirection_is_not_followed(tmp_path: Path) -> None:
    elsewhere = Answers([Reply(200, b"content")])
    with serving(elsewhere) as other:
        answers = Answers([Reply(302, b"", {"Location": f"{other}/file"})])
        with pytest.raises(TrackingError, match="302"):
            fetch(answers, tmp_path / "f", 7)
    assert elsewhere.asked == []


_VERSION = {"name": "a", "version": "1", "tags": [{"key": "digest", "value": "sha256:" + "0" * 64}]}


@pytest.mark.parametrize(
    "document",
    [
        {"model_version": []} | {"x": 1},
        {"model_version": "text"},
        {"model_version": {"tags": "text"}},
        {"model_version": {"tags": [{"key": "digest"}]}},
        {"model_version": {**_VERSION, "tags": [[]]}},
        {"model_version": {"tags": _VERSION["tags"]}},
        {"model_version": _VERSION, "artifact_uri": "mlflow-artifacts://[/"},
    ],
)
def test_an_answer_of_another_shape_is_refused(document: dict[str, Any]) -> None:
    with (
        serving(Answers([Reply(200, json.dumps(document).encode())])) as uri,
        pytest.raises((TrackingError, NotFoundError)),
    ):
        ServerSource(uri, QUICK).resolve("a", "champion")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_json_object_is_refused(body: bytes) -> None:
    answers = Answers([Reply(200, body)])
    with serving(answers) as uri, pytest.raises(TrackingError, match="JSON object"):
        ServerSource(uri, QUICK).resolve("a", "champion")
    assert len(answers.asked) == QUICK.attempts


@pytest.mark.parametrize("uri", ["s3://bucket/files", "file:///etc", ""])
def test_files_that_are_not_behind_the_server_are_refused(uri: str) -> None:
    answers = Answers([Reply(200, json.dumps({"model_version": _VERSION, "artifact_uri": uri}).encode())])
    with serving(answers) as server, pytest.raises(TrackingError, match="--artifacts-destination"):
        ServerSource(server, QUICK).resolve("a", "champion")


def test_the_account_goes_with_every_request(shelf: Shelf, tmp_path: Path, mine: Installed) -> None:
    with serving(shelf) as uri:
        pull(Store(tmp_path / "node"), source=ServerSource(uri, QUICK))
    expected = "Basic " + base64.b64encode(f"puller:{PASSWORD}".encode()).decode()
    assert {asked.headers["Authorization"] for asked in shelf.asked} == {expected}
    assert any(asked.path.startswith(ARTIFACTS) for asked in shelf.asked)
    assert Store(tmp_path / "node").current().release == mine.release


def test_a_token_goes_where_no_user_is_named(monkeypatch: pytest.MonkeyPatch, shelf: Shelf) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    with serving(shelf) as uri:
        ServerSource(uri, QUICK).resolve("rejoinder", "champion")
    assert shelf.asked[0].headers["Authorization"] == "Bearer token"


@pytest.mark.parametrize("status", [0, 200, 302, 401, 403, 404, 429, 500, 503])
def test_no_password_is_in_any_message(tmp_path: Path, status: int) -> None:
    with serving(Answers([Reply(status, b"nonsense")])) as uri:
        address = uri.replace("//", f"//puller:{PASSWORD}@")
        if status == 0:
            address = f"http://puller:{PASSWORD}@127.0.0.1:9"  # nobody listens there
        source = ServerSource(address, QUICK)
        for act in (
            lambda: source.resolve("a", "b"),
            lambda: source.bundle("a", "model", "sha256:x"),  # type: ignore[arg-type]
            lambda: source.fetch("place", "file", tmp_path / "f", 99),
        ):
            with pytest.raises(RegistryError) as caught:
                act()
            assert PASSWORD not in str(caught.value)
            assert caught.value.__cause__ is None


def test_a_line_sends_less_than_all_of_a_cut_answer(tmp_path: Path) -> None:
    """The fault itself: even of one byte, a cut leaves the last one out."""
    with proxied(Answers([Reply(200, b"x")])) as (uri, proxy):
        proxy.fault = Fault("file", lambda to, reply: Line.send(to, reply, "close", 1.0), 99)
        with pytest.raises(TransferError, match="got 0"):
            ServerSource(uri, QUICK).fetch("place", "file", tmp_path / "f", 1)
