"""Real servers for tests, as a pytest plugin: Postgres, Valkey, the product's processes.

The run's first process starts Postgres and Valkey before any settings are read and hands their addresses to
the others by environment. Each xdist worker has its own databases on the one, its own database number on the
other, and its own ports.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import connection

from mturkhub.command import sites
from mturkhub.command.manager import Manager, Service, launch
from mturkhub.command.ports import listen
from mturkhub.command.postgres import SUPERUSER, Postgres
from mturkhub.command.settings import beside, dashboard, marketplace
from mturkhub.command.up import PREPARE
from mturkhub.command.valkey import Valkey
from mturkhub.common.broker import client

SECRETS = {
    "MTURKHUB_SECRET_KEY": "secret key of the dashboard under test",
    "MTURKHUB_ENCRYPTION_KEYS": "bXR1cmtodWIgdW5kZXIgdGVzdCwgMzIgYnl0ZXMgISE=",
    "MARKETPLACE_SECRET_KEY": "secret key of the marketplace under test",
    "MARKETPLACE_ACCESS_KEY_ID": "AKIAUNDERTESTUNDERTE",
    "MARKETPLACE_SECRET_ACCESS_KEY": "secret access key of the requester under test",
}
FOLDER = "MTURKHUB_TEST_FOLDER"
OURS = ("MTURKHUB_", "MARKETPLACE_", "DATABASE_URL", "REDIS_URL", "EMAIL_", "AWS_")
KEPT = (FOLDER, "MTURKHUB_CHROMIUM", "MTURKHUB_PG_BINDIR")


@dataclass
class Servers:
    """What this process started and what it listens on."""

    folder: Path
    manager: Manager
    listener: socket.socket  # kept for `marketplace_server`, so that settings know its address from the start
    queues: socket.socket  # kept for `queues`, for the same reason
    is_first: bool
    logs: list[str] = field(default_factory=list)


_servers: Servers | None = None


# Before settings are read ------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """Set the environment; as a wrapper it runs before pytest-django reads the settings."""
    global _servers
    if _servers is None:
        _servers = _start()
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    # Registered after pytest-playwright, whose launch arguments it replaces.
    config.pluginmanager.import_plugin("tests.browser")


def pytest_unconfigure() -> None:
    global _servers
    if _servers is not None:
        _servers.manager.stop()
        _servers.listener.close()
        _servers.queues.close()
        if _servers.is_first:
            shutil.rmtree(_servers.folder, ignore_errors=True)
            # A run within this process, as pytester makes one, starts anew.
            del os.environ[FOLDER]
        _servers = None


def _start() -> Servers:
    is_first = FOLDER not in os.environ
    if is_first:
        # Whatever the shell has set is for a real installation: no test may touch it.
        for name in [name for name in os.environ if name.startswith(OURS) and name not in KEPT]:
            del os.environ[name]
        os.environ.update(SECRETS)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder = Path(os.environ[FOLDER]) if not is_first else Path(tempfile.mkdtemp(prefix="mturkhub-test-"))
    logs = folder / worker
    logs.mkdir()
    manager = Manager(logs)
    postgres = Postgres(folder / "postgres", folder, lambda _role: "under-test", is_durable=False)
    valkey = Valkey(folder, folder, is_durable=False)
    if is_first:
        (folder / "valkey").mkdir(mode=0o700)
        postgres.prepare()
        manager.start(postgres.service(), valkey.service())
    listener, queues = (listen("127.0.0.1", 0, variable="no variable") for _ in range(2))
    number = int(worker.removeprefix("gw")) + 1 if worker.startswith("gw") else 0
    os.environ |= {
        FOLDER: str(folder),
        "DATABASE_URL": postgres.url(SUPERUSER, "mturkhub"),
        "MARKETPLACE_DATABASE_URL": postgres.url(SUPERUSER, f"marketplace_{worker}"),
        "REDIS_URL": valkey.url(number),
        "MARKETPLACE_URL": address(listener),
        "MARKETPLACE_TEST_WORKERS": "1",
        # moto tells services apart by their signatures alone.
        "MARKETPLACE_NOTIFICATION_ACCESS_KEY_ID": "testing",
        "MARKETPLACE_NOTIFICATION_SECRET_ACCESS_KEY": "testing",
        "MARKETPLACE_NOTIFICATION_ENDPOINTS": f"sqs={address(queues)}/ sns={address(queues)}/",
        "MTURKHUB_TEST_CLOCK": "1",
        # Playwright runs an event loop in the test's thread, and Django would refuse the database there.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
    }
    return Servers(folder, manager, listener, queues, is_first)


def address(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def running() -> Servers:
    """The servers of this process."""
    assert _servers is not None, "the plugin tests.servers is not loaded"
    return _servers


# The marketplace ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class MarketplaceServer:
    """A marketplace in its own process, with a database of its own."""

    url: str
    access_key: str
    secret_key: str
    database_url: str
    env: dict[str, str]

    def manage(self, *command: str) -> str:
        """Run one of its management commands; returns what it printed."""
        return run([sys.executable, "-m", "django", *command], self.env)


@pytest.fixture(scope="session")
def marketplace_server() -> MarketplaceServer:
    """The marketplace under gunicorn, started by the first test that asks and kept for the session."""
    servers = running()
    env = marketplace(os.environ, preparing=True)
    create_database(env["MARKETPLACE_DATABASE_URL"])
    servers.manager.together({"prepare-marketplace": ([*PREPARE, "ensure_first_requester"], env)})
    servers.manager.start(sites.marketplace(servers.listener, env))
    return MarketplaceServer(
        url=env["MARKETPLACE_URL"],
        access_key=env["MARKETPLACE_ACCESS_KEY_ID"],
        secret_key=env["MARKETPLACE_SECRET_ACCESS_KEY"],
        database_url=env["MARKETPLACE_DATABASE_URL"],
        env=env,
    )


# moto, serving a socket that listens already.
_MOTO = """
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

app = DomainDispatcherApplication(create_backend_app)
make_server("127.0.0.1", int(sys.argv[2]), app, threaded=True, fd=int(sys.argv[1])).serve_forever()
"""


@pytest.fixture(scope="session")
def queues() -> Iterator[str]:
    """The address of a server of queues and topics, which the marketplace may deliver notifications to."""
    listener = running().queues
    number, port = listener.fileno(), listener.getsockname()[1]
    command = [sys.executable, "-c", _MOTO, str(number), str(port)]
    log = running().folder / f"moto-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, pass_fds=[number], stdout=output, stderr=output)
    yield address(listener)
    process.terminate()
    process.wait(20)


def create_database(url: str) -> None:
    """Make the database that the address names."""
    with closing(psycopg2.connect(beside(url, "postgres"))) as server:
        server.autocommit = True
        with server.cursor() as cursor:
            cursor.execute(f'create database "{urlsplit(url).path.lstrip("/")}"')


def run(command: list[str], env: dict[str, str]) -> str:
    """Run a command to its end; returns what it printed, fails with what it complained about."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}"
    return done.stdout


# Celery ------------------------------------------------------------------------------------------


@pytest.fixture
def celery_worker(transactional_db: None) -> Iterator[None]:
    """A real worker and beat on this test's database; they are gone before its tables are emptied."""
    servers = running()
    manager = Manager(servers.manager.logs)
    with client(os.environ["REDIS_URL"]) as broker:
        broker.flushdb()
    env = dashboard(os.environ) | {
        "DATABASE_URL": beside(os.environ["DATABASE_URL"], str(connection.settings_dict["NAME"]))
    }
    schedule = servers.manager.logs / "beat-schedule"
    try:
        manager.start(replace(sites.worker(env), is_ready=_worker_answers), _beat(schedule, env))
        yield
    finally:
        manager.stop()


def _beat(schedule: Path, env: dict[str, str]) -> Service:
    for leftover in schedule.parent.glob("beat-schedule*"):
        leftover.unlink()
    return sites.beat(schedule, env)


def _worker_answers() -> bool:
    with client(os.environ["REDIS_URL"]) as broker:
        return bool(broker.exists("mturkhub-alive:worker"))


# Everything --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stack:
    """The whole product, started as a person starts it."""

    url: str
    marketplace_url: str
    env: dict[str, str]
    home: Path
    output: Path
    email: str = "owner@localhost"

    @property
    def sign_in_link(self) -> str:
        """A fresh link that signs the first owner in; each works once."""
        command = [sys.executable, "-m", "mturkhub.command.main", "sign-in-link", self.email]
        return run(command, self.env).strip()

    @cached_property
    def access_keys(self) -> tuple[str, str]:
        """The access key id and secret of the marketplace's first requester."""
        names = ("marketplace_access_key_id", "marketplace_secret_access_key")
        first, second = ((self.home / "secrets" / name).read_text().strip() for name in names)
        return first, second


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything that `mturkhub up` starts, on free ports and in an empty folder, for journeys."""
    folder = tmp_path_factory.mktemp("stack")
    env = stack_environment(folder / "home", MTURKHUB_API_TOKEN="token-of-the-first-owner-under-test")
    output = folder / "output.txt"
    with start_up(env, folder, output) as process:
        wait_until_ready(process, output)
        yield Stack(env["MTURKHUB_URL"], env["MARKETPLACE_URL"], env, folder / "home", output)


def stack_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment for `mturkhub up` with nothing of this test run in it but two free ports."""
    web_port, marketplace_port = free_ports(2)
    env = {name: value for name, value in os.environ.items() if not name.startswith(OURS) or name in KEPT}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    return env | {
        "MTURKHUB_HOME": str(home),
        "MTURKHUB_PORT": str(web_port),
        "MARKETPLACE_PORT": str(marketplace_port),
        "MTURKHUB_URL": f"http://127.0.0.1:{web_port}",
        "MARKETPLACE_URL": f"http://127.0.0.1:{marketplace_port}",
        "MTURKHUB_TEST_CLOCK": "1",
        **more,
    }


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on at the moment."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class start_up:
    """`mturkhub up` in a process of its own, stopped with Ctrl-C's signal at the end."""

    def __init__(
        self, env: dict[str, str], folder: Path, output: Path, *, command: list[str] | None = None
    ) -> None:
        command = command or launch([sys.executable, "-m", "mturkhub.command.main", "up"])
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                command, env=env, cwd=folder, stdout=file, stderr=file, stdin=subprocess.DEVNULL
            )

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(2)
        self.process.wait(60)


def wait(is_so: Callable[[], object], *, seconds: float = 20) -> None:
    """Return once it is so; fails when it never is."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"still not so after {seconds} seconds"
        time.sleep(0.05)


def wait_until_ready(process: subprocess.Popen[bytes], output: Path, *, seconds: float = 90) -> str:
    """What `up` printed when it was ready; fails with its output when it ends or takes too long."""
    return wait_for(process, output, r"Ctrl-C stops everything", seconds=seconds)


def wait_for(process: subprocess.Popen[bytes], output: Path, pattern: str, *, seconds: float = 30) -> str:
    """All that was printed once it matches the pattern; fails when it never does."""
    deadline = time.monotonic() + seconds
    while True:
        printed = output.read_text(errors="replace")
        if re.search(pattern, printed):
            return printed
        assert process.poll() is None, f"`mturkhub up` ended:\n{printed}"
        assert time.monotonic() < deadline, f"{pattern!r} was never printed:\n{printed}"
        time.sleep(0.05)
