"""The command `chat`: in a terminal and in a pipe, and that nothing of it is kept."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from registry.cli import main as whole_program
from rejoinder.cli import main
from rejoinder.cli_options import GENERATE
from rejoinder.parts.generator_facts import WHEN
from rejoinder.store.store import Store
from tests.bundles import REPLIES, build_bundles, build_whole, pin, put_in_store

SOON = 30.0


def run(store: Store, said: str | bytes, *options: str) -> Result:
    return CliRunner().invoke(main, ["chat", "--store", str(store.root), *options], input=said)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a release of every part."""
    root = tmp_path_factory.mktemp("chat")
    store = Store(root / "store")
    put_in_store(store, pin(build_whole(root / "built")))
    return store


def test_a_pipe_gets_a_line_for_each_turn_and_nothing_else(store: Store) -> None:
    result = run(store, "I feel lonely\n\n \u200b \nwe like rain")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    replies = result.stdout.splitlines()
    assert len(replies) == 2
    assert set(replies) <= set(REPLIES)


def test_turns_before_are_read_and_forgotten_after_reset(whole: Store) -> None:
    twice = run(whole, "you know pizza\nyou know pizza\n").stdout.splitlines()
    assert twice[0] != twice[1]
    anew = run(whole, "you know pizza\n/reset\nyou know pizza\n").stdout.splitlines()
    assert anew == [twice[0]] * 2


def test_again_says_something_else_to_the_same_turn(whole: Store) -> None:
    said = run(whole, "you know pizza\n/again\n/again please\n/again\n")
    replies = said.stdout.splitlines()
    assert len(replies) == len(set(replies)) == 3
    assert "no such command" in said.stderr


def test_again_without_another_reply_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    put_in_store(store, pin(build_bundles(tmp_path / "built", replies=["Hello!"])))
    result = run(store, "/again\ni like rain\n/again\nhello\n")
    assert result.exit_code == 0
    assert result.stdout == "Hello!\n\n"
    assert result.stderr.splitlines() == [
        "no reply yet",
        "no other reply: say something else",
        "no reply: all 1 candidates were dropped",
    ]


def test_the_trace_is_that_of_the_last_reply(whole: Store) -> None:
    result = run(whole, "/trace\nyou know pizza\n/again\n/trace\n")
    assert result.stdout.count("\n") == 2
    assert result.stderr.startswith("no reply yet")
    for part in ("generate", "filter", "probability", "open"):
        assert part in result.stderr


def test_commands_are_told_and_unknown_ones_are_no_turns(whole: Store) -> None:
    result = run(whole, "/help\n/helpme\n/quit\nyou know pizza\n")
    assert (result.exit_code, result.stdout) == (0, "")
    for command in ("/trace", "/again", "/reset", "/help", "/quit", "no such command"):
        assert command in result.stderr


def test_a_seed_says_the_same_again(whole: Store) -> None:
    said = "you know pizza\n/again\n/again\nwe like music\n"
    first, second = (run(whole, said, "--seed", "5", "--generate", "always").stdout for _ in range(2))
    assert first == second


def test_the_policies_are_the_generators() -> None:
    assert GENERATE == WHEN


@pytest.mark.parametrize("command", ["ask", "chat"])
def test_a_generator_that_is_not_there_cannot_be_asked(store: Store, command: str) -> None:
    for when, code in (("always", 1), ("below", 1), ("off", 0)):
        given = [command, "--store", str(store.root), "--generate", when]
        result = CliRunner().invoke(main, given, input="I feel lonely\n")
        assert result.exit_code == code
        assert ("expected a release with a generator" in result.stderr) is bool(code)


def test_another_encoding_is_named_with_its_line(store: Store) -> None:
    result = run(store, "hello\ncaf\u00e9\n".encode("latin-1"))
    assert result.exit_code == 1
    assert "standard input, line 2: expected UTF-8" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    result = run(Store(tmp_path), "hi\n")
    assert result.exit_code == 1
    assert "rejoinder pull" in result.stderr


def test_the_program_lists_it_with_examples() -> None:
    for program in (main, whole_program):
        assert "chat" in CliRunner().invoke(program, ["--help"]).output
        told = CliRunner().invoke(program, ["chat", "--help"]).output
        for word in ("--generate", "--seed", "--deadline-ms", "--store", "Examples:", "rejoinder chat"):
            assert word in told


class Terminal:
    """A chat in a terminal."""

    def __init__(self, controller: int, process: subprocess.Popen[bytes]) -> None:
        self.process, self.shown = process, ""
        self._controller = controller

    def type(self, keys: bytes) -> None:
        """Type something."""
        os.write(self._controller, keys)

    def end(self, keys: bytes) -> int:
        """Leave; a signal that comes between Python's prompt and its wait for keys is seen with the next key."""
        for _ in range(int(SOON)):
            self.type(keys)
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(1.0)
        raise AssertionError(self.shown)

    def wait(self, text: str, count: int = 1) -> None:
        """Wait until something is shown so often."""
        end = time.monotonic() + SOON
        while self.shown.count(text) < count and time.monotonic() < end:
            if select.select([self._controller], [], [], 0.1)[0]:
                self.shown += os.read(self._controller, 4096).decode()
        assert self.shown.count(text) >= count, self.shown


@contextmanager
def terminal(store: Store, home: Path, options: Sequence[str] = ()) -> Iterator[Terminal]:
    """Chat in a terminal of its own, as a process that has it for itself."""
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "rejoinder", "chat", "--store", str(store.root), *options]
    env = {**os.environ, "HOME": str(home), "TERM": "xterm"}
    claim = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", claim, *command]
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True, env=env, cwd=home
    ) as process:
        os.close(terminal)
        try:
            yield Terminal(controller, process)
        finally:
            process.kill()
            os.close(controller)


@pytest.mark.parametrize(
    ("keys", "code"), [(b"\x04", 0), (b"\x03", 130), (b"/quit\n", 0)], ids=["Ctrl-D", "Ctrl-C", "quit"]
)
def test_a_terminal_has_a_prompt_and_former_lines_and_leaves_nothing(
    whole: Store, own_folder: Path, tmp_path: Path, keys: bytes, code: int
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    before = {path for path in own_folder.rglob("*") if path.is_file()}
    with terminal(whole, home) as talk:
        talk.wait("/help tells the commands")
        talk.wait("> ")
        talk.type(b"you know pizza\n")
        talk.wait("> ", 2)
        talk.type(b"\x1b[A")  # the arrow brings the line back
        talk.wait("you know pizza", 2)
        talk.type(b"\n")
        talk.wait("> ", 3)
        assert talk.end(keys) == code
    assert list(home.rglob("*")) == []
    assert {path for path in own_folder.rglob("*") if path.is_file()} == before
    assert "Traceback" not in talk.shown
