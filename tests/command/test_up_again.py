"""`mturkhub up` ended in every way and started again, and by whom it can be started."""

import contextlib
import os
import signal
import sys
from pathlib import Path

import psycopg2
import pytest

from mturkhub.command.manager import launch
from mturkhub.command.settings import Settings, read_settings
from tests.command.conftest import nothing_is_left
from tests.servers import stack_environment, start_up, wait, wait_until_ready


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds one installation, which the tests of this module start again and again."""
    return tmp_path_factory.mktemp("again")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return stack_environment(folder / "home")


@pytest.fixture(scope="module")
def settings(env: dict[str, str], folder: Path) -> Settings:
    return read_settings(env, folder=folder)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output.txt"


def execute(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    """Run one statement on the dashboard's database and commit it."""
    url = settings.everything()["DATABASE_URL"]
    with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_ctrl_c_leaves_nothing_running(
    env: dict[str, str], folder: Path, settings: Settings, output: Path
) -> None:
    with start_up(env, folder, output) as process:
        wait_until_ready(process, output)
        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 0
        assert nothing_is_left(settings)
        assert "Stopped. Everything is saved." in output.read_text()


def test_ctrl_c_while_it_starts_leaves_nothing_running(
    env: dict[str, str], folder: Path, settings: Settings, output: Path
) -> None:
    with start_up(env, folder, output) as process:
        wait(lambda: (settings.home.postgres / "postmaster.pid").exists())
        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 0
        assert nothing_is_left(settings)


def test_killing_the_manager_leaves_no_orphan_and_loses_nothing(
    env: dict[str, str], folder: Path, settings: Settings, output: Path
) -> None:
    with start_up(env, folder, output) as process:
        wait_until_ready(process, output)
        execute(settings, "create table if not exists proof (kept int); insert into proof values (42)")
        process.kill()
        process.wait()

    # At once, while the others are still on their way out: it waits for the last one to let go of the lock.
    with start_up(env, folder, output) as process:
        wait_until_ready(process, output)

        assert execute(settings, "select kept from proof") == [(42,)]


def test_killing_the_manager_while_it_starts_leaves_no_orphan(
    env: dict[str, str], folder: Path, settings: Settings, output: Path
) -> None:
    with start_up(env, folder, output) as process:
        wait(lambda: (settings.home.postgres / "postmaster.pid").exists())
        process.kill()
        process.wait()

        wait(lambda: nothing_is_left(settings), seconds=10)


def test_an_ordinary_user_can_run_it(tmp_path: Path, output: Path) -> None:
    env = stack_environment(tmp_path / "home")
    # Within a user namespace root is an ordinary user, without a need for an account.
    options = ["--user-namespace"] if os.geteuid() == 0 else []
    command = launch([sys.executable, "-m", "mturkhub.command.main", "up"], options=options)

    with start_up(env, tmp_path, output, command=command) as process:
        wait_until_ready(process, output)
