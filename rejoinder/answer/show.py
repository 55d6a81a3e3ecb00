"""Show a reply: as one JSON object, or as tables on standard error."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rejoinder.answer.reply import Reply, Trace

_SOURCES = {
    "cold": "cache hit (cold)",
    "hot": "cache hit (hot)",
    "": "context not encoded",
}
_FORMER_KEYS = {"search": "retrieve"}  # of `milliseconds`, still given to whoever reads them


def as_dict(reply: Reply, open_ms: float) -> dict[str, Any]:
    """A reply and its trace as plain data.

    Args:
        reply: to show.
        open_ms: what opening the release took, in milliseconds.

    Returns:
        What `rejoinder ask --json` prints.
    """
    trace = reply.trace
    spent = {"open": open_ms, **{step.name: step.milliseconds for step in trace.steps}}
    spent |= {former: spent[name] for former, name in _FORMER_KEYS.items() if name in spent}
    return {
        "text": reply.text,
        "release": trace.release,
        "route": trace.route,
        "probability": trace.probability,
        "fallback": trace.fallback,
        "annotations": {name: [label, round(p, 3)] for name, (label, p) in trace.annotations.items()},
        "source": trace.source,
        "sources": trace.sources,
        "milliseconds": {name: round(value, 3) for name, value in spent.items()},
        "steps": [asdict(step) | {"milliseconds": round(step.milliseconds, 3)} for step in trace.steps],
        "candidates": [asdict(candidate) for candidate in trace.candidates],
    }


def print_trace(reply: Reply, open_ms: float) -> None:
    """Print the candidates and the steps on standard error.

    Args:
        reply: to show.
        open_ms: what opening the release took, in milliseconds.
    """
    from rich.console import Console

    console = Console(stderr=True)
    console.print(_candidates(reply))
    console.print(_steps(reply.trace))
    trace = reply.trace
    fallback = f", {trace.fallback}" if trace.fallback else ""
    console.print(f"route {trace.route}; probability {trace.probability:.3f}{fallback}", highlight=False)
    if trace.annotations:
        told = (f"{name} {label} {p:.2f}" for name, (label, p) in trace.annotations.items())
        console.print(f"annotations: {', '.join(told)}", highlight=False)
    console.print(
        f"{_SOURCES.get(trace.source, f'cache miss ({trace.source})')}; open {open_ms:.1f} ms",
        highlight=False,
    )


def _candidates(reply: Reply) -> Any:
    from rich.table import Table
    from rich.text import Text

    candidates = reply.trace.candidates
    generated = ["log p", "tokens"] if any(candidate.is_generated for candidate in candidates) else []
    columns = "place", "score", "ranked", "source", "senders", *generated, "dropped", "text"
    table = Table(*columns, title=reply.trace.release)
    for place, candidate in enumerate(candidates, 1):
        said = Text(candidate.text, "bold" if candidate.text == reply.text else "")
        senders = "" if candidate.senders is None else str(candidate.senders)
        ranked = _number(candidate.rank, ".3f")
        likely = _number(candidate.log_probability, ".1f"), _number(candidate.tokens, "d")
        cells = str(place), f"{candidate.score:.3f}", ranked, candidate.source, senders, *likely[: len(generated)]
        table.add_row(*cells, candidate.dropped or "", said)
    return table


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _steps(trace: Trace) -> Any:
    from rich.table import Table

    table = Table("step", "ms", "in", "out", "dropped")
    for step in trace.steps:
        dropped = ", ".join(f"{reason} {count}" for reason, count in step.dropped.items())
        counts = str(step.candidates_in), str(step.candidates_out)
        table.add_row(step.name, f"{step.milliseconds:.2f}", *counts, dropped)
    return table
