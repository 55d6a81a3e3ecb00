"""The command `rejoinder`: the runtime's commands, and those that speak to MLflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.show.commands import diff, show
from registry.show.remarks import remarks
from rejoinder import __version__
from rejoinder.cli import EXAMPLES, ask, list_installed, short, verify
from rejoinder.cli_chat import chat
from rejoinder.cli_decisions import decisions
from rejoinder.cli_options import Commands, open_store, store_option
from rejoinder.cli_serve import serve
from rejoinder.parts import PARTS, Kind
from rejoinder.process import configure_process

if TYPE_CHECKING:
    from registry.publish.promote import Promotion

_EXAMPLES = f"""{EXAMPLES.rstrip()} --remote
  rejoinder keys new
  rejoinder register --verdict build/gate/verdict.json
  rejoinder promote
  rejoinder show
  rejoinder diff previous current
  rejoinder rollback
  rejoinder deny forbidden.yaml
  rejoinder pull --watch
  rejoinder doctor
  rejoinder remarks check
"""
_DIRECTORY = click.Path(path_type=Path, file_okay=False)
Command = Callable[..., Any]
_PAGES = (Path("build/benchmark/replies.html"), Path("build/benchmark/guard.html"))
_BUILT = tuple(part.bundle for part in PARTS if part.judged)


name_option = click.option("--name", default="rejoinder", show_default=True, help="What is released.")


_valid_option = click.option(
    "--valid-days", default=90, show_default=True, type=click.IntRange(min=1), help="How long pullers may take it."
)


def _bundle_options(command: Command) -> Command:
    """One option a kind."""
    for kind in reversed(_BUILT):
        words = f"The {kind} bundle.  [default: build/<stage>/{kind}]"
        command = click.option(f"--{kind}", type=_DIRECTORY, help=words)(command)
    return command


@click.group(cls=Commands, epilog=_EXAMPLES)
@click.version_option(__version__, prog_name="rejoinder")
def main() -> None:
    """Register, pull, verify and ask releases."""
    configure_process()


main.add_command(ask)
main.add_command(chat)
main.add_command(serve)
main.add_command(decisions)
main.add_command(verify)
main.add_command(show)
main.add_command(diff)
main.add_command(remarks)


@main.command(epilog="\b\nExample:\n  rejoinder releases --remote")
@click.option("--remote", is_flag=True, help="List what MLflow holds instead of what is installed.")
@name_option
@store_option
def releases(remote: bool, name: str, root: Path | None) -> None:
    """List releases. * marks the current (installed) one or the champion (remote)."""
    if not remote:
        list_installed(open_store(root))
        return
    from registry.show.listing import list_remote

    for line in list_remote(name):
        click.echo(line)


@main.command(
    epilog="\b\nExamples:\n  rejoinder register\n"
    "  rejoinder register --parts cache     (a new cache for the model and index that MLflow holds)"
)
@_bundle_options
@click.option(
    "--verdict",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("build/gate/verdict.json"),
    show_default=True,
    help="What the gate said about these bundles.",
)
@click.option(
    "--parts",
    type=click.Choice(_BUILT),
    multiple=True,
    help="Send only these; MLflow must hold the others, as the verdict names them.  [default: all]",
)
@click.option(
    "--page",
    "pages",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="Put beside the release in MLflow, for people to read.  [default: the benchmark's]",
)
@_valid_option
@name_option
def register(
    *,
    verdict: Path,
    parts: tuple[Kind, ...],
    pages: tuple[Path, ...],
    valid_days: int,
    name: str,
    **given: Path | None,
) -> None:
    """Sign blessed bundles as the challenger. Does nothing the second time."""
    from registry.publish.built import built_bundle
    from registry.publish.register import publish
    from registry.publish.verdict import read_verdict

    chosen = parts or read_verdict(verdict).bundles
    bundles = {kind: given[kind] or built_bundle(kind) for kind in chosen}
    published = publish(bundles, verdict, name, valid_days, pages or [page for page in _PAGES if page.exists()])
    click.echo(f"{'registered' if published.is_new else 'already registered'}: {published.release}")
    if published.release.signer.name == "development":
        click.echo(
            "signed with a development key, which other machines refuse: rejoinder keys new --help", err=True
        )


@main.command(epilog="\b\nExamples:\n  rejoinder promote\n  rejoinder promote --serial 3")
@click.option("--serial", type=click.IntRange(min=1), help="Which release; default: the challenger.")
@name_option
def promote(serial: int | None, name: str) -> None:
    """Make a release the champion. It must be blessed, signed, complete and tied together."""
    from registry.mlflow.catalog import CHALLENGER
    from registry.publish.promote import promote as make_champion

    _say_champion(make_champion(name, serial or CHALLENGER))


@main.command(epilog="\b\nExamples:\n  rejoinder rollback\n  rejoinder rollback --to 3")
@click.option("--to", type=click.IntRange(min=1), help="Serial of an earlier champion; default: the one before.")
@_valid_option
@name_option
def rollback(to: int | None, valid_days: int, name: str) -> None:
    """Go back to an earlier champion. Its bundles are signed once more, under a new serial."""
    from registry.publish.promote import rollback as roll_back

    _say_champion(roll_back(name, to, valid_days))


@main.command(
    epilog="\b\nExamples:\n  rejoinder deny forbidden.yaml\n  rejoinder deny --nothing      (takes the list back)\n"
    "\b\nFILE:\n  replies: [Give me the money.]\n  themes: [weather]"
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True), required=False)
@click.option("--nothing", is_flag=True, help="Take the champion's list back.")
@_valid_option
@name_option
def deny(file: Path | None, nothing: bool, valid_days: int, name: str) -> None:
    """Forbid replies and themes, without a build: the champion is signed once more with this list for its own."""
    from registry.publish.deny import deny as forbid
    from rejoinder.parts.deny import DenyList, read_deny_list

    if (file is None) != nothing:
        raise click.UsageError("expected a FILE, or --nothing")
    denied = read_deny_list(file) if file else DenyList()
    _say_champion(forbid(denied, name, valid_days))
    counts = f"{len(denied.replies)} replies and {len(denied.themes)} themes"
    click.echo(f"denied: {counts}; a node obeys from its next pull on")


def _say_champion(promotion: Promotion) -> None:
    release, before = promotion.release, promotion.before
    again = f", the bundles of #{release.reissues} once more" if release.reissues else ""
    was = f" (before: #{before})" if before else ""
    click.echo(f"champion: {release}{again}{was}" if promotion.is_new else f"champion already: {release}")


@main.command(
    epilog="\b\nExamples:\n  rejoinder pull\n  rejoinder pull --serial 3\n  rejoinder pull --watch --every 60\n"
    "  rejoinder pull --from /mnt/share/releases"
)
@click.option("--serial", type=click.IntRange(min=1), help="Which release, instead of one that an alias names.")
@click.option("--alias", default="champion", show_default=True, help="Which release to follow.")
@click.option("--from", "folder", type=_DIRECTORY, help="A store to pull from, instead of MLflow.")
@click.option("--watch", is_flag=True, help="Go on following the alias until stopped.")
@click.option(
    "--every", default=30.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds between looks."
)
@click.option(
    "--keep", default=3, show_default=True, type=click.IntRange(min=1), help="Releases to keep installed."
)
@name_option
@store_option
def pull(
    *,
    serial: int | None,
    alias: str,
    folder: Path | None,
    watch: bool,
    every: float,
    keep: int,
    name: str,
    root: Path | None,
) -> None:
    """Install a release. It is verified and proved before it becomes the current one."""
    from registry.pull.pull import pull as install
    from registry.pull.sources.choose import choose_source
    from registry.pull.watch import follow

    if watch and serial:
        raise click.UsageError("--watch follows an alias: leave --serial out")
    store, source = open_store(root), choose_source(folder)
    if watch:
        follow(store, name, alias, source=source, every=every, keep=keep)
    else:
        pulled = install(store, name, serial or alias, source=source, keep=keep)
        click.echo(f"{'installed' if pulled.is_new else 'up to date'}: {pulled.release}")


@main.group(epilog="\b\nExample:\n  rejoinder keys new --name production --folder /etc/rejoinder/keys")
def keys() -> None:
    """Make keys that sign releases."""


@keys.command("new", epilog="\b\nExample:\n  rejoinder keys new --name production --folder /etc/rejoinder/keys")
@click.option("--name", default="production", show_default=True, help="Of the files NAME.pem and NAME.pub.")
@click.option("--folder", type=_DIRECTORY, help="Where to; default: REJOINDER_HOME/keys, else .rejoinder/keys.")
@click.option("--trust", is_flag=True, help="Also trust the new key on this machine.")
def keys_new(name: str, folder: Path | None, trust: bool) -> None:
    """Make a key pair. NAME.pem signs and stays secret, NAME.pub goes into every puller's trust folder."""
    from registry.publish.keys import KEY, keys_folder, new_key, trust_key
    from rejoinder.release.trust import Trust

    pair = new_key(name, folder or keys_folder())
    click.echo(f"{pair.private}  signs; keep it secret, name it in {KEY}")
    click.echo(f"{pair.public}  copy it into the trust folder of every puller ({short(pair.id)})")
    if trust:
        click.echo(f"{trust_key(pair.public, Trust.default())}  trusted on this machine")


@main.command(epilog="\b\nExample:\n  rejoinder doctor")
@store_option
def doctor(root: Path | None) -> None:
    """Show versions, providers and places. A report of a problem should include them."""
    from registry.show.doctor import examine

    for title, rows in examine(open_store(root)).items():
        click.echo(f"{title}:")
        for key, value in rows.items():
            click.echo(f"  {key:<24} {value}")


if __name__ == "__main__":
    main(prog_name="rejoinder")
