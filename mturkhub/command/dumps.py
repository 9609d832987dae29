"""Dumps of one database, made and read back by Postgres' own programs.

The packaged programs are tried first, then those on PATH: a server may be newer than ours, or want a kind of
line (TLS, Kerberos) that ours were built without.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn

from mturkhub.command.postgres import binaries
from mturkhub.command.refusals import CannotStart, without_secrets

# How libpq is told by environment, where a password is seen by nobody else.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
_NO_OWNERS = ("--no-owner", "--no-privileges")


def dump(url: str, path: Path) -> None:
    """Write the database into a new file in Postgres' custom format; raises CannotStart."""
    _run("pg_dump", url, ["--format=custom", *_NO_OWNERS, f"--file={path}"])


def load(path: Path, url: str) -> None:
    """Fill an empty database with a dump, whole or not at all; raises CannotStart."""
    options = ["--single-transaction", "--exit-on-error", *_NO_OWNERS]
    _run("pg_restore", url, [*options, f"--dbname={parse_dsn(url)['dbname']}", str(path)])


def is_empty(url: str) -> bool:
    """Whether the database holds no table of ours."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("select not exists (select from pg_tables where schemaname = 'public')")
        return bool(cursor.fetchone()[0])


def clear(url: str) -> None:
    """Take everything out of a database that we have just filled."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "select format('drop table %I.%I cascade', schemaname, tablename) "
            "from pg_tables where schemaname = 'public'"
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def _run(program: str, url: str, arguments: Sequence[str]) -> None:
    server = _server_version(url)
    env = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C"}
    env |= {_VARIABLES[name]: value for name, value in parse_dsn(url).items() if name in _VARIABLES}
    tried = []
    for path in _found(program):
        version = _major(path)
        if version < server:
            tried.append(f"{path} is version {version}")
            continue
        done = subprocess.run([path, *arguments], env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        tried.append(f"{path} says: {' '.join(done.stderr.split())[:600]}")
    reasons = "; ".join(tried) or "none was found"
    raise CannotStart(
        without_secrets(
            f"No {program} could do it for this Postgres {server}: {reasons}. "
            f"Install the client programs of Postgres {server} or newer, so that {program} is on PATH, and try again.",
            [env.get("PGPASSWORD", "")],
        )
    )


def _found(program: str) -> list[str]:
    found = []
    with contextlib.suppress(CannotStart):  # a machine we have no binaries for may still have its own
        found.append(str(binaries() / program))
    found.append(shutil.which(program) or "")
    return [path for path in found if path and Path(path).exists()]


def _major(path: str) -> int:
    shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+", shown)
    return int(number[0]) if number else 0


def _server_version(url: str) -> int:
    with contextlib.closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        return int(connection.server_version) // 10_000
