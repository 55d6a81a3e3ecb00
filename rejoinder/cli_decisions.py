"""The commands on the decision log: list, show, erase. `rejoinder.cli` mounts them, and tells their errors."""

from __future__ import annotations

import json
from pathlib import Path

import click

EXAMPLES = """\b
Examples:
  rejoinder decisions list
  rejoinder decisions show chatcmpl-4f3c...
  rejoinder decisions erase --user alice
"""

_folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="The log; default: REJOINDER_HOME/decisions, else .rejoinder/decisions.",
)


@click.group(epilog=EXAMPLES)
def decisions() -> None:
    """Look into what a server has logged, or erase from it."""


@decisions.command(name="list", epilog="\b\nExample:\n  rejoinder decisions list")
@_folder_option
def list_files(folder: Path | None) -> None:
    """List the files of the log. Since when, how large, what is in them, and whether texts are."""
    from rich.console import Console
    from rich.table import Table

    from rejoinder.serving.decisions.files import default_folder
    from rejoinder.serving.decisions.overview import overview

    folder = folder or default_folder()
    files, counts = overview(folder)
    table = Table("since", "worker", "MB", "answers", "reactions", "feedback", "texts", "", box=None)
    for file in files:
        numbers = (str(n) for n in (file.answers, file.reactions, file.feedback))
        texts, held = "yes" if file.texts else "no", "live" if file.is_held else ""
        table.add_row(file.since, str(file.worker), f"{file.size / 1e6:.1f}", *numbers, texts, held)
    console = Console()
    console.print(table)
    less = f"{counts.torn} torn line(s), {counts.rejected} unreadable, {counts.erased} erased record(s) passed over"
    console.print(f"{folder}: {less}", highlight=False, soft_wrap=True)


@decisions.command(epilog="\b\nExample:\n  rejoinder decisions show chatcmpl-4f3c... | jq .reaction")
@click.argument("completion_id")
@_folder_option
@click.pass_context
def show(context: click.Context, *, completion_id: str, folder: Path | None) -> None:
    """Print the records of one answer, a line of JSON each. Its reactions come after it."""
    from rejoinder.serving.decisions.files import default_folder
    from rejoinder.serving.decisions.read import Logged, read_decisions

    found = 0
    for line in read_decisions(folder or default_folder()):
        if isinstance(line, Logged) and line.record.get("completion") == completion_id:
            text = json.dumps(line.record, ensure_ascii=False)
            click.echo(text.encode("utf-8", "backslashreplace"))
            found += 1
    if not found:
        click.echo("no record of this completion: never logged, erased, or too old", err=True)
        context.exit(1)


@decisions.command(
    epilog="\b\nExamples:\n  rejoinder decisions erase --user alice\n"
    "  rejoinder decisions erase --conversation 7f2a..."
)
@click.option("--conversation", metavar="ID", help="As the client knows it: X-Conversation-Id.")
@click.option("--user", metavar="ID", help="As the client names its user.")
@_folder_option
def erase(*, conversation: str | None, user: str | None, folder: Path | None) -> None:
    """Erase a conversation or a user. Reactions go with the answers; what comes later is a new beginning."""
    from rejoinder.serving.decisions.erase import erase as erase_from_log
    from rejoinder.serving.decisions.files import default_folder
    from rejoinder.serving.decisions.pseudonyms import Keyer, decisions_key

    if (conversation is None) == (user is None):
        raise click.UsageError("expected one of --conversation and --user")
    keyer, folder = Keyer(decisions_key(make=False)), folder or default_folder()
    if conversation is not None:
        done = erase_from_log(folder, "conversation", keyer.keyed("conversation", conversation))
    else:
        done = erase_from_log(folder, "user", keyer.keyed("user", user or ""))
    if done.records or not done.held:
        click.echo(f"erased {done.records} record(s) from {done.files} file(s)")
    if done.unreadable:
        click.echo(f"{done.unreadable} unreadable line(s) went as well: nobody can tell whose they were")
    for name in done.held:
        click.echo(f"{name}: being written; its worker erases from it within seconds")
    if not done.records and not done.held:
        click.echo(
            "nothing was found: are the id and the key (REJOINDER_HOME) those that the server had?", err=True
        )
