"""OpenTelemetry, where its standard variables ask for it: a span a request, one for each step of an answer.

Nothing is sent unless `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_TRACES_EXPORTER`
is set; these and others (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, ...) mean what OpenTelemetry says. No
attribute holds anything a user wrote.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import propagate
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder import __version__
from rejoinder.answer.reply import Reply
from rejoinder.errors import InputError

_ASKING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_NAME = "rejoinder"


def is_asked_for() -> bool:
    """Whether the environment asks for traces."""
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not is_off and any(os.environ.get(name, "none") != "none" for name in _ASKING)


def open_tracer(processor: Any = None) -> Tracer | None:
    """Make what traces are told to.

    Args:
        processor: takes finished spans; by default what the environment asks for.

    Returns:
        The tracer; None if nobody asks for one.

    Raises:
        InputError: if the exporter that is asked for is not installed.
    """
    if processor is None and not is_asked_for():
        return None
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", _NAME)
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": __version__}))
    provider.add_span_processor(processor or BatchSpanProcessor(_exporter()))
    return provider.get_tracer(_NAME, __version__)


def _exporter() -> Any:
    name = os.environ.get("OTEL_TRACES_EXPORTER", "otlp")
    if name == "otlp":
        name = _OTLP.get(os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), name)
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    for found in entry_points(group="opentelemetry_traces_exporter", name=name):
        return found.load()()
    package = f"opentelemetry-exporter-{name.replace('_', '-')}"
    raise InputError(f"traces: expected the exporter {name}, got none installed. Next: pip install {package}")


class Tracing:
    """ASGI middleware: a span around each request, within the caller's trace if there is one."""

    def __init__(self, app: ASGIApp, tracer: Tracer, name_of: Callable[[str], str]) -> None:
        """Stand before an app.

        Args:
            app: answers.
            tracer: takes the spans.
            name_of: what a path is called: it may hold somebody's id.
        """
        self._app, self._tracer, self._name_of = app, tracer, name_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within a span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        above = propagate.extract(dict(Headers(scope=scope).items()))
        route = self._name_of(scope["path"])
        about = {"http.request.method": scope["method"], "http.route": route}
        name = f"{scope['method']} {route}"
        with self._tracer.start_as_current_span(
            name, above, SpanKind.SERVER, about, record_exception=False, set_status_on_exception=False
        ) as span:

            async def send_traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            await self._app(scope, receive, send_traced)


def tell_steps(tracer: Tracer, reply: Reply, model: str, waited_s: float) -> None:
    """Tell the steps of an answer that has just been made, as children of the request's span.

    Args:
        tracer: from `open_tracer`.
        reply: with its trace.
        model: that answered.
        waited_s: seconds in the queue before the first step.
    """
    trace, end = reply.trace, time.time_ns()
    spent = [("queue", waited_s * 1000), *((step.name, step.milliseconds) for step in trace.steps)]
    start = end - round(1e6 * sum(milliseconds for _, milliseconds in spent))
    about = {"gen_ai.operation.name": "chat", "gen_ai.response.model": model, "rejoinder.route": trace.route}
    with tracer.start_as_current_span("answer", start_time=start, attributes=about):
        for name, milliseconds in spent:
            until = start + round(1e6 * milliseconds)
            tracer.start_span(name, start_time=start).end(until)
            start = until
