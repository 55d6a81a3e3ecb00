"""Replies: what candidate and champion answer to the development set, as a page to read and figures to judge.

The set is ours, line by line; nothing is trained on it. Figures say what a machine can see (echoes, words of one
piece); whether an answer is any good, whoever reads the page says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rejoinder.answer.reply import Candidate, Reply
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease
from rejoinder.progress import track
from rejoinder.text import words
from stages.common.errors import DataError

TEMPLATES = Path(__file__).with_name("templates")
#: An answer that shares this part of its words with the turns before it mostly says them again.
ECHO_SHARE = 0.5
_RUNNERS_UP = 8  # candidates shown besides the chosen one


@dataclass(frozen=True, slots=True)
class Answered:
    """One dialogue and its answer.

    Attributes:
        dialogue: the user's turn last.
        reply: with its trace.
        milliseconds: of CPU, of a release that has not seen these turns.
    """

    dialogue: Dialogue
    reply: Reply
    milliseconds: float


def read_development(path: Path) -> list[Dialogue]:
    """Read the development set.

    Args:
        path: YAML with `turns`, a list of texts, and `dialogues`, a list of lists, the user's turn last.

    Returns:
        Single turns, then dialogues.

    Raises:
        DataError: if it is anything else.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        lines = [[turn] for turn in found["turns"]] + found["dialogues"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected `turns` and `dialogues`, got {type(error).__name__}") from None
    if not lines or not all(isinstance(text, str) and text.strip() for turns in lines for text in turns):
        raise DataError(f"{path}: expected texts, got something else. Next: quote numbers, yes, no and signs")
    return [Dialogue.from_lines(turns) for turns in lines]


def answer_all(opened: OpenRelease, dialogues: Sequence[Dialogue], whose: str) -> list[Answered]:
    """Let a release answer.

    Args:
        opened: the release, freshly opened.
        dialogues: the user's turn last.
        whose: candidate or champion, for the progress bar.

    Returns:
        The answers, in order.
    """
    responder = Responder(opened)
    answered = []
    for dialogue in track(dialogues, f"benchmark: {whose} answers", "dialogue"):
        start = time.process_time()
        reply = responder.answer(dialogue)
        answered.append(Answered(dialogue, reply, 1000 * (time.process_time() - start)))
    return answered


def shared_words(reply: str, turns: Sequence[str]) -> float:
    """Share of a reply's distinct words that stand in some turns; 0 of a reply without words."""
    said = set(words(reply))
    return len(said & {word for turn in turns for word in words(turn)}) / len(said) if said else 0.0


def figures(answered: Sequence[Answered]) -> dict[str, float]:
    """What a machine sees of answers.

    Args:
        answered: at least one.

    Returns:
        Shares `unanswered`, `one_word`, `echoes` (at least half of the words stand in the dialogue), `prepared` and
        `last_resort`, and CPU milliseconds `ms_p50`, `ms_p95`.
    """
    from rejoinder.parts import REMARKS
    from rejoinder.parts.themes import LAST_RESORT

    texts = [(a.reply.text or "", a.dialogue.texts) for a in answered]
    sources = [source_of(a.reply) for a in answered]
    spent = [a.milliseconds for a in answered]
    return {
        "dialogues": float(len(answered)),
        "unanswered": float(np.mean([not text for text, _ in texts])),
        "one_word": float(np.mean([len(words(text)) == 1 for text, _ in texts])),
        "echoes": float(np.mean([shared_words(text, turns) >= ECHO_SHARE for text, turns in texts])),
        "prepared": float(np.mean([source.startswith(f"{REMARKS.name}/") for source in sources])),
        "last_resort": float(np.mean([source == f"{REMARKS.name}/{LAST_RESORT}" for source in sources])),
        "ms_p50": float(np.percentile(spent, 50)),
        "ms_p95": float(np.percentile(spent, 95)),
    }


def source_of(reply: Reply) -> str:
    """Where the reply that is said comes from; empty if nothing is said."""
    chosen = chosen_of(reply)
    return chosen.source if chosen else ""


def chosen_of(reply: Reply) -> Candidate | None:
    """The candidate that is said."""
    fit = (c for c in reply.trace.candidates if c.dropped is None and c.text == reply.text)
    return next(fit, None)


def page(candidate: Sequence[Answered], champion: Sequence[Answered] | None, title: str) -> str:
    """Draw the page: self-contained HTML, for a phone as well.

    Args:
        candidate: its answers.
        champion: what the champion answered to the same, if there is one.
        title: says which build.

    Returns:
        HTML.
    """
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    before: Sequence[Answered | None] = champion or [None] * len(candidate)
    rows = [_row(ours, theirs) for ours, theirs in zip(candidate, before, strict=True)]
    return environment.get_template("replies.html.j2").render(
        title=title,
        rows=rows,
        tables=[("candidate", figures(candidate))] + ([("champion", figures(champion))] if champion else []),
    )


def _row(ours: Answered, theirs: Answered | None) -> dict[str, Any]:
    chosen = chosen_of(ours.reply)
    others = [c for c in ours.reply.trace.candidates if c is not chosen]
    return {
        "turns": [{"speaker": turn.speaker, "text": turn.text} for turn in ours.dialogue.turns],
        "chosen": chosen,
        "champion": theirs and theirs.reply.text,
        "same": theirs is not None and theirs.reply.text == ours.reply.text,
        "fit": [c for c in others if c.dropped is None][:_RUNNERS_UP],
        "dropped": [c for c in others if c.dropped is not None][:_RUNNERS_UP],
    }
