"""`rejoinder serve` in processes of its own, as its command line starts it, with a home that is thrown away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving.bodies import Supply
from benchmarks.serving.figures import Load
from benchmarks.serving.server import Server, free_port, start
from benchmarks.serving.setting import Setting
from rejoinder.release.trust import Trust

REJOINDER, WITHOUT_RANKER = "rejoinder", "benchmarks.serving.no_ranker"
#: For a server whose work is measured: nobody is refused, nothing is left out.
UNHURRIED = ("--queue-ms", "0", "--deadline-ms", "60000")


def start_ours(
    setting: Setting, home: Path, *options: str, more: Mapping[str, str] | None = None, module: str = REJOINDER
) -> Server:
    """Start `rejoinder serve`.

    Args:
        setting: names the store.
        home: its folder; holds the decision log.
        *options: of the command.
        more: variables of its environment.
        module: that is run.

    Returns:
        The server, not yet ready.
    """
    port = free_port()
    words = ["serve", "--store", str(setting.store.root), "--port", str(port), "--json-events"]
    places = {"REJOINDER_HOME": str(home), "REJOINDER_TRUST": str(Trust.default().root.resolve())}
    command = [sys.executable, "-m", module, *words, *options]
    return start(command, port, home, {**places, **(more or {})})


@contextmanager
def serving(
    setting: Setting, *options: str, more: Mapping[str, str] | None = None, module: str = REJOINDER
) -> Iterator[Server]:
    """Run `rejoinder serve` while the block runs.

    Args:
        setting: names the store.
        *options: of the command.
        more: variables of its environment.
        module: that is run.

    Yields:
        The server, ready.
    """
    with tempfile.TemporaryDirectory(prefix="rejoinder-serving-") as folder:
        server = start_ours(setting, Path(folder), *options, more=more, module=module)
        try:
            server.wait_ready()
            yield server
        finally:
            server.end()


def ask(
    server: Server, supply: Supply, *, seconds: float, clients: int = 1, rate: float = 0.0, seed: int = 0
) -> Load:
    """Ask a server from a process of its own.

    Args:
        server: ready.
        supply: of requests; what is asked is taken.
        seconds: how long.
        clients: that wait for their answers.
        rate: arrivals a second, instead of clients.
        seed: of the arrivals.

    Returns:
        What came of it.

    Raises:
        SystemExit: if the process fails, with its message.
    """
    how = ["--rate", str(rate)] if rate else ["--clients", str(clients)]
    words = [*how, "--seconds", str(seconds), "--port", str(server.port), "--pid", str(server.pid), "--json"]
    words += ["--bodies", str(supply.file), "--skip", str(supply.taken), "--seed", str(seed)]
    command = [sys.executable, "-m", "benchmarks.serving.load", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    load = Load(**json.loads(done.stdout))
    supply.take(load.sent)
    return load


def kill(server: Server) -> None:
    """End a server as the kernel does when memory is short."""
    os.killpg(server.pid, signal.SIGKILL)
    server.process.wait()
