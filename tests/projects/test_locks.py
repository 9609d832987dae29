"""Those who change a batch at once wait for each other, and never for each other in a circle."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from projects.actions.batches import locked
from projects.counting import recount
from projects.models import Batch
from tests.factories import AssignmentFactory, BatchFactory


@pytest.mark.django_db(transaction=True)
def test_a_click_and_a_sender_that_count_the_same_rows_come_both_to_an_end(olive, published: Batch) -> None:
    batch, rows = published, list(published.rows.values_list("pk", flat=True))
    has_batch, problems = threading.Event(), []

    def sender() -> None:
        has_batch.wait(10)
        recount(rows)

    def click() -> None:
        with transaction.atomic():
            locked(batch)
            has_batch.set()
            _await_waiter()
            recount(rows)

    _at_once(problems, sender, click)

    assert problems == []
    batch.refresh_from_db()
    assert batch.answers_submitted == 1


@pytest.fixture
def published(olive, connection) -> Batch:
    batch = BatchFactory(project__team=olive.team, connection=connection, published=True, rows=3)
    AssignmentFactory(hit=batch.hits.first())
    return batch


def _await_waiter() -> None:
    """Until somebody waits for a lock in this database."""
    with connection.cursor() as cursor:
        for _ in range(200):
            cursor.execute("select count(*) from pg_locks where not granted")
            if cursor.fetchone()[0]:
                return
            cursor.execute("select pg_sleep(0.02)")


def _at_once(problems: list[Exception], *every: Callable[[], None]) -> None:
    def run(do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[do]) for do in every]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
