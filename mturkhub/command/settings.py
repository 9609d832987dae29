"""What the person at the terminal has set, and what each process is told of it.

Read from the environment and, below it, from a file `.env` in the working folder; `.env.example` lists them.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from mturkhub.command.home import Home
from mturkhub.command.postgres import Postgres
from mturkhub.command.refusals import CannotStart
from mturkhub.command.secrets import Secrets
from mturkhub.command.valkey import Valkey

# Each site is told its own secrets and databases, and nothing of the other's.
ONLY_DASHBOARD = {
    "DATABASE_URL",
    "REDIS_URL",
    "MTURKHUB_SECRET_KEY",
    "MTURKHUB_ENCRYPTION_KEYS",
    "MTURKHUB_API_TOKEN",
    "MTURKHUB_METRICS_TOKEN",
}
ONLY_MARKETPLACE = {"MARKETPLACE_DATABASE_URL", "MARKETPLACE_SECRET_KEY", "MARKETPLACE_METRICS_TOKEN"}
# Only those who prepare a site need these; the long-running processes never see them.
ONLY_PREPARING = {"MTURKHUB_ADMIN_PASSWORD", "MTURKHUB_API_TOKEN", "MARKETPLACE_SECRET_ACCESS_KEY"}


@dataclass(frozen=True)
class Settings:
    """One start, decided."""

    home: Home
    bind: str
    web_port: int
    marketplace_port: int
    environ: dict[str, str]  # with every address, nothing secret added

    @property
    def web_url(self) -> str:
        return self.environ["MTURKHUB_URL"]

    @property
    def marketplace_url(self) -> str:
        return self.environ["MARKETPLACE_URL"]

    @property
    def secrets(self) -> Secrets:
        return Secrets(self.home.secrets)

    @property
    def postgres(self) -> Postgres | None:
        """The embedded server, unless DATABASE_URL names another."""
        if self.environ.get("DATABASE_URL"):
            return None
        return Postgres(self.home.postgres, self.home.sockets, self.secrets.database_password)

    @property
    def valkey(self) -> Valkey | None:
        """The embedded server, unless REDIS_URL names another."""
        return None if self.environ.get("REDIS_URL") else Valkey(self.home.valkey, self.home.sockets)

    def everything(self) -> dict[str, str]:
        """All variables with all secrets and the addresses of the servers, made where they were unset."""
        told = {**self.environ, **self.secrets.environment(self.environ)}
        if postgres := self.postgres:
            told["DATABASE_URL"] = postgres.url("mturkhub", "mturkhub")
            told.setdefault("MARKETPLACE_DATABASE_URL", postgres.url("marketplace", "marketplace"))
        else:
            told.setdefault("MARKETPLACE_DATABASE_URL", beside(told["DATABASE_URL"], "marketplace"))
        if valkey := self.valkey:
            told["REDIS_URL"] = valkey.url()
        return told


def dashboard(everything: Mapping[str, str], *, preparing: bool = False) -> dict[str, str]:
    """What the dashboard's processes are told."""
    return _without(everything, ONLY_MARKETPLACE, preparing) | {"DJANGO_SETTINGS_MODULE": "mturkhub.settings"}


def marketplace(everything: Mapping[str, str], *, preparing: bool = False) -> dict[str, str]:
    """What the marketplace's processes are told."""
    told = _without(everything, ONLY_DASHBOARD, preparing)
    told = {name: value for name, value in told.items() if not name.startswith("AWS_")}
    return told | {"DJANGO_SETTINGS_MODULE": "marketplace.settings"}


def _without(everything: Mapping[str, str], names: set[str], preparing: bool) -> dict[str, str]:
    hidden = names if preparing else names | ONLY_PREPARING
    return {name: value for name, value in everything.items() if name not in hidden}


def read_settings(environ: Mapping[str, str], *, folder: Path) -> Settings:
    """The settings in force in this folder; raises CannotStart for one that makes no sense."""
    # An empty variable means "unset": that is what `NAME=` in a .env file says.
    given = {name: value for name, value in (read_env_file(folder / ".env") | dict(environ)).items() if value}
    web_port, marketplace_port = _port(given, "MTURKHUB_PORT", 8000), _port(given, "MARKETPLACE_PORT", 8001)
    if web_port == marketplace_port:
        raise CannotStart(
            f"MTURKHUB_PORT and MARKETPLACE_PORT are both {web_port}. Set one of them to another port."
        )
    bind = given.get("MTURKHUB_BIND", "127.0.0.1")
    given.setdefault("MTURKHUB_URL", f"http://127.0.0.1:{web_port}")
    given.setdefault("MARKETPLACE_URL", f"http://127.0.0.1:{marketplace_port}")
    if not is_loopback(bind):
        # Anyone who can reach it could otherwise answer as a fresh Worker.
        given.setdefault("MARKETPLACE_TEST_WORKERS", "0")
    home = Home(folder / given.get("MTURKHUB_HOME", "var"))
    return Settings(home, bind, web_port, marketplace_port, given)


def read_env_file(path: Path) -> dict[str, str]:
    """The NAME=VALUE lines of a file, nothing when there is none; raises CannotStart naming a bad line."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        stripped = line.strip().removeprefix("export ")
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not name.strip().isidentifier():
            raise CannotStart(f"Line {number} of {path} is not NAME=VALUE. Mend it or put a # before it.")
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()


def _port(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CannotStart(f"{name} is “{text}”; it must be a port number from 1 to 65535.")
    return int(text)


def is_loopback(bind: str) -> bool:
    """Whether only this machine reaches the address."""
    if bind == "localhost":
        return True
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


def beside(url: str, database: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
