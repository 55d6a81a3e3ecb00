"""Clients wait for their answers; arrivals wait for nobody; what comes of each is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import repeat
from typing import TypeVar

from benchmarks.serving.client import Answer, Pool, request
from benchmarks.serving.drive import closed, open_loop
from benchmarks.serving.figures import LOST

ASKED = repeat(request("/v1/chat/completions", b"{}"))
OK = (
    b"HTTP/1.1 200 OK\r\nX-Completion-Id: chatcmpl-7\r\nX-Rejoinder-Release: r@1 abc\r\nContent-Length: 2\r\n\r\n{}"
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
FULL = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
T = TypeVar("T")
Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def with_server(answering: Answering, work: Callable[[int], Awaitable[T]]) -> T:
    """Do some work beside a server that answers every request in one way."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"{}")
                await answering(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        return await work(server.sockets[0].getsockname()[1])


def saying(data: bytes, after: float = 0.0) -> Answering:
    async def answer(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after)
        writer.write(data)

    return answer


async def hanging_up(writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:20])
    writer.close()


def test_an_answer_is_read_whole_with_what_its_headers_say() -> None:
    async def twice(port: int) -> list[Answer]:
        pool = Pool(port)
        found = [await pool.ask(next(ASKED)) for _ in range(2)]
        pool.close()
        return found

    answers = asyncio.run(with_server(saying(OK), twice))
    assert answers == [Answer(200, b"{}", "r@1 abc", "chatcmpl-7")] * 2
    assert asyncio.run(with_server(saying(CHUNKED), twice)) == [Answer(200, b"abcde")] * 2


def test_clients_wait_for_their_answers() -> None:
    samples = asyncio.run(with_server(saying(OK, after=0.05), lambda port: closed(port, ASKED, 4, 0.4)))
    assert 4 <= samples.statuses["200"] <= 36
    assert min(samples.milliseconds) >= 50


def test_arrivals_wait_for_nobody() -> None:
    start = time.perf_counter()
    samples, late = asyncio.run(
        with_server(saying(OK, after=0.3), lambda port: open_loop(port, ASKED, [0.01 * n for n in range(20)]))
    )
    assert samples.statuses["200"] == 20
    assert len(late) == 20
    assert time.perf_counter() - start < 5


def test_refused_and_lost_requests_are_counted_apart() -> None:
    refused = asyncio.run(with_server(saying(FULL), lambda port: closed(port, ASKED, 1, 0.05)))
    lost = asyncio.run(with_server(hanging_up, lambda port: closed(port, ASKED, 1, 0.05)))
    assert set(refused.statuses) == {"429"}
    assert set(lost.statuses) == {LOST}
