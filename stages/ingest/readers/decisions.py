"""The decision log of `rejoinder serve`: answers with their texts become conversations, reactions stand on replies.

Without `--log-text` there is nothing to learn from: such answers are counted. What was erased is not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from rejoinder.errors import InputError
from rejoinder.serving.decisions.files import log_files
from rejoinder.serving.decisions.read import Logged, read_decisions
from rejoinder.serving.decisions.tombstones import NAME as ERASED
from rejoinder.serving.decisions.tombstones import read_tombstones
from stages.common.errors import DataError
from stages.common.messages import RATINGS, Automated, Feedback, Item, Reaction, Rejected, Role
from stages.ingest.readers.decision_talks import ANYBODY, Answer, Said, messages
from stages.ingest.readers.exports import find, shown
from stages.ingest.readers.rows import EPOCH, ExportRow, Identifier, Moment, Rating, Scale, Text, reason

NAME = "decisions"

#: The scale of a thumb, and what it says on it.
THUMB, THUMBS = "thumb", {"up": RATINGS[-1], "down": RATINGS[0]}

_MILLISECOND = timedelta(milliseconds=1)


class _Turn(ExportRow):
    speaker: Role
    text: Text


class _Answer(ExportRow):
    completion: Identifier
    conversation: Identifier
    at: Moment
    user: Identifier | None
    context: Annotated[list[_Turn], Field(min_length=1)]
    reply: Text


class _Reaction(ExportRow):
    completion: Identifier
    at: Moment
    reaction: Reaction | None
    storm: bool


class _Feedback(ExportRow):
    conversation: Identifier
    at: Moment
    thumb: Literal["up", "down"] | None
    ratings: Mapping[Scale, Rating] | None
    user: Identifier | None
    storm: bool

    def on_scales(self) -> dict[str, int]:
        """Give what was rated; a thumb is a scale too."""
        return {**(self.ratings or {}), **({THUMB: THUMBS[self.thumb]} if self.thumb else {})}


#: File, line and what stands there.
_VoteAt = tuple[str, int, _Reaction]
_FeedbackAt = tuple[str, int, _Feedback]


def read(logs: Path) -> Iterator[Item]:
    """Read the decision log in the subfolder `decisions` of the logs, or those of several servers in folders there.

    Args:
        logs: the folder of logs.

    Returns:
        The messages of every conversation, feedback, rejected lines, and `Automated` for every other line: an
        answer without texts, a reaction (which its message has), a vote of a storm, and so on by kind.

    Raises:
        DataError: if the subfolder is no folder or holds no log, or if it cannot be told what was erased.
    """
    export = find(logs, NAME, _is_log, "the *.jsonl of HOME/decisions")
    folders = sorted({path.parent for path in export.files})
    return _items(logs, folders, export.rejected)


def _is_log(path: Path) -> bool:
    return path.suffix == ".jsonl" and path.name != ERASED


def _items(logs: Path, folders: list[Path], rejected: list[Rejected]) -> Iterator[Item]:
    yield from rejected
    book = _Book()
    for folder in folders:
        below = f"{shown(folder, logs)}/"
        try:
            for found in read_decisions(folder):
                yield from book.take(found, f"{below}{found.file}")
            stones = len(read_tombstones(folder))
        except InputError as error:
            raise DataError(str(error)) from None
        yield from (Automated(f"{below}{ERASED}", line, "erasure") for line in range(1, stones + 1))
        names = (f"{below}{file.path.name}" for file in log_files(folder))
        yield from (
            Automated(name, 1, "nothing: erased, torn or empty") for name in names if name not in book.files
        )
    yield from book.items()


@dataclass(slots=True)
class _Book:
    """Logs as they are read: each distinct turn is held once."""

    files: set[str] = field(default_factory=set)
    talks: dict[str, list[Answer]] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    votes: list[_VoteAt] = field(default_factory=list)
    feedback: list[_FeedbackAt] = field(default_factory=list)
    turns: dict[Said, Said] = field(default_factory=dict)

    def take(self, found: Any, file: str) -> Iterator[Item]:
        """Take what stands in a line; yields what can be told at once."""
        self.files.add(file)
        if not isinstance(found, Logged):
            yield Rejected(file, found.line, found.reason, "")
            return
        take: Callable[[str, int, Mapping[str, Any]], Item | None] = {
            "answer": self._answer, "reaction": self._vote, "feedback": self._feedback,
        }[found.record["kind"]]  # fmt: skip
        try:
            item = take(file, found.line, found.record)
        except ValidationError as error:
            item = Rejected(file, found.line, reason(error), "")
        if item is not None:
            yield item

    def items(self) -> Iterator[Item]:
        """Yield what could not be told before everything was read."""
        reactions, told = self._reactions()
        yield from told
        yield from self._rated()
        for conversation, answers in self.talks.items():
            yield from messages(self._name(conversation), answers, reactions)

    def _name(self, conversation: str) -> str:
        """With a digest of who asked first: what one person said must be in one split."""
        answers = self.talks.get(conversation)
        user = min(answers, key=lambda answer: answer.order).user if answers else ANYBODY
        return conversation if user == ANYBODY else f"{_digest(user)}-{conversation}"

    def _answer(self, file: str, line: int, record: Mapping[str, Any]) -> Item | None:
        if "context" not in record:
            return Automated(file, line, "answer without texts")
        if not (record.get("reply") or "").strip():
            return Automated(file, line, "answer without a reply")
        row = _Answer.model_validate(record)
        others = self.answers.setdefault(row.completion, [])
        context = tuple(self._once((turn.speaker, turn.text)) for turn in row.context)
        if any((other.context, other.reply) == (context, row.reply) for other in others):
            return Automated(file, line, "the same answer again")
        name = f"{row.completion}/{len(others) + 1}" if others else row.completion
        at = (row.at - EPOCH) // _MILLISECOND
        answer = Answer(file, line, row.completion, name, at, row.user or ANYBODY, context, row.reply)
        others.append(answer)
        self.talks.setdefault(row.conversation, []).append(answer)
        return None

    def _once(self, said: Said) -> Said:
        return self.turns.setdefault(said, said)

    def _vote(self, file: str, line: int, record: Mapping[str, Any]) -> Item | None:
        row = _Reaction.model_validate(record)
        if row.storm:
            return Automated(file, line, "reaction in a storm")
        self.votes.append((file, line, row))
        return None

    def _feedback(self, file: str, line: int, record: Mapping[str, Any]) -> Item | None:
        row = _Feedback.model_validate(record)
        if row.storm:
            return Automated(file, line, "feedback in a storm")
        self.feedback.append((file, line, row))
        return None

    def _reactions(self) -> tuple[dict[str, Reaction], list[Automated]]:
        """The last reaction to each completion, and what became of every vote."""
        last = {row.completion: row for _, _, row in sorted(self.votes, key=_by_time)}
        counted: dict[str, Reaction] = {}
        told = []
        for file, line, row in self.votes:
            texts = len(self.answers.get(row.completion, ()))
            kind = "reaction"
            if row is not last[row.completion]:
                kind = "reaction that was changed"
            elif row.reaction is None:
                kind = "reaction that was taken back"
            elif texts != 1:
                kind = "reaction to one of several texts" if texts else "reaction to an answer without texts"
            else:
                counted[row.completion] = row.reaction
            told.append(Automated(file, line, kind))
        return counted, told

    def _rated(self) -> Iterator[Item]:
        """What each rater said last on each scale; who says nothing on any takes all back."""
        stands: dict[tuple[str, str | None], dict[str, tuple[int, int]]] = {}
        ordered = sorted(self.feedback, key=_by_time)
        for number, (_, _, row) in enumerate(ordered):
            scales = stands.setdefault((row.conversation, row.user), {})
            given = {scale: (number, rating) for scale, rating in row.on_scales().items()}
            scales.update(given) if given else scales.clear()
        for number, (file, line, row) in enumerate(ordered):
            scales = stands[row.conversation, row.user]
            ratings = {scale: rating for scale, (source, rating) in scales.items() if source == number}
            if ratings:
                yield Feedback(file, line, self._name(row.conversation), ratings, row.user)
            else:
                yield Automated(file, line, "feedback that was changed or taken back")


def _digest(user: str) -> str:
    return hashlib.sha256(f"person\0{user}".encode()).hexdigest()[:16]


def _by_time(placed: _VoteAt | _FeedbackAt) -> tuple[Any, str, int]:
    return placed[2].at, placed[0], placed[1]
