"""The command `serve`: one release behind one port."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from rejoinder.cli_options import (
    PROVIDERS,
    explore_option,
    generate_option,
    open_store,
    provider_option,
    store_option,
)
from rejoinder.errors import InputError
from rejoinder.process import compute_alone

_EXAMPLES = """\b
Examples:
  rejoinder serve                                   (then open http://127.0.0.1:8080)
  rejoinder serve --watch --store /srv/rejoinder    (pulls as well)
  REJOINDER_TOKEN=... rejoinder serve --host 0.0.0.0 --allow-host chat.example.org
  rejoinder serve --log-text --retention-days 14    (keeps what is written, to learn from it)
"""


@click.command(epilog=_EXAMPLES)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Holds the token that requests must bear; default: REJOINDER_TOKEN.",
)
@click.option("--no-auth", is_flag=True, help="Let other machines ask without a token.")
@click.option("--allow-host", "hosts", multiple=True, help="A name by which clients call this server.")
@click.option("--proxy", default="", help="Addresses of proxies whose X-Forwarded-For is believed.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes.")
@click.option("--threads", default=0, type=click.IntRange(0, 256), help="Of each process.  [default: one a core]")
@click.option(
    "--batch-rows", "rows", default=16, show_default=True, type=click.IntRange(1), help="Answered together."
)
@click.option(
    "--batch-wait-ms", default=0.0, show_default=True, type=click.FloatRange(0, 1000), help="For company."
)
@click.option("--queue", "queue_rows", default=64, show_default=True, type=click.IntRange(1), help="That may wait.")
@click.option(
    "--queue-ms",
    default=175.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="That one may have to wait, by the pace of late; who would wait longer is told to come back. 0: any.",
)
@click.option(
    "--deadline-ms",
    default=1000.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="A reply comes of what is ready by then.",
)
@explore_option
@generate_option
@click.option("--no-log", is_flag=True, help="Keep no decision log.")
@click.option("--log-text", is_flag=True, help="Keep texts in it; the page tells its users.")
@click.option(
    "--retention-days", default=30.0, show_default=True, type=click.FloatRange(min=0), help="Of the log; 0: all."
)
@click.option("--no-follow", is_flag=True, help="Stay with the release that is current now.")
@click.option("--watch", is_flag=True, help="Pull as well, in a process beside.")
@click.option(
    "--every", default=30.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds between pulls."
)
@click.option("--alias", default="champion", show_default=True, help="What to pull.")
@click.option("--name", default="rejoinder", show_default=True, help="What is released.")
@click.option("--from", "folder", type=click.Path(file_okay=False), help="A store to pull from, instead of MLflow.")
@click.option(
    "--drain-delay",
    "drain_delay_s",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 300),
    help="Seconds in which the port stays open after /ready has said that it will close.",
)
@click.option("--json-events", is_flag=True, help="Tell events as JSON, one a line.")
@store_option
@provider_option
def serve(**given: Any) -> None:
    """Answer on a port: OpenAI's interface, embeddings, rerank, reactions, metrics, and a page to try it."""
    _check_installed()
    compute_alone()
    from rejoinder.serving.settings import Settings, check_access

    settings = Settings(
        store=open_store(given["root"]).root,
        provider=given["provider"] and PROVIDERS[given["provider"]],
        token=_token(given["token_file"]),
        hosts=tuple(name.lower() for name in given["hosts"]),
        wait_s=given["batch_wait_ms"] / 1000,
        queue_s=given["queue_ms"] / 1000,
        deadline_s=given["deadline_ms"] / 1000,
        log=not given["no_log"],
        follow_s=0.0 if given["no_follow"] else 1.0,
        **{
            name: given[name]
            for name in (
                *("host", "port", "proxy", "workers", "threads", "rows", "queue_rows"),
                *("explore", "generate", "log_text", "retention_days", "drain_delay_s", "json_events"),
            )
        },
    )
    check_access(settings, no_auth=given["no_auth"])
    from rejoinder.serving.run import run

    options = [f"--{key}={given[key]}" for key in ("every", "alias", "name")]
    options += [f"--from={given['folder']}"] if given["folder"] else []
    run(settings, options if given["watch"] else None)


def _check_installed() -> None:
    try:
        import msgspec
        import prometheus_client
        import starlette
        import uvicorn
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed: expected the extra `serve`. Next: pip install 'rejoinder[cpu,serve]'"
        ) from None
    del msgspec, prometheus_client, starlette, uvicorn


def _token(file: Path | None) -> str:
    """The token, from a file or the environment: a command line is read by all who may list processes."""
    from rejoinder.serving.settings import TOKEN

    if file is None:
        return os.environ.get(TOKEN, "").strip()
    if file.stat().st_mode & 0o077:
        raise InputError(f"{file}: expected to be readable by its owner only, got more. Next: chmod 600 {file}")
    if token := file.read_text(encoding="utf-8").strip():
        return token
    raise InputError(f"{file}: expected a token, got an empty file. Next: write one, or leave --token-file out")
