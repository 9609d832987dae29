"""The page of a job: how far it is, and what came of it."""

import pytest
from django.urls import reverse

from mturkhub.intentions.models import Job, JobItem
from tests.factories import BatchFactory
from tests.projects.pages import answer, count_queries, get, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(olive, connection):
    return BatchFactory(
        project__team=olive.team, connection=connection, published=True, rows=3, name="Tweets <1>"
    )


@pytest.fixture
def make_job(batch, ravi):
    def make(**more):
        return Job.objects.create(
            team=batch.team,
            kind="decide_many",
            title="Approve 1,500 answers of Tweets <1>",
            by=ravi.user,
            **{"subject": str(batch.public_id), "total": 1500, "done": 400, **more},
        )

    return make


def fragment(person, job):
    url = reverse("projects:job", args=[job.public_id])
    return person.client.get(url, HTTP_HX_REQUEST="true").content.decode()


def test_a_running_job_says_how_far_it_is_and_looks_again_by_itself(vera, make_job):
    html = get(vera, "job", make_job())

    assert "<h1><bdi>Approve 1,500 answers of Tweets &lt;1&gt;</bdi></h1>" in html
    assert "Asked for by Ravi" in words(html)
    assert "400 of 1500" in words(html).replace(",", "")
    assert 'data-live="2"' in html


def test_only_the_part_that_changes_comes_when_asked_again(vera, make_job):
    html = fragment(vera, make_job())

    assert html.lstrip().startswith("<section")
    assert "<html" not in html


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("done", "1,499 decided, 1 passed over because they were decided meanwhile."),
        ("stopped", "Stopped: Ravi may no longer decide in this team."),
    ],
)
def test_a_job_that_has_ended_says_what_came_of_it_and_asks_no_more(vera, make_job, state, outcome):
    html = get(vera, "job", make_job(state=state, outcome=outcome, done=1500))

    assert outcome in words(html)
    assert "data-live" not in html


def test_it_looks_again_while_mturk_has_not_confirmed(vera, make_job, batch):
    answer(batch, {"a": ["1"]}, {"a": ["1"]}, pending_verdict="approve")

    html = get(vera, "job", make_job(state="done", outcome="2 decided.", total=2, done=2))

    assert "2 decisions of this batch wait for MTurk to confirm." in words(html)
    assert 'data-live="2"' in html


def test_the_way_back_leads_to_the_batch_and_its_review(vera, make_job, batch):
    html = get(vera, "job", make_job())

    for name in ("batch", "review_batch"):
        assert f'href="{reverse(f"projects:{name}", args=[batch.public_id])}"' in html


def test_a_job_about_nothing_that_is_known_has_a_page_as_well(vera, make_job):
    html = get(vera, "job", make_job(subject="", total=0, done=0))

    assert "0 of 0" in words(html)
    assert "Back to review" not in html


def test_strangers_find_no_job(stan, make_job):
    assert stan.client.get(reverse("projects:job", args=[make_job().public_id])).status_code == 404


def test_fifty_items_take_as_many_queries_as_five(vera, make_job):
    few, many = make_job(), make_job()
    for job, count in ((few, 5), (many, 50)):
        JobItem.objects.bulk_create(JobItem(job=job, target_id=number) for number in range(count))

    assert count_queries(vera, "job", few) == count_queries(vera, "job", many)
