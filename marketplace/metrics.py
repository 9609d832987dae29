"""What Prometheus asks for: calls answered, and whether what time does is written down in time.

Calls are counted in each process and written to one table by the clockwork's next pass, so that any process tells
those of all.
"""

import hmac
import threading
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from marketplace import lifecycle
from marketplace.models import Assignment, Tally
from marketplace.models.assignment import AssignmentState

_lock = threading.Lock()
_unwritten: Counter[tuple[str, int]] = Counter()


def count_call(operation: str, status: int) -> None:
    """Count one answered call."""
    with _lock:
        _unwritten[operation, status] += 1


def write_counts() -> None:
    """Add what this process has counted to the table; what cannot be written waits for the next time."""
    with _lock:
        counted = sorted(_unwritten.items())
        _unwritten.clear()
    try:
        with connection.cursor() as cursor:
            # In one order for all processes, so that nobody waits in a circle.
            for (operation, status), calls in counted:
                cursor.execute(
                    "insert into marketplace_tally (operation, status, calls) values (%s, %s, %s) "
                    "on conflict (operation, status) do update set calls = marketplace_tally.calls + excluded.calls",
                    [operation, status, calls],
                )
                counted = counted[1:]
    finally:
        with _lock:
            _unwritten.update(dict(counted))


def metrics(request: HttpRequest) -> HttpResponse:
    """Every figure, for whoever holds MARKETPLACE_METRICS_TOKEN; without one there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse(
            "Send the header “Authorization: Bearer …” with the token in MARKETPLACE_METRICS_TOKEN.\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": "Bearer"},
        )
    registry = CollectorRegistry()
    registry.register(_Everything())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Everything(Collector):
    def describe(self) -> list[Metric]:
        """Nothing, or registering would ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily(
            "marketplace_calls", "API calls answered.", labels=["operation", "status"]
        )
        for operation, status, number in Tally.objects.values_list("operation", "status", "calls"):
            calls.add_metric([operation, str(status)], number)
        yield calls
        yield GaugeMetricFamily(
            "marketplace_clockwork_lag_seconds",
            "How long the earliest deadline that has passed is not written down.",
            value=lifecycle.lag().total_seconds(),
        )
        held = Assignment.objects.filter(state=AssignmentState.ACCEPTED).count()
        yield GaugeMetricFamily("marketplace_assignments_held", "Assignments being worked on.", value=held)
