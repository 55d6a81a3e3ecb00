"""Who may do what on the server: three accounts, their passwords in files of mode 0600, their rights.

    admin      everything; nobody works as admin
    publisher  creates experiments and models, manages what it created, edits the rest
    puller     reads every experiment and model, those published later included; changes and creates nothing

MLflow lets every account create experiments and models unless its workspaces are switched on: then only those may
that were given USE of the workspace. So they are on, and the puller has READ of everything and no USE.
"""

from __future__ import annotations

import configparser
import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.errors import RegistryError
from rejoinder.atomic import write_text

#: What each account is given: permission by type of resource. What is not named is refused.
GRANTS: Mapping[str, Mapping[str, str]] = {
    "publisher": {"workspace": "USE", "experiment": "EDIT", "registered_model": "EDIT"},
    "puller": {"experiment": "READ", "registered_model": "READ"},
}
ACCOUNTS = ("admin", *GRANTS)
_USERNAME = "MLFLOW_TRACKING_USERNAME"
_PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105  (the name of a variable)
_USERS = "/api/2.0/mlflow/users"
_USER_ROLES = "/api/3.0/mlflow/users/roles"
_ROLES = "/api/3.0/mlflow/roles"
_WORKSPACE = "default"
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Account:
    """A name and its password, which no message shows."""

    username: str
    password: str = field(repr=False)


def account_file(root: Path, username: str) -> Path:
    """The file of an account: shell, systemd and containers read its three lines."""
    return root / "credentials" / f"{username}.env"


def write_secret(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all.

    Args:
        path: where to; its folder is made, closed to others, if missing.
        text: what to write.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_text(path, text, mode=0o600)


def secret_of(path: Path) -> str:
    """Read a secret, made at random the first time.

    Args:
        path: its file.

    Returns:
        The secret.
    """
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


def read_accounts(root: Path, uri: str) -> dict[str, Account]:
    """Read the accounts' files, with random passwords where there are none, and note the server's address in them.

    Args:
        root: the server's folder.
        uri: the server's address.

    Returns:
        Accounts by name.
    """
    accounts = {}
    for username in ACCOUNTS:
        path = account_file(root, username)
        lines = path.read_text().splitlines() if path.exists() else []
        known = dict(line.split("=", 1) for line in lines if "=" in line)
        account = Account(username, known.get(_PASSWORD) or secrets.token_urlsafe(32))
        rows = {"MLFLOW_TRACKING_URI": uri, _USERNAME: username, _PASSWORD: account.password}
        write_secret(path, "".join(f"{key}={value}\n" for key, value in rows.items()))
        accounts[username] = account
    return accounts


def write_settings(path: Path, database_uri: str, admin: Account) -> None:
    """Write what MLflow's authentication reads at its start.

    Args:
        path: the file.
        database_uri: where it keeps users and rights.
        admin: made at the first start; later MLflow ignores this password.
    """
    config = configparser.RawConfigParser()
    config["mlflow"] = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": database_uri.replace("%", "%%"),  # MLflow reads it with interpolation
        "admin_username": admin.username,
        "admin_password": admin.password,
        "grant_default_workspace_access": "false",
        # A check of a password costs the server some 0.1 CPU-seconds; a changed one is refused after this long.
        "auth_cache_ttl_seconds": "60",
    }
    text = io.StringIO()
    config.write(text)
    write_secret(path, text.getvalue())


def ensure_accounts(uri: str, accounts: Mapping[str, Account]) -> None:
    """Make MLflow agree with the accounts' files: users and passwords, and a role of the same name with its rights.

    Args:
        uri: a running server.
        accounts: by name.

    Raises:
        RegistryError: if the server refuses.
    """
    with _Admin(uri, accounts["admin"]) as admin:
        roles = {role["name"]: role for role in admin.ask("GET", f"{_ROLES}/list?workspace={_WORKSPACE}")["roles"]}
        for username, grants in GRANTS.items():
            if not _accepted(uri, accounts[username]):
                _set_password(admin, accounts[username])
            role = roles.get(username) or _create_role(admin, username)
            given = {permission["resource_type"] for permission in role["permissions"]}
            for kind in grants.keys() - given:  # what the admin has changed since stays as it is
                rights = {"resource_type": kind, "resource_pattern": "*", "permission": grants[kind]}
                admin.ask("POST", f"{_ROLES}/permissions/add", {"role_id": role["id"], **rights})
            assigned = admin.ask("GET", f"{_USER_ROLES}/list?username={username}")["roles"]
            if role["id"] not in [other["id"] for other in assigned]:
                admin.ask("POST", f"{_ROLES}/assign", {"username": username, "role_id": role["id"]})


def _create_role(admin: _Admin, name: str) -> dict[str, Any]:
    made = admin.ask("POST", f"{_ROLES}/create", {"name": name, "workspace": _WORKSPACE})["role"]
    return {"permissions": [], **made}


def _set_password(admin: _Admin, account: Account) -> None:
    body = {"username": account.username, "password": account.password}
    known = [user["username"] for user in admin.ask("GET", f"{_USERS}/list")["users"]]
    if account.username in known:
        admin.ask("PATCH", f"{_USERS}/update-password", body)
    else:
        admin.ask("POST", f"{_USERS}/create", body)


def _accepted(uri: str, account: Account) -> bool:
    with _Admin(uri, account) as caller:
        return caller.status("GET", f"{_USERS}/current") == 200


class _Admin:
    """Calls of MLflow's account interface, always as the account given, whatever the environment says."""

    def __init__(self, uri: str, account: Account) -> None:
        import requests

        self._uri = uri
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, and no ~/.netrc in place of our account
        self._session.auth = (account.username, account.password)

    def __enter__(self) -> _Admin:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def status(self, method: str, path: str) -> int:
        """The answer's status alone."""
        return self._session.request(method, self._uri + path, timeout=_SECONDS).status_code

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer's document; anything but success is an error."""
        answer = self._session.request(method, self._uri + path, json=body, timeout=_SECONDS)
        if answer.status_code != 200:
            route = path.partition("?")[0]
            raise RegistryError(
                f"MLflow at {self._uri} refused {method} {route} to the admin: expected 200, got "
                f"{answer.status_code}. Next: if its password was changed elsewhere, write it into "
                "credentials/admin.env"
            )
        return dict(answer.json())
