"""`mturkhub up` while it runs: what it prints, what it answers, and what happens when a part is killed."""

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mturkhub.command.settings import Settings, read_settings
from tests.command.conftest import children_of
from tests.servers import stack_environment, start_up, wait, wait_for, wait_until_ready

SERVICES = {
    "postgres": "bin/postgres ",
    "valkey": "valkey-server",
    "web": "mturkhub.wsgi",
    "marketplace": "marketplace.wsgi",
    "worker": "mturkhub worker",
    "beat": "mturkhub beat",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return stack_environment(folder / "home")


@pytest.fixture(scope="module")
def settings(env: dict[str, str], folder: Path) -> Settings:
    return read_settings(env, folder=folder)


@pytest.fixture(scope="module")
def output(folder: Path) -> Path:
    return folder / "output.txt"


@pytest.fixture(scope="module")
def up(env: dict[str, str], folder: Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One product that runs during all tests of this module."""
    with start_up(env, folder, output) as process:
        wait_until_ready(process, output)
        yield process


def get(settings: Settings, path: str) -> int:
    """The status of a page, 0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.web_port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def pids_of(service: str, up: subprocess.Popen[bytes]) -> set[int]:
    """Its process, or nothing while it is being replaced: a process that executes another has no command for a moment."""
    return {pid for command, pid in children_of(up.pid).items() if SERVICES[service] in command}


def test_it_prints_where_it_is_and_a_sign_in_link(
    up: subprocess.Popen[bytes], settings: Settings, output: Path
) -> None:
    printed = output.read_text()

    for shown in (settings.web_url, settings.marketplace_url, str(settings.home.path)):
        assert shown in printed
    assert re.search(rf"Sign in +{settings.web_url}/sign-in/\S+/\n", printed)


def test_everything_is_there(up: subprocess.Popen[bytes], settings: Settings) -> None:
    wait(lambda: get(settings, "/readyz") == 200, seconds=30)


def test_the_doctor_finds_nothing_wrong_and_tells_no_secret(
    up: subprocess.Popen[bytes], env: dict[str, str], settings: Settings, folder: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mturkhub.command.main", "doctor"],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("Nothing is wrong", "Worker and beat are alive", "Connection Local: its keys can be read"):
        assert said in done.stdout
    secrets = [path.read_text().strip() for path in settings.home.secrets.iterdir()]
    assert not [secret for secret in secrets if secret in done.stdout + done.stderr]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_killed_comes_back_and_the_reason_is_shown(
    service: str, up: subprocess.Popen[bytes], settings: Settings, output: Path
) -> None:
    wait(lambda: pids_of(service, up))
    first = pids_of(service, up)

    for pid in first:
        os.kill(pid, signal.SIGKILL)

    wait_for(up, output, rf"{service} ended: signal 9 \(SIGKILL\)\. It starts again")
    wait(lambda: pids_of(service, up) - first)
    wait(lambda: get(settings, "/readyz") == 200, seconds=40)


def test_a_second_one_on_the_same_folder_is_refused(
    up: subprocess.Popen[bytes], env: dict[str, str], folder: Path
) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "mturkhub.command.main", "up"],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 1
    assert f"mturkhub already runs on {folder / 'home'} (process {up.pid})" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_sign_in_link_can_be_had_later(
    up: subprocess.Popen[bytes], env: dict[str, str], folder: Path
) -> None:
    command = [sys.executable, "-m", "mturkhub.command.main", "sign-in-link"]
    known, unknown = (
        subprocess.run([*command, email], env=env, cwd=folder, capture_output=True, text=True, check=False)
        for email in ("owner@localhost", "stan@example.org")
    )

    assert known.stdout.startswith(f"{env['MTURKHUB_URL']}/sign-in/")
    assert unknown.returncode == 1
    assert "Nobody here signs in as stan@example.org" in unknown.stderr
