"""The command `chat`: a talk with the installed release. Nothing of it is written anywhere."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rejoinder.cli_options import (
    PROVIDERS,
    check_generate,
    deadline_option,
    generate_option,
    open_store,
    provider_option,
    store_option,
)
from rejoinder.errors import InputError
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.answer.reply import Reply
    from rejoinder.answer.talk import Talk

_EXAMPLES = """\b
Examples:
  rejoinder chat
  rejoinder chat --generate always --seed 7
  printf 'hi\\nI feel lonely\\n/again\\n' | rejoinder chat
"""
_HELP = """\
/trace  how the last reply came about
/again  another reply to the same turn
/reset  forget what was said
/help   this
/quit   leave; so do Ctrl-D and Ctrl-C
"""
_PROMPT = "> "
_INTERRUPTED = 130  # what shells give for Ctrl-C


@click.command(epilog=_EXAMPLES)
@generate_option
@click.option("--seed", default=0, show_default=True, type=int, help="Of what is generated.")
@deadline_option
@store_option
@provider_option
@click.pass_context
def chat(
    context: click.Context,
    *,
    generate: str | None,
    seed: int,
    deadline_ms: float,
    root: Path | None,
    provider: str | None,
) -> None:
    """Talk to the current release. One turn a line; /help tells the commands. Nothing is kept.

    Replies come on standard output, everything else on standard error: from a pipe, a line for each turn.
    """
    try:
        from rejoinder.answer.responder import Options, Responder
        from rejoinder.answer.talk import Talk
        from rejoinder.parts.opened import open_current

        start = time.perf_counter()
        opened = open_current(open_store(root), provider and PROVIDERS[provider])
        check_generate(opened, generate)
        open_ms = 1000 * (time.perf_counter() - start)
        options = Options(deadline_ms / 1000 or None, generate=generate)
        is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        if is_terminal:
            click.echo(f"{opened.release}. /help tells the commands.", err=True)
        lines = _typed() if is_terminal else _piped()
        _converse(lines, Talk(Responder(opened, options=options), seed), open_ms)
    except KeyboardInterrupt:
        click.echo(err=True)
        context.exit(_INTERRUPTED)


def _converse(lines: Iterator[str], talk: Talk, open_ms: float) -> None:
    for line in map(str.strip, lines):
        if line == "/quit":
            return
        if line.startswith("/"):
            _obey(line, talk, open_ms)
        elif normalize(line):
            _tell(talk.say(line))


def _obey(command: str, talk: Talk, open_ms: float) -> None:
    """Follow a command other than the last one."""
    if command == "/trace":
        from rejoinder.answer.show import print_trace

        if talk.last is None:
            click.echo("no reply yet: say something first", err=True)
        else:
            print_trace(talk.last, open_ms)
    elif command == "/again":
        if (reply := talk.again()) is not None:
            _tell(reply)
        else:
            click.echo("no other reply: say something else" if talk.last else "no reply yet", err=True)
    elif command == "/reset":
        talk.reset()
    elif command == "/help":
        click.echo(_HELP, nl=False, err=True)
    else:
        click.echo("no such command: expected one that /help lists", err=True)


def _tell(reply: Reply) -> None:
    """Print a reply as one line; where there is none, an empty one, so that lines still go with turns."""
    click.echo(" ".join((reply.text or "").split()))
    if reply.text is None:
        click.echo(f"no reply: all {len(reply.trace.candidates)} candidates were dropped", err=True)


def _typed() -> Iterator[str]:
    """Lines from a terminal, until Ctrl-D; former ones come back by the arrow keys, from memory alone."""
    with suppress(ImportError):
        importlib.import_module("readline")  # Python's `input` takes it from there; it saves nothing by itself
    while True:
        try:
            yield input(_PROMPT)
        except EOFError:
            click.echo(err=True)
            return
        except UnicodeDecodeError:
            click.echo("this line is no text in the terminal's encoding: say it again", err=True)


def _piped() -> Iterator[str]:
    """Lines from a pipe, each as soon as it has come."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise InputError(f"standard input, line {number}: expected UTF-8, got another encoding") from None
