"""Puller: `rejoinder pull --watch` in a process of its own: what speaks MLflow takes no memory of the server's."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

from rejoinder.errors import StoreError
from rejoinder.serving.events import Say
from rejoinder.store.store import Store

#: The command line is not imported: the runtime knows directories, not MLflow.
_COMMAND = (sys.executable, "-m", "registry.cli", "pull")
_PAUSE_S = 5.0


def pull_first(store: Store, options: Sequence[str]) -> None:
    """Pull once, if nothing is installed.

    Args:
        store: where to.
        options: of `rejoinder pull`.

    Raises:
        StoreError: if nothing was installed, and still is not.
    """
    if store.current_digest() is None and subprocess.run([*_COMMAND, *options], check=False).returncode:
        raise StoreError("nothing is installed, and nothing could be pulled: see above. Next: rejoinder pull")


class Puller:
    """Keeps `rejoinder pull --watch` running."""

    def __init__(self, options: Sequence[str], say: Say) -> None:
        """Start it.

        Args:
            options: of `rejoinder pull`, besides `--watch`.
            say: told when it ends by itself.
        """
        self._options, self._say, self._stop = list(options), say, threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep_up, name="rejoinder-puller", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End it."""
        self._stop.set()
        self._process.terminate()
        self._thread.join()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*_COMMAND, "--watch", *self._options], stdin=subprocess.DEVNULL)

    def _keep_up(self) -> None:
        while True:
            code = self._process.wait()
            if self._stop.is_set():
                return
            self._say("puller ended", exitcode=code)
            if self._stop.wait(_PAUSE_S):
                return
            self._process = self._start()
