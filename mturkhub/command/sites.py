"""The processes that are ours, as the manager runs them: dashboard, marketplace, Celery worker, beat."""

import http.client
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mturkhub.command.manager import Service

# Sixteen requests at a time on two cores, and a slow download holds up one thread, not the site.
GUNICORN = (
    *("--worker-class", "mturkhub.command.patience.PatientWorker", "--workers", "2", "--threads", "8"),
    *("--timeout", "60", "--graceful-timeout", "8"),
    *("--log-level", "warning", "--no-control-socket"),
)


def web(listener: socket.socket, env: Mapping[str, str]) -> Service:
    """The dashboard, read once and then forked, which halves the start and saves memory."""
    return _gunicorn("web", "mturkhub.wsgi", listener, env, tier=2, more=["--preload"])


def marketplace(listener: socket.socket, env: Mapping[str, str]) -> Service:
    """The marketplace; it stops after the worker, which may be in the middle of a call to it."""
    return _gunicorn("marketplace", "marketplace.wsgi", listener, env, tier=1)


def _gunicorn(
    name: str,
    application: str,
    listener: socket.socket,
    env: Mapping[str, str],
    *,
    tier: int,
    more: Sequence[str] = (),
) -> Service:
    bind = f"fd://{listener.fileno()}"
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        application,
        "--bind",
        bind,
        "--name",
        name,
        *GUNICORN,
        *more,
    ]
    return Service(
        name=name,
        command=command,
        env=env,
        tier=tier,
        is_ready=lambda: answers(listener),
        inherited=[listener.fileno()],
    )


def worker(env: Mapping[str, str]) -> Service:
    """The Celery worker."""
    options = (
        "--queues",
        "mturk,files,default",
        "--concurrency",
        "2",
        "--without-mingle",
        "--without-gossip",
    )
    # glibc gives each of many threads a heap of its own otherwise, and returns none of it.
    return _celery("worker", ["worker", *options], {"MALLOC_ARENA_MAX": "2", **env})


def beat(schedule: Path, env: Mapping[str, str]) -> Service:
    """The process that rings every few seconds for what is due; it notes in a file what it rang last."""
    return _celery("beat", ["beat", "--schedule", str(schedule), "--pidfile="], env)


def pretend_workers(env: Mapping[str, str]) -> Service:
    """Workers of the demo, who take a few HITs every few seconds and answer them a round later."""
    return Service(
        name="pretend-workers",
        command=[
            sys.executable,
            "-m",
            "django",
            "work",
            "--every",
            "6",
            "--most",
            "4",
        ],
        env=env,
        tier=2,
    )


def _celery(name: str, command: list[str], env: Mapping[str, str]) -> Service:
    return Service(
        name=name,
        command=[sys.executable, "-m", "celery", "--quiet", "-A", "mturkhub", *command],
        env=env,
        tier=2,
        stop_signal=signal.SIGTERM,
        patience=20.0,
    )


def answers(listener: socket.socket) -> bool:
    """Whether the site behind this socket answers that it lives."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
    return ask(host, port, "/healthz", patience=1)[0] == 200


def ask(host: str, port: int, path: str, *, patience: float) -> tuple[int, bytes]:
    """The status and body of a page of ours, asked for past any proxy; status 0 when nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=patience)
    try:
        # The headers say what a proxy in front would, lest a site that is https outside redirects us there.
        connection.request("GET", path, headers={"Host": "127.0.0.1", "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
