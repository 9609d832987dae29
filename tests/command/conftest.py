"""A folder for one installation, and what lives in it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mturkhub.command.home import Home
from mturkhub.command.manager import Manager
from mturkhub.command.postgres import Postgres
from mturkhub.command.refusals import CannotStart
from mturkhub.command.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def said() -> list[str]:
    """What the manager told the person at the terminal."""
    return []


@pytest.fixture
def manager(home: Home, said: list[str]) -> Iterator[Manager]:
    manager = Manager(home.logs, secrets=["sesame-open"], say=said.append)
    yield manager
    manager.stop()


@pytest.fixture
def postgres(home: Home) -> Postgres:
    return Postgres(home.postgres, home.sockets, lambda role: f"password of {role}", is_durable=False)


def children_of(pid: int) -> dict[str, int]:
    """The processes this one has started: command line and pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found[(entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()] = int(entry.name)
        except (OSError, ValueError, IndexError):
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not yet waited for does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def nothing_is_left(settings: Settings) -> bool:
    """Whether no process of this installation lives: each would hold the lock."""
    try:
        os.close(settings.home.lock(patience=0))
    except CannotStart:
        return False
    return True
