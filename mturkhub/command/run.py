"""One process of an installation that something else looks after: containers, systemd, several hosts.

`mturkhub run NAME` becomes the process that `mturkhub up` would have started, `mturkhub prepare` brings both
databases up to date, and `mturkhub well NAME` says whether a process does its work.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping

from mturkhub.command import external, sites
from mturkhub.command.manager import Service
from mturkhub.command.ports import listen
from mturkhub.command.refusals import CannotStart
from mturkhub.command.settings import Settings, beside, dashboard, marketplace
from mturkhub.command.up import PREPARE, hidden

# Made up where they are unset, each process would have its own.
_DASHBOARD_NEEDS = ("DATABASE_URL", "REDIS_URL", "MTURKHUB_SECRET_KEY", "MTURKHUB_ENCRYPTION_KEYS")
_MARKETPLACE_NEEDS = ("MARKETPLACE_DATABASE_URL", "MARKETPLACE_SECRET_KEY")
_FIRST_REQUESTER = ("MARKETPLACE_ACCESS_KEY_ID", "MARKETPLACE_SECRET_ACCESS_KEY")


def _web(settings: Settings, told: Mapping[str, str]) -> Service:
    return sites.web(listen(settings.bind, settings.web_port, variable="MTURKHUB_PORT"), told)


def _marketplace(settings: Settings, told: Mapping[str, str]) -> Service:
    listener = listen(settings.bind, settings.marketplace_port, variable="MARKETPLACE_PORT")
    return sites.marketplace(listener, told)


def _worker(settings: Settings, told: Mapping[str, str]) -> Service:
    return sites.worker(told)


def _beat(settings: Settings, told: Mapping[str, str]) -> Service:
    settings.home.path.mkdir(parents=True, exist_ok=True)
    return sites.beat(settings.home.beat_schedule, told)


PROCESSES: dict[str, Callable[[Settings, Mapping[str, str]], Service]] = {
    "web": _web,
    "worker": _worker,
    "beat": _beat,
    "marketplace": _marketplace,
}


def run(settings: Settings, name: str) -> None:
    """Become the process; raises CannotStart when a setting that all have to share is missing."""
    told = _shared(settings, _MARKETPLACE_NEEDS if name == "marketplace" else _DASHBOARD_NEEDS)
    of_site = marketplace(told) if name == "marketplace" else dashboard(told)
    service = PROCESSES[name](settings, of_site)
    for descriptor in service.inherited:
        os.set_inheritable(descriptor, True)
    sys.stdout.flush()
    os.execve(service.command[0], list(service.command), dict(service.env))  # noqa: S606 (no shell is what we want)


def prepare(settings: Settings) -> None:
    """Bring both databases up to date, make what fresh ones need and print a sign-in link if one is due."""
    told = _shared(settings, (*_DASHBOARD_NEEDS, *_MARKETPLACE_NEEDS, *_FIRST_REQUESTER))
    secrets = hidden(settings, told)
    external.check_postgres(told["DATABASE_URL"], variable="DATABASE_URL", secrets=secrets)
    if told["MARKETPLACE_DATABASE_URL"] == beside(told["DATABASE_URL"], "marketplace"):
        external.ensure_beside(told["DATABASE_URL"], "marketplace")
    for command, env in (
        ([*PREPARE, "ensure_first_requester"], marketplace(told, preparing=True)),
        ([*PREPARE, "ensure_first_team", "--link"], dashboard(told, preparing=True)),
    ):
        if code := subprocess.run(command, env=env, check=False).returncode:
            raise CannotStart(f"`{' '.join(command[1:])}` failed with exit code {code}; its words are above.")


def well(settings: Settings, name: str, *, host: str) -> None:
    """Return when the process does its work; raises CannotStart when it does not."""
    port = settings.marketplace_port if name == "marketplace" else settings.web_port
    # Worker and beat have no address of their own: the dashboard knows who is silent.
    path = "/healthz" if name in ("web", "marketplace") else "/readyz"
    status, body = sites.ask(host, port, path, patience=5)
    if status == 200 or (status == 503 and path == "/readyz" and name not in json.loads(body)["missing"]):
        return
    raise CannotStart(f"{name} is not well: {host}:{port}{path} says {status or 'nothing'} {body.decode()}")


def is_told_everything(settings: Settings) -> bool:
    """Whether the environment alone says all that the dashboard's processes share."""
    return all(name in settings.environ for name in _DASHBOARD_NEEDS)


def _shared(settings: Settings, needed: tuple[str, ...]) -> dict[str, str]:
    told = dict(settings.environ)
    if "DATABASE_URL" in told:
        told.setdefault("MARKETPLACE_DATABASE_URL", beside(told["DATABASE_URL"], "marketplace"))
    if missing := [name for name in needed if name not in told]:
        raise CannotStart(
            f"{' and '.join(missing)} must be set: every process of an installation is told the same, "
            "in the environment or in the file .env. docs/deploying.md says how to make them."
        )
    return told
