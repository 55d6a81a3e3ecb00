"""The commands that need nothing but the runtime: ask, chat, serve, verify. `registry.cli` adds the others."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rejoinder import __version__
from rejoinder.cli_chat import chat
from rejoinder.cli_decisions import decisions
from rejoinder.cli_options import (
    PROVIDERS,
    Commands,
    check_generate,
    deadline_option,
    explore_option,
    generate_option,
    open_store,
    provider_option,
    store_option,
)
from rejoinder.cli_serve import serve
from rejoinder.errors import InputError
from rejoinder.process import configure_process

if TYPE_CHECKING:
    from rejoinder.store.store import Store

EXAMPLES = """\b
Examples:
  rejoinder ask "I feel lonely"
  printf 'hi\\nhello\\nI feel lonely\\n' | rejoinder ask --trace
  rejoinder chat
  rejoinder serve
  rejoinder decisions list
  rejoinder verify
  rejoinder releases
"""


@click.group(cls=Commands, epilog=EXAMPLES)
@click.version_option(__version__, prog_name="rejoinder")
def main() -> None:
    """Answer from a verified release."""
    configure_process()


main.add_command(chat)
main.add_command(serve)
main.add_command(decisions)


@main.command(epilog='\b\nExample:\n  rejoinder ask --trace "I feel lonely"')
@click.argument("text", required=False)
@click.option("--trace", is_flag=True, help="Show on standard error how the reply came about.")
@click.option("--json", "as_json", is_flag=True, help="Print reply and trace as one JSON object.")
@deadline_option
@explore_option
@generate_option
@click.option("--seed", type=int, help="Of what is drawn and generated.")
@store_option
@provider_option
@click.pass_context
def ask(
    context: click.Context,
    *,
    text: str | None,
    trace: bool,
    as_json: bool,
    deadline_ms: float,
    explore: float,
    generate: str | None,
    seed: int | None,
    root: Path | None,
    provider: str | None,
) -> None:
    """Answer a text or a dialogue. A dialogue comes on standard input: one turn a line, the user's last."""
    from rejoinder.dialogue import Dialogue

    if text is None and sys.stdin.isatty():
        raise click.UsageError("nothing to answer: give TEXT, or pipe a dialogue in, one turn a line")
    dialogue = Dialogue.from_lines(_piped_lines() if text is None else [text])

    from rejoinder.answer.choose import Exploration
    from rejoinder.answer.responder import Options, Responder
    from rejoinder.answer.show import as_dict, print_trace
    from rejoinder.parts.opened import open_current

    start = time.perf_counter()
    opened = open_current(open_store(root), provider and PROVIDERS[provider])
    check_generate(opened, generate)
    open_ms = 1000 * (time.perf_counter() - start)
    options = Options(deadline_ms / 1000 or None, Exploration(explore), seed, generate)
    reply = Responder(opened, options=options).answer(dialogue)
    if as_json:
        click.echo(json.dumps(as_dict(reply, open_ms), ensure_ascii=False))
    elif reply.text is not None:
        click.echo(reply.text)
    if trace:
        print_trace(reply, open_ms)
    if reply.text is None:
        if not as_json:
            click.echo(f"no reply: all {len(reply.trace.candidates)} candidates were dropped", err=True)
        context.exit(1)


def _piped_lines() -> list[str]:
    try:
        return sys.stdin.buffer.read().decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"standard input: expected UTF-8, got another encoding at byte {error.start}") from None


@main.command(epilog="\b\nExample:\n  rejoinder verify --store /srv/rejoinder")
@store_option
@provider_option
def verify(root: Path | None, provider: str | None) -> None:
    """Prove the current release. Its signature, every byte, and that this machine computes its vectors."""
    from rich.console import Console
    from rich.table import Table

    from rejoinder.parts.opened import open_release, prove_the_rest
    from rejoinder.release.manifest import read_manifest

    installed = open_store(root).current()
    opened = open_release(installed, provider and PROVIDERS[provider])
    table = Table("part", "digest", "files", "MB", "made by", "", title=str(installed.release))
    for kind in opened.parts:
        manifest = read_manifest(installed.bundles[kind], installed.release.bundles[kind])
        megabytes = sum(entry.size for entry in manifest.files.values()) / 1e6
        digests = short(manifest.digest), short(manifest.vectorizer_id)
        table.add_row(kind, digests[0], str(len(manifest.files)), f"{megabytes:.1f}", digests[1], "OK")
    console = Console()
    console.print(table)
    release = installed.release
    signed = f"signed with the key {release.signer.name} ({short(release.signer.key)})"
    console.print(f"{signed}; probes reproduced by {opened.vectorizer.execution}", highlight=False)
    proved, lacking = prove_the_rest(installed, opened)
    for execution in proved:
        console.print(f"probes reproduced by {execution}, too", highlight=False)
    for execution, why in lacking.items():
        console.print(f"not tried: {execution}: {why}", highlight=False)
    if release.has_expired(datetime.now(UTC)):
        console.print(f"expired on {release.expires}: it may serve on, but is pulled no more; rejoinder pull")


@main.command(epilog="\b\nExample:\n  rejoinder releases")
@store_option
def releases(root: Path | None) -> None:
    """List the installed releases. * marks the current one."""
    list_installed(open_store(root))


def list_installed(store: Store) -> None:
    """Print the installed releases, newest first.

    Args:
        store: where they are.
    """
    current = store.current().release.digest
    for release in store.releases():
        mark = "*" if release.digest == current else " "
        again = f"  reissues #{release.reissues}" if release.reissues else ""
        digests = f"vectorizer {short(release.vectorizer_id)}  content {short(release.content)}"
        click.echo(f"{mark} {release}  {release.created}  {digests}{again}")


def short(digest: str) -> str:
    """The first 12 hex digits of a digest."""
    return digest.removeprefix("sha256:")[:12]
