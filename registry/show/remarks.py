"""The command `rejoinder remarks check`: what is wrong with prepared remarks, before a release holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rejoinder.cli_options import open_store, store_option
from rejoinder.errors import StoreError

if TYPE_CHECKING:
    from rejoinder.parts.opened import OpenRelease
    from rejoinder.parts.themes import Theme

#: Example turns of two themes that lie next to each other, from which on the two overlap.
OVERLAP = 4
_SHOWN = 15


@click.group(epilog="\b\nExample:\n  rejoinder remarks check")
def remarks() -> None:
    """Check prepared remarks."""


@remarks.command(
    epilog="\b\nExamples:\n  rejoinder remarks check\n  rejoinder remarks check data/remarks --turns asked.txt"
)
@click.argument(
    "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("data/remarks")
)
@click.option(
    "--turns",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A text file, a turn a line: also tell which themes none of them calls for.",
)
@store_option
def check(folder: Path, turns: Path | None, root: Path | None) -> None:
    """Check a folder of themes. Keys, lengths, doubles; with an installed release, themes that overlap as well."""
    from rejoinder.parts.themes import read_themes

    themes = read_themes(folder)
    replies = sum(len(theme.replies) for theme in themes)
    examples = sum(len(theme.turns) for theme in themes)
    click.echo(f"{folder}: {len(themes)} themes, {examples} example turns, {replies} replies")
    opened = _current(root)
    if opened is None:
        click.echo("no release is installed: whether themes overlap was not looked at. Next: rejoinder pull")
        return
    try:
        for line in overlaps(themes, opened):
            click.echo(line)
        if turns is not None:
            asked = [line for line in turns.read_text(encoding="utf-8").splitlines() if line.strip()]
            click.echo(never_called(themes, asked, opened))
    finally:
        opened.close()


def _current(root: Path | None) -> OpenRelease | None:
    from rejoinder.parts.opened import open_current

    try:
        return open_current(open_store(root))
    except StoreError:
        return None


def overlaps(themes: Sequence[Theme], opened: OpenRelease) -> list[str]:
    """Tell which themes lie in each other's way.

    Args:
        themes: as they are written.
        opened: its vectorizer compares turns.

    Returns:
        A line a pair of themes of which `OVERLAP` example turns have their nearest neighbour in the other.
    """
    import numpy as np

    names = np.array([theme.name for theme in themes for _ in theme.turns])
    vectors = opened.encoder.encode([turn for theme in themes for turn in theme.turns]).vectors
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    nearest = names[cosines.argmax(1)]
    pairs = Counter(
        tuple(sorted((str(own), str(other)))) for own, other in zip(names, nearest, strict=True) if own != other
    )
    close = [f"  {' and '.join(pair)}: {count} turns" for pair, count in pairs.most_common() if count >= OVERLAP]
    if not close:
        return ["no two themes overlap"]
    more = [f"  and {len(close) - _SHOWN} more pairs"] if len(close) > _SHOWN else []
    return [f"themes whose example turns lie among each other's ({OVERLAP} or more):", *close[:_SHOWN], *more]


def never_called(themes: Sequence[Theme], asked: Sequence[str], opened: OpenRelease) -> str:
    """Tell which themes no turn comes nearest to.

    Args:
        themes: as they are written.
        asked: turns.
        opened: its vectorizer compares turns.

    Returns:
        One line.
    """
    names = [theme.name for theme in themes for _ in theme.turns]
    vectors = opened.encoder.encode([turn for theme in themes for turn in theme.turns]).vectors
    called = {names[row] for row in (opened.encoder.encode(asked).vectors @ vectors.T).argmax(1).tolist()}
    silent = [theme.name for theme in themes if theme.turns and theme.name not in called]
    words = ", ".join(silent) or "none"
    return f"of {len(themes)} themes, {len(asked)} turns come nearest to {len(called)}; to these, none: {words}"
