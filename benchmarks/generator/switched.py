"""Switched: one release that answers with its generator off, always, or where retrieval is weak."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rejoinder.answer.generate import GENERATE
from rejoinder.parts import GENERATOR
from rejoinder.parts.generator_facts import ALWAYS, BELOW, OFF

if TYPE_CHECKING:
    from rejoinder.answer.reply import Reply
    from rejoinder.answer.responder import Responder
    from rejoinder.parts.opened import OpenRelease

__all__ = ["ALWAYS", "BELOW", "OFF", "asked_and_said", "responder", "switched"]

_READING_MS = 10  # no context is read in less; without one, the step only looks whether it is asked


def switched(opened: OpenRelease, when: str, **changes: Any) -> OpenRelease:
    """The same release with another choice of when and how its generator is asked.

    Args:
        opened: with a generator; it stays as it is.
        when: "off", "always" or "below".
        **changes: to how replies are drawn; by default none.

    Returns:
        A release that shares all memory with it.

    Raises:
        ValueError: if it has no generator.
    """
    if opened.generator is None:
        raise ValueError(f"{opened.release}: expected a release with a generator, got one without")
    if when != OFF:
        opened.generator.wake()  # once for all copies: each would else load a graph of its own
    other = copy.copy(opened.generator)
    other.when = when
    other.sampling = replace(other.sampling, **changes)
    return replace(opened, parts={**opened.parts, GENERATOR.bundle: other})


def responder(opened: OpenRelease, when: str) -> Responder:
    """Who answers with it; arguments as for `switched`."""
    from rejoinder.answer.responder import Responder

    return Responder(switched(opened, when))


def asked_and_said(reply: Reply) -> tuple[bool, bool]:
    """Tell whether the generator worked for a reply, even if it finished nothing, and whether it was said."""
    spent = sum(step.milliseconds for step in reply.trace.steps if step.name == GENERATE)
    is_said = any(c.is_generated and c.text == reply.text and c.dropped is None for c in reply.trace.candidates)
    return spent > _READING_MS, is_said
