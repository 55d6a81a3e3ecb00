"""Exchange: one answer that is given, counted and told to the decision log, whatever form it leaves in."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from rejoinder.answer.asked import Asked
from rejoinder.answer.show import as_dict
from rejoinder.dialogue import Dialogue
from rejoinder.release.document import Release
from rejoinder.serving.decisions import record
from rejoinder.serving.http.context import Context, headers_of, model_name
from rejoinder.serving.http.forms import finish_reason
from rejoinder.serving.service import Answer, Made
from rejoinder.serving.telemetry import tell_steps


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that was given.

    Attributes:
        made: what was made, and by which release.
    """

    made: Made[Answer]

    @property
    def release(self) -> Release:
        """Made it."""
        return self.made.release

    @property
    def answer(self) -> Answer:
        """The answer."""
        return self.made.value

    def trace(self) -> dict[str, Any]:
        """How it came about, as `rejoinder ask --json` prints it."""
        told = as_dict(self.answer.reply, 0)
        spent = {name: value for name, value in told["milliseconds"].items() if name != "open"}
        return told | {"milliseconds": {"queue": round(1000 * self.made.waited_s, 3), **spent}}


@dataclass(slots=True)
class Exchange:
    """One dialogue that is answered.

    Attributes:
        context: of the app.
        dialogue: oldest turn first.
        asked: what the client wants besides.
        endpoint: where it asked.
        conversation: id of the conversation.
        user: what the client calls its user; None if it does not say.
        n: most replies.
        id: of the answer.
        release: answers, as soon as that has begun.
    """

    context: Context
    dialogue: Dialogue
    asked: Asked
    endpoint: Literal["chat", "reply"]
    conversation: str
    user: str | None = None
    n: int = 1
    id: str = ""
    release: Release | None = None
    _started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        """Give it an id."""
        self.id = self.id or self.context.ids.new()

    async def give(self) -> Given:
        """Answer, count the answer, and tell the decision log.

        Returns:
            The answer.

        Raises:
            QueueFullError: if too much is waiting.
        """
        service = self.context.service
        with service.holder.lease() as slot:
            self.release = slot.opened.release
            made = await service.reply(self.dialogue, self.asked, self.n, slot)
        self.context.metrics.answered(made.value.reply, made.waited_s)
        if self.context.tracer is not None:
            tell_steps(self.context.tracer, made.value.reply, model_name(made.release), made.waited_s)
        if self.context.journal is not None:
            self.context.journal.answer(made.value.reply, self.dialogue, self._told(made))
        return Given(made)

    def _told(self, made: Made[Answer]) -> record.Exchange:
        return record.Exchange(
            completion=self.id,
            release=made.release.digest,
            serial=made.release.serial,
            conversation=self.conversation,
            user=self.user,
            endpoint=self.endpoint,
            finish=finish_reason(made.value),
            queue_ms=1000 * made.waited_s,
            total_ms=1000 * (time.perf_counter() - self._started),
        )

    def headers(self) -> dict[str, str]:
        """What the answer bears, once it is begun."""
        release = self.release or self.context.release
        return headers_of(release, completion_id=self.id, conversation_id=self.conversation)
