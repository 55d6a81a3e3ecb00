"""Traces: a span a request and one a step, in nobody's hands unless the environment asks for them."""

from __future__ import annotations

import itertools
import os

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rejoinder.answer.responder import STEPS
from rejoinder.errors import InputError
from rejoinder.serving import telemetry
from tests.rejoinder.serving.apis import Api
from tests.rejoinder.serving.conftest import OpenApi

CANARY = "quetzalcoatl"
#: As W3C's traceparent has them.
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(open_api: OpenApi, exporter: InMemorySpanExporter) -> Api:
    """An app whose spans are kept in memory."""
    return open_api(tracer=telemetry.open_tracer(SimpleSpanProcessor(exporter)))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that asks for nothing."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def test_a_chat_is_a_span_and_so_is_each_step_of_its_answer(traced: Api, exporter: InMemorySpanExporter) -> None:
    assert traced.chat("hello").status_code == 200
    spans = by_name(exporter)
    request, answer = spans["POST /v1/chat/completions"], spans["answer"]
    assert answer.parent is not None
    assert request.context is not None
    assert answer.context is not None
    assert answer.parent.span_id == request.context.span_id
    steps = ["queue", *(step.name for step in STEPS)]
    found = [
        span
        for span in exporter.get_finished_spans()
        if span.parent and span.parent.span_id == answer.context.span_id
    ]
    assert [span.name for span in found] == steps
    assert all(before.end_time == after.start_time for before, after in itertools.pairwise(found))
    assert answer.attributes is not None
    assert request.attributes is not None
    assert answer.attributes["gen_ai.response.model"] == "rejoinder@1"
    assert request.attributes["http.response.status_code"] == 200


def test_a_span_is_within_the_callers_trace(traced: Api, exporter: InMemorySpanExporter) -> None:
    traced.client.get("/health", headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == CALLER


def test_no_span_holds_what_somebody_wrote_or_chose(traced: Api, exporter: InMemorySpanExporter) -> None:
    traced.chat(CANARY, user=CANARY, metadata={"conversation_id": CANARY})
    traced.post(f"/v1/conversations/{CANARY}/feedback", {"thumb": "up"})
    traced.client.get(f"/v1/models/{CANARY}")
    traced.client.get(f"/{CANARY}")
    spans = exporter.get_finished_spans()
    assert len(spans) > len(STEPS)
    assert not [span.name for span in spans if CANARY in span.to_json()]


@pytest.mark.usefixtures("quiet")
def test_nobody_traces_unless_the_environment_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert telemetry.open_tracer() is None
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert telemetry.open_tracer() is None
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    assert telemetry.open_tracer() is not None
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert telemetry.open_tracer() is None


@pytest.mark.usefixtures("quiet")
def test_an_exporter_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    with pytest.raises(InputError, match="pip install opentelemetry-exporter-otlp-proto-http"):
        telemetry.open_tracer()
