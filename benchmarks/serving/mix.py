"""A mix of requests as a day brings them, and what is counted of their answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from itertools import cycle
from random import Random

from benchmarks.serving.bodies import CHAT, EMBEDDINGS, Body, chat, embedding
from benchmarks.serving.checks import (
    are_same,
    digest_of,
    is_one_release,
    is_one_release_stream,
    is_whole_stream,
    vectors_of,
)
from benchmarks.serving.client import Answer, Pool, connect, request
from benchmarks.serving.figures import percentile
from benchmarks.serving.supplies import Supplies, texts_of
from benchmarks.serving.swaps import Expected
from rejoinder.parts.arrays import Vectors

#: How often each kind is sent, of 100.
SHARES = {"plain": 53, "traced": 10, "stream": 15, "vectors": 10, "nonsense": 5, "leaving": 5, "reacting": 2}
_TEXTS, _EACH = 200, 4
_PATIENCE_S = 30.0
_LEAVES_S = 0.15
_REFUSED = {429, 503}
NONSENSE: tuple[Body, ...] = (
    (CHAT, b'{"messages": '),
    (CHAT, b"\xff\xfe"),
    (CHAT, b'{"messages": []}'),
    (CHAT, b'{"messages": "hi"}'),
    (CHAT, b'{"messages": [{"role": "assistant", "content": "hi"}]}'),
    (CHAT, b'{"model": "another", "messages": [{"role": "user", "content": "hi"}]}'),
    (EMBEDDINGS, b'{"input": [1, 2, 3]}'),
    (EMBEDDINGS, b'{"input": ""}'),
    ("/v1/rerank", b'{"query": "hi", "documents": []}'),
    ("/v1/reactions", b'{"completion_id": "chatcmpl-0", "reaction": "upvote"}'),
    ("/v1/nowhere", b"{}"),
)


class Sources:
    """What requests are made of."""

    def __init__(self, supplies: Supplies, random: Random) -> None:
        """Take what there is.

        Args:
            supplies: of dialogues.
            random: draws.
        """
        self.random = random
        self._talk = cycle(supplies.talk)
        self.texts = texts_of(supplies.fresh)[:_TEXTS]

    def kind(self) -> str:
        """Draw a kind of request."""
        return self.random.choices(list(SHARES), list(SHARES.values()))[0]

    def body(self, kind: str) -> tuple[Body, list[str]]:
        """Make a request.

        Args:
            kind: of `SHARES`.

        Returns:
            It, and the texts whose vectors it asks for.
        """
        if kind == "nonsense":
            return self.random.choice(NONSENSE), []
        if kind == "vectors":
            texts = self.random.sample(self.texts, _EACH)
            return embedding(texts, encoding_format="base64"), texts
        more = {"traced": {"include_trace": True}, "stream": {"stream": True}}.get(kind, {})
        return chat(next(self._talk), **more), []

    def bodies(self, count: int) -> list[Body]:
        """Requests of the kinds that are answered."""
        kinds = (
            kind if kind in {"plain", "traced", "stream", "vectors"} else "plain" for kind in self._kinds(count)
        )
        return [self.body(kind)[0] for kind in kinds]

    def _kinds(self, count: int) -> list[str]:
        return [self.kind() for _ in range(count)]


class Mix:
    """Sends requests to one server, and counts what comes of them."""

    def __init__(self, port: int, sources: Sources, expected: Expected) -> None:
        """Send nothing yet.

        Args:
            port: of the server.
            sources: of requests.
            expected: vectors, by release and text.
        """
        self.counts: Counter[str] = Counter()
        self._port, self._sources, self._expected = port, sources, expected
        self._pool = Pool(port)
        self._milliseconds: list[float] = []

    async def one(self) -> None:
        """Send one request, and judge the answer."""
        kind = self._sources.kind()
        body, texts = self._sources.body(kind)
        if kind == "leaving":
            await self._leave(request(*body))
            return
        start = time.perf_counter()
        answer = await self._ask(body)
        if answer is None:
            return
        if kind == "nonsense":
            self.counts["nonsense, refused" if 400 <= answer.status < 500 else "lost"] += 1
        elif answer.status in _REFUSED:
            self.counts[f"refused with {answer.status}"] += 1
        elif answer.status != 200:
            self.counts["lost"] += 1
        else:
            self._judge(kind, answer, texts)
            if kind != "vectors":
                self._milliseconds.append(1000 * (time.perf_counter() - start))
            if kind == "reacting":
                await self._react(answer)

    def p95(self) -> float:
        """Milliseconds of chats, the 95th percentile."""
        return percentile(self._milliseconds, 0.95)

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()

    async def _ask(self, body: Body) -> Answer | None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._pool.ask(request(*body))
        except (OSError, TimeoutError):
            self.counts["lost"] += 1
            return None

    async def _leave(self, data: bytes) -> None:
        connection = await connect(self._port)
        asking = asyncio.ensure_future(connection.ask(data))
        await asyncio.wait({asking}, timeout=self._sources.random.random() * _LEAVES_S)
        self.counts["answered before it left" if asking.done() else "left"] += 1
        asking.cancel()
        connection.close()

    async def _react(self, answer: Answer) -> None:
        body = json.dumps({"completion_id": answer.completion, "reaction": "upvote"}).encode()
        told = await self._ask(("/v1/reactions", body))
        if told is not None:
            self.counts["reactions recorded" if told.status == 200 else "lost"] += 1

    def _judge(self, kind: str, answer: Answer, texts: list[str]) -> None:
        fate = f"answered, {kind}"
        if kind == "stream" and not is_whole_stream(answer):
            fate = "lost"
        elif not _is_one(kind, answer, self._expected.get(digest_of(answer.release), {}), texts):
            fate = "mixed"
        self.counts[fate] += 1


def _is_one(kind: str, answer: Answer, expected: Mapping[str, Vectors], texts: list[str]) -> bool:
    if kind == "stream":
        return is_one_release_stream(answer)
    if kind != "vectors":
        return is_one_release(answer)
    known = [expected[text] for text in texts if text in expected]
    return are_same(vectors_of(answer.body), known)
