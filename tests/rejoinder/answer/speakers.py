"""Generators that say what a test wants, and note what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from rejoinder.parts import GENERATOR
from rejoinder.parts.generator import Generated
from rejoinder.parts.opened import OpenRelease
from rejoinder.parts.sampling import Sampling

SAMPLING = Sampling(8, 24, 1.0, 0, 1.0, 1.0)


@dataclass
class Call:
    """What a generator was asked."""

    turns: list[str]
    own: list[bool]
    sampling: Sampling
    seed: int | None


@dataclass
class Speaker:
    """Says the same texts whoever asks.

    Attributes:
        texts: what it says; each as likely as its place.
        when: its policy.
        below: its threshold.
        before: called with `goes_on` before it says anything.
    """

    texts: Sequence[str] = ()
    when: str = "always"
    below: float = 0.0
    before: Callable[[Callable[[], bool]], object] = lambda goes_on: None
    sampling: Sampling = SAMPLING
    calls: list[Call] = field(default_factory=list)

    def wake(self) -> None:
        """Be awake."""

    def generate(
        self,
        turns: Sequence[str],
        own: Sequence[bool],
        *,
        sampling: Sampling | None = None,
        seed: int | None = None,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> list[Generated]:
        """Say it."""
        self.calls.append(Call(list(turns), list(own), sampling or self.sampling, seed))
        self.before(goes_on)
        return [Generated(text, -1.0 - number, 4 + number) for number, text in enumerate(self.texts)]


def speaking(release: OpenRelease, speaker: Any) -> OpenRelease:
    """A release with such a generator."""
    parts = {**cast(dict[str, Any], release.parts), GENERATOR.bundle: speaker}
    return replace(release, parts=parts)
