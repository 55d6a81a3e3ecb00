"""Canaries: invented secrets planted among the messages, to be searched for wherever no secret may arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from stages.common.messages import Message
from stages.common.params import StageParams

#: The source they are planted as. Later stages tell them by it.
SOURCE = "canary"

#: Two invented people.
SENDERS = ("canary-a", "canary-b")

#: Before any chat app, so that no date of a real conversation is touched.
START = datetime(2000, 1, 1, tzinfo=UTC)

Visible = Annotated[str, StringConstraints(pattern=r"[!-~]")]


class Canary(StageParams):
    """One planted message."""

    text: Visible
    """The message."""
    secrets: list[Visible] = Field(min_length=1)
    """Parts of the text that no later artifact may hold."""

    @model_validator(mode="after")
    def _hold(self) -> Canary:
        missing = [number for number, secret in enumerate(self.secrets, start=1) if secret not in self.text]
        if missing:
            raise ValueError(f"each secret must be a part of its text; number {missing} is not")
        return self


def plant(canaries: Sequence[Canary]) -> Iterator[Message]:
    """Make one conversation of canaries.

    Args:
        canaries: one a message.

    Yields:
        The messages, a minute apart, by two senders in turn.
    """
    for number, canary in enumerate(canaries):
        yield Message(
            file="params.yaml",
            line=number + 1,
            conversation_id="1",
            message_id=str(number + 1),
            sender=SENDERS[number % 2],
            sent_at=START + timedelta(minutes=number),
            text=canary.text,
        )
