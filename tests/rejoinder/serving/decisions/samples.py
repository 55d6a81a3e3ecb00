"""Records, replies and logs that the tests of this folder share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rejoinder.answer.reply import Candidate, Reply, StepTrace, Trace
from rejoinder.dialogue import Dialogue
from rejoinder.serving.decisions.limits import Limits
from rejoinder.serving.decisions.log import DecisionLog
from rejoinder.serving.decisions.pseudonyms import Keyer
from rejoinder.serving.decisions.read import Counts, Logged, read_decisions
from rejoinder.serving.decisions.record import Exchange, Record, answer_record, feedback_record, reaction_record

KEYER = Keyer(b"k" * 32)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
SECRETS = ("my cat Wilbur died", "tell me about Wilbur", "poor Wilbur", "who is Wilbur?")
FAST = Limits(flush_s=0.01, sync_s=0.02, watch_s=0.02, tidy_s=0.05)
#: No tidying and no erasing in the background.
STILL = Limits(flush_s=0.01, sync_s=0.02, watch_s=600, tidy_s=600)
REPLY = Reply(
    SECRETS[2],
    Trace(
        release="rejoinder #6",
        source="hot",
        sources=("cold", "hot"),
        candidates=(
            Candidate(SECRETS[3], 0.91, 3, "repeats", rank=0.95),
            Candidate(SECRETS[2], 0.9, None, source="remarks/grief", rank=0.7, outputs={"love": 0.25}),
        ),
        steps=(StepTrace("retrieve", 1.23456, 0, 2, {}), StepTrace("choose", 0.1, 2, 1, {"repeats": 1})),
        probability=0.75,
    ),
)
DIALOGUE = Dialogue.from_lines([SECRETS[0], SECRETS[1], "so?"])


def answer(
    completion: str = "c1", conversation: str = "talk", user: str | None = "alice", at: datetime = NOON, **how: Any
) -> Record:
    exchange = Exchange(completion, "sha256:ad9a", 6, conversation, user, "chat", "stop", 0.5, 20.25)
    return answer_record(REPLY, DIALOGUE, exchange, KEYER, **{"with_text": False, "at": at, **how})


def reaction(completion: str = "c1", user: str | None = "alice", at: datetime = NOON) -> Record:
    return reaction_record(completion, "love", KEYER, user=user, at=at)


def feedback(conversation: str = "talk", user: str | None = "alice", at: datetime = NOON) -> Record:
    return feedback_record(conversation, KEYER, ratings={"interesting": 7}, user=user, at=at)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[DecisionLog]:
    """A log that is closed at the end."""
    log = DecisionLog(folder, **{"with_text": False, "limits": STILL, **settings})
    try:
        yield log
    finally:
        assert log.close()


def write(folder: Path, *records: Record, **settings: Any) -> None:
    with opened(folder, **settings) as log:
        for record in records:
            log.append(record)


def read(folder: Path) -> list[Record]:
    """The records of a log, in which nothing may be wrong."""
    counts = Counts()
    found = list(read_decisions(folder, counts))
    assert (counts.rejected, counts.torn) == (0, 0)
    return [line.record for line in found if isinstance(line, Logged)]


def files(folder: Path) -> list[Path]:
    """The files of a log, in the order of their names."""
    return sorted(folder.glob("2*.jsonl"))


def everything(folder: Path) -> bytes:
    """Every byte that is in a folder, hidden files too."""
    return b"".join(bytes_of(path) for path in folder.rglob("*") if path.is_file())


def bytes_of(path: Path) -> bytes:
    """What is in a file; nothing where a living worker has renamed it since the folder was listed."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def confirm(log: DecisionLog, record: dict[str, Any] | None = None) -> bool:
    return log.append(record or reaction(), durable=True).result(10)


def eventually(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.005)
