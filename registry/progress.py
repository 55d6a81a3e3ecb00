"""A progress bar for transfers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def transfer_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show bytes done, speed and time left on standard error while a transfer runs.

    Args:
        title: what is transferred.
        total: bytes in all.

    Yields:
        To be called with the number of bytes just done.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.advance(task, done)
