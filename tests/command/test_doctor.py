"""`mturkhub doctor`: what is wrong, and what to do; what is harmless on one machine and not beyond it."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mturkhub.accounts.models import Connection
from mturkhub.command.backup import LAST
from mturkhub.command.doctor import Finding, findings
from mturkhub.command.home import Home
from mturkhub.command.settings import Settings, read_settings
from mturkhub.common import clock
from mturkhub.management.commands.diagnose import diagnose
from projects.models import HIT, Sweep
from tests.factories import ConnectionFactory, HITFactory
from tests.servers import free_ports, stack_environment

PUBLIC = {
    "MTURKHUB_BIND": "0.0.0.0",
    "MTURKHUB_URL": "https://hub.example.org",
    "MARKETPLACE_URL": "https://work.example.org",
    "MARKETPLACE_CONTENT_URL": "https://content.example.org/",
}


def examined(folder: Path, **environ: str) -> list[Finding]:
    """What is found before the first start, on ports that are free."""
    web_port, marketplace_port = free_ports(2)
    ports = {"MTURKHUB_PORT": str(web_port), "MARKETPLACE_PORT": str(marketplace_port)}
    settings = read_settings({"MTURKHUB_HOME": str(folder / "home"), **ports, **environ}, folder=folder)
    return list(findings(settings, None))


def wrong(found: list[Finding]) -> str:
    return "\n".join(map(str, (each for each in found if each.level == "WRONG")))


def test_before_the_first_start_it_says_so_and_makes_nothing(tmp_path: Path) -> None:
    env = stack_environment(tmp_path / "home")
    command = [sys.executable, "-m", "mturkhub.command.main", "doctor"]

    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Nothing was ever started" in done.stdout
    assert "→ Start it with `mturkhub up`." in done.stdout
    assert "1 thing is wrong." in done.stdout
    assert not (tmp_path / "home").exists()


def test_on_one_machine_nothing_is_exposed(tmp_path: Path) -> None:
    found = examined(tmp_path, MARKETPLACE_TEST_WORKERS="1", MTURKHUB_TEST_CLOCK="1")

    assert "Only this machine can reach it." in "\n".join(map(str, found))
    assert "clock" not in wrong(found)


def test_three_https_hosts_are_well(tmp_path: Path) -> None:
    assert wrong(examined(tmp_path, **PUBLIC)).count("WRONG") == 1  # never started


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"MTURKHUB_URL": "http://hub.example.org"}, "http://hub.example.org: passwords and answers travel"),
        ({"MARKETPLACE_URL": "https://hub.example.org:8443"}, "share the host hub.example.org"),
        ({"MARKETPLACE_CONTENT_URL": ""}, "The worker site and requesters' HTML share the host"),
        ({"MARKETPLACE_TEST_WORKERS": "1"}, "answer as a test Worker"),
        ({"MTURKHUB_TEST_CLOCK": "1"}, "The clock can be moved by hand"),
    ],
)
def test_what_is_exposed_to_others_is_named(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    assert sentence in wrong(examined(tmp_path, **PUBLIC | change))


def test_secrets_that_others_may_read_are_named_with_the_remedy(home: Home) -> None:
    secret = home.secrets / "mturkhub_secret_key"
    secret.write_text("sesame-open")
    secret.chmod(0o644)

    said = wrong(list(findings(_settings(home), None)))

    assert "Others may read secrets: mturkhub_secret_key" in said
    assert f"chmod 600 {home.secrets}/*" in said
    assert "sesame" not in said


def test_a_taken_port_is_named(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = wrong(list(findings(_settings(home, MTURKHUB_PORT=str(port)), None)))

    assert f"Port {port} on 127.0.0.1 is taken by another program" in said


def test_databases_and_brokers_that_do_not_answer_are_named(home: Home) -> None:
    port = free_ports(1)[0]
    url = f"postgres://someone:sesame-open@127.0.0.1:{port}/nothing"
    settings = _settings(home, DATABASE_URL=url, REDIS_URL=f"redis://127.0.0.1:{port}/0")

    said = wrong(list(findings(settings, settings.everything())))

    assert f"DATABASE_URL (127.0.0.1:{port}/nothing) cannot be reached" in said
    assert "The broker does not answer" in said
    assert "sesame" not in said


@pytest.mark.parametrize(("days", "level"), [(1, "ok"), (8, "note")])
def test_the_last_backup_and_its_age_are_told(home: Home, days: int, level: str) -> None:
    at = datetime.now(UTC) - timedelta(days=days)
    (home.path / LAST).write_text(json.dumps({"at": at.isoformat(), "file": "/mnt/b.tar"}))

    [said] = [each for each in findings(_settings(home), None) if "last backup" in each.what]

    assert said.level == level
    assert "/mnt/b.tar" in said.what


def _settings(home: Home, **environ: str) -> Settings:
    web_port, marketplace_port = free_ports(2)
    given = {
        "MTURKHUB_HOME": str(home.path),
        "MTURKHUB_PORT": str(web_port),
        "MARKETPLACE_PORT": str(marketplace_port),
        "PATH": os.environ["PATH"],
    }
    return read_settings(given | environ, folder=home.path.parent)


# What the tables say ------------------------------------------------------------------------------


def said(level: str) -> str:
    return "\n".join(f"{what} {remedy}" for found, what, remedy in diagnose() if found == level)


@pytest.mark.django_db
def test_healthy_tables_give_no_reason_to_worry(connection: Connection) -> None:
    HITFactory(connection=connection, publish_state="published", mturk_id="3HIT")
    Connection.objects.update(last_sweep_at=clock.now())

    assert said("WRONG") == said("note") == ""
    assert f"Connection {connection.name}: its keys can be read" in said("ok")


@pytest.mark.django_db
def test_keys_under_a_lost_encryption_key_are_named(connection: Connection, settings) -> None:
    ConnectionFactory(name="Lost", credentials=b"nonsense")

    assert "Connection Lost: its keys cannot be read" in said("WRONG")
    assert "enter the access key again" in said("WRONG")
    assert f"Connection {connection.name}: its keys" not in said("WRONG")


@pytest.mark.django_db
def test_pauses_and_problems_of_a_connection_are_named(connection: Connection) -> None:
    now = clock.now()
    Connection.objects.update(
        problem="It cannot be reached.",
        creation_paused_at=now,
        creation_paused_reason="Funds ran out.",
        paused_at=now,
        paused_reason="A copy.",
    )

    assert "It cannot be reached." in said("WRONG")
    assert "Funds ran out." in said("WRONG")
    assert "is paused: A copy." in said("note")


@pytest.mark.django_db
def test_a_sweep_that_is_overdue_is_told_with_its_reason(connection: Connection) -> None:
    HITFactory(connection=connection, publish_state="published", mturk_id="3HIT")
    Connection.objects.update(last_sweep_at=clock.now() - timedelta(hours=3))
    Sweep.objects.create(connection=connection, begun_at=clock.now(), problem="MTurk is away.\nRequestId 1")

    assert "answers were last collected 3 hours ago. MTurk is away. See that worker" in said("WRONG")


@pytest.mark.django_db
def test_the_oldest_write_that_is_not_finished_is_told(connection: Connection) -> None:
    hit = HITFactory(connection=connection, publish_state="queued", mturk_id=None)
    HIT.objects.filter(pk=hit.pk).update(due_at=clock.now() - timedelta(hours=5))

    assert "a hit, has been due for 5 hours" in said("note")
