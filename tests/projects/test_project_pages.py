"""The list of projects, and the page of one."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from projects.models import Project
from tests.factories import BatchFactory, HITTemplateFactory, ProjectFactory
from tests.projects.pages import HOSTILE, is_shown_as_text, words
from tests.projects.test_project_forms import GOOD

pytestmark = pytest.mark.django_db

LIST = "/projects/"


@pytest.fixture
def project(team, olive):
    project = ProjectFactory(team=team, created_by=olive.user, name="Sentiment")
    HITTemplateFactory(project=project, version=1, html="<p>${text}</p><input name=a>")
    return project


@pytest.fixture
def address(project):
    return reverse("projects:project", args=[project.public_id])


def shown(person, address):
    answer = person.client.get(address)
    assert answer.status_code == 200
    return words(answer.content.decode())


# The list -----------------------------------------------------------------------------------------


def test_an_empty_list_says_what_a_project_is_and_offers_to_make_one(mina, vera):
    assert "No project yet. A project says what Workers see" in shown(mina, LIST)

    html = vera.client.get(LIST).content.decode()
    assert "No project yet." in html
    assert reverse("projects:create_project") not in html
    assert "Viewers may not make or change projects. Ask an owner of the team." in html


def test_each_project_stands_with_its_reward_batches_and_what_waits(project, connection, mina):
    for waiting in (2, 3):
        BatchFactory(project=project, connection=connection, answers_submitted=waiting)

    assert "Sentiment How positive is this text? $0.05 3 2 5" in shown(mina, LIST)


def test_the_newest_project_comes_first_and_archived_ones_are_gone(project, team, mina):
    ProjectFactory(team=team, name="Newer")
    ProjectFactory(team=team, name="Archived", archived_at=datetime(2026, 1, 1, tzinfo=UTC))

    html = shown(mina, LIST)

    assert html.index("Newer") < html.index("Sentiment")
    assert "Archived" not in html


def test_a_stranger_sees_no_project(project, stan):
    assert "Sentiment" not in shown(stan, LIST)


def test_the_queries_of_the_list_do_not_grow_with_the_projects(project, team, connection, mina):
    mina.client.get(LIST)
    with CaptureQueriesContext(database) as few:
        mina.client.get(LIST)
    for _ in range(10):
        BatchFactory(project=ProjectFactory(team=team), connection=connection)

    with CaptureQueriesContext(database) as many:
        mina.client.get(LIST)

    assert len(many) == len(few)


# One project --------------------------------------------------------------------------------------


def test_the_page_shows_terms_batches_and_versions(project, address, connection, mina):
    project.estimated_duration = timedelta(seconds=30)
    project.data_note = "CC BY 4.0"
    project.save()
    BatchFactory(
        project=project, connection=connection, template=project.templates.get(), name="Pilot", rows=2
    )

    text = shown(mina, address)

    assert "“ How positive is this text? ” · $0.05 · 3 answers per row · approved by itself after 3 d" in text
    assert "Hourly wage ≈ $6.00" in text
    assert "CC BY 4.0" in text
    assert "Pilot" in text
    assert "0 of 6" in text
    assert "Version 1" in text
    assert "1 batch" in text


def test_a_project_without_a_question_says_what_comes_next(team, mina):
    project = ProjectFactory(team=team)

    text = shown(mina, reverse("projects:project", args=[project.public_id]))

    assert "There is no question yet. Write the template; then a file can be checked against it." in text


def test_a_project_without_a_batch_names_the_columns_a_file_needs(address, mina):
    assert "No batch yet. Upload a file with the column text to make the first one." in shown(mina, address)


def test_a_draft_leads_to_its_cost_and_a_published_batch_to_its_progress(project, address, connection, mina):
    draft = BatchFactory(project=project, connection=connection, rows=1)
    live = BatchFactory(project=project, connection=connection, rows=1, published=True)

    html = mina.client.get(address).content.decode()

    assert reverse("projects:cost", args=[draft.public_id]) in html
    assert f'"{reverse("projects:batch", args=[live.public_id])}"' in html


@pytest.mark.parametrize(("who", "role"), [("ravi", "Reviewers"), ("vera", "Viewers")])
def test_who_may_not_change_it_sees_why(request, address, project, who, role):
    html = request.getfixturevalue(who).client.get(address).content.decode()

    assert f'title="{role} may not make or change projects. Ask an owner of the team."' in html
    assert f'title="{role} may not upload batches. Ask an owner of the team."' in html
    assert reverse("projects:edit_project", args=[project.public_id]) not in html
    assert reverse("projects:upload_batch", args=[project.public_id]) not in html


def test_a_stranger_gets_no_page(address, stan):
    assert stan.client.get(address).status_code == 404


@pytest.mark.parametrize("value", HOSTILE)
def test_whatever_a_project_says_of_itself_is_text(team, mina, value):
    project = ProjectFactory(
        team=team, name=value, title=value, description=value, keywords=value, data_note=value
    )

    page = mina.client.get(reverse("projects:project", args=[project.public_id])).content.decode()
    listed = mina.client.get(LIST).content.decode()
    form = mina.client.get(reverse("projects:edit_project", args=[project.public_id])).content.decode()

    for html in (page, listed):
        assert is_shown_as_text(value, html)
    # What one edits is as it is.
    assert escape(value) in form


def test_the_queries_of_the_page_do_not_grow_with_batches_and_rows(project, address, connection, mina):
    BatchFactory(project=project, connection=connection, rows=1)
    mina.client.get(address)
    with CaptureQueriesContext(database) as few:
        mina.client.get(address)
    for _ in range(10):
        BatchFactory(project=project, connection=connection, rows=5)

    with CaptureQueriesContext(database) as many:
        mina.client.get(address)

    assert len(many) == len(few)


def test_a_page_that_was_opened_before_a_change_does_not_undo_it_silently(project, mina):
    address = reverse("projects:edit_project", args=[project.public_id])
    page = mina.client.get(address)
    typed = GOOD | {"seen": page.context["seen"], "data_note": "typed meanwhile"}
    Project.objects.filter(pk=project.pk).update(reward="0.10")

    refused = mina.client.post(address, typed)

    assert refused.status_code == 400
    assert "Somebody has changed these settings" in refused.content.decode()
    assert "typed meanwhile" in refused.content.decode()
    project.refresh_from_db()
    assert str(project.reward) == "0.10"
    assert mina.client.post(address, typed | {"seen": refused.context["seen"]}).status_code == 302
