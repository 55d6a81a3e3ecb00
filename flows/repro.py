"""`python -m flows.repro`: raw logs to a verified release and three answers, in one command.

Runs `dvc repro`, registers what the gate has blessed, pulls it back, verifies it and answers from the pulled copy.
Does nothing, and says so, if all of that is already there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows import release as steps
from flows.dag import is_current, reproduce
from rejoinder.errors import RejoinderError
from rejoinder.release import Release

NEXT = ('rejoinder ask "I feel lonely" --trace', "dvc plots show && dvc metrics show", "rejoinder verify")


def report(release: Release, answers: list[steps.Answered], minutes: float) -> Table:
    """One table: what was built, how good, how big, which release, what next.

    Args:
        release: registered and pulled.
        answers: from the pulled copy.
        minutes: the whole run took.

    Returns:
        The table.
    """
    metrics = json.loads(steps.MEASURED.read_text())
    card = json.loads(Path("build/dialogues/dialogues.json").read_text())
    random, gain = metrics["retrieval"]["random"], metrics["gains"]["teacher_over_untuned"]["random"]
    speed, sizes, opening = metrics["speed"], metrics["sizes_mb"], metrics["opening"]
    table = Table(title=f"{release} in {minutes:.1f} minutes", show_header=False, title_justify="left")
    table.add_row(
        "data",
        f"{card['messages']['in']:,} messages, {card['dialogues']:,} dialogues, {card['pairs']['out']:,} pairs",
    )
    table.add_row("R@1 of 100", ", ".join(f"{n} {random[n]['r_at_1']:.3f}" for n in _SYSTEMS))
    table.add_row("teacher's gain", f"{gain['difference']:+.3f}  95% [{gain['low']:+.3f}, {gain['high']:+.3f}]")
    ratio = speed["ratio_to_sentence_transformers_untuned"]
    table.add_row("encoding", f"{ratio:.1f} x sentence-transformers, smallest cosine {speed['min_cosine']:.6f}")
    table.add_row("sizes", ", ".join(f"{kind} {mb:.1f} MB" for kind, mb in sizes.items()))
    opened = f"{opening['open_cpu_s']:.2f} CPU-s to prove and open, peak {opening['peak_mb']:.0f} MB"
    table.add_row("opening", f"{opened}; one answer from cold start {opening['process_cpu_s']:.2f} CPU-s")
    cache = metrics["cache"]
    messages, contexts = cache["later_messages_covered"], cache["later_contexts_covered"]
    covered = f"{messages:.1%} of later messages, {contexts:.1%} of later contexts"
    table.add_row("cache", f"{cache['phrases']:,} phrases cover {covered}")
    for answer in answers:
        table.add_row("answer", f"{answer.turn}  ->  {answer.reply}")
    for command in NEXT:
        table.add_row("next", command)
    return table


_SYSTEMS = ("random", "length", "bm25", "untuned", "teacher", "exported")


def main() -> None:
    """Entry point.

    Raises:
        SystemExit: with one message, if a step fails.
    """
    start = time.monotonic()
    console = Console()
    try:
        if (current := steps.released_already()) is not None and is_current():
            console.print(
                f"Nothing to do: {current} holds what these data, code and parameters make.", highlight=False
            )
            return
        reproduce()
        if steps.is_stale():
            reproduce("--force", "--single-item", "benchmark")
            reproduce()
        release = steps.pull_back(steps.register())
        answers = steps.verify_and_answer()
    except RejoinderError as error:
        sys.exit(f"make repro: {error}")
    console.print(report(release, answers, (time.monotonic() - start) / 60), highlight=False)


if __name__ == "__main__":
    main()
