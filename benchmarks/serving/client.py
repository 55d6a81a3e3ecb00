"""A client of HTTP/1.1 that takes little CPU: one connection, one request at a time, answers read in C."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools

_KEPT = {b"x-rejoinder-release": "release", b"x-completion-id": "completion"}


@dataclass(slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        body: whole; chunks are put together.
        release: that answered, by the header.
        completion: id of the answer, by the header.
    """

    status: int = 0
    body: bytes = b""
    release: str = ""
    completion: str = ""


def request(path: str, body: bytes) -> bytes:
    """Write a request.

    Args:
        path: that is posted to.
        body: JSON.

    Returns:
        What goes over the line.
    """
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """A connection to a server on this machine."""

    def __init__(self) -> None:
        """Wait to be connected."""
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._answer = Answer()
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None
        self.is_open = False

    async def ask(self, data: bytes) -> Answer:
        """Send a request, and wait for the answer.

        Args:
            data: from `request`.

        Returns:
            The answer.

        Raises:
            ConnectionError: if the server leaves before it is whole.
        """
        if self._transport is None or not self.is_open:
            raise ConnectionError("the connection is closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._waiting

    def close(self) -> None:
        """Leave, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport, self.is_open = cast("asyncio.Transport", transport), True  # uvloop's is of no such class

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.is_open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the server has left"))

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if (kept := _KEPT.get(name.lower())) is not None:
            setattr(self._answer, kept, value.decode())

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        answer, pieces = self._answer, self._pieces
        self._answer, self._pieces = Answer(), []
        answer.status, answer.body = self._parser.get_status_code(), b"".join(pieces)
        self.is_open = self.is_open and self._parser.should_keep_alive()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)


async def connect(port: int, source: str = "127.0.0.1") -> Connection:
    """Connect to a server on this machine.

    Args:
        port: where it listens.
        source: address that the client has; any of 127.0.0.0/8.

    Returns:
        The connection.

    Raises:
        OSError: if nobody listens.
    """
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port, local_addr=(source, 0))
    return connection


class Pool:
    """Connections to one server, as many as are asked at once. For one event loop."""

    def __init__(self, port: int) -> None:
        """Connect to nobody yet.

        Args:
            port: where the server listens.
        """
        self._port, self._free = port, list[Connection]()

    async def ask(self, data: bytes) -> Answer:
        """Ask over a connection that nobody uses.

        Args:
            data: from `request`.

        Returns:
            The answer.

        Raises:
            OSError: if there is no answer.
        """
        connection = await self._take()
        try:
            answer = await connection.ask(data)
        except BaseException:
            connection.close()
            raise
        if connection.is_open:
            self._free.append(connection)
        else:
            connection.close()
        return answer

    async def _take(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if connection.is_open:
                return connection
        return await connect(self._port)

    def close(self) -> None:
        """Close what is open."""
        for connection in self._free:
            connection.close()
