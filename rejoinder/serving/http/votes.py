"""Limits of votes: one client should not decide what is learnt."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from rejoinder.serving.http.errors import HttpError

_MOST_KEPT = 10_000
_MINUTE = 60.0


@dataclass(slots=True)
class VoteLimits:
    """Counts votes by address and by what they are about. For one event loop.

    Attributes:
        storm: votes of an address within a minute from which on they are marked.
        most: from which on they are refused.
        most_changes: votes on one answer or conversation within a minute.
        clock: seconds that never go back.
    """

    storm: int = 30
    most: int = 120
    most_changes: int = 12
    clock: Callable[[], float] = time.monotonic
    _counts: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict)

    def count(self, address: str, about: str) -> bool:
        """Count a vote.

        Args:
            address: of the client.
            about: id of the answer or conversation.

        Returns:
            Whether this address votes more than anybody would.

        Raises:
            HttpError: 429 if it is too much altogether.
        """
        by_address, by_subject = self._next(f"a {address}"), self._next(f"s {about}")
        if by_address > self.most or by_subject > self.most_changes:
            message = (
                f"votes: expected at most {self.most_changes} on one answer and {self.most} a minute, got more"
            )
            raise HttpError(429, f"{message}. Next: wait a minute", code="too_many_votes", retry_s=int(_MINUTE))
        return by_address > self.storm

    def _next(self, key: str) -> int:
        now = self.clock()
        since, count = self._counts.pop(key, (now, 0))
        if now - since > _MINUTE:
            since, count = now, 0
        self._counts[key] = since, count + 1
        while len(self._counts) > _MOST_KEPT:
            self._counts.popitem(last=False)
        return count + 1
