"""Events: one line for whatever happens to the server, flushed at once; as words, or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

Say = Callable[..., None]
#: Who warns on standard error of its own accord, sometimes with what somebody sent.
_OTHERS = ("uvicorn.error", "asyncio")


def teller(*, as_json: bool, worker: int = 0, to: TextIO | None = None) -> Say:
    """Make what tells events.

    Args:
        as_json: one object a line, for programs.
        worker: number of this process; 0 if it is the only one.
        to: where to; by default standard error.

    Returns:
        `say(event, **fields)`; safe to share between threads. Fields hold no text of users.
    """

    def say(event: str, **fields: object) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        who = {"worker": worker} if worker else {}
        if as_json:
            line = json.dumps({"at": at, "event": event, **who, **fields}, ensure_ascii=False, default=str)
        else:
            details = " ".join(f"{key}={value}" for key, value in {**who, **fields}.items() if key != "message")
            said = fields.get("message")
            line = " ".join(word for word in (at, event, details, str(said) if said else "") if word)
        stream = to or sys.stderr
        stream.write(" ".join(line.split("\n")) + "\n")  # in one call: workers share the stream
        stream.flush()

    return say


def tell_warnings(say: Say) -> None:
    """Tell what libraries warn of as events: only words of their own, as what is put into these may hold a text.

    Args:
        say: from `teller`.
    """
    for name in _OTHERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [_Telling(say)], False


class _Telling(logging.Handler):
    """Tells records as events."""

    def __init__(self, say: Say) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the first line of a record, without what belongs into it."""
        kind = {"kind": record.exc_info[0].__name__} if record.exc_info and record.exc_info[0] else {}
        self._say("warning", by=record.name, **kind, message=str(record.msg).partition("\n")[0])
