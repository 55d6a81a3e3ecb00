"""Judge: two releases answer turns that nobody has developed on; people say which answers are sensible, blind.

`draw` writes a sheet: 100 stand-alone turns of test dialogues and those of data/judgement, each with the replies of
both releases, left or right by chance, and apart from it the key that says which is which. Readers fill verdicts
in, each alone; `score` joins them. A sheet is drawn once for a release: who has read it has developed on it.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Literal

import click
import polars as pl

from benchmarks.report import examples, heading, out_option, publish, table
from rejoinder.answer.responder import Responder
from rejoinder.cli_options import Commands, open_store, store_option
from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import open_release
from rejoinder.release.canonical import Digest
from rejoinder.store.store import Store
from rejoinder.text import words
from stages.benchmark.replies import ECHO_SHARE, shared_words

MODULE = "benchmarks.judge"
VERDICTS = ("sensible", "echo", "off", "hurtful")
SHEET, KEY = "sheet.tsv", "key.json"
_COLUMNS = ("number", "turn", "left", "right")
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_DRAWN = 100  # turns of test dialogues
_SLOT = r"<[A-Z_]+_[0-9]+>"
Side = Literal["left", "right"]


def opening_turns(pairs: Path, limit: int, seed: int) -> list[str]:
    """Draw turns that open a test dialogue: of at least two words, without slots, on one line.

    Args:
        pairs: pairs.parquet of the stage `dialogues`.
        limit: turns wanted.
        seed: of the draw.

    Returns:
        Distinct turns.
    """
    opening = (
        pl.scan_parquet(pairs)
        .filter(pl.col("split") == "test", pl.col("context").list.len() == 1)
        .select(turn=pl.col("context").list.first())
        .filter(~pl.col("turn").str.contains(_SLOT), ~pl.col("turn").str.contains("\n", literal=True))
        .unique()
        .collect()["turn"]
        .sort()
        .to_list()
    )
    spoken = [turn for turn in opening if len(words(turn)) > 1]
    return random.Random(seed).sample(spoken, min(limit, len(spoken)))  # noqa: S311


def answers(store: Store, digest: Digest, turns: Sequence[str]) -> list[str]:
    """What an installed release answers; empty where it says nothing."""
    opened = open_release(store.installed(digest))
    try:
        responder = Responder(opened)
        return [responder.answer(Dialogue.from_lines([turn])).text or "" for turn in turns]
    finally:
        opened.close()


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    z = 1.959964
    share, room = hits / of, z * z / of
    middle, half = share + room / 2, z * sqrt(share * (1 - share) / of + room / (4 * of))
    return (middle - half) / (1 + room), (middle + half) / (1 + room)


def kappa(a: Sequence[str], b: Sequence[str]) -> float:
    """Agreement of two readers beyond chance (Cohen 1960); 1 if they never differ."""
    observed = sum(x == y for x, y in zip(a, b, strict=True)) / len(a)
    expected = sum((a.count(v) / len(a)) * (b.count(v) / len(b)) for v in {*a, *b})
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reader's verdicts, by release, in the order of the key."""

    candidate: list[str]
    champion: list[str]


def read_verdicts(path: Path, key: Sequence[Side]) -> Reading:
    """Read a reader's file.

    Args:
        path: tab-separated: number, left, right; a line a turn.
        key: where the candidate stands, turn by turn.

    Returns:
        The verdicts.

    Raises:
        ClickException: if a line is missing or no verdict; names every line.
    """
    with path.open(encoding="utf-8") as file:
        rows = {row[0]: row[1:3] for row in csv.reader(file, delimiter="\t") if row and row[0].isdigit()}
    found, problems = Reading([], []), []
    for number, side in enumerate(key, 1):
        given = [verdict.strip() for verdict in rows.get(str(number), [])]
        if len(given) != 2 or not set(given) <= set(VERDICTS):
            problems.append(str(number))
            continue
        left, right = given
        found.candidate.append(left if side == "left" else right)
        found.champion.append(right if side == "left" else left)
    if problems:
        shown = ", ".join(problems[:20])
        raise click.ClickException(f"{path}: expected two of {', '.join(VERDICTS)} for every turn; wrong: {shown}")
    return found


@click.group(
    cls=Commands, epilog=examples(MODULE, "draw", "score build/judge/1a2b3c4d5e6f anna.tsv ben.tsv"), help=__doc__
)
def main() -> None:
    """Entry point."""


@main.command(epilog=examples(MODULE, "draw", "draw --store /srv/rejoinder/store --seed 2"))
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="Holds dialogues.")
@store_option
@click.option("--champion", type=_FOLDER, help="Store of the release to compare with; default: the one before.")
@click.option("--turns", type=_FILE, default="data/judgement/turns.txt", show_default=True, help="A turn a line.")
@click.option("--seed", default=1, show_default=True, help="Of the draw and of the sides.")
def draw(build: Path, root: Path | None, champion: Path | None, turns: Path, seed: int) -> None:
    """Write the sheet of the current release and another, once."""
    store = open_store(root)
    current = store.current().release
    other = Store(champion) if champion else store
    before = other.current_digest() if champion else store.previous_digest()
    if before is None:
        raise click.ClickException("expected a release before the current one. Next: pull one, or name --champion")
    folder = build / "judge" / current.digest.removeprefix("sha256:")[:12]
    if (folder / SHEET).exists():
        raise click.ClickException(f"{folder / SHEET}: was drawn before; a release is judged once")
    asked = opening_turns(build / "dialogues" / "pairs.parquet", _DRAWN, seed)
    asked += [line.strip() for line in turns.read_text(encoding="utf-8").splitlines() if line.strip()]
    shuffled = random.Random(seed)  # noqa: S311
    shuffled.shuffle(asked)
    ours, theirs = answers(store, current.digest, asked), answers(other, before, asked)
    names = str(current), str(other.installed(before).release)
    click.echo(write_sheet(folder, list(zip(asked, ours, theirs, strict=True)), names, shuffled))


def write_sheet(
    folder: Path, rows: Sequence[tuple[str, str, str]], names: tuple[str, str], shuffled: random.Random
) -> str:
    """Write a sheet, and apart from it the key.

    Args:
        folder: for both.
        rows: turn, the candidate's reply, the champion's.
        names: of candidate and champion.
        shuffled: chooses sides.

    Returns:
        What to do next.
    """
    sides: list[Side] = [shuffled.choice(("left", "right")) for _ in rows]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / SHEET).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(_COLUMNS)
        for number, ((turn, a, b), side) in enumerate(zip(rows, sides, strict=True), 1):
            writer.writerow([number, turn, *((a, b) if side == "left" else (b, a))])
    said = {
        "candidate": names[0],
        "champion": names[1],
        "sides": sides,
        "shared": [[shared_words(a, [t]), shared_words(b, [t])] for t, a, b in rows],
    }
    (folder / KEY).write_text(json.dumps(said))
    return (
        f"{folder / SHEET}: {len(rows)} turns. Give it to at least two readers, and the key to none: each\n"
        f"writes a line a turn, number, left, right, by tabs; of {', '.join(VERDICTS)}. Then: score {folder}"
    )


@main.command(
    epilog=examples(MODULE, "score build/judge/1a2b3c4d5e6f anna.tsv ben.tsv --out docs/measured/judged.md")
)
@click.argument("folder", type=_FOLDER)
@click.argument("readings", nargs=-1, required=True, type=_FILE)
@out_option
def score(folder: Path, readings: tuple[Path, ...], out: Path | None) -> None:
    """Join at least two readings."""
    if len(readings) < 2:
        raise click.ClickException("expected at least two readings, got one")
    key = json.loads((folder / KEY).read_text())
    found = [read_verdicts(path, key["sides"]) for path in readings]
    head = heading("Replies, judged blind", MODULE, ["onnxruntime"])
    echoed = [sum(shared[n] >= ECHO_SHARE for shared in key["shared"]) / len(key["shared"]) for n in (0, 1)]
    names = key["candidate"], key["champion"]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in zip(names, echoed, strict=True))
    publish(f"{head}\n{report(found, *names)}\nAnswers half of whose words stand in the turn: {shares}.\n", out)


def report(readings: Sequence[Reading], candidate: str, champion: str) -> str:
    """Shares by release and reader, and how far readers agree.

    Args:
        readings: at least two.
        candidate: its name.
        champion: its name.

    Returns:
        Markdown.
    """
    rows = []
    for name, verdicts in (
        (candidate, [reading.candidate for reading in readings]),
        (champion, [reading.champion for reading in readings]),
    ):
        agreed = [all(v == "sensible" for v in each) for each in zip(*verdicts, strict=True)]
        everything = [
            *((f"reader {n}", [v == "sensible" for v in given], given) for n, given in enumerate(verdicts, 1))
        ]
        for who, sensible, given in [*everything, ("all readers", agreed, [])]:
            low, high = wilson(sum(sensible), len(sensible))
            others = [f"{given.count(v) / len(given):.1%}" if given else "" for v in VERDICTS[1:]]
            share = f"{sum(sensible) / len(sensible):.1%} [{low:.1%}, {high:.1%}]"
            rows.append([f"{name}, {who}", share, *others])
    first, second = readings[0], readings[1]
    agreement = kappa([*first.candidate, *first.champion], [*second.candidate, *second.champion])
    shares = table(["release, reader", "sensible, 95%", *VERDICTS[1:]], rows)
    agreed_on = f"{len(first.candidate)} turns; agreement of the first two readers: kappa {agreement:.2f}."
    return f"{agreed_on}\n\n{shares}"


if __name__ == "__main__":
    main()
