"""The whole team's activity: who did what, when and in which batch; filtered, paged, and taken away as CSV."""

import ast
import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mturkhub.accounts.activity import record
from mturkhub.accounts.models import Event
from mturkhub.accounts.sentences import SENTENCES
from projects.actions import batches, reviews
from projects.publishing import pause_batch_for, pause_creation
from tests.factories import BatchFactory, ConnectionFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk
from tests.projects.live import make_live
from tests.projects.pages import HOSTILE, answer, is_shown_as_text, words

pytestmark = pytest.mark.django_db

PAGE = "/activity/"
CSV = "/activity/activity.csv"


@pytest.fixture
def batch(olive, connection):
    project = ProjectFactory(team=olive.team, created_by=olive.user)
    return BatchFactory(project=project, connection=connection, rows=3, name="Entailment 14")


def page(person, query=""):
    response = person.client.get(PAGE + query)
    assert response.status_code == 200
    return response.content.decode()


def lines(html):
    """What was done, without when."""
    found = re.search(r'<ul class="plain-list told">(.*?)</ul>', html, re.S)
    items = found[1].split("<li")[1:] if found else []
    return [
        " ".join(unescape(re.sub(r"<[^>]*>|^[^>]*>", " ", re.sub(r"<time.*?</time>", "", item))).split())
        for item in items
    ]


def table(person, query=""):
    response = person.client.get(CSV + query)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.getvalue().decode(), newline="")))


def do_things(olive, mina, ravi, batch):
    """Four Events, each of another person or kind."""
    batches.publish_batch(batch, by=mina.actor)
    (first,) = answer(batch, {"a": ["1"]})
    reviews.reject_assignment(first, by=ravi.actor, feedback="Empty.")
    record(olive.actor, "connection.keys_replaced", batch.connection, team_id=olive.team.pk)
    pause_batch_for(batch, "The access key is refused.")


EVERYTHING = [
    "By rule “publishing”: paused publishing: The access key is refused. in Entailment 14",
    "Olive replaced the keys of Local",
    "Ravi rejected an answer in Entailment 14",
    "Mina published 3 rows for $0.54 in Entailment 14",
]


def test_everybody_reads_who_did_what_in_which_batch_the_newest_first(olive, mina, ravi, vera, batch):
    do_things(olive, mina, ravi, batch)

    html = page(vera)

    assert lines(html) == EVERYTHING
    assert reverse("projects:batch", args=[batch.public_id]) in html


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("person={ravi}", [2]),
        ("person=rules", [0]),
        ("kind=assignment", [2]),
        ("kind=batch", [0, 3]),
        ("kind=batch.published", [3]),
        ("batch={batch}", [0, 2, 3]),
        ("batch={batch}&person={mina}", [3]),
        ("since=2000-01-01&until=2999-12-31", [0, 1, 2, 3]),
        ("until=2000-01-01", []),
        ("since=2999-01-01", []),
        # What makes no sense is left out.
        ("person=Ravi&kind=nothing&batch=14&since=yesterday&until=0001-01-01", [0, 1, 2, 3]),
        ("at=~~~", [0, 1, 2, 3]),
        # Well formed, and of nobody and nothing here.
        ("person=018f0000-0000-7000-8000-000000000000", []),
        ("batch=018f0000-0000-7000-8000-000000000000", []),
    ],
)
def test_the_filter_and_the_download_show_the_same(olive, mina, ravi, batch, query, shown):
    do_things(olive, mina, ravi, batch)
    query = "?" + query.format(ravi=ravi.user.public_id, mina=mina.user.public_id, batch=batch.public_id)

    assert lines(page(olive, query)) == [EVERYTHING[number] for number in shown]
    taken = [row["what"] for row in table(olive, query)]
    assert all(what in EVERYTHING[number] for what, number in zip(taken, shown, strict=True))


def test_a_day_is_one_in_the_readers_zone(olive, batch):
    event = record(olive.actor, "batch.collected", batch, team_id=olive.team.pk)
    olive.client.cookies["mturkhub_tz"] = "Pacific/Kiritimati"
    here = (event.at + timedelta(hours=14)).date()

    assert len(lines(page(olive, f"?since={here}&until={here}"))) == 1
    assert lines(page(olive, f"?until={here - timedelta(days=1)}")) == []
    assert lines(page(olive, f"?since={here + timedelta(days=1)}")) == []


def test_the_chosen_filter_stays_chosen_and_goes_into_pages_and_download(olive, ravi, batch):
    for _ in range(51):
        record(ravi.actor, "batch.collected", batch, team_id=olive.team.pk)
    query = f"person={ravi.user.public_id}&kind=batch.collected&batch={batch.public_id}&since=2020-02-02"

    html = unescape(page(olive, f"?{query}"))

    assert html.count(" selected>") == 3
    assert 'value="2020-02-02"' in html
    assert f"{CSV}?{query}" in html
    assert f"?{query}&at=" in html


def test_fifty_a_page_and_each_event_on_one_of_them(olive, batch):
    for number in range(120):
        record(olive.actor, "batch.retried", batch, team_id=olive.team.pk, hits=number)
    seen, address = [], "?"
    while address:
        html = page(olive, address)
        assert len(lines(html)) <= 50
        seen += lines(html)
        found = re.search(r'href="(\?[^"]*)" rel="next"', html)
        address = unescape(found[1]) if found else ""

    assert [int(line.split()[2]) for line in seen] == list(range(119, -1, -1))


def test_a_long_story_takes_as_many_queries_as_a_short_one(olive, batch, connection):
    def count() -> int:
        with CaptureQueriesContext(database) as queries:
            page(olive)
        return len(queries)

    record(olive.actor, "batch.collected", batch, team_id=olive.team.pk)
    page(olive)
    short = count()
    for number in range(40):
        other = BatchFactory(project=batch.project, connection=connection, name=f"Other {number}")
        record(olive.actor, "batch.collected", other, team_id=olive.team.pk)

    assert count() == short


def test_the_download_has_every_event_with_time_person_rule_and_verb(olive, mina, ravi, batch):
    do_things(olive, mina, ravi, batch)

    rows = table(olive)

    assert [(row["person"], row["rule"], row["verb"], row["batch"]) for row in rows] == [
        ("", "publishing", "batch.held_up", "Entailment 14"),
        ("Olive", "", "connection.keys_replaced", ""),
        ("Ravi", "", "assignment.rejected", "Entailment 14"),
        ("Mina", "", "batch.published", "Entailment 14"),
    ]
    assert rows[1]["email"] == "olive@example.org"
    newest = Event.objects.latest("pk").at
    assert datetime.fromisoformat(rows[0]["time"]) == newest.astimezone(UTC).replace(microsecond=0)


def test_the_download_goes_past_one_chunk_and_is_streamed(olive, batch):
    Event.objects.bulk_create(
        Event(
            team=olive.team,
            by=olive.user,
            verb="batch.collected",
            target_type="projects.batch",
            target_id=batch.pk,
        )
        for _ in range(1234)
    )

    assert olive.client.get(CSV).streaming
    assert len(table(olive)) == 1234


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@cmd", "\tx"])
def test_a_spreadsheet_takes_nothing_for_a_formula(olive, connection, value):
    batch = BatchFactory(project__team=olive.team, connection=connection, name=value)
    record(olive.actor, "batch.collected", batch, team_id=olive.team.pk)

    assert table(olive)[0]["batch"] == f"'{value}"


@pytest.mark.parametrize("value", HOSTILE)
def test_names_are_shown_as_text(olive, batch, value):
    batch.name = value
    batch.save()
    olive.user.name = value
    olive.user.save()
    record(olive.actor, "batch.held_up", batch, team_id=olive.team.pk, reason=value)
    record(olive.actor, f"verb.{value}"[:60], batch, team_id=olive.team.pk)

    assert is_shown_as_text(value, page(olive))


def test_a_stranger_reads_their_own_teams_alone(olive, stan, batch):
    record(olive.actor, "batch.collected", batch, team_id=olive.team.pk)
    record(stan.actor, "connection.made", ConnectionFactory(account__team=stan.team), team_id=stan.team.pk)

    assert [line.split()[0] for line in lines(page(stan))] == ["Stan"]
    assert lines(page(stan, f"?batch={batch.public_id}")) == []
    assert lines(page(stan, f"?person={olive.user.public_id}")) == []
    assert [row["person"] for row in table(stan)] == ["Stan"]
    assert "Olive" not in page(stan)
    assert batch.name not in page(stan)


def test_a_team_without_a_story_is_told_so(olive):
    assert "Nothing has been done yet." in words(page(olive))
    assert "Nothing matches" in words(page(olive, "?kind=batch"))


def test_the_batchs_tab_leads_here_with_the_batch_chosen(olive, batch):
    batch.published_at, batch.published_by = datetime.now(UTC), olive.user
    batch.save()

    html = olive.client.get(reverse("projects:batch_activity", args=[batch.public_id])).content.decode()

    assert f'href="{PAGE}?batch={batch.public_id}"' in html


# What is recorded ---------------------------------------------------------------------------------


def test_every_verb_that_code_records_has_its_sentence():
    recorded = set()
    for room in ("mturkhub", "projects"):
        for file in (Path(settings.BASE_DIR) / room).rglob("*.py"):
            for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] == "record":
                    recorded |= {
                        each.value
                        for each in call.args
                        if isinstance(each, ast.Constant) and isinstance(each.value, str)
                    }

    assert len(recorded) > 20
    assert recorded - set(SENTENCES) == set()


def test_what_the_system_does_by_a_rule_is_told_as_well(olive, connection):
    market = FakeMTurk()
    live = make_live(olive, connection, market, approval="at_once")
    live.submit(["AWANDA", "AXAVER"])
    live.collect()
    pause_creation(connection, "The balance does not cover this.")
    pause_creation(connection, "Twice is told once.")

    assert lines(page(olive))[:2] == [
        "By rule “publishing”: paused creating HITs on Local: The balance does not cover this.",
        f"By rule “approve at once”: chose 2 answers to approve in {live.batch}",
    ]


def test_a_rule_that_changes_nothing_records_nothing(olive, batch):
    pause_batch_for(batch, "A draft is not being published.")

    assert not Event.objects.exists()
