"""Journal: what endpoints tell the decision log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rejoinder.answer.reply import Reply
from rejoinder.dialogue import Dialogue
from rejoinder.serving.decisions.log import DecisionLog
from rejoinder.serving.decisions.pseudonyms import Keyer
from rejoinder.serving.decisions.record import Exchange, answer_record, feedback_record, reaction_record


@dataclass(frozen=True, slots=True)
class Journal:
    """A decision log, and how it names people.

    Attributes:
        log: takes records.
        keyer: names conversations, users and replies.
        with_text: whether it keeps texts.
        retention_days: how long; None for as long as there is room.
    """

    log: DecisionLog
    keyer: Keyer
    with_text: bool = False
    retention_days: float | None = None

    def answer(self, reply: Reply, dialogue: Dialogue, exchange: Exchange) -> None:
        """Tell an answer; nobody waits until it is written."""
        self.log.append(answer_record(reply, dialogue, exchange, self.keyer, with_text=self.with_text))

    async def reaction(self, completion: str, reaction: str | None, user: str | None, *, storm: bool) -> bool:
        """Tell a reaction.

        Args:
            completion: id of the answer.
            reaction: one of the six, or None to take the last one back.
            user: what the client calls who reacted.
            storm: whether too many came at once.

        Returns:
            Whether it is on the disk.
        """
        record = reaction_record(completion, reaction, self.keyer, user=user, storm=storm)
        return await asyncio.wrap_future(self.log.append(record, durable=True))

    async def feedback(
        self,
        conversation: str,
        thumb: Literal["up", "down"] | None,
        ratings: Mapping[str, int] | None,
        user: str | None,
        *,
        storm: bool,
    ) -> bool:
        """Tell what somebody thought of a conversation.

        Args:
            conversation: its id.
            thumb: up or down.
            ratings: by scale.
            user: what the client calls who gave it.
            storm: whether too many came at once.

        Returns:
            Whether it is on the disk.
        """
        record = feedback_record(conversation, self.keyer, thumb=thumb, ratings=ratings, user=user, storm=storm)
        return await asyncio.wrap_future(self.log.append(record, durable=True))
