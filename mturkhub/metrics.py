"""What Prometheus asks for: how far behind we are, what fails, how MTurk and our pages answer.

Every figure comes from Postgres or Redis at the moment it is asked for, so that any web process on any host gives
the same answer, and nothing is kept in processes, which come and go.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import redis
from django.apps import apps
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.db.models import Count, Exists, Min, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mturkhub.accounts.models import Connection
from mturkhub.celery import PRIORITIES, app
from mturkhub.common import clock
from mturkhub.common.broker import client
from mturkhub.common.request_log import BUCKETS
from mturkhub.common.tallies import tallies
from mturkhub.intentions.models import Intention, IntentionState, Job, JobState
from projects.models import HIT

# State → the time its age counts from. What waits for a second person is no queue of ours.
_UNFINISHED = {
    IntentionState.QUEUED: "due_at",
    IntentionState.SENDING: "last_sent_at",
    IntentionState.UNKNOWN: "last_sent_at",
}


@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Every figure, for whoever holds MTURKHUB_METRICS_TOKEN; without one there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse(
            "Send the header “Authorization: Bearer …” with the token in MTURKHUB_METRICS_TOKEN.\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": "Bearer"},
        )
    registry = CollectorRegistry()
    registry.register(Everything())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Everything(Collector):
    """All figures; those of a server that is away are left out, and it is said to be away."""

    def describe(self) -> list[Metric]:
        """Nothing, or registering would ask both servers."""
        return []

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("mturkhub_up", "Whether a server can be reached.", labels=["server"])
        for server, read, away in (
            ("database", _from_database, (DatabaseError,)),
            ("broker", _from_broker, (redis.RedisError, OSError)),
        ):
            try:
                yield from list(read())
                up.add_metric([server], 1)
            except away:
                up.add_metric([server], 0)
        yield up


# From Postgres -----------------------------------------------------------------------------------


def _from_database() -> Iterator[Metric]:
    now = clock.now()
    yield from _intentions(now)
    yield _sweeps(now)
    running = Job.objects.filter(state=JobState.RUNNING).count()
    yield GaugeMetricFamily("mturkhub_jobs_running", "Bulk jobs that are not finished.", value=running)


def _intentions(now: datetime) -> Iterator[Metric]:
    labels = ["kind", "state"]
    rows = GaugeMetricFamily("mturkhub_intentions", "Writes to MTurk that are not finished.", labels=labels)
    ages = GaugeMetricFamily(
        "mturkhub_intention_oldest_seconds",
        "How long the oldest of them has been due, or on its way without an outcome.",
        labels=labels,
    )
    for model in apps.get_models():
        if not issubclass(model, Intention):
            continue
        kind = model._meta.model_name or ""
        # One state a query: each has a partial index of its own, and finished rows are counted in millions.
        for state, since in _UNFINISHED.items():
            of_state = model._default_manager.filter(**{model.STATE_FIELD: state})
            found = of_state.aggregate(number=Count("pk"), oldest=Min(since))
            rows.add_metric([kind, state], found["number"])
            ages.add_metric([kind, state], _age(now, found["oldest"]))
    yield rows
    yield ages


def _sweeps(now: datetime) -> Metric:
    ages = GaugeMetricFamily(
        "mturkhub_sweep_age_seconds",
        "Time since the last sweep of a Connection that has HITs.",
        labels=["connection", "environment"],
    )
    hits = HIT.objects.filter(connection=OuterRef("pk"), publish_state=IntentionState.PUBLISHED)
    for connection in Connection.objects.filter(Exists(hits)):
        last = connection.last_sweep_at or connection.created_at
        ages.add_metric([str(connection.public_id), connection.environment], _age(now, last))
    return ages


def _age(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


# From Redis --------------------------------------------------------------------------------------


def _from_broker() -> Iterator[Metric]:
    yield from _queues()
    fields: dict[str, list[tuple[list[str], int]]] = defaultdict(list)
    for field, amount in tallies().read().items():
        name, *labels = field.split("|")
        fields[name].append((labels, amount))
    counter = partial(_counter, fields)
    yield counter("calls", "mturkhub_mturk_calls", "Calls to MTurk.", ["operation", "outcome"])
    yield counter("call_ms", "mturkhub_mturk_call_seconds", "Time they took.", ["operation"], divided_by=1000)
    yield counter("requests", "mturkhub_requests", "Requests to pages.", ["page", "method", "status"])
    yield _durations(fields)


def _queues() -> Iterator[Metric]:
    prefix = settings.CELERY_QUEUE_PREFIX
    names = {app.conf.task_default_queue, *(route["queue"] for route in app.conf.task_routes.values())}
    depth = GaugeMetricFamily("mturkhub_queue_tasks", "Tasks nobody has taken yet.", labels=["queue"])
    with client(settings.REDIS_URL) as broker:
        for name in sorted(names):
            # As kombu names them.
            lists = [f"{name}\x06\x16{priority}" if priority else name for priority in PRIORITIES]
            depth.add_metric([name], sum(broker.llen(f"{prefix}{each}") for each in lists))
        taken = broker.hlen(f"{prefix}unacked")
    yield depth
    yield GaugeMetricFamily("mturkhub_queue_taken", "Tasks taken and not finished.", value=taken)


Fields = dict[str, list[tuple[list[str], int]]]


def _counter(
    fields: Fields, field: str, name: str, text: str, labels: list[str], *, divided_by: int = 1
) -> Metric:
    counter = CounterMetricFamily(name, text, labels=labels)
    for values, amount in fields[field]:
        counter.add_metric(values, amount / divided_by)
    return counter


def _durations(fields: Fields) -> Metric:
    histogram = HistogramMetricFamily(
        "mturkhub_request_duration_seconds", "Time to a page's last byte.", labels=["page"]
    )
    found = {tuple(labels): amount for labels, amount in fields["request_bucket"]}
    for (page,), milliseconds in fields["request_ms"]:
        buckets, total = [], 0
        for end in (*map(str, BUCKETS), "inf"):
            total += found.get((page, end), 0)
            buckets.append(("+Inf" if end == "inf" else str(int(end) / 1000), total))
        histogram.add_metric([page], buckets, milliseconds / 1000)
    return histogram
