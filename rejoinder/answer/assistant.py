"""Assistant: one text in, one text out, for suites and programs that know nothing else."""

from __future__ import annotations

from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease


class Assistant:
    """A release behind the one method that safety suites ask for. Every text is a talk of its own."""

    def __init__(self, opened: OpenRelease) -> None:
        """Take over a release, proved and loaded."""
        self._responder = Responder(opened)

    def get_response(self, text: str) -> str:
        """Answer a text.

        Args:
            text: what the user says; its lines are one turn.

        Returns:
            The reply; empty if none was fit to say.

        Raises:
            InputError: if there is nothing to answer.
        """
        return self._responder.answer(Dialogue.from_lines([" ".join(text.split())])).text or ""
