"""Judgement: a blind sheet of one release that answers in two ways: its generator off, and always or below.

Turns are those of `benchmarks.judge`, alone, and test dialogues in their midst, oldest turn first, one after
another on a line. Readings are joined by `python -m benchmarks.judge score FOLDER one.tsv other.tsv`.
"""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import click
import polars as pl

from benchmarks.generator.setting import Setting, setting_of, setting_options
from benchmarks.generator.switched import ALWAYS, BELOW, OFF, responder
from benchmarks.judge import SHEET, opening_turns, write_sheet
from benchmarks.report import examples
from rejoinder.dialogue import Dialogue
from rejoinder.progress import track
from rejoinder.release.manifest import read_manifest

MODULE = "benchmarks.generator.judgement"
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_SLOT = r"<[A-Z_]+_[0-9]+>"
_DRAWN = 100


def midst(pairs: Path, limit: int, seed: int) -> list[list[str]]:
    """Draw contexts of test dialogues: alternating, of three turns at least, without slots, one a conversation.

    Args:
        pairs: pairs.parquet of the stage `dialogues`.
        limit: wanted.
        seed: of the draw.

    Returns:
        Contexts, oldest turn first; the last is not by who replies.
    """
    own = pl.col("context_own").list
    found = (
        pl.scan_parquet(pairs)
        .filter(
            pl.col("split") == "test",
            own.len() >= 3,
            ~own.last(),
            ~pl.col("context").list.join("\n").str.contains(_SLOT),
        )
        .select("pair_id", "conversation_id", "context", "context_own")
        .collect()
        .sort("pair_id")
        .sample(fraction=1.0, shuffle=True, seed=seed)
        .unique("conversation_id", keep="first", maintain_order=True)
    )
    taken = (
        [turn.replace("\n", " ") for turn in context]
        for context, mine in found.select("context", "context_own").iter_rows()
        if all(one != other for one, other in pairwise(mine))
    )
    return list(islice(taken, limit))


def answered(setting: Setting, asked: list[list[str]], ways: tuple[str, str], seed: int) -> list[list[str]]:
    """What the release answers in each of two ways; empty where it says nothing."""
    from rejoinder.answer.asked import Asked

    with setting.release() as opened:
        found = []
        for when in ways:
            answering = responder(opened, when)
            dialogues = track(asked, f"judgement: {when}", "dialogue")
            replies = (answering.answer(Dialogue.from_lines(turns), asked=Asked(seed=seed)) for turns in dialogues)
            found.append([reply.text or "" for reply in replies])
        return found


@click.command(help=__doc__, epilog=examples(MODULE, "", "--when below --seed 2 --dialogues 150"))
@click.option("--when", type=click.Choice([ALWAYS, BELOW]), default=ALWAYS, show_default=True, help="Against off.")
@click.option("--turns", type=_FILE, default="data/judgement/turns.txt", show_default=True, help="A turn a line.")
@click.option("--openings", default=_DRAWN, show_default=True, help="Turns that open test dialogues.")
@click.option("--dialogues", default=_DRAWN, show_default=True, help="Test dialogues in their midst.")
@click.option("--seed", default=1, show_default=True, help="Of the draw, the sides and what is generated.")
@click.option("--differing", is_flag=True, help="Leave out what both ways answer alike, and say how much that is.")
@setting_options
def main(
    *,
    when: str,
    turns: Path,
    openings: int,
    dialogues: int,
    seed: int,
    differing: bool,
    out: Path | None,
    **options: Any,
) -> None:
    """Entry point."""
    del out
    setting = setting_of(**options)
    digest = read_manifest(setting.bundle).digest.removeprefix("sha256:")[:12]
    folder = setting.build / "judge" / f"{digest}-{when}-against-{OFF}"
    if (folder / SHEET).exists():
        raise click.ClickException(f"{folder / SHEET}: was drawn before; a release is judged once")
    written = [line.strip() for line in turns.read_text(encoding="utf-8").splitlines() if line.strip()]
    asked = [[turn] for turn in [*opening_turns(setting.pairs, openings, seed), *written]]
    asked += midst(setting.pairs, dialogues, seed)
    shuffled = Random(seed)  # noqa: S311 (no secret)
    shuffled.shuffle(asked)
    ours, theirs = answered(setting, asked, (when, OFF), seed)
    rows = [row for row in zip(asked, ours, theirs, strict=True) if not differing or row[1] != row[2]]
    alike = len(asked) - sum(a != b for a, b in zip(ours, theirs, strict=True))
    names = f"generator {when}", f"generator {OFF}"
    click.echo(f"{len(asked)} dialogues, of which both ways answer {alike} alike")
    click.echo(write_sheet(folder, [(" / ".join(context), a, b) for context, a, b in rows], names, shuffled))


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
