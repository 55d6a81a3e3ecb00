"""Talk: one conversation with a release, in memory alone; for terminals and programs that keep no dialogue."""

from __future__ import annotations

from dataclasses import replace

from rejoinder.answer.asked import Asked
from rejoinder.answer.reply import Reply
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.errors import InputError
from rejoinder.text import normalize


class Talk:
    """A conversation. For one thread."""

    def __init__(self, responder: Responder, seed: int = 0) -> None:
        """Begin.

        Args:
            responder: answers.
            seed: of what is generated; another reply to the same turn is of the next one.
        """
        self._responder, self._seed = responder, seed
        self.reset()

    @property
    def last(self) -> Reply | None:
        """The last reply with its trace; None before the first."""
        return self._last

    @property
    def dialogue(self) -> Dialogue:
        """What has been said, oldest turn first."""
        return Dialogue(tuple(self._turns))

    def reset(self) -> None:
        """Forget everything that was said."""
        self._turns: list[Turn] = []
        self._last: Reply | None = None
        self._shown: set[str] = set()
        self._tries = 0

    def say(self, text: str) -> Reply:
        """Say something.

        Args:
            text: a turn; what was left without a reply is one turn with it.

        Returns:
            The reply.

        Raises:
            InputError: if it holds no text.
        """
        if not normalize(text):
            raise InputError("nothing to answer: expected text, got none")
        if self._turns and self._turns[-1].speaker == "user":
            text = f"{self._turns.pop().text}\n{text}"
        self._turns.append(Turn("user", text))
        self._shown, self._tries = set(), 0
        return self._take(self._responder.answer(self.dialogue, asked=Asked(seed=self._seed)))

    def again(self) -> Reply | None:
        """Take the last reply back, and make another one to the same turn.

        Returns:
            The best one that was not given to this turn yet, what is generated anew among them; None if none is
            left, or nothing was said: then the last one stands.
        """
        if not self._turns:
            return None
        asked = self._turns[: -1 if self._turns[-1].speaker == "bot" else None]
        self._tries += 1
        reply = self._responder.answer(Dialogue(tuple(asked)), asked=Asked(seed=self._seed + self._tries))
        fit = (candidate.text for candidate in reply.trace.candidates if candidate.dropped is None)
        text = next((text for text in fit if normalize(text) not in self._shown), None)
        if text is None:
            return None
        self._turns = asked
        return self._take(replace(reply, text=text))

    def _take(self, reply: Reply) -> Reply:
        if reply.text is not None:
            self._turns.append(Turn("bot", reply.text))
            self._shown.add(normalize(reply.text))
        self._last = reply
        return reply
