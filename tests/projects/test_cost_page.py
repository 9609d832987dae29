"""Settings and cost of a draft: the receipt follows what is typed, and the button spends what it names."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from projects.models import HIT, Batch
from tests.factories import BatchFactory, ConnectionFactory, ProjectFactory
from tests.projects.pages import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(team, connection, olive):
    """The four tweets: 4 rows, 5 answers, 5 cents."""
    project = ProjectFactory(team=team, created_by=olive.user)
    return BatchFactory(
        project=project,
        connection=connection,
        rows=4,
        max_assignments=5,
        name="Tweets",
        estimated_duration=timedelta(seconds=30),
    )


@pytest.fixture
def address(draft):
    return reverse("projects:cost", args=[draft.public_id])


@pytest.fixture
def publish(draft):
    return reverse("projects:publish_batch", args=[draft.public_id])


@pytest.fixture
def typed(connection):
    """What the form sends."""
    return {
        "name": "Tweets",
        "connection": connection.pk,
        "reward": "0.05",
        "max_assignments": "5",
        "estimated_duration_0": "30",
        "estimated_duration_1": "seconds",
        "assignment_duration_0": "1",
        "assignment_duration_1": "hours",
        "lifetime_0": "7",
        "lifetime_1": "days",
        "auto_approval_delay_0": "3",
        "auto_approval_delay_1": "days",
    }


def shown(answer, status=200):
    assert answer.status_code == status
    return words(answer.content.decode())


# The receipt --------------------------------------------------------------------------------------


def test_the_receipt_shows_every_part_of_the_price(address, connection, mina):
    connection.balance = Decimal("10000.00")
    connection.save()

    text = shown(mina.client.get(address))

    assert "Rewards 4 rows × 5 answers × $0.05 $1.00" in text
    assert "Fee $0.01 an answer $0.20" in text
    assert "Total $1.20" in text
    assert "Left after $9,998.80" in text
    assert "≈ $6.00" in text
    assert "Publish 4 HITs for $1.20" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reward": "0.50", "max_assignments": "9"}, "Publish 4 HITs for $21.60"),
        # From ten answers on the fee doubles.
        ({"reward": "0.50", "max_assignments": "10"}, "Publish 4 HITs for $28.00"),
        ({"estimated_duration_0": "15"}, "≈ $12.00"),
        ({"reward": "0.005"}, "MTurk pays whole cents: at most two decimals."),
        ({"lifetime_0": "400"}, "MTurk takes 30 seconds to 365 days. This is 400 days."),
    ],
)
def test_the_receipt_follows_what_is_typed_and_saves_nothing(address, draft, typed, mina, changes, words):
    answer = mina.client.post(address, {**typed, **changes}, HTTP_HX_REQUEST="true")

    assert words in shown(answer)
    assert b"<html" not in answer.content
    draft.refresh_from_db()
    assert (draft.reward, draft.max_assignments) == (Decimal("0.05"), 5)


def test_the_receipt_is_that_of_the_chosen_connection(address, team, typed, mina):
    free = ConnectionFactory(account__team=team, name="No fees", fee_schedule="none")

    answer = mina.client.post(address, {**typed, "connection": free.pk}, HTTP_HX_REQUEST="true")

    assert "Publish 4 HITs for $1.00" in shown(answer)


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (None, "Hourly wage target $15.00 –"),
        (timedelta(seconds=60), "≈ $3.00 below target"),
        (timedelta(seconds=12), "≈ $15.00"),
    ],
)
def test_the_wage_is_marked_against_the_teams_target(address, draft, mina, estimate, words):
    draft.team.target_hourly_wage = Decimal("15.00")
    draft.team.save()
    draft.estimated_duration = estimate
    draft.save()

    text = shown(mina.client.get(address))

    assert words in text
    assert ("below target" in text) is ("below target" in words)


def test_what_is_missing_is_named_and_publishing_is_off(address, publish, typed, connection, mina):
    connection.balance = Decimal("1.00")
    connection.save()

    html = mina.client.get(address).content.decode()
    answer = mina.client.post(publish, {**typed, "total": "1.20"})

    assert "Missing $0.20" in words(html)
    assert "This costs $1.20 and $1.00 is free: $0.20 is missing." in words(html)
    assert publish not in html
    assert answer.status_code == 409
    assert not HIT.objects.exists()


# Saving -------------------------------------------------------------------------------------------


def test_settings_are_saved_for_later(address, draft, typed, mina):
    answer = mina.client.post(address, {**typed, "name": "Renamed", "reward": "0.10"}, follow=True)

    assert answer.redirect_chain == [(address, 302)]
    draft.refresh_from_db()
    assert (draft.name, draft.reward, draft.state) == ("Renamed", Decimal("0.10"), "draft")


def test_settings_that_cannot_be_saved_come_back_as_they_were_typed(address, draft, typed, mina):
    answer = mina.client.post(address, {**typed, "name": "Kept name", "reward": "0.005", "lifetime_0": "0"})

    html = answer.content.decode()
    assert answer.status_code == 400
    assert 'value="Kept name"' in html
    assert 'value="0.005"' in html
    assert "MTurk pays whole cents: at most two decimals." in html
    draft.refresh_from_db()
    assert draft.name == "Tweets"


def test_only_connections_of_the_team_that_work_can_be_chosen(address, draft, typed, team, mina):
    theirs = ConnectionFactory(name="Of another team")
    untested = ConnectionFactory(account__team=team, name="Never tested", environment="production")

    html = mina.client.get(address).content.decode()

    assert "Of another team" not in html
    assert "Never tested" not in html
    for connection in (theirs, untested):
        answer = mina.client.post(address, {**typed, "connection": connection.pk})
        assert "Choose one of your team's connections that has passed its test." in shown(
            answer, 400
        ).replace("’", "'")
    assert Batch.objects.get().connection_id == draft.connection_id


# Publishing ---------------------------------------------------------------------------------------


def test_publishing_saves_what_is_typed_and_queues_a_hit_for_each_row(publish, draft, typed, mina):
    answer = mina.client.post(publish, {**typed, "reward": "0.10", "total": "2.40"})

    assert answer["Location"] == reverse("projects:batch", args=[draft.public_id])
    draft.refresh_from_db()
    assert (draft.state, draft.reward, draft.published_by) == ("publishing", Decimal("0.10"), mina.user)
    assert draft.hits.filter(publish_state="queued").count() == 4


def test_another_price_than_the_one_that_was_shown_is_asked_again(publish, draft, typed, mina):
    answer = mina.client.post(publish, {**typed, "reward": "0.10", "total": "1.20"})

    html = answer.content.decode()
    assert answer.status_code == 409
    assert "The price has changed to $2.40 since the page was shown." in html
    assert 'value="0.10"' in html
    assert "Publish 4 HITs for $2.40" in html
    draft.refresh_from_db()
    assert (draft.state, draft.reward) == ("draft", Decimal("0.05"))
    assert not HIT.objects.exists()


def test_a_refusal_keeps_what_was_typed_and_where_it_should_go(publish, draft, typed, team, mina):
    """The money went between looking and pressing."""
    poor = ConnectionFactory(account__team=team, name="Nearly empty", balance=Decimal("1.00"))
    wished = {"connection": poor.pk, "name": "Kept name", "reward": "0.10", "first_rows": "3"}

    answer = mina.client.post(publish, {**typed, **wished, "total": "1.80"})

    html = answer.content.decode()
    assert "This costs $1.80 and $1.00 is free: $0.80 is missing." in shown(answer, 409)
    assert 'value="Kept name"' in html
    assert 'value="0.10"' in html
    assert re.search(rf'name="connection"[^>]*value="{poor.pk}"[^>]*checked', html)
    assert re.search(r'name="first_rows"[^>]*value="3"', html)
    draft.refresh_from_db()
    assert (draft.name, draft.state) == ("Tweets", "draft")
    assert not HIT.objects.exists()


def test_production_asks_for_the_sum_to_be_ticked(publish, address, draft, typed, connection, mina):
    connection.environment = "production"
    connection.tested_at = "2026-11-24T12:00Z"
    connection.save()

    html = words(mina.client.get(address).content.decode())
    refused = mina.client.post(publish, {**typed, "total": "1.20"})

    assert "Spend $1.20 on Production" in html
    assert "Tick the box that repeats the sum, then publish." in shown(refused, 400)
    assert not HIT.objects.exists()
    assert mina.client.post(publish, {**typed, "total": "1.20", "sure": "1"}).status_code == 302
    assert HIT.objects.count() == 4


def test_settings_that_cannot_be_used_publish_nothing(publish, typed, mina):
    answer = mina.client.post(publish, {**typed, "max_assignments": "0", "total": "0.00"})

    assert "Each row needs at least one answer." in shown(answer, 400)
    assert not HIT.objects.exists()


def test_publishing_twice_makes_each_hit_once(publish, typed, mina):
    mina.client.post(publish, {**typed, "total": "1.20"})

    again = mina.client.post(publish, {**typed, "total": "1.20"})

    assert "has been published already. Nothing was sent twice." in shown(again, 409)
    assert HIT.objects.count() == 4


def test_a_batch_that_is_published_has_no_cost_page_any_more(draft, address, publish, typed, mina):
    mina.client.post(publish, {**typed, "total": "1.20"})

    assert mina.client.get(address)["Location"] == reverse("projects:batch", args=[draft.public_id])


@pytest.mark.parametrize(("who", "status"), [("ravi", 403), ("vera", 403), ("stan", 404)])
def test_who_may_not_publish_neither_sees_nor_spends(request, address, publish, typed, who, status):
    client = request.getfixturevalue(who).client

    assert client.get(address).status_code == status
    assert client.post(address, {**typed, "reward": "9.00"}).status_code == status
    assert client.post(publish, {**typed, "total": "1.20"}).status_code == status
    assert Batch.objects.get().reward == Decimal("0.05")
    assert not HIT.objects.exists()


def test_the_queries_do_not_grow_with_the_rows(team, connection, mina):
    counts = []
    for rows in (1, 40):
        batch = BatchFactory(project__team=team, connection=connection, rows=rows)
        address = reverse("projects:cost", args=[batch.public_id])
        mina.client.get(address)
        with CaptureQueriesContext(database) as queries:
            mina.client.get(address)
        counts.append(len(queries))

    assert counts[0] == counts[1]
