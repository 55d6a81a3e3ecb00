"""A small server that answers as MLflow does, and a proxy before it that does what networks and attackers do."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from rejoinder.release.canonical import Digest
from rejoinder.store.store import Store

API, ARTIFACTS = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/artifacts/"
_FILTER = re.compile(r"name='([^']*)' and tags\.`([^`]*)`='([^']*)'")
_NOT_FOUND = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"}


@dataclass(frozen=True)
class Reply:
    """What a server answers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a client asks."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


Answer = Callable[[Request], Reply]


@dataclass
class Shelf:
    """The releases of a store, as an MLflow server shows them; its current release is the champion.

    Attributes:
        store: what is shown.
        ranges: whether an interrupted download can be gone on with.
        asked: every request so far.
    """

    store: Store
    ranges: bool = True
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        """Answer a request."""
        self.asked.append(request)
        if request.path.startswith(ARTIFACTS):
            return self._file(request)
        call = {
            "registered-models/alias": self._alias,
            "model-versions/search": self._search,
            "model-versions/get-download-uri": self._uri,
        }[request.path.removeprefix(API)]
        found = call(request.query)
        return Reply(404 if found is None else 200, json.dumps(found or _NOT_FOUND).encode(), _JSON)

    def _versions(self) -> list[dict[str, Any]]:
        found = []
        for release in self.store.releases():
            tags = {"digest": release.digest, "serial": str(release.serial)}
            found.append(_version(release.name, release.serial, tags, self.store.release_dir(release.digest)))
            for kind, digest in release.bundles.items():
                folder = self.store.bundle_dir(digest)
                found.append(_version(f"{release.name}-{kind}", release.serial, {"digest": digest}, folder))
        return found

    def _alias(self, query: Mapping[str, str]) -> dict[str, Any] | None:
        wanted = self.store.current_digest() if query["alias"] == "champion" else Digest("")
        fitting = [v for v in self._versions() if v["name"] == query["name"] and _digest(v) == wanted]
        return {"model_version": fitting[0]} if fitting else None

    def _search(self, query: Mapping[str, str]) -> dict[str, Any]:
        asked = _FILTER.fullmatch(query["filter"])
        name, key, value = asked.groups() if asked else ("", "", "")
        wanted = {"key": key, "value": value}
        return {"model_versions": [v for v in self._versions() if v["name"] == name and wanted in v["tags"]]}

    def _uri(self, query: Mapping[str, str]) -> dict[str, Any] | None:
        for version in self._versions():
            if (version["name"], version["version"]) == (query["name"], query["version"]):
                return {"artifact_uri": f"mlflow-artifacts:/{version['folder']}"}
        return None

    def _file(self, request: Request) -> Reply:
        path = self.store.root / unquote(request.path.removeprefix(ARTIFACTS))
        if not path.is_file():
            return Reply(404, json.dumps(_NOT_FOUND).encode(), _JSON)
        data = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if not asked or not self.ranges:
            return Reply(200, data)
        start = int(asked[1])
        if start >= len(data):
            return Reply(416, b"")
        return Reply(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})


_JSON = {"Content-Type": "application/json"}


def _version(name: str, number: int, tags: Mapping[str, str], folder: Path) -> dict[str, Any]:
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    return {
        "name": name,
        "version": str(number),
        "tags": listed,
        "folder": f"{folder.parent.name}/{folder.name}",
    }


def _digest(version: Mapping[str, Any]) -> str:
    return str(version["tags"][0]["value"])


class Line:
    """What a fault does with an answer: the connection to the client."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler

    def send(self, reply: Reply, framing: str = "length", cut: float | None = None) -> None:
        """Send an answer, or the beginning of it.

        Args:
            reply: the answer.
            framing: "length", "chunked", or "close": how the client is told where it ends.
            cut: the share of the body after which the connection ends; None for all of it. Never all of it.
        """
        body = reply.body if cut is None else reply.body[: min(int(len(reply.body) * cut), len(reply.body) - 1)]
        framed = {"length": ("Content-Length", str(len(reply.body))), "chunked": ("Transfer-Encoding", "chunked")}
        self.begin(reply, dict([framed.get(framing, ("Connection", "close"))]))
        if framing == "chunked":
            middle = len(body) // 2
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part)
            body += b"0\r\n\r\n" if cut is None else b""
        self.write(body)
        self._handler.close_connection = cut is not None or framing == "close"

    def begin(self, reply: Reply, headers: Mapping[str, str]) -> None:
        """Send the head of an answer."""
        self._handler.send_response(reply.status)
        for key, value in {**reply.headers, **headers}.items():
            self._handler.send_header(key, value)
        self._handler.end_headers()
        self._handler.close_connection = True

    def write(self, data: bytes) -> None:
        """Send bytes now."""
        self._handler.wfile.write(data)
        self._handler.wfile.flush()


#: Sends something for an answer.
Send = Callable[[Line, Reply], None]


@dataclass
class Fault:
    """What goes wrong.

    Attributes:
        where: end of the path of the requests that it befalls; empty for none.
        send: what is sent.
        times: how often.
    """

    where: str = ""
    send: Send = Line.send
    times: int = 0

    def befalls(self, path: str) -> bool:
        """Whether it happens now; counts down."""
        if not self.where or self.times < 1 or not path.endswith(self.where):
            return False
        self.times -= 1
        return True


class Proxy:
    """Passes requests on to a server and answers back, but for a fault."""

    def __init__(self, upstream: str) -> None:
        self.fault = Fault()
        self._upstream = urlsplit(upstream).netloc

    def handle(self, request: Request, raw_path: str, line: Line) -> None:
        """Pass one request on."""
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        connection.request("GET", raw_path, headers={k: v for k, v in request.headers.items() if k == "Range"})
        answer = connection.getresponse()
        kept = {k: v for k, v in answer.getheaders() if k in ("Content-Type", "Content-Range")}
        reply = Reply(answer.status, answer.read(), kept)
        connection.close()
        send = self.fault.send if self.fault.befalls(unquote(request.path)) else Line.send
        send(line, reply)


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server on a free port of this machine.

    Args:
        answer: makes the answers.

    Yields:
        Its address.
    """
    with _listening(lambda request, _raw, line: line.send(answer(request))) as uri:
        yield uri


@contextmanager
def proxied(answer: Answer) -> Iterator[tuple[str, Proxy]]:
    """A server behind a proxy.

    Args:
        answer: makes the server's answers.

    Yields:
        The proxy's address, and the proxy.
    """
    with serving(answer) as upstream:
        proxy = Proxy(upstream)
        with _listening(proxy.handle) as uri:
            yield uri, proxy


@contextmanager
def _listening(handle: Callable[[Request, str, Line], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else every answer waits 40 ms for the client's acknowledgement

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            try:
                handle(Request(parts.path, query, dict(self.headers)), self.path, Line(self))
            except ConnectionError:
                self.close_connection = True  # the client hung up

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def trickle(line: Line, reply: Reply, pause: float = 0.02) -> None:
    """Send a byte now and then, so that no pause is long."""
    line.begin(reply, {"Content-Length": str(max(len(reply.body), 10_000))})
    for number in range(10_000):
        line.write(reply.body[number : number + 1] or b" ")
        time.sleep(pause)


def endless(line: Line, reply: Reply) -> None:
    """Send the body, and go on sending."""
    line.begin(reply, {"Connection": "close"})
    line.write(reply.body)
    while True:
        line.write(b"\0" * (1 << 16))


def redirect(line: Line, reply: Reply) -> None:
    """Send the client elsewhere, which is here."""
    del reply
    line.send(Reply(302, b"", {"Location": "?again"}))
