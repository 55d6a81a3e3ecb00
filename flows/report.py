"""What a run ends with: one table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from flows.train import Trained
from flows.workspace import Workspace
from rejoinder.parts import GENERATOR, GUARD, PHRASES, RANKER

_SYSTEMS = ("random", "length", "bm25", "untuned", "teacher", "served")


def report(workspace: Workspace, trained: Trained, minutes: float) -> Table:
    """Say what was built, how good, how big, and which release.

    Args:
        workspace: where it was built.
        trained: the release, pulled, and its answers.
        minutes: the whole run took.

    Returns:
        The table.
    """
    table = Table(title=f"{trained.release} in {minutes:.1f} minutes", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")  # a path that is cut short cannot be opened
    for name, value in _figures(workspace):
        table.add_row(name, value)
    for answer in trained.answers:
        table.add_row("answer", f"{answer.turn}  ->  {answer.reply}")
    for page in (workspace.replies, workspace.guarded):
        table.add_row("to read", str(page.resolve()))
    return table


def _figures(workspace: Workspace) -> list[tuple[str, str]]:
    metrics = json.loads(workspace.measured.read_text())
    random, gain = metrics["retrieval"]["random"], metrics["gains"]["served_over_untuned"]["random"]
    speed = metrics["speed"]
    ratio = speed["ratio_to_sentence_transformers_untuned"]
    return [
        ("data", _data(json.loads(workspace.dialogues.read_text()))),
        ("R@1 of 100", ", ".join(f"{n} {random[n]['r_at_1']:.3f}" for n in _SYSTEMS)),
        ("over untuned", f"{gain['difference']:+.3f}  95% [{gain['low']:+.3f}, {gain['high']:+.3f}]"),
        ("encoding", f"{ratio:.1f} x sentence-transformers, by {speed['served_by']}"),
        ("sizes", ", ".join(f"{kind} {mb:.1f} MB" for kind, mb in metrics["sizes_mb"].items())),
        ("opening", _opening(metrics["opening"])),
        (PHRASES.bundle, _cache(metrics[PHRASES.bundle])),
        (GUARD.name, _guard(metrics[GUARD.name])),
        (RANKER.name, _ranker(metrics["ranking"])),
        (GENERATOR.name, _generator(metrics["generating"])),
    ]


def _data(card: dict[str, Any]) -> str:
    counts = f"{card['messages']['in']:,} messages, {card['dialogues']:,} dialogues"
    return f"{counts}, {card['pairs']['out']:,} pairs"


def _opening(opening: dict[str, float]) -> str:
    opened = f"{opening['open_cpu_s']:.2f} CPU-s to prove and open, peak {opening['peak_mb']:.0f} MB"
    return f"{opened}; one answer from cold start {opening['process_cpu_s']:.2f} CPU-s"


def _cache(cache: dict[str, float]) -> str:
    messages, turns = cache["later_messages_covered"], cache["later_turns_covered"]
    return f"{cache[PHRASES.name]:,} phrases cover {messages:.1%} of later messages, {turns:.1%} of later turns"


def _guard(guard: dict[str, Any]) -> str:
    cared, alarms = f"{guard['cared_for']:.0%} of distress", f"{guard['look_alike_alarms']:.1%} of look-alikes"
    return f"care for {cared} and {alarms}; the router finds {guard['router']['found']:.0%} of questions to it"


def _ranker(ranking: dict[str, Any]) -> str:
    if not ranking["is_used"]:
        return "weighs nothing: its gain on validation is not certain"
    told = []
    for kind in ("hard", "random"):
        of, gain = ranking[kind], ranking[kind]["gain"]
        told.append(
            f"{kind} {of['without']:.3f} -> {of['with_ranker']:.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
        )
    return f"R@1 of 10, heads alone -> with it: {', '.join(told)}"


def _generator(generating: dict[str, Any]) -> str:
    if not generating["is_there"]:
        return "none"
    of = generating["perplexity"]
    said = f"perplexity {of['value']:.1f} [{of['low']:.1f}, {of['high']:.1f}] of held-out replies"
    return f"{said}; eight candidates in {generating['seconds']:.2f} s"


def program(name: str) -> str:
    """A program of this environment as a person types it in the working directory."""
    path = Path(sys.executable).with_name(name)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else name
