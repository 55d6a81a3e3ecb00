"""What goes over the wire by hand: bodies that are too large, requests without end, clients that hang up."""

from __future__ import annotations

import json
import socket
import struct

import pytest

from tests.rejoinder.serving.apis import CHAT, SOON, figure, until
from tests.rejoinder.serving.servers import Server

BODY = json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()


def connected(serving: Server) -> socket.socket:
    """A connection to the server."""
    host, _, port = serving.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), SOON)


def request(body: bytes, length: int | None = None) -> bytes:
    """A request for a chat."""
    size = len(body) if length is None else length
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {size}"
    return f"{head}\r\n\r\n".encode() + body


def status(connection: socket.socket) -> int:
    """The status of an answer."""
    return int(connection.recv(65536).split()[1])


def test_a_body_of_ten_megabytes_is_refused_however_much_of_it_came(serving: Server) -> None:
    with connected(serving) as connection:
        connection.sendall(request(b" " * 2_000_000, 10_000_000))
        assert status(connection) == 413
    assert serving.post(CHAT, {"messages": [], "more": "x" * 10_000_000}).status_code == 413
    assert serving.chat("hello").status_code == 200


@pytest.mark.parametrize("sent", [b"", request(BODY)[:40], request(BODY, len(BODY) + 10), request(BODY)])
def test_clients_that_hang_up_hurt_nobody(serving: Server, sent: bytes) -> None:
    for _ in range(20):
        with connected(serving) as connection:
            connection.sendall(sent)
            linger = struct.pack("ii", 1, 0)  # a reset, and no polite end
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert serving.chat("hello").status_code == 200
    assert until(lambda: figure(serving.get("/metrics").text, "rejoinder_queue_rows") == 0)
    assert [line for line in serving.lines if "fault" in line or "Traceback" in line] == []


def test_two_requests_sent_at_once_are_both_answered_in_order(serving: Server) -> None:
    with connected(serving) as connection:
        connection.sendall(request(b"{}") + request(BODY))
        told = b""
        while b"You want lonely!" not in told:
            told += connection.recv(65536)
    assert told.index(b"HTTP/1.1 400") < told.index(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "raw",
    [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\r\n" * 10 + b"x\r\n\r\n",
     b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ids=["TLS", "no version", "no host", "no request", "no ASCII", "no URL"],
)  # fmt: skip
def test_what_is_no_proper_request_gets_no_fault(serving: Server, raw: bytes) -> None:
    with connected(serving) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        told = connection.recv(65536)
    assert not told.startswith(b"HTTP/1.1 5")
    assert serving.chat("hello").status_code == 200
