"""Many answers at once: a dry run with names and sums, then exactly what it named."""

import re
import uuid

import pytest
from django.urls import reverse

from mturkhub.intentions.models import Job
from projects.bulk_deciding import run_chunk
from projects.models import Assignment, Decision
from tests.factories import BatchFactory
from tests.projects.pages import answer, ask_for_ten, count_queries, get, post, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(olive, connection):
    return BatchFactory(project__team=olive.team, connection=connection, published=True, rows=3)


@pytest.fixture
def three(batch):
    return answer(batch, {"sentiment": ["2"]}, {"sentiment": ["5"]}, {"sentiment": ["8"]})


def fields(html, **more):
    """What the page's form would send."""
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    hidden.pop("csrfmiddlewaretoken", None)
    return hidden | more


def decide(person, batch, *, query="?verdict=approve", **more):
    """Look at the dry run and press its button."""
    return post(person, "decide_many", batch, fields(get(person, "decide_many", batch, query=query), **more))


def decided():
    """Whose answers the job decides, and how."""
    run_chunk(Job.objects.get())
    return set(Decision.objects.values_list("assignment", "verdict"))


# The dry run --------------------------------------------------------------------------------------


def test_the_dry_run_says_how_many_people_are_paid_how_much(ravi, batch, three):
    html = get(ravi, "decide_many", batch, query="?verdict=approve")

    assert "3 Workers are paid $0.18 in all, fee included." in words(html)
    assert "Approve 3 answers for $0.18" in words(html)
    assert not Job.objects.exists()


def test_the_dry_run_of_a_rejection_says_what_it_does_to_people(ravi, batch, three):
    text = words(get(ravi, "decide_many", batch, query="?verdict=reject"))

    assert "3 Workers are not paid; $0.18 stays with you. Each keeps a lower approval rate" in text
    assert "Reject 3 answers keep $0.18" in text


def test_a_worker_with_two_answers_is_one_person(ravi, batch):
    first, second = answer(batch, {"sentiment": ["2"]}, {"sentiment": ["5"]})
    Assignment.objects.filter(pk=second.pk).update(worker=first.worker)

    assert "1 Worker is paid $0.12" in words(get(ravi, "decide_many", batch, query="?verdict=approve"))


def test_each_answer_costs_what_was_reserved_for_its_hit(ravi, batch, three):
    ask_for_ten(batch.hits.get(row__number=2))

    approving = words(get(ravi, "decide_many", batch, query="?verdict=approve"))
    rejecting = words(get(ravi, "decide_many", batch, query="?verdict=reject"))

    # Two at a cent of fee each, and one at two.
    assert "3 Workers are paid $0.19 in all, fee included." in approving
    assert "Approve 3 answers for $0.19" in approving
    assert "$0.19 stays with you" in rejecting


def test_what_the_filter_holds_besides_is_named_and_stays(ravi, batch, three):
    answer(batch, {"sentiment": ["1"]}, row=1, status="Approved")
    answer(batch, {"sentiment": ["1"]}, {"sentiment": ["1"]}, row=2, pending_verdict="reject")

    text = words(get(ravi, "decide_many", batch, query="?verdict=approve&show=all"))

    assert "Approve 3 answers for $0.18" in text
    assert "1 of the filter is decided already and stays as it is." in text
    assert "2 of the filter are being decided right now and stay as they are." in text


def test_where_nothing_waits_there_is_no_button(ravi, batch):
    html = get(ravi, "decide_many", batch, query="?verdict=approve")

    assert "Approve 0 answers" in words(html)
    assert "btn-approve" not in html


# The deed -----------------------------------------------------------------------------------------


def test_pressing_the_button_decides_what_was_named_as_a_job(ravi, batch, three):
    response = decide(ravi, batch, feedback=" Thank you ")

    job = Job.objects.get()
    assert response.url == reverse("projects:job", args=[job.public_id])
    assert (job.total, job.by) == (3, ravi.user)
    assert decided() == {(each.pk, "approve") for each in three}
    assert set(Decision.objects.values_list("feedback", flat=True)) == {"Thank you"}


def test_a_rejection_of_many_carries_its_reason(ravi, batch, three):
    decide(ravi, batch, query="?verdict=reject", feedback="Every answer was copied.")

    assert decided() == {(each.pk, "reject") for each in three}
    assert set(Decision.objects.values_list("feedback", flat=True)) == {"Every answer was copied."}


def test_only_what_the_filter_named_is_decided(ravi, batch, three):
    decide(ravi, batch, query="?verdict=approve&text=sentence+2&sort=newest")

    assert decided() == {(three[1].pk, "approve")}


def test_answers_that_come_after_the_dry_run_are_left_waiting(ravi, batch, three):
    html = get(ravi, "decide_many", batch, query="?verdict=approve")
    (late,) = answer(batch, {"sentiment": ["9"]}, row=1)

    post(ravi, "decide_many", batch, fields(html))

    assert decided() == {(each.pk, "approve") for each in three}
    late.refresh_from_db()
    assert late.pending_verdict == ""


def test_an_answer_somebody_else_decided_meanwhile_is_passed_over(ravi, mina, batch, three):
    html = get(ravi, "decide_many", batch, query="?verdict=approve")
    post(mina, "reject", three[0], {"feedback": "Empty."})

    post(ravi, "decide_many", batch, fields(html))

    assert decided() == {(three[0].pk, "reject"), (three[1].pk, "approve"), (three[2].pk, "approve")}


def test_when_more_waits_than_was_named_nothing_is_decided_and_the_new_sum_is_shown(ravi, mina, batch, three):
    post(mina, "approve", three[0])
    html = get(ravi, "decide_many", batch, query="?verdict=approve")
    post(mina, "undo", three[0])

    response = post(ravi, "decide_many", batch, fields(html, feedback="Thank you"))

    text = words(response.content.decode())
    assert response.status_code == 400
    assert "Approve 2 answers for $0.12" in words(html)
    assert "Meanwhile more answers wait than this page named. Nothing was decided" in text
    assert "Approve 3 answers for $0.18" in text
    # What was typed is kept.
    assert "Thank you" in text
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "changed",
    [{"count": ""}, {"count": "many"}, {"count": "2"}, {"count": "-3"}, {"count": "9" * 30, "last": "x"}],
)
def test_a_form_that_did_not_come_from_a_dry_run_decides_nothing(ravi, batch, three, changed):
    response = decide(ravi, batch, **changed)

    assert response.status_code in (400, 409)
    assert not Job.objects.exists()


def test_a_worker_nobody_knows_is_refused_in_words(ravi, batch, three):
    response = decide(ravi, batch, query="?verdict=approve&worker=nobody")

    assert response.status_code == 409
    assert "None of these answers waits for a decision." in words(response.content.decode())


def test_the_place_of_an_answer_elsewhere_chooses_nothing_there(ravi, batch, three, connection):
    other = BatchFactory(project__team=batch.team, connection=connection, published=True, rows=1)
    answer(other, {"sentiment": ["1"]})

    decide(ravi, batch, last=str(uuid.UUID(int=2**128 - 1)))

    assert decided() == {(each.pk, "approve") for each in three}


@pytest.mark.parametrize(
    ("feedback", "sentence"),
    [(" ", "A rejection needs a reason"), ("x" * 1_025, "MTurk takes 1,024. Shorten it by 1.")],
)
def test_a_rejection_without_a_fit_reason_is_refused_and_what_was_typed_is_kept(
    ravi, batch, three, feedback, sentence
):
    response = decide(ravi, batch, query="?verdict=reject", feedback=feedback)

    html = response.content.decode()
    assert response.status_code == 400
    assert sentence in words(html)
    assert f">{feedback}</textarea>" in html
    assert "Reject 3 answers keep $0.18" in words(html)
    assert not Job.objects.exists()


def test_a_viewer_may_not_even_look(vera, batch, three):
    url = reverse("projects:decide_many", args=[batch.public_id])

    answers = [vera.client.get(url), vera.client.post(url, {"count": "3"})]

    assert [each.status_code for each in answers] == [403, 403]
    assert all("Viewers may not approve answers." in words(each.content.decode()) for each in answers)


def test_fifty_answers_take_as_many_queries_as_five(ravi, connection):
    made = {"project__team": ravi.team, "connection": connection, "published": True, "rows": 2}
    few, many = BatchFactory(**made), BatchFactory(**made)
    answer(few, *[{"sentiment": ["1"]}] * 5)
    answer(many, *[{"sentiment": ["1"]}] * 50)

    assert count_queries(ravi, "decide_many", few) == count_queries(ravi, "decide_many", many)
