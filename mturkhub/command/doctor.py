"""`mturkhub doctor`: what is wrong, each finding with its remedy; nothing is changed and no secret is printed.

What only the dashboard's tables know is asked in a process of its own, the management command `diagnose`.
"""

import contextlib
import http.client
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import redis

from mturkhub.command import external, postgres, valkey
from mturkhub.command.backup import LAST
from mturkhub.command.home import NEEDED_BYTES
from mturkhub.command.manager import tell
from mturkhub.command.ports import listen
from mturkhub.command.refusals import CannotStart, without_secrets
from mturkhub.command.settings import Settings, dashboard, is_loopback, marketplace
from mturkhub.command.up import hidden
from mturkhub.common.broker import client

OK, NOTE, WRONG = "ok", "note", "WRONG"
OLD_BACKUP = timedelta(days=7)
MOST_SKEW = 2.0


@dataclass(frozen=True)
class Finding:
    """One sentence on one thing, and what to do unless it is well."""

    level: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.level:>5}  {self.what}" + (f"\n       → {self.remedy}" if self.remedy else "")


def examine(settings: Settings) -> bool:
    """Print every finding; returns whether nothing is wrong."""
    told = _secrets_made(settings)
    secrets = hidden(settings, told) if told else []
    count = 0
    for finding in findings(settings, told):
        count += finding.level == WRONG
        tell(without_secrets(str(finding), secrets))
    tell("Nothing is wrong." if not count else f"{count} thing{'s are' if count > 1 else ' is'} wrong.")
    return not count


def findings(settings: Settings, told: dict[str, str] | None) -> Iterator[Finding]:
    """Everything there is to say; `told` are all variables, None before the first start."""
    yield from _programs(settings)
    yield from _home(settings)
    yield from _exposure(settings)
    yield from _mail(settings)
    yield from _last_backup(settings)
    if told is None:
        yield Finding(
            WRONG, f"Nothing was ever started on {settings.home.path}.", "Start it with `mturkhub up`."
        )
        yield from _ports(settings, is_running=False)
        return
    is_running = _site_answers(settings.bind, settings.web_port, "/healthz") == 200
    yield from _ports(settings, is_running=is_running)
    has_database, has_broker = True, True
    for finding in _database(settings, told):
        has_database = has_database and finding.level != WRONG
        yield finding
    for finding in _broker(settings, told):
        has_broker = has_broker and finding.level != WRONG
        yield finding
    if is_running and has_database and has_broker:
        yield _readiness(settings)
    if has_database:
        yield _skew(told)
        yield from _tables(told)
        yield _marketplace_migrations(told)


def _secrets_made(settings: Settings) -> dict[str, str] | None:
    """All variables of an installation that has been started; asking must not make secrets."""
    needs = [settings.home.secrets / name for name in ("mturkhub_secret_key", "database_mturkhub")]
    if settings.postgres is None:
        needs = needs[:1]
    is_given = settings.environ.get("MTURKHUB_SECRET_KEY")
    return settings.everything() if is_given or all(path.exists() for path in needs) else None


# Without any server -------------------------------------------------------------------------------


def _programs(settings: Settings) -> Iterator[Finding]:
    yield Finding(OK, f"Python {platform.python_version()}.")
    if settings.postgres:
        yield _program("Postgres", lambda: postgres.binaries() / "postgres")
    if settings.valkey:
        yield _program("Valkey", valkey.binary)


def _program(name: str, find: Callable[[], Path]) -> Finding:
    try:
        path = find()
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    except CannotStart as refusal:
        return Finding(WRONG, f"There is no {name}.", str(refusal))
    except (OSError, subprocess.CalledProcessError) as error:
        return Finding(WRONG, f"{name} does not run: {error}.", "Set up again: `python3 dev.py setup`.")
    return Finding(OK, f"{name}: {done.stdout.strip().splitlines()[0][:80]}.")


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home.path
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    space = f"{free // 1_000_000:,} MB are free at {home}."
    yield (
        Finding(OK, space)
        if free >= NEEDED_BYTES
        else Finding(WRONG, space, f"Free some space: {NEEDED_BYTES // 1_000_000} MB are the least.")
    )
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(WRONG, f"{existing} cannot be written.", "Change its owner, or set MTURKHUB_HOME.")
    loose = list(_readable_by_others(settings.home.secrets))
    if loose:
        names = ", ".join(path.name for path in loose)
        yield Finding(
            WRONG,
            f"Others may read secrets: {names} in {settings.home.secrets.parent}.",
            f"chmod 700 {settings.home.secrets}; chmod 600 {settings.home.secrets}/*",
        )
    elif settings.home.secrets.exists():
        yield Finding(OK, "Secrets are readable by their owner alone.")


def _readable_by_others(secrets: Path) -> Iterator[Path]:
    if not secrets.is_dir():
        return
    for path in (secrets, *sorted(secrets.iterdir())):
        status = path.stat()
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
            yield path


def _exposure(settings: Settings) -> Iterator[Finding]:
    """What is harmless on one's own machine and is not for other people's browsers."""
    environ = settings.environ
    site, market = settings.web_url, settings.marketplace_url
    content = environ.get("MARKETPLACE_CONTENT_URL") or market
    hosts = [urlsplit(url).hostname or "" for url in (site, market, content)]
    if is_loopback(settings.bind) and all(map(is_loopback, hosts)):
        yield Finding(OK, "Only this machine can reach it.")
        return
    plain = [url for url in (site, market, content) if not url.startswith("https://")]
    if plain:
        yield Finding(
            WRONG,
            f"{', '.join(dict.fromkeys(plain))}: passwords and answers travel in the clear.",
            "Put a proxy with https in front and set MTURKHUB_URL, MARKETPLACE_URL and MARKETPLACE_CONTENT_URL to it.",
        )
    for first, second, names in (
        (0, 1, "The dashboard and the worker site"),
        (0, 2, "The dashboard and requesters' HTML"),
        (1, 2, "The worker site and requesters' HTML"),
    ):
        if hosts[first] == hosts[second]:
            yield Finding(
                WRONG,
                f"{names} share the host {hosts[first]}, and cookies do not know ports.",
                "Give MTURKHUB_URL, MARKETPLACE_URL and MARKETPLACE_CONTENT_URL three host names.",
            )
    if environ.get("MARKETPLACE_TEST_WORKERS") == "1":
        yield Finding(
            WRONG,
            "Anybody who reaches the marketplace may answer as a test Worker.",
            "Unset MARKETPLACE_TEST_WORKERS.",
        )
    if environ.get("MTURKHUB_TEST_CLOCK") == "1":
        yield Finding(WRONG, "The clock can be moved by hand.", "Unset MTURKHUB_TEST_CLOCK.")


def _mail(settings: Settings) -> Iterator[Finding]:
    if settings.environ.get("EMAIL_HOST"):
        yield Finding(OK, f"Mail goes through {settings.environ['EMAIL_HOST']}.")
    else:
        yield Finding(
            NOTE,
            "No mail is sent: forgotten passwords need `mturkhub sign-in-link EMAIL`.",
            "Set EMAIL_HOST and its companions in .env.",
        )


def _last_backup(settings: Settings) -> Iterator[Finding]:
    try:
        last = json.loads((settings.home.path / LAST).read_text())
        at = datetime.fromisoformat(last["at"])
    except (OSError, ValueError, KeyError):
        yield Finding(NOTE, "No backup was made from here.", "mturkhub backup FILE")
        return
    age = datetime.now(UTC) - at
    said = f"The last backup is {_days(age)} old: {last['file']}."
    yield Finding(OK, said) if age < OLD_BACKUP else Finding(NOTE, said, "mturkhub backup FILE")


def _days(age: timedelta) -> str:
    return f"{age.days} days" if age.days >= 2 else f"{age.total_seconds() / 3600:.0f} hours"


def _ports(settings: Settings, *, is_running: bool) -> Iterator[Finding]:
    if is_running:
        yield Finding(OK, f"The dashboard answers on port {settings.web_port}.")
        status = _site_answers(settings.bind, settings.marketplace_port, "/healthz")
        yield (
            Finding(OK, f"The marketplace answers on port {settings.marketplace_port}.")
            if status == 200
            else Finding(
                WRONG,
                f"The marketplace does not answer on port {settings.marketplace_port}.",
                f"Its last words are in {settings.home.logs / 'marketplace.log'}.",
            )
        )
        return
    for port, variable in (
        (settings.web_port, "MTURKHUB_PORT"),
        (settings.marketplace_port, "MARKETPLACE_PORT"),
    ):
        try:
            listen(settings.bind, port, variable=variable).close()
        except CannotStart as refusal:
            yield Finding(WRONG, f"{variable} cannot be used.", str(refusal))
        else:
            yield Finding(OK, f"Port {port} is free.")


def _site_answers(bind: str, port: int, path: str) -> int:
    """The status of a page here; 0 when nobody answers."""
    return _get(bind, port, path)[0]


def _get(bind: str, port: int, path: str) -> tuple[int, bytes]:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 (compared, not bound)
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": "127.0.0.1", "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


# With servers -------------------------------------------------------------------------------------


def _database(settings: Settings, told: Mapping[str, str]) -> Iterator[Finding]:
    if settings.postgres and not settings.postgres.is_ready():
        yield Finding(WRONG, "The database does not run.", "Start everything with `mturkhub up`.")
        return
    for variable in ("DATABASE_URL", "MARKETPLACE_DATABASE_URL"):
        try:
            external.check_postgres(told[variable], variable=variable, secrets=[])
        except CannotStart as refusal:
            yield Finding(WRONG, f"{variable} does not work.", str(refusal))
        else:
            version = _ask(told[variable], "show server_version")
            yield Finding(OK, f"{variable} answers: Postgres {version}.")


def _broker(settings: Settings, told: Mapping[str, str]) -> Iterator[Finding]:
    try:
        with client(told["REDIS_URL"]) as broker:
            version = broker.info("server")["redis_version"]
            policy = broker.info("memory").get("maxmemory_policy", "noeviction")
    except (redis.RedisError, OSError, ValueError) as error:
        remedy = "Start everything with `mturkhub up`." if settings.valkey else "Start it, or mend REDIS_URL."
        yield Finding(WRONG, f"The broker does not answer: {error}.", remedy)
        return
    yield Finding(OK, f"The broker answers: version {version}.")
    if policy != "noeviction":
        yield Finding(
            WRONG,
            f"The broker throws messages away when its memory is full ({policy}).",
            "Set its maxmemory-policy to noeviction.",
        )


def _readiness(settings: Settings) -> Finding:
    status, body = _get(settings.bind, settings.web_port, "/readyz")
    if status == 200:
        return Finding(OK, "Worker and beat are alive.")
    missing: list[str] = []
    with contextlib.suppress(ValueError):
        missing = json.loads(body).get("missing", [])
    names = " and ".join(missing) or "something"
    return Finding(
        WRONG,
        f"Missing: {names}. Nothing is published, collected or decided without it.",
        f"Read {settings.home.logs}/worker.log and beat.log, or start everything again with `mturkhub up`.",
    )


def _skew(told: Mapping[str, str]) -> Finding:
    before = time.time()
    theirs = float(_ask(told["DATABASE_URL"], "select extract(epoch from clock_timestamp())"))
    after = time.time()
    skew = theirs - (before + after) / 2
    if abs(skew) <= MOST_SKEW + (after - before):
        return Finding(OK, "This machine's clock and the database's agree.")
    return Finding(
        WRONG,
        f"The database's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's; requests "
        "to a market are signed with the time.",
        "Let both machines set their clocks by NTP.",
    )


def _tables(told: Mapping[str, str]) -> Iterator[Finding]:
    done = _django("diagnose", env=dashboard(told))
    if done.returncode != 0:
        yield Finding(
            WRONG,
            f"The dashboard's tables cannot be read: {done.stderr.strip()[-600:]}",
            "Start `mturkhub up` once with this version; it brings them up to date.",
        )
        return
    for level, what, remedy in json.loads(done.stdout):
        yield Finding(level, what, remedy)


def _marketplace_migrations(told: Mapping[str, str]) -> Finding:
    done = _django("migrate", "--check", env=marketplace(told))
    if done.returncode == 0:
        return Finding(OK, "The marketplace's tables are up to date.")
    return Finding(WRONG, "The marketplace's tables are not up to date.", "Start again with `mturkhub up`.")


def _django(*words: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "django", *words]
    return subprocess.run(command, env=dict(env), capture_output=True, text=True, check=False)


def _ask(url: str, statement: str) -> str:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0])
