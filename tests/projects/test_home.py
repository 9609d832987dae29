"""Home: what needs a person comes first, then what goes on by itself, and the first steps while there are none."""

from datetime import UTC, datetime

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from mturkhub.accounts.models import Membership
from projects.states import BatchState
from tests.factories import (
    AssignmentFactory,
    BatchFactory,
    ConnectionFactory,
    HITTemplateFactory,
    ProjectFactory,
)
from tests.projects.pages import words

pytestmark = pytest.mark.django_db


def home(person):
    answer = person.client.get("/")
    assert answer.status_code == 200
    return answer


def said(person):
    return [need["said"] for need in home(person).context["needs"]]


@pytest.fixture
def project(team, olive):
    return ProjectFactory(team=team, created_by=olive.user, name="Sentiment")


@pytest.fixture
def live(project, connection):
    """Makes a live batch with so many answers that wait."""

    def live(answers=0, **more):
        batch = BatchFactory(project=project, connection=connection, published=True, rows=2, **more)
        for _ in range(answers):
            AssignmentFactory(hit=batch.hits.first())
        batch.answers_submitted = answers
        batch.save()
        return batch

    return live


# First steps --------------------------------------------------------------------------------------


def test_a_new_team_sees_its_first_steps(olive):
    html = words(home(olive).content.decode())

    assert "First steps Connect an account" in " ".join(html.replace("not done yet", "").split())
    assert "Nothing needs you now." in html
    assert "No batch is live. Open a project and upload a file to make one." in html
    assert not any(step["is_done"] for step in home(olive).context["steps"])


def test_each_step_is_ticked_when_it_is_done(olive, project, connection):
    connection.tested_at = datetime(2026, 11, 24, tzinfo=UTC)
    connection.save()
    HITTemplateFactory(project=project, version=1)

    steps = {step["words"]: step["is_done"] for step in home(olive).context["steps"]}

    assert steps == {
        "Connect an account": True,
        "Test it": True,
        "Make a project": True,
        "Write the question": True,
        "Upload a file and publish it": False,
        "Try it as a test Worker, from the batch page": False,
    }


def test_the_first_steps_are_gone_once_somebody_has_answered(olive, live):
    live(answers=1)

    assert home(olive).context["steps"] == []


def test_who_may_not_take_the_steps_reads_them_without_links(vera, project):
    assert {step["href"] for step in home(vera).context["steps"]} == {""}


def test_drafts_are_offered_while_nothing_is_live(olive, project, connection):
    BatchFactory(project=project, connection=connection, name="Pilot draft", rows=1)

    assert "There is a draft: Pilot draft" in words(home(olive).content.decode())


# Needs you ----------------------------------------------------------------------------------------


def test_what_needs_a_person_is_said_with_money_first(olive, connection, live):
    connection.problem = "The keys are refused."
    connection.creation_paused_at = datetime(2026, 11, 24, tzinfo=UTC)
    connection.creation_paused_reason = "InsufficientFunds"
    connection.save()
    live(answers=3, name="Answered")
    live(name="Held", state=BatchState.PAUSED.value, state_reason="Olive paused it.")
    broken = live(name="Broken")
    broken.rows_failed = 1
    broken.save()

    assert said(olive) == [
        f"{connection}: The keys are refused.",
        f"{connection}: creating HITs is paused. InsufficientFunds",
        "Broken: 1 row could not be created.",
        "Held is paused. Olive paused it.",
        "Answered: 3 answers wait for a decision.",
    ]
    html = words(home(olive).content.decode())
    assert all(sentence in html for sentence in said(olive))


def test_answers_that_are_being_decided_do_not_wait(olive, live):
    batch = live(answers=2)
    _, decided = batch.assignments.all()
    decided.pending_verdict = "approve"
    decided.save()

    assert said(olive) == [f"{batch}: 1 answer waits for a decision."]


def test_at_most_eight_things_are_asked_at_once(olive, live):
    for _ in range(10):
        live(answers=1)

    assert len(said(olive)) == 8


# Live batches -------------------------------------------------------------------------------------


def test_the_newest_ten_live_batches_are_listed(olive, live):
    for number in range(12):
        live(name=f"Batch number {number:02d}.")

    html = home(olive).content.decode()

    shown = [number for number in range(12) if f"Batch number {number:02d}." in html]
    assert shown == list(range(2, 12))
    assert html.index("Batch number 11.") < html.index("Batch number 02.")


def test_a_stranger_sees_nothing_of_the_team(stan, live, project):
    live(answers=1, name="Secret batch")

    html = home(stan).content.decode()

    assert "Secret batch" not in html
    assert said(stan) == []


def test_somebody_without_a_team_is_told_what_to_do(olive):
    Membership.objects.all().delete()

    assert "Ask an owner of yours for an invitation" in words(olive.client.get("/").content.decode())


def test_the_queries_do_not_grow_with_projects_connections_and_rows(olive, team, project, live):
    live(answers=1)
    olive.client.get("/")
    with CaptureQueriesContext(database) as few:
        olive.client.get("/")
    for _ in range(5):
        ConnectionFactory(account__team=team)
        ProjectFactory(team=team)
    batch = live(answers=0, name="More")
    for _ in range(20):
        AssignmentFactory(hit=batch.hits.first())

    with CaptureQueriesContext(database) as many:
        olive.client.get("/")

    assert len(many) == len(few)
