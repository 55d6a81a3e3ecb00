"""Metrics for Prometheus: what is asked, what it takes, whence answers come. No label holds what a user wrote."""

from __future__ import annotations

import os
from collections.abc import Iterable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from rejoinder.answer.reply import Reply
from rejoinder.release.document import Release
from rejoinder.serving.decisions.limits import REASONS

#: Set for workers that share a port: a folder in which each leaves its figures.
WORKERS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
_ROWS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What one process counts; `text` tells it for all workers that share a port."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Start at nothing.

        Args:
            registry: where the metrics are; by default one of their own.
        """
        # They double the page, and nothing here asks since when.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = mine = registry or CollectorRegistry()
        self._release: Release | None = None
        self.requests = Counter(
            "rejoinder_requests", "Requests by endpoint and status.", ["endpoint", "status"], registry=mine
        )
        self.seconds = Histogram(
            "rejoinder_request_seconds", "Time of a request.", ["endpoint"], buckets=_SECONDS, registry=mine
        )
        self.waited = Histogram("rejoinder_queue_seconds", "Time in the queue.", buckets=_SECONDS, registry=mine)
        self.waiting = Gauge("rejoinder_queue_rows", "Rows that wait.", multiprocess_mode="livesum", registry=mine)
        self.batches = Histogram("rejoinder_batch_rows", "Rows answered together.", buckets=_ROWS, registry=mine)
        self._steps = Histogram(
            "rejoinder_step_seconds", "Time of a step of an answer.", ["step"], buckets=_SECONDS, registry=mine
        )
        self._encoded = Counter(
            "rejoinder_turns", "Turns read, by where their vectors came from.", ["vector"], registry=mine
        )
        self._dropped = Counter(
            "rejoinder_dropped_candidates", "Candidates that were not said, by reason.", ["reason"], registry=mine
        )
        self._answers = Counter(
            "rejoinder_answers",
            "Answers by who answered, and by fallback.",
            ["route", "source", "fallback"],
            registry=mine,
        )
        self.reactions = Counter("rejoinder_reactions", "Reactions to answers.", ["reaction"], registry=mine)
        self.feedback = Counter("rejoinder_feedback", "Feedback on conversations.", ["thumb"], registry=mine)
        self.storms = Counter("rejoinder_vote_storms", "Votes of somebody who votes too much.", registry=mine)
        self.log_failures = Counter(
            "rejoinder_decision_log_failures", "What the decision log could not do.", ["reason"], registry=mine
        )
        self.swaps = Counter("rejoinder_swaps", "Releases that took over, or did not.", ["outcome"], registry=mine)
        self._info = Gauge(
            "rejoinder_release_info",
            "1 for the release that answers.",
            ["name", "serial", "digest", "version"],
            multiprocess_mode="livemax",
            registry=mine,
        )

    def answered(self, reply: Reply, waited_s: float) -> None:
        """Count an answer.

        Args:
            reply: with its trace.
            waited_s: seconds in the queue.
        """
        trace = reply.trace
        self.waited.observe(waited_s)
        for step in trace.steps:
            self._steps.labels(step.name).observe(step.milliseconds / 1000)
            for reason, count in step.dropped.items():
                self._dropped.labels(reason).inc(count)
        for source in trace.sources:
            self._encoded.labels(source).inc()
        chosen = next((c.source for c in trace.candidates if c.dropped is None and c.text == reply.text), "none")
        part, route = chosen.partition("/")[0], trace.route.partition("/")[0]
        self._answers.labels(route, part, trace.fallback or "none").inc()

    def serving(self, release: Release, version: str) -> None:
        """Say which release answers from now on.

        Args:
            release: it.
            version: of this program.
        """
        if self._release is not None:
            self._labels(self._release, version).set(0)
        self._release = release
        self._labels(release, version).set(1)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it; of all workers where several share a port."""
        registry = self._registry
        if os.environ.get(WORKERS_FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _labels(self, release: Release, version: str) -> Gauge:
        return self._info.labels(
            release.name, str(release.serial), release.digest.removeprefix("sha256:")[:12], version
        )


def preset(metrics: Metrics, reactions: Iterable[str]) -> None:
    """Show counters at 0 that nobody has moved yet, so that a rate over them is known from the start."""
    for reaction in reactions:
        metrics.reactions.labels(reaction)
    for reason in REASONS:
        metrics.log_failures.labels(reason)
    for outcome in ("done", "failed"):
        metrics.swaps.labels(outcome)
    for thumb in ("up", "down"):
        metrics.feedback.labels(thumb)
