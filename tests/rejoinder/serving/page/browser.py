"""A headless Chromium for tests, driven by its DevTools protocol: nothing to install beside the browser itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE = 20.0  # seconds; how long the browser may take for what should happen at once
#: As Debian, Ubuntu, and Google's package call it.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new", "--remote-debugging-port=0", "--no-first-run", "--no-default-browser-check",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-gpu", "--hide-scrollbars",
    "--disable-dev-shm-usage",  # containers give it 64 MB
    "--no-sandbox",  # which root, and most containers, cannot have; the pages are ours
)  # fmt: skip

Listener = Callable[[str, dict[str, Any]], None]


def find_chromium() -> str | None:
    """Where the browser is, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class DevTools:
    """The connection to a browser, shared by all of its pages."""

    def __init__(self, address: str) -> None:
        self._socket: ClientConnection = connect(address, max_size=None, compression=None, ping_interval=None)
        self._numbers = count(1)
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._listeners: dict[str, Listener] = {}
        threading.Thread(target=self._read, name="devtools", daemon=True).start()

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        return self.send(method, session, **params).result(PATIENCE)

    def send(self, method: str, session: str = "", **params: Any) -> Future[dict[str, Any]]:
        """Send a command; listeners must not wait for results, which come by the thread they run on."""
        number, result = next(self._numbers), Future[dict[str, Any]]()
        self._waiting[number] = result
        of = {"sessionId": session} if session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **of}))
        return result

    def listen(self, session: str, listener: Listener) -> None:
        """Tell a listener of every event of a page."""
        self._listeners[session] = listener

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _read(self) -> None:
        with suppress(ConnectionClosed):
            for text in self._socket:
                self._take(json.loads(text))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            if listener := self._listeners.get(message.get("sessionId", "")):
                listener(message["method"], message["params"])
            return
        result = self._waiting.pop(message["id"])
        if "error" in message:
            result.set_exception(RuntimeError(str(message["error"])))
        else:
            result.set_result(message["result"])


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[DevTools]:
    """Run a browser with a profile of its own.

    Args:
        program: from `find_chromium`.
        profile: an empty folder.
    """
    command = [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            tools = DevTools(_address(profile / "DevToolsActivePort", process))
            yield tools
            with suppress(ConnectionClosed, TimeoutError):
                tools.call("Browser.close")
            tools.close()
            process.wait(PATIENCE)
        finally:
            process.kill()


def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if file.exists() and len(lines := file.read_text().split()) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise RuntimeError(f"the browser opened no DevTools port (exit status {process.poll()})")
