"""What is left of a batch, asked for by script with other settings."""

import csv
import io
import json
from decimal import Decimal

import pytest

from mturkhub.accounts.models import Connection
from projects.models import HIT, Assignment, Batch
from projects.publishing import publish_chunk
from projects.requeueing import requeue
from tests.api.conftest import Script
from tests.conftest import Person
from tests.factories import AssignmentFactory, HITTemplateFactory
from tests.fakes.mturk import FakeMTurk
from tests.projects.live import Live, make_live

pytestmark = pytest.mark.django_db


@pytest.fixture
def left(mina: Person, connection: Connection) -> Live:
    """Two rows of three places each, over without an answer."""
    live = make_live(mina, connection, FakeMTurk())
    HITTemplateFactory(project=live.batch.project, team=live.batch.team)
    live.later(days=8)
    live.collect()
    return live


def test_a_draft_with_other_settings_is_made_changed_and_published(as_mina: Script, left: Live) -> None:
    made = as_mina.post(f"batches/{left.batch.public_id}/continue", {"reward": "0.10"})
    assert made.status_code == 201
    told = made.json()
    assert told["continues"] == {"id": str(left.batch.public_id), "name": left.batch.name}
    assert (told["state"], told["only_missing"], told["reward"]) == ("draft", True, "0.10")
    assert (told["assignments"]["expected"], told["cost"]["total"]) == (6, "0.72")

    changed = as_mina.patch(f"batches/{told['id']}", {"max_assignments": 5}).json()
    assert (changed["only_missing"], changed["assignments"]["expected"]) == (False, 10)
    changed = as_mina.patch(f"batches/{told['id']}", {"only_missing": True}).json()
    assert changed["assignments"]["expected"] == 6
    published = as_mina.post(f"batches/{told['id']}/publish", {"max_cost": "0.72"})

    assert published.json()["state"] == "publishing"
    rows = as_mina.get(f"batches/{told['id']}/rows").json()["results"]
    assert [(row["number"], row["continues"]) for row in rows] == [(1, 1), (2, 2)]
    assert [
        row["continues"] for row in as_mina.get(f"batches/{left.batch.public_id}/rows").json()["results"]
    ] == [
        None,
        None,
    ]


def test_the_same_request_makes_one_draft_and_another_finds_nothing_missing(
    as_mina: Script, left: Live
) -> None:
    address = f"batches/{left.batch.public_id}/continue"
    first = as_mina.post(address, {}, **{"Idempotency-Key": "once"})
    again = as_mina.post(address, {}, **{"Idempotency-Key": "once"})
    other = as_mina.post(address, {})

    assert first.json() == again.json()
    assert other.status_code == 409
    assert "is asked for in" in other.json()["detail"]
    assert Batch.objects.filter(continues=left.batch).count() == 1


def test_a_setting_that_makes_no_sense_makes_no_draft(as_mina: Script, left: Live) -> None:
    refused = as_mina.post(f"batches/{left.batch.public_id}/continue", {"reward": "0.00"})

    assert refused.status_code == 400
    assert "The least a reward can be" in refused.json()["detail"]
    assert Batch.objects.count() == 1


def test_only_a_batch_that_continues_another_knows_what_is_missing(as_mina: Script, left: Live) -> None:
    Batch.objects.update(state="draft", published_at=None, published_by=None)

    refused = as_mina.patch(f"batches/{left.batch.public_id}", {"only_missing": True})

    assert refused.status_code == 400
    assert "continues no other" in refused.json()["detail"]


def test_a_cancelled_draft_gives_its_answers_back(as_mina: Script, left: Live) -> None:
    draft = as_mina.post(f"batches/{left.batch.public_id}/continue", {}).json()

    assert as_mina.post(f"batches/{draft['id']}/cancel").json()["state"] == "cancelled"
    assert as_mina.post(f"batches/{left.batch.public_id}/continue", {}).status_code == 201


def test_results_take_the_further_batchs_answers_along(as_mina: Script, left: Live) -> None:
    draft = Batch.objects.get(
        public_id=as_mina.post(f"batches/{left.batch.public_id}/continue", {}).json()["id"]
    )
    as_mina.post(f"batches/{draft.public_id}/publish", {})
    publish_chunk(draft, gateway=left.market)
    AssignmentFactory(hit=HIT.objects.get(batch=draft, row__number=2), answer__fields={"sentiment": ["4"]})
    Batch.objects.filter(pk=draft.pk).update(answer_fields=["sentiment"])

    def results(query: str) -> str:
        response = as_mina.get(f"batches/{left.batch.public_id}/results?{query}")
        return b"".join(response.streaming_content).decode()

    assert Assignment.objects.count() == 1
    assert len(list(csv.reader(io.StringIO(results("format=csv"))))) == 1
    [_, line] = csv.reader(io.StringIO(results("format=csv&continued=true")))
    assert "4" in line
    assert results("format=jsonl") == ""
    assert json.loads(results("format=jsonl&continued=true"))["row"] == 2
    assert json.loads(results("format=json"))[1]["answers"] == [4]
    assert json.loads(results("format=json&continued=false"))[1]["answers"] == []


def test_the_draft_costs_what_its_rows_ask_for(as_mina: Script, left: Live) -> None:
    AssignmentFactory(hit=left.hits[0])

    told = as_mina.post(f"batches/{left.batch.public_id}/continue", {}).json()

    assert Decimal(told["cost"]["total"]) == Decimal("0.30")
    assert told["cost"]["assignments"] == 5


def test_rejected_answers_are_asked_for_again_up_to_a_cap(as_mina: Script, left: Live) -> None:
    address = f"batches/{left.batch.public_id}/requeue"
    AssignmentFactory(hit=left.hits[0], status="Rejected")
    assert as_mina.get(f"batches/{left.batch.public_id}").json()["requeue"]["most"] is None

    told = as_mina.post(address, {"most": 5, "limit": "0.30"}).json()["requeue"]
    assert told == {"most": 5, "limit": "0.30", "asked": 0, "cost": "0.00", "stopped": ""}
    requeue(left.batch.pk)

    assert as_mina.get(f"batches/{left.batch.public_id}").json()["requeue"]["cost"] == "0.06"
    assert as_mina.post(address, {"most": 0}).json()["requeue"]["most"] is None
    assert as_mina.post(address, {"most": 5}).json()["detail"].startswith("limit: State for how many dollars")
    assert as_mina.post(address, {"most": 5, "limit": "0.01"}).status_code == 400
