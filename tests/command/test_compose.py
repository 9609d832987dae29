"""The processes of docker-compose.yml, started as it says: its commands, its environment, its health checks.

What is not tried is the images themselves: Postgres and Valkey are those of the tests, and nothing is in a container.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from ruamel.yaml import YAML

from mturkhub.command import sites
from mturkhub.command.manager import Manager, Service
from mturkhub.command.run import PROCESSES
from mturkhub.command.settings import beside
from mturkhub.common.broker import client
from tests.servers import create_database, free_ports, wait

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = YAML(typ="safe").load(ROOT / "docker-compose.yml")
# What somebody has to write into .env, and nothing else.
ENV_FILE = {
    "MTURKHUB_URL": "https://hub.example.org",
    "MARKETPLACE_URL": "https://work.example.org",
    "POSTGRES_PASSWORD": "geheim",
    "MTURKHUB_SECRET_KEY": "secret key of the dashboard in containers",
    "MTURKHUB_ENCRYPTION_KEYS": "bXR1cmtodWIgdW5kZXIgdGVzdCwgMzIgYnl0ZXMgISE=",
    "MARKETPLACE_SECRET_KEY": "secret key of the marketplace in containers",
    "MARKETPLACE_ACCESS_KEY_ID": "AKIAINCONTAINERSINCO",
    "MARKETPLACE_SECRET_ACCESS_KEY": "secret access key of the requester",
}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
SECRETS = {name for name in ENV_FILE if not name.endswith(("_URL", "_ID"))}


def interpolated(value: str, given: dict[str, str]) -> str:
    """The value as Compose makes it out of .env: `${NAME}`, `${NAME:-default}` and `${NAME:?sentence}`."""

    def of(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if given.get(name):
            return given[name]
        if operator == "?":
            raise KeyError(f"{name}: {rest}")
        return rest or ""

    return _VARIABLE.sub(of, value)


@dataclass
class Containers:
    """What Compose would start, with the addresses of the tests' servers for those it names."""

    manager: Manager
    addresses: dict[str, str]

    def env(self, name: str) -> dict[str, str]:
        """What a service is told, and nothing of this test run."""
        written = {
            key: interpolated(value, ENV_FILE)
            for key, value in COMPOSE["services"][name]["environment"].items()
        }
        replaced = {
            key: value for key, value in self.addresses.items() if key in written or key.endswith("_PORT")
        }
        home = {"MTURKHUB_HOME": str(self.manager.logs / "home"), "MTURKHUB_BIND": "127.0.0.1"}
        system = {key: os.environ[key] for key in ("PATH", "MTURKHUB_PG_BINDIR") if key in os.environ}
        return system | home | {"PYTHONPATH": str(ROOT)} | written | replaced

    def command(self, *words: str) -> list[str]:
        """A command line as the image's entry point makes it."""
        return [sys.executable, "-m", "mturkhub.command.main", *words]

    def service(self, name: str) -> Service:
        command = self.command(*COMPOSE["services"][name]["command"])
        return Service(name=name, command=command, env=self.env(name), tier=1, patience=30)

    def is_well(self, name: str) -> bool:
        """What the health check of a service says; its host names are this machine."""
        test = COMPOSE["services"][name]["healthcheck"]["test"]
        assert test[:2] == ["CMD", "mturkhub"]
        words = [
            "127.0.0.1" if word == "web" and test[at - 1] == "--host" else word
            for at, word in enumerate(test)
        ]
        done = subprocess.run(self.command(*words[2:]), env=self.env(name), capture_output=True, check=False)
        return done.returncode == 0

    def readyz(self) -> tuple[int, bytes]:
        return sites.ask("127.0.0.1", int(self.addresses["MTURKHUB_PORT"]), "/readyz", patience=5)


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Databases of their own, empty, and a broker's database of its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    server = os.environ["DATABASE_URL"]
    web_port, marketplace_port = free_ports(2)
    addresses = {
        "DATABASE_URL": beside(server, f"containers_{worker}"),
        "MARKETPLACE_DATABASE_URL": beside(server, f"containers_marketplace_{worker}"),
        "REDIS_URL": re.sub(r"virtual_host=\d+", "virtual_host=63", os.environ["REDIS_URL"]),
        "MTURKHUB_PORT": str(web_port),
        "MARKETPLACE_PORT": str(marketplace_port),
        "MTURKHUB_ENDPOINT_LOCAL": f"http://127.0.0.1:{marketplace_port}",
    }
    for name in ("DATABASE_URL", "MARKETPLACE_DATABASE_URL"):
        create_database(addresses[name])
    with client(addresses["REDIS_URL"]) as broker:
        broker.flushdb()
    manager = Manager(tmp_path_factory.mktemp("containers"))
    try:
        yield Containers(manager, addresses)
    finally:
        manager.stop()
        drop_databases(server, addresses["DATABASE_URL"], addresses["MARKETPLACE_DATABASE_URL"])


def drop_databases(server: str, *urls: str) -> None:
    with closing(psycopg2.connect(beside(server, "postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for url in urls:
                cursor.execute(f'drop database "{urlsplit(url).path[1:]}" with (force)')


def test_what_compose_starts_gets_ready_and_every_health_check_agrees(containers: Containers) -> None:
    prepared = subprocess.run(
        containers.command(*COMPOSE["services"]["prepare"]["command"]),
        env=containers.env("prepare"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert prepared.returncode == 0, prepared.stderr[-3000:]
    assert re.search(r"https://hub\.example\.org/sign-in/\S+", prepared.stdout)

    containers.manager.start(*(containers.service(name) for name in PROCESSES))

    wait(lambda: containers.readyz()[0] == 200, seconds=90)
    wait(lambda: containers.is_well("marketplace"), seconds=60)
    for name in PROCESSES:
        assert containers.is_well(name), name
    # A link for somebody who has lost theirs, as `docker compose exec web mturkhub sign-in-link` makes it.
    link = subprocess.run(
        containers.command("sign-in-link", "owner@localhost"),
        env=containers.env("web"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert link.stdout.startswith("https://hub.example.org/sign-in/"), link.stderr
    # Prepared again, as at an upgrade, while everything runs.
    again = subprocess.run(
        containers.command("prepare"),
        env=containers.env("prepare"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr[-3000:]

    # Nothing was written beside what beat needs: no key that only one process would have.
    home = containers.manager.logs / "home"
    assert {path.name.split(".")[0] for path in home.iterdir()} <= {"beat-schedule"}

    # Before they stop: Celery says goodbye in plain text.
    for name in PROCESSES:
        lines = (containers.manager.logs / f"{name}.log").read_text().splitlines()
        assert all("event" in json.loads(line) for line in lines), name


@pytest.mark.parametrize("name", PROCESSES)
def test_each_process_is_told_the_secrets_of_its_own_site_alone(containers: Containers, name: str) -> None:
    told = {
        secret
        for secret in SECRETS
        if any(ENV_FILE[secret] in value for value in containers.env(name).values())
    } - {"POSTGRES_PASSWORD"}

    if name == "marketplace":
        assert told == {"MARKETPLACE_SECRET_KEY"}
    else:
        assert told == {"MTURKHUB_SECRET_KEY", "MTURKHUB_ENCRYPTION_KEYS"}


def test_what_is_missing_in_the_env_file_is_asked_for_in_a_sentence() -> None:
    asked = dict(re.findall(r"\$\{(\w+):\?([^}]*)\}", (ROOT / "docker-compose.yml").read_text()))

    assert asked.keys() == ENV_FILE.keys()
    assert all(
        sentence.startswith("Set it in .env to ") and sentence.endswith(".") for sentence in asked.values()
    )


def test_every_variable_of_compose_stands_in_the_example() -> None:
    used = {name for name, _, _ in _VARIABLE.findall((ROOT / "docker-compose.yml").read_text())}
    listed = set(re.findall(r"^#?(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert used - listed == set()


def test_no_secret_stands_in_the_file() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if any(word in name for word in ("SECRET", "KEYS", "PASSWORD", "TOKEN")):
                assert _VARIABLE.fullmatch(value), name


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_without_what_all_have_to_share_refuses(containers: Containers, name: str) -> None:
    needed = "MARKETPLACE_SECRET_KEY" if name == "marketplace" else "MTURKHUB_SECRET_KEY"
    env = containers.env(name) | {needed: ""}

    done = subprocess.run(
        containers.command("run", name), env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith(f"mturkhub: {needed} must be set")
    assert len(done.stderr.splitlines()) == 1


def test_a_process_that_is_away_is_not_well(containers: Containers) -> None:
    env = containers.env("web") | {"MTURKHUB_PORT": str(free_ports(1)[0])}

    done = subprocess.run(
        containers.command("well", "web"), env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "web is not well" in done.stderr
