"""The command `rejoinder`: the runtime's commands, and register, pull and doctor."""

from __future__ import annotations

from pathlib import Path

import click

from registry.errors import RegistryError
from rejoinder import __version__
from rejoinder.cli import EXAMPLES, Commands, ask, list_installed, open_store, short, store_option, verify

_EXAMPLES = f"""{EXAMPLES.rstrip()} --remote
  rejoinder register --verdict build/gate/verdict.json
  rejoinder pull --serial 3
  rejoinder doctor
"""
_DIRECTORY = click.Path(path_type=Path, file_okay=False)


class RegistryCommands(Commands):
    """Also reports what the registry raises on purpose."""

    refusals = (*Commands.refusals, RegistryError)


name_option = click.option("--name", default="rejoinder", show_default=True, help="What is released.")


@click.group(cls=RegistryCommands, epilog=_EXAMPLES)
@click.version_option(__version__, prog_name="rejoinder")
def main() -> None:
    """Register, pull, verify and ask releases."""


main.add_command(ask)
main.add_command(verify)


@main.command(epilog="\b\nExample:\n  rejoinder releases --remote")
@click.option("--remote", is_flag=True, help="List what MLflow holds instead of what is installed.")
@name_option
@store_option
def releases(remote: bool, name: str, root: Path | None) -> None:
    """List releases; * marks the current (installed) or the newest (remote) one."""
    if not remote:
        list_installed(open_store(root))
        return
    from registry.releases import find_release, release_versions
    from registry.tracking import connect

    client = connect()
    newest = find_release(client, name)
    for version in release_versions(client, name):
        mark = "*" if version == newest else " "
        tags = version.tags
        click.echo(
            f"{mark} {name} #{tags['serial']} ({short(tags.get('digest', ''))})  "
            f"vectorizer {short(tags.get('vectorizer_id', ''))}"
        )


@main.command(epilog="\b\nExample:\n  rejoinder register --verdict build/gate/verdict.json")
@click.option("--model", type=_DIRECTORY, default=Path("build/export/model"), show_default=True)
@click.option("--cache", type=_DIRECTORY, default=Path("build/cache/cache"), show_default=True)
@click.option("--index", type=_DIRECTORY, default=Path("build/index/index"), show_default=True)
@click.option(
    "--verdict",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("build/gate/verdict.json"),
    show_default=True,
    help="What the gate said about these three bundles.",
)
@name_option
def register(model: Path, cache: Path, index: Path, verdict: Path, name: str) -> None:
    """Register blessed bundles as a release in MLflow; does nothing the second time."""
    from registry.publish import publish

    published = publish({"model": model, "cache": cache, "index": index}, verdict, name)
    click.echo(f"{'registered' if published.is_new else 'already registered'}: {published.release}")


@main.command(epilog="\b\nExample:\n  rejoinder pull --serial 3")
@click.option("--serial", type=click.IntRange(min=1), help="Which release; default: the highest.")
@name_option
@store_option
def pull(serial: int | None, name: str, root: Path | None) -> None:
    """Install a release from MLflow, verified, and make it the current one."""
    from registry.pull import pull as install

    click.echo(f"installed: {install(open_store(root), name, serial)}")


@main.command(epilog="\b\nExample:\n  rejoinder doctor")
@store_option
def doctor(root: Path | None) -> None:
    """Show what a report of a problem should include: versions, providers, processor, places."""
    from registry.doctor import examine

    for title, rows in examine(open_store(root)).items():
        click.echo(f"{title}:")
        for key, value in rows.items():
            click.echo(f"  {key:<24} {value}")
