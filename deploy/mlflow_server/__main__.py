"""`python -m deploy.mlflow_server`, `make mlflow-server`: the server, until Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import click

from deploy.mlflow_server import Server, running_server
from deploy.mlflow_server.accounts import account_file
from registry.errors import RegistryError
from rejoinder.home import home
from rejoinder.process import configure_process

_EXAMPLES = """\b
Examples:
  python -m deploy.mlflow_server
  python -m deploy.mlflow_server --root /srv/rejoinder-server --port 5001
  python -m deploy.mlflow_server --host 0.0.0.0 --allowed-hosts mlflow.internal:5000
  set -a; . .rejoinder/server/credentials/publisher.env; set +a; rejoinder releases --remote
"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Its folder; default: REJOINDER_HOME/server, else .rejoinder/server.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0: any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The interface to listen on.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes that answer.")
@click.option("--allowed-hosts", help="Names by which clients may address it, e.g. mlflow.internal:5000.")
def main(root: Path | None, port: int, host: str, workers: int, allowed_hosts: str | None) -> None:
    """Run MLflow with PostgreSQL and authentication until Ctrl-C; start it again and everything is still there."""
    configure_process()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        with running_server(
            root or home() / "server", port, host=host, workers=workers, allowed_hosts=allowed_hosts
        ) as server:
            click.echo(_welcome(server))
            status = server.process.wait()
    except RegistryError as error:
        raise click.ClickException(str(error)) from None
    raise click.ClickException(f"MLflow ended by itself with status {status}. Next: read its output above")


def _welcome(server: Server) -> str:
    lines = [f"MLflow answers at {server.uri}", "To work with it:"]
    for username, can in {"publisher": "register and promote", "puller": "read only"}.items():
        lines.append(f"  set -a; . {account_file(server.root, username)}; set +a    # {can}")
    return "\n".join([*lines, "Ctrl-C stops it."])


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave PostgreSQL behind
    raise SystemExit(0)


if __name__ == "__main__":
    main()
