"""The ledger by script: the page's entries and filters."""

import pytest

from mturkhub.common import clock
from projects.actions.batches import publish_batch
from projects.counting import recount
from tests.factories import AssignmentFactory, BatchFactory, TeamWorkerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(mina, connection):
    """Three rows of three answers, published by Mina, and one answer that MTurk has approved."""
    batch = BatchFactory(project__team=mina.team, connection=connection, rows=3)
    publish_batch(batch, by=mina.actor)
    answer = AssignmentFactory(hit=batch.hits.first(), status="Approved", worker__mturk_id="AWANDA")
    TeamWorkerFactory(team=mina.team, worker=answer.worker, pseudonym="W-WANDA")
    recount(batch.rows.values_list("pk", flat=True))
    return batch


def test_each_entry_says_what_how_much_why_and_who(as_mina, batch):
    paid, held = as_mina.get("ledger").json()["results"]

    assert (held["kind"], held["amount"], held["fee"], held["answers"]) == ("held", "0.54", "0.09", 9)
    assert (held["reason"], held["by"], held["worker_id"]) == ("published", "Mina", None)
    assert (paid["kind"], paid["amount"], paid["batch"]) == ("paid", "0.06", str(batch.public_id))
    assert paid["assignment_id"] == batch.assignments.get().mturk_id
    assert paid["by"] == "what the market says"
    assert paid["worker_id"] in ("W-WANDA", "AWANDA")


def test_entries_come_filtered_and_in_pages(as_mina, batch):
    def kinds(query):
        return [each["kind"] for each in as_mina.get(f"ledger?{query}").json()["results"]]

    first = as_mina.get("ledger?page_size=1").json()
    assert [each["kind"] for each in as_mina.get(first["next"]).json()["results"]] == ["held"]
    assert kinds("kind=paid") == ["paid"]
    assert kinds(f"batch={batch.public_id}&month={clock.now():%Y-%m}") == ["paid", "held"]
    assert kinds("month=2020-01") == kinds("batch=019a0000-0000-7000-8000-000000000000") == []
    for wrong in ("kind=stolen", "month=2026-13", "batch=x", "at=%3Ex", "colour=red"):
        assert as_mina.get(f"ledger?{wrong}").status_code == 400
