"""Answers by script: listed, decided one by one by either id, or many by a filter."""

import pytest

from mturkhub.accounts.models import Event
from mturkhub.accounts.permissions import Permission
from mturkhub.common import clock
from mturkhub.intentions.models import Job
from projects.bulk_deciding import run_chunk
from projects.models import Assignment, Bonus, Decision
from tests.api.conftest import script_of
from tests.factories import AssignmentFactory, BatchFactory, ConnectionFactory, WorkerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(mina, connection):
    return BatchFactory(
        project__team=mina.team, connection=connection, published=True, rows=3, answer_fields=["sentiment"]
    )


@pytest.fixture
def answers(batch):
    worker = WorkerFactory(connection=batch.connection)
    return [AssignmentFactory(hit=hit, worker=worker) for hit in batch.hits.order_by("row__number")]


def test_an_answer_is_told_as_in_the_results(as_mina, batch, answers):
    AssignmentFactory(
        hit=batch.hits.first(), answer__fields={"sentiment": ["7"], "tags": ["a", "b"]}, status="Approved"
    )

    told = as_mina.get(f"batches/{batch.public_id}/assignments?show=approved").json()["results"]

    [answer] = told
    assert answer["output"] == {"sentiment": "7", "tags": ["a", "b"]}
    assert (answer["row"], answer["input"], answer["status"]) == (1, {"text": "sentence 1"}, "Approved")
    assert as_mina.get(f"assignments/{answer['id']}").json() == answer
    assert as_mina.get(f"assignments/{answer['assignment_id']}").json() == answer


def test_answers_come_filtered_sorted_and_in_pages(as_mina, batch, answers):
    def told(query):
        return as_mina.get(f"batches/{batch.public_id}/assignments?{query}").json()

    assert [each["row"] for each in told("sort=newest")["results"]] == [3, 2, 1]
    first = told("page_size=2&text=sentence")
    assert [each["row"] for each in first["results"]] == [1, 2]
    assert [each["row"] for each in as_mina.get(first["next"]).json()["results"]] == [3]
    assert told("worker=ANOBODY")["results"] == []
    for wrong in ("show=everything", "sort=luck", "at=%3Ex"):
        assert as_mina.get(f"batches/{batch.public_id}/assignments?{wrong}").status_code == 400


def test_lists_ask_the_database_as_often_for_many(as_mina, batch, answers, django_assert_max_num_queries):
    for hit in batch.hits.all():
        AssignmentFactory.create_batch(4, hit=hit)
    paths = [f"batches/{batch.public_id}/{name}" for name in ("assignments", "rows")]
    as_mina.get("projects")

    for path in paths:
        with django_assert_max_num_queries(8):
            assert len(as_mina.get(path).json()["results"]) in (15, 3)


@pytest.mark.parametrize("name", ["public_id", "mturk_id"])
def test_an_answer_is_approved_by_either_id(as_mina, answers, name):
    told = as_mina.post(f"assignments/{getattr(answers[0], name)}/approve", {"feedback": "Thank you."})

    assert (told.status_code, told.json()["pending"], told.json()["status"]) == (200, "approve", "Submitted")
    decision = Decision.objects.get()
    assert (decision.assignment, decision.verdict, decision.feedback) == (answers[0], "approve", "Thank you.")
    again = as_mina.post(f"assignments/{answers[0].public_id}/approve")
    assert (again.status_code, "just being approved" in again.json()["detail"]) == (409, True)


def test_a_rejection_needs_a_reason(as_mina, answers):
    address = f"assignments/{answers[0].public_id}/reject"

    for body in ({}, {"feedback": " "}):
        assert as_mina.post(address, body).status_code == 400
    long = as_mina.post(address, {"feedback": "x" * 1025})

    assert (long.status_code, "Shorten it by 1." in long.json()["detail"]) == (400, True)
    assert not Decision.objects.exists()
    assert as_mina.post(address, {"feedback": "It is empty."}).json()["pending"] == "reject"


def test_a_decision_is_undone_and_an_answer_left_out_and_taken_in(as_mina, answers):
    address = f"assignments/{answers[0].public_id}"
    as_mina.post(f"{address}/approve")

    assert as_mina.post(f"{address}/undo").json()["pending"] == ""
    assert as_mina.post(f"{address}/undo").status_code == 409
    assert as_mina.post(f"{address}/leave-out", {"reason": "Twice the same."}).json()["left_out"] is True
    assert as_mina.post(f"{address}/take-back-in").json()["left_out"] is False


def test_an_id_that_two_connections_know_is_refused(as_mina, answers, connection, mina):
    other = ConnectionFactory(account=connection.account, name="Other")
    twin = BatchFactory(project__team=mina.team, connection=other, published=True, rows=1)
    AssignmentFactory(hit=twin.hits.get(), mturk_id=answers[0].mturk_id)

    refused = as_mina.post(f"assignments/{answers[0].mturk_id}/approve")

    assert (refused.status_code, "several of your connections" in refused.json()["detail"]) == (409, True)


def test_a_bonus_is_sent_once_and_told_when_it_is_paid(as_mina, answers):
    address = f"assignments/{answers[0].public_id}"
    for body in ({}, {"amount": "0.50"}, {"amount": "0", "reason": "x"}, {"amount": "0.001", "reason": "x"}):
        assert as_mina.post(f"{address}/bonus", body).status_code == 400
    bonus = {"amount": "0.50", "reason": "Careful work"}

    told = as_mina.post(f"{address}/bonus", bonus)

    assert (told.status_code, told.json()["state"], told.json()["amount"]) == (201, "queued", "0.50")
    assert as_mina.post(f"{address}/bonus", bonus).status_code == 409
    assert as_mina.get(address).json()["bonuses"] == []
    Bonus.objects.update(state="done")
    assert as_mina.get(address).json()["bonuses"] == [bonus]


def test_a_bonus_that_was_refused_is_sent_again(as_mina, answers):
    made = as_mina.post(
        f"assignments/{answers[0].public_id}/bonus", {"amount": "0.50", "reason": "Good"}
    ).json()
    assert as_mina.post(f"bonuses/{made['id']}/retry").status_code == 409
    Bonus.objects.update(state="failed", outcome="Too little money.")

    told = as_mina.post(f"bonuses/{made['id']}/retry").json()

    assert (told["state"], told["outcome"]) == ("queued", "")


def test_a_rejection_is_overturned_once(as_mina, answers):
    address = f"assignments/{answers[0].public_id}"
    assert as_mina.post(f"{address}/overturn").status_code == 409
    Assignment.objects.filter(pk=answers[0].pk).update(status="Rejected", submitted_at=clock.now())

    told = as_mina.post(f"{address}/overturn", {"feedback": "It was fine."})

    assert (told.status_code, told.json()["pending"]) == (200, "approve")
    assert as_mina.post(f"{address}/overturn").status_code == 409


# Many --------------------------------------------------------------------------------------------


def test_all_that_wait_are_approved_by_a_job(as_mina, batch, answers):
    told = as_mina.post(f"batches/{batch.public_id}/approve")

    assert told.status_code == 202
    assert (told.json()["state"], told.json()["total"]) == ("running", 3)
    AssignmentFactory(hit=batch.hits.first())
    job = Job.objects.get(public_id=told.json()["id"])
    run_chunk(job)
    assert set(Decision.objects.values_list("assignment", flat=True)) == {each.pk for each in answers}
    ended = as_mina.get(f"jobs/{job.public_id}").json()
    assert (ended["state"], ended["done"], ended["outcome"]) == ("done", 3, "3 decided.")
    assert Event.objects.get(verb="batch.decided").details["answers"] == 3


def test_a_filter_or_a_list_of_ids_chooses(as_mina, batch, answers):
    address = f"batches/{batch.public_id}/reject"
    body = {"feedback": "It is empty."}

    named = as_mina.post(address, {**body, "assignments": [answers[0].mturk_id, str(answers[1].public_id)]})
    assert named.json()["total"] == 2
    found = as_mina.post(address, {**body, "text": "sentence 3"})
    assert found.json()["total"] == 1
    assert as_mina.post(address, {**body, "worker": "ANOBODY"}).status_code == 409
    unknown = as_mina.post(address, {**body, "assignments": [answers[0].mturk_id, "3NOBODYS"]})
    assert (unknown.status_code, unknown.json()["errors"]) == (400, {"assignments": ["3NOBODYS"]})
    assert as_mina.post(address, {}).json()["errors"] == {"feedback": ["This field is required."]}
    assert Job.objects.count() == 2


def test_a_scope_of_approving_does_not_reject(mina, batch, answers):
    script = script_of(mina, Permission.ASSIGNMENT_APPROVE)

    refused = script.post(f"batches/{batch.public_id}/reject", {"feedback": "No."})

    assert (refused.status_code, "outside its scope" in refused.json()["detail"]) == (403, True)
    assert not Job.objects.exists()
    assert script.post(f"batches/{batch.public_id}/approve").status_code == 202
    assert Assignment.objects.filter(pending_verdict="").count() == 3
