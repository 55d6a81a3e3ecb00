"""The app within the test's own process: what every endpoint test asks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from opentelemetry.trace import Tracer
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from rejoinder.answer.choose import Exploration
from rejoinder.answer.responder import Options
from rejoinder.parts.opened import OpenRelease
from rejoinder.serving.batcher import Bounds
from rejoinder.serving.decisions.limits import Limits
from rejoinder.serving.decisions.log import DecisionLog
from rejoinder.serving.decisions.pseudonyms import Keyer
from rejoinder.serving.decisions.read import Logged, read_decisions
from rejoinder.serving.events import teller
from rejoinder.serving.holder import Holder
from rejoinder.serving.http.app import make_app
from rejoinder.serving.http.context import Context
from rejoinder.serving.http.ids import CompletionIds
from rejoinder.serving.http.security import Access
from rejoinder.serving.journal import Journal
from rejoinder.serving.metrics import Metrics
from rejoinder.serving.service import Service

KEY = b"k" * 32
SOON = 20.0  # seconds; how long a test waits for what should happen at once
CHAT, EMBEDDINGS, RERANK, ANNOTATE = "/v1/chat/completions", "/v1/embeddings", "/v1/rerank", "/v1/annotate"
REPLY, REACTIONS = "/v1/reply", "/v1/reactions"
_AT_ONCE = Limits(flush_s=0.001, sync_s=0.002, watch_s=600, tidy_s=600)


def until(condition: Callable[[], bool]) -> bool:
    """Wait for a condition, not longer than it takes."""
    end = time.monotonic() + SOON
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


@dataclass(slots=True)
class How:
    """How an app answers; each field as the server has it, and small where that makes tests quick."""

    access: Access = field(default_factory=Access)
    threads: int = 1
    bounds: Bounds = field(default_factory=Bounds)
    deadline_s: float = 60.0
    explore: float = 0.0
    has_log: bool = True
    with_text: bool = False
    key: bytes = KEY
    folder: Path | None = None
    tracer: Tracer | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """An app, a client of it, and what is behind it."""

    client: TestClient
    context: Context
    folder: Path
    said: StringIO

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """Send a body as JSON; the response."""
        return self.client.post(path, json=body, **more)

    def chat(self, *said: str, **fields: Any) -> Any:
        """Chat, turns of user and assistant in turn; the response."""
        roles = ("user", "assistant")
        messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
        return self.post(CHAT, {"messages": messages, **fields})

    def text(self, *said: str, **fields: Any) -> str:
        """What is replied in a chat."""
        return str(self.chat(*said, **fields).json()["choices"][0]["message"]["content"])

    def react(self, completion: str, reaction: str | None, **fields: Any) -> Any:
        """React to an answer; the response."""
        return self.post(REACTIONS, {"completion_id": completion, "reaction": reaction, **fields})

    def records(self, kind: str) -> list[dict[str, Any]]:
        """What the decision log holds of a kind; nothing is logged after this."""
        journal = self.context.journal
        assert journal is not None
        assert journal.log.close(SOON)
        found = read_decisions(self.folder) if self.folder.is_dir() else []
        return [item.record for item in found if isinstance(item, Logged) and item.record["kind"] == kind]

    def figure(self, name: str, /, **labels: str) -> float:
        """The value of a metric, as Prometheus reads it; 0 if there is none yet."""
        return figure(self.client.get("/metrics").text, name, **labels)


def figure(text: str, name: str, /, **labels: str) -> float:
    """The sum of all samples of a metric that bear some labels."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


@contextmanager
def an_api(opened: OpenRelease, folder: Path, how: How) -> Iterator[Api]:
    """Answer with an open release; the decision log is in a folder."""
    said, metrics = StringIO(), Metrics()
    options = Options(deadline_s=None, exploration=Exploration(how.explore))
    holder = Holder(opened, options=options)
    service = Service(holder, how.threads, how.bounds, deadline_s=how.deadline_s, on_batch=metrics.batches.observe)
    count = lambda reason: metrics.log_failures.labels(reason).inc()  # noqa: E731
    log = DecisionLog(folder, with_text=how.with_text, limits=_AT_ONCE, on_failure=count)
    journal = Journal(log, Keyer(how.key), how.with_text, 30.0 if how.with_text else None)
    kept, say = journal if how.has_log else None, teller(as_json=True, to=said)
    context = Context(service, metrics, CompletionIds(how.key), kept, say, how.tracer)
    app = make_app(context, how.access)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield Api(client, context, folder, said)
    service.close()
    log.close()


def events(body: str) -> list[Any]:
    """What a stream of server-sent events tells, comments left out; all but `[DONE]` is JSON."""
    data = [line.removeprefix("data: ") for line in body.split("\n\n") if line.startswith("data: ")]
    return [told if told == "[DONE]" else json.loads(told) for told in data]
