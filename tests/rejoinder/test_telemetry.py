"""Nothing phones home: answering opens no socket, in Python or below it, and leaves nothing in a home folder."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.reach import ROOT

#: Architecture and number of the call `socket`, as Linux's seccomp names them.
_SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}

#: A filter of system calls: from here on the kernel kills this process when any thread of it calls `socket`.
#: Steps are (operation, jump if true, jump if false, operand).
NO_SOCKETS = """
import ctypes, struct
load, equal, give = 0x20, 0x15, 0x06
kill, allow = 0x80000000, 0x7FFF0000
steps = [
    (load, 0, 0, 4), (equal, 0, 3, {architecture}), (load, 0, 0, 0), (equal, 0, 1, {socket}),
    (give, 0, 0, kill), (give, 0, 0, allow),
]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
assert prctl(no_new_privileges, 1, 0, 0, 0) == 0
assert prctl(set_seccomp, filter_mode, ctypes.byref(filters), 0, 0) == 0
"""
OPEN_AND_ANSWER = """
import sys
from pathlib import Path
from rejoinder.dialogue import Dialogue
from rejoinder.answer.responder import Responder
from rejoinder.parts.opened import open_current
from rejoinder.store.store import Store
responder = Responder(open_current(Store(Path(sys.argv[1]))))
print(responder.answer(Dialogue.from_lines(["i feel lonely"])).text, flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in _SOCKET, reason="needs Linux's seccomp"
)


def no_sockets() -> str:
    architecture, socket = _SOCKET[platform.machine()]
    return NO_SOCKETS.format(architecture=architecture, socket=socket)


@contextmanager
def answering(store: Store, home: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A process that may open no socket, has answered, and stays until its input ends; CI silences telemetry."""
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if k not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "CI")}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-c", no_sockets() + OPEN_AND_ANSWER, str(store.root)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() not in ("", "None")
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX"])
def test_a_socket_of_native_code_is_the_end(family: str) -> None:
    code = f"import socket\n{no_sockets()}\nctypes.CDLL(None).socket(socket.{family}, 1, 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGSYS


def test_answering_opens_no_socket_and_writes_nothing_at_home(store: Store, tmp_path: Path, trust: Trust) -> None:
    silent, talking = tmp_path / "silent", tmp_path / "talking"
    with (
        answering(store, silent) as ours,
        # Beside it, one whose user wants telemetry: when that one has called, ours would have called as well.
        answering(store, talking, ORT_DISABLE_TELEMETRY="0") as caller,
    ):
        assert caller.wait(timeout=120) == -signal.SIGSYS
        ours.communicate("", timeout=60)
        assert ours.returncode == 0
    assert [*talking.rglob("deviceid")]
    assert [*silent.rglob("*")] == []
