"""Goals: what `rejoinder serve` should reach, what was measured, and whether that is enough."""

from __future__ import annotations

from benchmarks.parts import Figures, Goal, Judged
from benchmarks.serving import batching, embeddings_vs, endurance, latency
from benchmarks.serving.figures import median


def at_least(figure: float, goal: float, digits: int = 2) -> Judged:
    """Judge a figure that should be high: as it is shown."""
    shown = round(figure, digits)
    return f"{shown:.{digits}f}", shown >= goal


def at_most(figure: float, goal: float, digits: int = 1) -> Judged:
    """Judge a figure that should be low: as it is shown."""
    shown = round(figure, digits)
    return f"{shown:.{digits}f}", shown <= goal


def _endurance(figures: Figures) -> Judged:
    counts = figures["counts"]
    lost, mixed, more = counts.get("lost", 0), counts.get("mixed", 0), endurance.growth(figures)
    minutes, swaps = figures["seconds"] / 60, len(figures["swaps"])
    told = f"{lost} lost, {mixed} mixed, {more:+.0f} MB ({minutes:.1f} minutes, {swaps} swaps)"
    return told, lost == mixed == 0 and more <= 20 and minutes >= 10 and swaps >= 5


def _flood(figures: Figures) -> Judged:
    told, is_met = [], True
    for kind in latency.KINDS:
        flood, normal = figures["flood"][kind], figures["normal"][kind]
        capacity = figures["capacity"][kind]
        share = (latency.accepted(figures, kind) / flood["seconds"]) / (
            capacity["statuses"]["200"] / capacity["seconds"]
        )
        others = flood["sent"] - latency.accepted(figures, kind) - flood["statuses"].get("429", 0)
        times = flood["p95"] / normal["p95"]
        told.append(f"{kind}: {share:.0%} of capacity, {others} neither answered nor 429, p95 {times:.1f} times")
        is_met = is_met and share >= 0.95 and others == 0 and times <= 2
    return "; ".join(told), is_met


def _kills(figures: Figures) -> Judged:
    told = (
        f"{figures['lost']} of {figures['confirmed']:,} lost, {figures['unparsable']} lines that do not parse "
        f"({figures['rounds']} kills)"
    )
    return told, figures["lost"] == figures["unparsable"] == 0 and figures["rounds"] >= 50


def _embeddings(figures: Figures) -> Judged:
    found = embeddings_vs.ratios(figures)
    return "; ".join(f"{name}: {times:.2f}" for name, times in found.items()), round(min(found.values()), 2) >= 3


_RATIO = "requests for a CPU-second at 32 clients against one by one"
GOALS = (
    Goal(f"{_RATIO}, without ranker", "≥ 2 times", "batching",
         lambda found: at_least(batching.ratio(found, "unranked", "fresh"), 2)),
    Goal(f"{_RATIO}, with ranker", "≥ 1.3 times", "batching",
         lambda found: at_least(batching.ratio(found, "served", "fresh"), 1.3)),
    Goal("p95 at 70% of capacity, with ranker, ms", "≤ 150", "latency",
         lambda found: at_most(latency.normal_p95(found), 150, 0)),
    Goal("embeddings for a CPU-second against the best of LitServe and infinity-emb, same weights", "≥ 3 times",
         "embeddings_vs", _embeddings),
    Goal("HTTP, batching and log on a single request, ms", "≤ 3", "latency",
         lambda found: at_most(latency.overhead(found), 3)),
    Goal("10 minutes at 70% with 5 hot swaps, leaving clients, bad requests",
         "0 lost, 0 mixed, memory back within 20 MB", "endurance", _endurance),
    Goal("ten times the capacity offered", "full rate answered, the rest 429, p95 within twice the normal",
         "latency", _flood),
    Goal("SIGKILL at 50 random moments under load", "no confirmed reaction lost, the log parses", "kills", _kills),
    Goal("start to ready, s", "≤ 2", "start", lambda found: at_most(median(found["wall"]), 2, 2)),
)  # fmt: skip
