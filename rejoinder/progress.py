"""Progress: a bar with the time left on a terminal; one line a piece of work, at its end, anywhere.

With `REJOINDER_QUIET` set, neither: for programs that keep standard error to themselves.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

BYTES = "byte"
QUIET = "REJOINDER_QUIET"


def track(items: Iterable[T], title: str, unit: str, total: int | None = None) -> Iterator[T]:
    """Show how far a loop is.

    Args:
        items: what is looped over.
        title: what is done.
        unit: what an item is, in the singular.
        total: how many there are, where `items` does not know; None: nobody knows.

    Yields:
        The items.
    """
    with progress(title, unit, len(items) if isinstance(items, Sized) else total) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def progress(title: str, unit: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show how far a piece of work is, on standard error.

    Args:
        title: what is done.
        unit: what is counted, in the singular; `BYTES` for bytes.
        total: how much there is; None: nobody knows.

    Yields:
        To be called with the amount just done.
    """
    start, done = time.monotonic(), 0
    with _bar(title, unit, total) as show:

        def advance(amount: int) -> None:
            nonlocal done
            done += amount
            show(amount)

        yield advance
    if not os.environ.get(QUIET):
        click.echo(f"{title}: {_amount(done, unit)} in {time.monotonic() - start:.1f} s", err=True)


def _amount(number: int, unit: str) -> str:
    if unit == BYTES:
        return f"{number / 1e6:.1f} MB"
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


@cache
def _console() -> Console:
    """One for all bars, so that they stand below each other where work is nested."""
    from rich.console import Console

    return Console(stderr=True)


@contextmanager
def _bar(title: str, unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
    # Asked of the stream itself: rich takes variables such as FORCE_COLOR, which CI sets, for a terminal.
    if os.environ.get(QUIET) or not (sys.stderr and sys.stderr.isatty()):
        yield lambda amount: None
        return
    from rich import progress as rich

    amount = rich.DownloadColumn() if unit == BYTES else rich.MofNCompleteColumn()
    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), amount, rich.TimeRemainingColumn())
    with rich.Progress(*columns, console=_console(), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(title, total=total)
        yield lambda amount: bar.advance(task, amount)
