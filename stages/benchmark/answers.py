"""Answers: what the candidate says to the development set, beside the champion, and to the suites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from registry.pull.champion import Champion
from rejoinder.parts.opened import OpenRelease
from stages.benchmark.replies import answer_all, figures, page, read_development
from stages.benchmark.suites import measure_router, measure_suite, read_phrasings, read_suite, suite_page


def answer_development(
    opened: OpenRelease, champion: Champion | None, development: Path
) -> tuple[dict[str, Any], str]:
    """Let candidate and champion answer the development set.

    Args:
        opened: the candidate.
        champion: the release to beat, if there is one.
        development: the set.

    Returns:
        Figures of both, and the page.
    """
    dialogues = read_development(development)
    ours = answer_all(opened, dialogues, "candidate")
    if champion is None or champion.opened is None:
        return {"candidate": figures(ours)}, page(ours, None, "Replies of the candidate")
    theirs = answer_all(champion.opened, dialogues, "champion")
    found = {"candidate": figures(ours), "champion": figures(theirs)}
    return found, page(ours, theirs, f"Replies of the candidate, beside {champion.release}")


def answer_suites(opened: OpenRelease, suites: Path) -> tuple[dict[str, Any], str]:
    """Let the candidate answer the suites of the guard and of the router.

    Args:
        opened: the candidate.
        suites: folder of the suites.

    Returns:
        Figures, and the page of what was answered.
    """
    suite, phrasings = read_suite(suites / "guard.yaml"), read_phrasings(suites / "intents.yaml")
    found, answered = measure_suite(opened, suite)
    return {**found, "router": measure_router(opened, phrasings)}, suite_page(found, answered)
