"""`mturkhub up`: from nothing to a running product, and back to nothing on Ctrl-C."""

import sys
import time
from urllib.parse import quote

from mturkhub.command import external, sites
from mturkhub.command.manager import Manager, Stopped, tell
from mturkhub.command.ports import listen
from mturkhub.command.settings import Settings, dashboard, marketplace

PREPARE = (sys.executable, "-m", "mturkhub.command.prepare")


def up(settings: Settings, *, demo: bool = False) -> None:
    """Start everything, stay until asked to stop, and stop everything; raises CannotStart."""
    began = time.monotonic()
    settings.home.prepare()
    lock = settings.home.lock()
    # Before the servers are started, so that a taken port costs nobody a wait.
    web_listener = listen(settings.bind, settings.web_port, variable="MTURKHUB_PORT")
    marketplace_listener = listen(settings.bind, settings.marketplace_port, variable="MARKETPLACE_PORT")
    everything = settings.everything()
    manager = Manager(settings.home.logs, [lock], secrets=hidden(settings, everything))
    manager.listen_to_signals()
    try:
        start_servers(manager, settings, everything)
        link = prepare(manager, everything)
        manager.start(
            sites.marketplace(marketplace_listener, marketplace(everything)),
            sites.web(web_listener, dashboard(everything)),
        )
        # Only now, so that they do not slow down what somebody is waiting for.
        manager.start(
            sites.worker(dashboard(everything)),
            sites.beat(settings.home.beat_schedule, dashboard(everything)),
        )
        if demo:
            start_demo(manager, everything)
        tell(welcome(settings, link, time.monotonic() - began))
        manager.run_until_asked_to_stop()
        tell("Stopping.")
    except Stopped:
        tell("Stopping before everything had started.")
    finally:
        manager.stop()
    tell("Stopped. Everything is saved.")


def start_servers(manager: Manager, settings: Settings, everything: dict[str, str]) -> None:
    """Start the embedded Postgres and Valkey, or see that the operator's own answer."""
    postgres, valkey = settings.postgres, settings.valkey
    if postgres:
        postgres.prepare()
    manager.start(*(server.service() for server in (postgres, valkey) if server))
    if postgres:
        postgres.ensure_databases("mturkhub", "marketplace")
    else:
        external.check_postgres(everything["DATABASE_URL"], variable="DATABASE_URL", secrets=manager.secrets)
        if "MARKETPLACE_DATABASE_URL" not in settings.environ:
            external.ensure_beside(everything["DATABASE_URL"], "marketplace")
    if not postgres or "MARKETPLACE_DATABASE_URL" in settings.environ:
        external.check_postgres(
            everything["MARKETPLACE_DATABASE_URL"],
            variable="MARKETPLACE_DATABASE_URL",
            secrets=manager.secrets,
        )
    if not valkey:
        external.check_redis(everything["REDIS_URL"], secrets=manager.secrets)


def prepare(manager: Manager, everything: dict[str, str]) -> str:
    """Migrate both sites and make what a fresh one needs; returns a sign-in link if one is due, else ""."""
    outputs = manager.together(
        {
            "prepare-marketplace": (
                [*PREPARE, "ensure_first_requester"],
                marketplace(everything, preparing=True),
            ),
            "prepare-web": ([*PREPARE, "ensure_first_team", "--link"], dashboard(everything, preparing=True)),
        }
    )
    return outputs["prepare-web"].strip()


def start_demo(manager: Manager, everything: dict[str, str]) -> None:
    """Publish the demo's batch, unless an earlier start did, and let pretend Workers answer it."""
    make = [sys.executable, "-m", "django", "make_demo"]
    manager.together({"make-demo": (make, dashboard(everything))})
    manager.start(sites.pretend_workers(marketplace(everything)))


def hidden(settings: Settings, everything: dict[str, str]) -> list[str]:
    """Every secret that must never be shown, in the spellings it may turn up in."""
    words = [
        value
        for name, value in everything.items()
        if any(part in name for part in ("SECRET", "KEYS", "PASSWORD", "TOKEN"))
    ]
    if settings.postgres:
        words += [
            settings.secrets.database_password(role) for role in ("postgres", "mturkhub", "marketplace")
        ]
    return [spelling for word in words for spelling in {word, quote(word, safe="")}]


def welcome(settings: Settings, link: str, seconds: float) -> str:
    """What the person at the terminal needs to go on."""
    lines = [
        f"Ready after {seconds:.1f} s.",
        f"  Dashboard    {settings.web_url}",
        f"  Marketplace  {settings.marketplace_url}",
        f"  Data         {settings.home.path}",
    ]
    if link:
        lines.append(f"  Sign in      {link}")
        lines.append("               (once, within 24 hours; `mturkhub sign-in-link EMAIL` makes another)")
    return "\n".join([*lines, "Ctrl-C stops everything."])
