"""Services in an event loop, and answers that take as long as a test wants."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.serving.service import Service
from tests.bundles import PHRASES
from tests.rejoinder.serving.apis import SOON

T = TypeVar("T")
OpenService = Callable[..., Service]
SAID = [Dialogue((Turn("user", text),)) for text in (*PHRASES[:12], "want hello", "a b c d e f g")]


def in_loop(asked: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Ask in an event loop."""

    async def run() -> T:
        async with asyncio.timeout(SOON):
            return await asked()

    return asyncio.run(run())


@contextmanager
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Whoever answers waits: yields the events that one has begun, and that they may go on."""
    begun, go_on = threading.Event(), threading.Event()
    real = Responder.answer

    def slowly(self: Responder, *given: Any, **more: Any) -> Any:
        begun.set()
        assert go_on.wait(SOON)
        return real(self, *given, **more)

    monkeypatch.setattr(Responder, "answer", slowly)
    try:
        yield begun, go_on
    finally:
        go_on.set()


async def begun(event: threading.Event) -> None:
    """Wait for an event without blocking the loop."""
    assert await asyncio.get_running_loop().run_in_executor(None, event.wait, SOON)
