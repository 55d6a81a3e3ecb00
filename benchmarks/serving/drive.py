"""Drive a server: so many clients that wait for each other, or arrivals that wait for nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress

from benchmarks.serving.client import Connection, Pool, connect
from benchmarks.serving.figures import LOST, Samples

PATIENCE_S = 30.0  # for the last answers
_REFUSED_S = 0.1  # until a client that was told to come later comes


async def closed(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Samples:
    """Ask as clients that send the next request when they have the last answer.

    Args:
        port: of the server.
        requests: to send; endless.
        clients: how many.
        seconds: how long.

    Returns:
        What came of each request.
    """
    samples, until = Samples(), time.perf_counter() + seconds

    async def client() -> None:
        connection: Connection | None = None
        while (start := time.perf_counter()) < until:
            try:
                if connection is None or not connection.is_open:
                    connection = await connect(port)
                answer = await connection.ask(next(requests))
                samples.add(str(answer.status), time.perf_counter() - start)
                if answer.status != 200:
                    await asyncio.sleep(_REFUSED_S)
            except OSError:
                samples.add(LOST, 0.0)
                await asyncio.sleep(_REFUSED_S)
        if connection is not None:
            connection.close()

    await _all([asyncio.ensure_future(client()) for _ in range(clients)], seconds + PATIENCE_S)
    return samples


async def open_loop(port: int, requests: Iterator[bytes], moments: Sequence[float]) -> tuple[Samples, list[float]]:
    """Ask at given moments, whatever became of the requests before; time counts from the moment that was planned.

    Args:
        port: of the server.
        requests: to send; endless.
        moments: seconds from now.

    Returns:
        What came of each request, and how many seconds late each was sent.
    """
    samples, pool, late = Samples(), Pool(port), list[float]()

    async def one(data: bytes, planned: float) -> None:
        late.append(time.perf_counter() - planned)
        try:
            answer = await pool.ask(data)
            samples.add(str(answer.status), time.perf_counter() - planned)
        except OSError:
            samples.add(LOST, 0.0)

    tasks = await at_moments(moments, lambda planned: one(next(requests), planned))
    await _all(tasks, PATIENCE_S)
    for _ in range(len(moments) - samples.statuses.total()):
        samples.add(LOST, 0.0)
    pool.close()
    return samples, late


async def at_moments(
    moments: Sequence[float], begin: Callable[[float], Awaitable[None]]
) -> list[asyncio.Future[None]]:
    """Begin something at given moments.

    Args:
        moments: seconds from now, in order.
        begin: given the moment of `time.perf_counter` that was planned.

    Returns:
        What has begun.
    """
    tasks: list[asyncio.Future[None]] = []
    start = time.perf_counter()
    for moment in moments:
        wait = start + moment - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        elif len(tasks) % 16 == 0:
            await asyncio.sleep(0)  # behind: yet those under way must go on
        tasks.append(asyncio.ensure_future(begin(start + moment)))
    return tasks


async def _all(tasks: Sequence[asyncio.Future[None]], seconds: float) -> None:
    if not tasks:
        return
    _, waiting = await asyncio.wait(tasks, timeout=seconds)
    for task in waiting:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
