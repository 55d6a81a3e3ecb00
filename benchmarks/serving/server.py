"""A server in processes of its own: how it is started, asked and ended."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from rejoinder.process import THREADS, VARIABLES

_PATIENCE_S, _LOOK_S = 60.0, 0.005
_LATE = re.compile(r'^rejoinder_answers_total\{.*fallback="too_late".*\} (\S+)$', re.MULTILINE)


@dataclass(slots=True)
class Server:
    """A server that runs.

    Attributes:
        process: its first one.
        port: where it listens.
        home: its folder.
    """

    process: subprocess.Popen[bytes]
    port: int
    home: Path

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self.process.pid

    def wait_ready(self, path: str = "/ready") -> None:
        """Wait until it takes requests.

        Args:
            path: that it answers with 200 once it does.

        Raises:
            SystemExit: if it ends or does not come up, with what it said last.
        """
        until = time.monotonic() + _PATIENCE_S
        while not get(self.port, path):
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server did not start: {self.said()[-2000:]}")
            time.sleep(_LOOK_S)

    def said(self) -> str:
        """What it told on standard error."""
        return (self.home / "stderr.txt").read_text(errors="replace")

    def end(self) -> int:
        """Tell it to end, and wait.

        Returns:
            Its exit code.
        """
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        self.process.kill()
        return self.process.wait()

    def end_group(self) -> None:
        """End it with all its processes, though they may not be told to."""
        self.end()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def late_answers(self) -> int:
        """How many answers were late: of what was ready in time, or words for that."""
        return sum(int(float(count)) for count in _LATE.findall(get(self.port, "/metrics")))


def get(port: int, path: str) -> str:
    """Ask a server on this machine.

    Args:
        port: of the server.
        path: to get.

    Returns:
        The body; empty if there is no answer with status 200.
    """
    try:
        return _exchange(port, "GET", path, None)
    except (OSError, HTTPException):
        return ""


def post(port: int, path: str, body: bytes) -> bytes:
    """Post to a server on this machine.

    Args:
        port: of the server.
        path: to post to.
        body: JSON.

    Returns:
        The body of the answer; empty if its status is not 200.
    """
    return _exchange(port, "POST", path, body).encode()


def _exchange(port: int, method: str, path: str, body: bytes | None) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else ""
    finally:
        connection.close()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what our programs set for themselves."""
    kept = {key: value for key, value in os.environ.items() if key not in {*VARIABLES, THREADS}}
    return {**kept, **(more or {})}


def start(command: Sequence[str], port: int, home: Path, more: Mapping[str, str] | None = None) -> Server:
    """Start a server.

    Args:
        command: words of it.
        port: where it will listen.
        home: a folder.
        more: variables of its environment.

    Returns:
        The server, not yet ready.
    """
    with (home / "stderr.txt").open("ab") as errors:
        process = subprocess.Popen(
            list(command),
            env=environment(more),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    return Server(process, port, home)
