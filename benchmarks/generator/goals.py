"""Goals: what the generator should reach, what was measured, and whether that is enough."""

from __future__ import annotations

from benchmarks.generator.estimates import Estimate
from benchmarks.generator.perplexity import control
from benchmarks.generator.setting import FIVE
from benchmarks.generator.speed import FACE, OURS, VINO
from benchmarks.generator.work import CANDIDATES
from benchmarks.parts import Figures, Goal, Judged
from rejoinder.parts.generator_facts import ALWAYS


def _ratio(figures: Figures, name: str | None, most: float) -> Judged:
    of = figures["ratios"].get(name)
    if of is None:
        return None
    told = Estimate(*of["token"])
    reply = Estimate(*of["reply"])
    return f"{told.show()} per token, {reply.show()} per reply", told.high <= most


def _base(figures: Figures) -> Judged:
    name = control({n: of["token"] for n, of in figures["systems"].items()})
    return _ratio(figures, name, 0.55)


def _fastest(figures: Figures, number: int) -> float:
    found: list[float] = [figures["candidates"][name][str(number)]["wall"] for name in (OURS, VINO)]
    return min(found)


def _many(figures: Figures) -> Judged:
    seconds = _fastest(figures, CANDIDATES)
    theirs = figures["candidates"].get(FACE)
    if theirs is None:
        return None
    times = theirs[str(CANDIDATES)]["wall"] / seconds
    return f"{seconds:.2f} s, {times:.1f} times", seconds < 0.6 and times >= 6


def _first(figures: Figures) -> Judged:
    seconds = _fastest(figures, 1)
    return f"{seconds:.2f} s", seconds < 0.2


def _whole(figures: Figures) -> Judged:
    seconds = figures["answers"][ALWAYS]["generated_p95"]
    return None if seconds is None else (f"{seconds:.2f} s of answers that it was asked for", seconds < 1)


def _size(figures: Figures) -> Judged:
    memory = figures["memory"]
    added = memory["with"]["asked pss"] - memory["without"]["asked pss"]
    size = figures["bundle_mb"]
    return f"{added:.0f} MB (PSS); {size:.0f} MB", added <= 350 and size <= 120


def _canaries(figures: Figures) -> Judged:
    counts = {int(times): (of["found"], of["planted"]) for times, of in figures["times"].items()}
    (once, singles), (often, many) = counts[min(counts)], counts[max(counts)]
    return f"{once} of {singles} found; {often} of {many} found", once == 0 and often == many


def _human(figures: Figures) -> Judged:
    if not figures["difference"]:
        return None
    told = Estimate(*figures["difference"])
    return f"{told.show('+.3f')} against the base", told.high < 0


GOALS = (
    Goal("held-out reply perplexity against the base with context", "≤ .55, interval", "perplexity", _base),
    Goal("the same against the model after 5 steps", "≤ .85, interval", "perplexity",
         lambda found: _ratio(found, FIVE, 0.85)),
    Goal(f"{CANDIDATES} candidates of 20 tokens from a 75-token prompt, 2 threads",
         "< .6 s, ≥ 6 times Hugging Face", "speed", _many),
    Goal("first candidate", "< .2 s", "speed", _first),
    Goal("whole reply with generation, 95 of 100 below", "< 1 s", "speed", _whole),
    Goal("memory added to a node; bundle", "≤ 350 MB; ≤ 120 MB", "speed", _size),
    Goal("canaries: once; a hundred times", "not found; found", "memory", _canaries),
    Goal("human-or-machine AUC, length-matched", "below the untuned base's, interval", "human", _human),
)  # fmt: skip
