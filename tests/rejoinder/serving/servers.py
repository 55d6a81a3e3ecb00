"""`rejoinder serve` as a process of its own, as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.rejoinder.serving.apis import SOON

_COMMAND = (sys.executable, "-m", "rejoinder", "serve", "--port=0", "--json-events")


@dataclass(slots=True)
class Server:
    """A server that runs, and what it tells.

    Attributes:
        process: it.
        home: its REJOINDER_HOME.
        lines: all that it has said on standard error.
        url: where it answers, once it is ready.
        has_ended: whether it will say nothing more.
    """

    process: subprocess.Popen[str]
    home: Path
    lines: list[str] = field(default_factory=list)
    url: str = ""
    has_ended: bool = False
    _heard: threading.Condition = field(default_factory=threading.Condition)
    _listener: threading.Thread | None = None

    def listen(self) -> Server:
        """Begin to read what it says."""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def wait_until_ready(self, workers: int = 1) -> Server:
        """Wait until all workers are ready."""
        ready = self.wait_for("ready", workers)
        self.url = f"http://127.0.0.1:{ready['port']}"
        return self

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """Wait until an event was told so often; its last line."""
        with self._heard:
            self._heard.wait_for(lambda: self.has_ended or len(self.told(event)) >= count, SOON)
            assert len(self.told(event)) >= count, (event, self.lines)
            return self.told(event)[count - 1]

    def told(self, event: str) -> list[dict[str, Any]]:
        """All lines of an event so far."""
        parsed = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [line for line in parsed if line["event"] == event]

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Ask by GET."""
        return httpx.get(self.url + path, timeout=SOON, **more)

    def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        """Send a body as JSON."""
        return httpx.post(self.url + path, json=body, timeout=SOON, **more)

    def chat(self, text: str, **fields: Any) -> httpx.Response:
        """Chat."""
        return self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": text}], **fields})

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit code, once it has ended and all was read that it has said."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(SOON)
        if self._listener is not None:
            self._listener.join(SOON)
        return code

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._heard:
                self.lines.append(line)
                self._heard.notify_all()
        with self._heard:
            self.has_ended = True
            self._heard.notify_all()


def start(store: Path, trust: Path, home: Path, options: Sequence[str] = (), **env: str) -> Server:
    """Start a server over a store; it may not be ready yet."""
    variables = {**os.environ, "REJOINDER_HOME": str(home), "REJOINDER_TRUST": str(trust), **env}
    process = subprocess.Popen(
        [*_COMMAND, f"--store={store}", *options],
        env=variables,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    return Server(process, home).listen()
