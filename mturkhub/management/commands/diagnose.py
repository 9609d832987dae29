"""What the dashboard's tables say of its health, as JSON for `mturkhub doctor`: level, finding, remedy."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor

from mturkhub.accounts.credentials import decrypt
from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import ClockOffset
from mturkhub.intentions.models import Intention, IntentionState
from projects.models import HIT

OK, NOTE, WRONG = "ok", "note", "WRONG"
# A write that is due longer than this waits for something that a person has to look at.
LONG_DUE = timedelta(hours=1)
# Sweeps follow each other by five minutes at most.
LONG_UNSWEPT = timedelta(minutes=20)
Finding = tuple[str, str, str]


class Command(BaseCommand):
    help = "Print as JSON what is wrong in the dashboard's tables; `mturkhub doctor` shows it in words."

    def handle(self, *args: object, **options: object) -> None:
        self.stdout.write(json.dumps(list(diagnose())))


def diagnose() -> Iterator[Finding]:
    """Every finding; the tables are looked at only when they are up to date."""
    executor = MigrationExecutor(database)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield WRONG, "The dashboard's tables are not up to date.", "Start again with `mturkhub up`."
        return
    yield OK, "The dashboard's tables are up to date.", ""
    if offset := ClockOffset.objects.first():
        yield NOTE, f"The test clock runs {offset} ahead.", "Use another installation for real work."
    for connection in Connection.objects.order_by("pk"):
        yield from _of_connection(connection)
    yield _oldest_unfinished()


def _of_connection(connection: Connection) -> Iterator[Finding]:
    name = f"Connection {connection.name}"
    page = f"Look at Connections → {connection.name}."
    try:
        decrypt(connection)
    except ActionRefused as refused:
        yield WRONG, f"{name}: its keys cannot be read.", refused.sentence
    else:
        yield OK, f"{name}: its keys can be read.", ""
    if connection.problem:
        yield WRONG, f"{name}: {connection.problem}", page
    if connection.paused_at:
        yield NOTE, f"{name} is paused: {connection.paused_reason}", "An owner resumes it on its page."
    if connection.creation_paused_at:
        yield WRONG, f"{name} creates no HITs: {connection.creation_paused_reason}", page
    yield from _sweep_age(connection, name)


def _sweep_age(connection: Connection, name: str) -> Iterator[Finding]:
    used = [IntentionState.PUBLISHED, IntentionState.UNKNOWN]
    if not HIT.objects.filter(connection=connection, publish_state__in=used).exists():
        return
    last = connection.last_sweep_at
    age = clock.now() - last if last else None
    if age is not None and age < LONG_UNSWEPT:
        yield OK, f"{name}: answers were last collected {_ago(age)} ago.", ""
        return
    problem = connection.sweeps.exclude(problem="").order_by("-begun_at").values_list("problem", flat=True)
    why = next(iter(problem[:1]), "").split("\n")[0]
    said = f"{_ago(age)} ago" if age else "never"
    yield (
        WRONG,
        f"{name}: answers were last collected {said}. {why}".rstrip(),
        "See that worker and beat are alive, and that the market answers.",
    )


def _oldest_unfinished() -> Finding:
    """The write to MTurk that has been due longest."""
    oldest: tuple[datetime, str] | None = None
    for model in apps.get_models():
        if issubclass(model, Intention):
            unfinished = [IntentionState.QUEUED, IntentionState.SENDING, IntentionState.UNKNOWN]
            rows = model._default_manager.filter(
                **{f"{model.STATE_FIELD}__in": unfinished}, connection__paused_at=None
            )
            due_at = rows.order_by("due_at").values_list("due_at", flat=True).first()
            if due_at and (oldest is None or due_at < oldest[0]):
                oldest = due_at, str(model._meta.verbose_name)
    age = clock.now() - oldest[0] if oldest else timedelta(0)
    if oldest is None or age < timedelta(0):
        return OK, "No write to a market is overdue.", ""
    said = f"The oldest write that is not finished, a {oldest[1]}, has been due for {_ago(age)}."
    if age < LONG_DUE:
        return OK, said, ""
    return NOTE, said, "Look at its batch: it may be paused, wait for funds, or for the market to answer."


def _ago(age: timedelta | None) -> str:
    seconds = age.total_seconds() if age else 0
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
