"""Is it alive, and is everything there? For load balancers and whoever is on call; needs no sign-in."""

import time
from collections.abc import Callable
from typing import Any

import redis
from celery.signals import before_task_publish, heartbeat_sent
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from mturkhub.celery import app
from mturkhub.common.broker import client

# Beat rings every 5 s; three missed rings are a reason to say so.
SILENCE = 20
BEAT, WORKER, TASK = "beat", "worker", "task"


def _key(name: str) -> str:
    return f"{settings.CELERY_QUEUE_PREFIX}mturkhub-alive:{name}"


def note(name: str) -> None:
    with client(settings.REDIS_URL) as broker:
        broker.set(_key(name), int(time.time()), ex=SILENCE)


@app.task(name="mturkhub.health.heartbeat")
def heartbeat() -> None:
    """Show that tasks are being run; beat sends it every few seconds."""
    note(TASK)


@before_task_publish.connect(sender="mturkhub.health.heartbeat")
def _beat_is_alive(**_details: Any) -> None:
    """Show that beat lives: nobody else sends this task."""
    note(BEAT)


@heartbeat_sent.connect
def _worker_is_alive(**_details: Any) -> None:
    """Show that a worker lives, also while beat does not."""
    try:
        note(WORKER)
    except (redis.RedisError, OSError):
        return  # without the broker it has nothing to work on either, and `readyz` says which one is missing


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """Say that database, broker, worker and beat are there; 503 with the missing ones otherwise."""
    missing = [name for name, is_there in _CHECKS if not is_there()]
    if "broker" not in missing:
        missing += _silent_processes()
    return JsonResponse({"ready": not missing, "missing": missing}, status=503 if missing else 200)


def _has_database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError:
        return False
    return True


def _has_broker() -> bool:
    try:
        with client(settings.REDIS_URL) as broker:
            return bool(broker.ping())
    except (redis.RedisError, OSError):
        return False


_CHECKS: tuple[tuple[str, Callable[[], bool]], ...] = (("database", _has_database), ("broker", _has_broker))


def _silent_processes() -> list[str]:
    with client(settings.REDIS_URL) as broker:
        beat, worker, task = broker.mget([_key(BEAT), _key(WORKER), _key(TASK)])
    silent = []
    # A worker that lives but runs nothing is missing too; without beat there was nothing it could have run.
    if worker is None or (beat is not None and task is None):
        silent.append("worker")
    if beat is None:
        silent.append("beat")
    return silent
