"""Settings of a server: plain values, cheap to import and to hand to another process."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from rejoinder.errors import InputError

TOKEN = "REJOINDER_TOKEN"  # noqa: S105 (the name of a variable)
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server serves.

    Attributes:
        store: folder of the store.
        host: name or address that it binds.
        port: 0 for any that is free.
        provider: what alone may run models; None for the fastest.
        token: that requests must bear; empty for none.
        hosts: names of this server besides localhost and addresses.
        proxy: addresses whose word on the client's address is taken; empty for none.
        workers: processes that share the port.
        threads: of each process that answer at once; 0 for one a core.
        rows: most that one thread answers together.
        queue_rows: most that may wait in a process.
        queue_s: seconds that one may have to wait, by the pace of late; 0 for any.
        wait_s: seconds that the first of a batch waits for company.
        deadline_s: seconds for a reply; what is not ready by then is left out.
        explore: share of answers that are drawn among the best candidates.
        generate: when the generator is asked; None for what the release says.
        log: whether decisions are kept.
        log_text: whether texts are kept with them.
        retention_days: for how long; 0 for as long as there is room.
        follow_s: seconds between looks at the store; 0 to stay with one release.
        drain_delay_s: seconds in which the port stays open after `/ready` has said that it will close.
        json_events: whether events are told as JSON.
    """

    store: Path
    host: str = "127.0.0.1"
    port: int = 8080
    provider: str | None = None
    token: str = field(default="", repr=False)
    hosts: tuple[str, ...] = ()
    proxy: str = ""
    workers: int = 1
    threads: int = 0
    rows: int = 16
    queue_rows: int = 64
    queue_s: float = 0.175
    wait_s: float = 0.0
    deadline_s: float = 1.0
    explore: float = 0.0
    generate: str | None = None
    log: bool = True
    log_text: bool = False
    retention_days: float = 30.0
    follow_s: float = 1.0
    drain_delay_s: float = 0.2
    json_events: bool = False


def check_access(settings: Settings, *, no_auth: bool) -> None:
    """Refuse to let everybody in by mistake.

    Args:
        settings: how it would serve.
        no_auth: whether everybody is to be let in.

    Raises:
        InputError: if others than this machine could ask without a token, or the token is easily guessed.
    """
    if settings.token and len(settings.token) < _SHORTEST_TOKEN:
        raise InputError(
            f"{TOKEN}: expected at least {_SHORTEST_TOKEN} characters, got fewer. Next: make one with "
            '`python -c "import secrets; print(secrets.token_urlsafe(32))"`'
        )
    if not (settings.token or no_auth or is_loopback(settings.host)):
        raise InputError(
            f"--host {settings.host}: expected a token where other machines can ask, got none. "
            f"Next: set {TOKEN} or --token-file, or say --no-auth if something in front checks who asks"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
