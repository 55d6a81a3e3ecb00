"""A PostgreSQL cluster of the server's own: found, made once, started, stopped.

It listens on a Unix socket only, in a folder that none but its user (and root) may enter, and lets nobody in but
the two system users that run PostgreSQL and MLflow ("peer": the kernel says who they are). So it needs no password.

PostgreSQL refuses to run as root; started by root it runs as `postgres`, the user that Debian's package makes. That
user must be able to reach the cluster: where ROOT is closed to it, or too long for a socket's path, the cluster
lies in that user's own home instead.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from registry.errors import RegistryError

DATABASES = ("tracking", "auth")
ROLE = "mlflow"
_DEBIAN = Path("/usr/lib/postgresql")
_SYSTEM_USER = "postgres"
_SOCKET_LIMIT = 107  # bytes of a Unix socket's path, by the kernel
_SOCKET = ".s.PGSQL.5432"
_PLAIN = re.compile(r"[\w./+~ -]+")  # pg_ctl puts paths into a shell's command line
_SECONDS = "60"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster is, and what runs it.

    Attributes:
        folder: holds `data/`, `log` and the socket; only `user` may enter.
        binaries: of the PostgreSQL version that made it.
        user: the system user that PostgreSQL runs as.
    """

    folder: Path
    binaries: Path
    user: str

    def uri(self, database: str) -> str:
        """SQLAlchemy's address of a database; holds no password, for there is none."""
        return f"postgresql+psycopg2://{ROLE}@/{database}?host={quote(str(self.folder))}"


def find_cluster(root: Path) -> Cluster:
    """Decide where a server's cluster lies and which PostgreSQL runs it; changes nothing.

    Args:
        root: the server's folder, absolute.

    Returns:
        The cluster, made or not.

    Raises:
        RegistryError: if PostgreSQL is not installed, or there is no place where it can run.
    """
    folder, user = root / "postgres", pwd.getpwuid(os.getuid())
    binaries = find_binaries(None)
    if user.pw_uid == 0:
        user = _system_user()
        if not (_fits(folder) and _reachable(root)):
            folder = Path(user.pw_dir) / f"rejoinder-{hashlib.sha256(bytes(root)).hexdigest()[:12]}"
    if not _fits(folder):
        raise RegistryError(
            f"{folder}: expected a path of letters, digits, spaces and ./+~-_ that leaves room for a socket "
            f"({_SOCKET_LIMIT} bytes in all), got {len(bytes(folder / _SOCKET))} bytes. Next: a shorter, plain "
            "--root"
        )
    version = folder / "data" / "PG_VERSION"
    if version.exists():  # a cluster runs with the version that made it, and no other
        binaries = find_binaries(version.read_text().strip())
    return Cluster(folder, binaries, user.pw_name)


def find_binaries(version: str | None) -> Path:
    """Find PostgreSQL's programs where Debian puts them.

    Args:
        version: the major version needed; None for the highest.

    Returns:
        Their folder.

    Raises:
        RegistryError: if they are not installed.
    """
    found = [path.parent for path in _DEBIAN.glob(f"{version or '*'}/bin/initdb")]
    if not found:
        package = "postgresql" + (f"-{version}" if version else "")
        raise RegistryError(
            f"PostgreSQL{f' {version}' if version else ''} is not installed: expected "
            f"{_DEBIAN}/{version or '<version>'}/bin/initdb, got no such file. Next: apt-get install {package}"
        )
    return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)])


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        raise RegistryError(
            f"PostgreSQL does not run as root: expected a system user {_SYSTEM_USER}, got none. "
            "Next: apt-get install postgresql, or start the server as another user"
        ) from None


def _fits(folder: Path) -> bool:
    return len(bytes(folder / _SOCKET)) <= _SOCKET_LIMIT and _PLAIN.fullmatch(str(folder)) is not None


def _reachable(root: Path) -> bool:
    """Whether any user may pass through every folder on the way; ROOT itself is opened when it is made."""
    return all(path.stat().st_mode & 0o001 for path in root.parents if path.exists())


@contextmanager
def running_cluster(cluster: Cluster) -> Iterator[None]:
    """Start a cluster, made first if it is not there, and stop it at the end.

    One that still runs, because whoever started it was killed, is taken over.

    Args:
        cluster: which one.

    Yields:
        Nothing.

    Raises:
        RegistryError: if PostgreSQL fails; its own words are in the message.
    """
    if not (cluster.folder / "data").exists():
        _make(cluster)
    control = ["pg_ctl", "--wait", "--timeout", _SECONDS, "--pgdata", str(cluster.folder / "data")]
    if not _runs(cluster):
        settings = {"listen_addresses": "", "unix_socket_directories": str(cluster.folder)}
        options = shlex.join([f"--{key}={value}" for key, value in settings.items()])
        log = cluster.folder / "log"
        _must(cluster, *control, "--log", str(log), "--options", options, "start", hint=f"read {log}")
    try:
        _ensure_databases(cluster)
        yield
    finally:
        if _runs(cluster):
            _must(cluster, *control, "--mode", "fast", "stop", hint=f"read {cluster.folder / 'log'}")


def _runs(cluster: Cluster) -> bool:
    return _program(cluster, "pg_ctl", "status", "--pgdata", str(cluster.folder / "data")).returncode == 0


def _make(cluster: Cluster) -> None:
    owner = pwd.getpwnam(cluster.user)
    cluster.folder.mkdir(mode=0o700, exist_ok=True)
    if os.getuid() == 0:
        os.chown(cluster.folder, owner.pw_uid, owner.pw_gid)
    # Takes its name last: a cluster that is there is whole.
    draft = cluster.folder / "data.part"
    _must(cluster, "rm", "-rf", str(draft))
    words = ["--username=postgres", "--auth=peer", "--encoding=UTF8", "--no-locale", "--data-checksums"]
    _must(cluster, "initdb", f"--pgdata={draft}", *words)
    people = {cluster.user, pwd.getpwuid(os.getuid()).pw_name}
    (draft / "pg_hba.conf").write_text("local all all peer map=rejoinder\n")
    rows = [f'rejoinder "{person}" {role}\n' for person in sorted(people) for role in ("postgres", ROLE)]
    (draft / "pg_ident.conf").write_text("".join(rows))
    draft.rename(cluster.folder / "data")


def _ensure_databases(cluster: Cluster) -> None:
    if not _query(cluster, f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):  # noqa: S608  (our own words)
        _query(cluster, f"CREATE ROLE {ROLE} LOGIN")
    for name in DATABASES:
        if not _query(cluster, f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):  # noqa: S608
            _query(cluster, f"CREATE DATABASE {name} OWNER {ROLE}")


def _query(cluster: Cluster, statement: str) -> str:
    words = ["--no-psqlrc", "--tuples-only", "--set=ON_ERROR_STOP=1", f"--host={cluster.folder}"]
    return _must(cluster, "psql", *words, "--username=postgres", f"--command={statement}").strip()


def _must(cluster: Cluster, program: str, *words: str, hint: str = "check the disk and its rights") -> str:
    done = _program(cluster, program, *words)
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-500:]
        raise RegistryError(f"PostgreSQL ({cluster.folder}): {program} failed: {said}. Next: {hint}")
    return done.stdout


def _program(cluster: Cluster, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    path = cluster.binaries / program
    switch = os.getuid() == 0
    # pg_ctl's child keeps what it inherits for as long as it lives: pipes would never see their end.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(
            [str(path) if path.exists() else program, *words],
            cwd=cluster.folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            check=False,
            user=cluster.user if switch else None,
            group=pwd.getpwnam(cluster.user).pw_gid if switch else None,
            extra_groups=[] if switch else None,
        )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, done.returncode, out.read(), err.read())
