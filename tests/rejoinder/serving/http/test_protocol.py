"""A client that sends its headers byte by byte, or without end, is cut off."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from rejoinder.serving.http import protocol
from rejoinder.serving.http.protocol import TimedProtocol
from tests.rejoinder.serving.apis import SOON, Api, until


@pytest.fixture
def port(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The app behind a real port; headers have a moment."""
    monkeypatch.setattr(protocol, "HEADERS_S", 0.3)
    config = uvicorn.Config(api.client.app, http=TimedProtocol, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        assert until(lambda: server.started)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(SOON)


@pytest.mark.parametrize("sent", [b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_headers_that_do_not_come_in_time_end_the_connection(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), SOON) as connection:
        connection.sendall(sent)
        began = time.monotonic()
        assert connection.recv(1) == b""
        assert time.monotonic() - began < 5


def test_a_byte_now_and_then_wins_no_time(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), SOON) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert until(lambda: _is_cut_off(connection))


def test_headers_without_end_are_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), SOON) as connection:
        begin = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "
        # Not a byte more: what is not read when a connection is closed may take the answer with it.
        connection.sendall(begin + b"a" * (protocol.MOST_HEADERS + 1 - len(begin)))
        assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")


def test_who_asks_again_after_a_while_is_answered_by_the_same_connection(port: int) -> None:
    asked = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), SOON) as connection:
        for pause in (0.0, 0.5):
            time.sleep(pause)
            connection.sendall(asked)
            told = b""
            while not told.endswith(b'{"status":"ok"}'):
                told += connection.recv(65536)
            assert told.startswith(b"HTTP/1.1 200 ")


def _is_cut_off(connection: socket.socket) -> bool:
    """Send one more byte; whether the other side has gone."""
    connection.settimeout(0.05)
    try:
        connection.sendall(b"a")
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
