"""Run a server: one process or several, with a puller beside if that is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rejoinder.serving.events import teller
from rejoinder.serving.settings import Settings
from rejoinder.serving.sockets import bind


def run(settings: Settings, pull_options: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: how.
        pull_options: of `rejoinder pull`, if it should run beside; None if not.

    Raises:
        RejoinderError: if the port cannot be had, nothing is installed, or the release is refused.
    """
    with bind(settings.host, settings.port) as listening, _pulling(settings, pull_options):
        if settings.workers > 1:
            from rejoinder.serving.workers import serve_with_workers

            serve_with_workers(settings, listening)
        else:
            from rejoinder.serving.server import serve

            serve(settings, listening)


@contextmanager
def _pulling(settings: Settings, options: Sequence[str] | None) -> Iterator[None]:
    if options is None:
        yield
        return
    from rejoinder.serving.puller import Puller, pull_first
    from rejoinder.store.store import Store

    options = [*options, f"--store={settings.store}"]
    pull_first(Store(settings.store), [option for option in options if not option.startswith("--every")])
    puller = Puller(options, teller(as_json=settings.json_events))
    try:
        yield
    finally:
        puller.end()
