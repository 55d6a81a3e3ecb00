"""Decision logs by hand: records as the server writes them, in a few words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 11, 27, 19, 40, tzinfo=UTC)
FILE = "20261127T194000Z-w0-71-1.jsonl"

Record = dict[str, Any]


def stamp(seconds: float) -> str:
    """A time, so many seconds after the start of the log."""
    at = (START + timedelta(seconds=seconds)).replace(tzinfo=None)
    return f"{at.isoformat(timespec='milliseconds')}Z"


def answer(
    completion: str, at: float, *context: str, reply: str | None = None, user: str | None = "u1", talk: str = "t1"
) -> Record:
    """An answer with its texts; turns of the context alternate, the last one is the user's."""
    turns = [
        {"speaker": "bot" if (len(context) - n) % 2 == 0 else "user", "text": text}
        for n, text in enumerate(context)
    ]
    return bare(completion, at, user, talk) | {"context": turns, "reply": reply, "texts": []}


def bare(completion: str, at: float, user: str | None = "u1", talk: str = "t1") -> Record:
    """An answer without texts."""
    return {
        "v": 1, "kind": "answer", "at": stamp(at), "completion": completion, "release": "sha256:0", "serial": 6,
        "conversation": talk, "user": user, "endpoint": "chat", "route": "chat", "fallback": "none",
        "probability": 0.5, "turns": 1, "chosen": "r", "candidates": [], "outputs": {}, "sources": [], "steps": {},
        "queue_ms": 0.1, "total_ms": 3.0, "finish": "stop",
    }  # fmt: skip


def reaction(completion: str, at: float, what: str | None, *, storm: bool = False) -> Record:
    """A reaction to an answer."""
    return {
        "v": 1, "kind": "reaction", "at": stamp(at), "completion": completion, "reaction": what, "user": None,
        "storm": storm,
    }  # fmt: skip


def feedback(at: float, *, user: str | None = "u1", talk: str = "t1", **given: Any) -> Record:
    """Feedback on a conversation: `thumb`, `ratings`, `storm`."""
    common = {"v": 1, "kind": "feedback", "at": stamp(at), "conversation": talk, "user": user}
    return common | {"thumb": None, "ratings": None, "storm": False} | given


def write(logs: Path, *records: Record, file: str = FILE) -> Path:
    """Write a file of a log where the reader looks for it; give the folder of logs."""
    folder = logs / "decisions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return logs
