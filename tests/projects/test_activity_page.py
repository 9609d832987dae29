"""Who did what to a batch, in sentences, the newest first."""

import re
from html import unescape

import pytest
from django.urls import reverse

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from projects.actions import batches, reviews
from projects.activity import OWN_SENTENCES
from projects.models import Assignment
from projects.states import Verdict
from tests.factories import BatchFactory
from tests.projects.pages import HOSTILE, answer, count_queries, get, is_shown_as_text, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(olive, connection):
    return BatchFactory(project__team=olive.team, connection=connection, rows=3)


def lines(html):
    """What was done, without when."""
    items = re.findall(r'<ul class="plain-list">(.*?)</ul>', html, re.S)[0].split("<li")[1:]
    return [
        " ".join(unescape(re.sub(r"<[^>]*>|^[^>]*>", " ", re.sub(r"<time.*?</time>", "", item))).split())
        for item in items
    ]


def test_actions_tell_who_did_what_the_newest_first(olive, mina, ravi, batch):
    batches.publish_batch(batch, by=mina.actor)
    batches.pause_batch(batch, by=mina.actor)
    batches.resume_batch(batch, by=olive.actor)
    batches.collect_now(batch, by=ravi.actor)
    first, second = answer(batch, {"a": ["1"]}, {"a": ["2"]})
    reviews.approve_assignment(first, by=ravi.actor)
    reviews.undo_decision(first, by=ravi.actor)
    reviews.reject_assignment(first, by=ravi.actor, feedback="Empty.")
    reviews.leave_out(first, by=ravi.actor)
    reviews.take_back_in(first, by=ravi.actor)
    reviews.decide_many(
        batch, Assignment.objects.filter(pk=second.pk), by=mina.actor, verdict=Verdict.APPROVE
    )

    assert lines(get(olive, "batch_activity", batch)) == [
        "Mina chose 1 answer to approve",
        "Ravi took an answer back in",
        "Ravi left an answer out",
        "Ravi rejected an answer",
        "Ravi took a decision back",
        "Ravi approved an answer",
        "Ravi asked for new answers",
        "Olive resumed publishing",
        "Mina paused publishing",
        "Mina published 3 rows for $0.54",
    ]


def test_a_rule_of_the_system_is_named_as_one(olive, batch):
    record(Actor.system("approve at once"), "batch.collected", batch, team_id=batch.team_id)

    assert lines(get(olive, "batch_activity", batch)) == ["By rule “approve at once”: asked for new answers"]


@pytest.mark.parametrize("verb", [*OWN_SENTENCES, "batch.something_newer"])
def test_an_event_without_its_details_is_still_told(olive, batch, verb):
    record(olive.actor, verb, batch, team_id=batch.team_id)

    assert lines(get(olive, "batch_activity", batch))[0].startswith("Olive ")


def test_a_batch_nothing_was_done_with_says_so(olive, batch):
    assert "Nothing has been done with this batch yet." in words(get(olive, "batch_activity", batch))


def test_what_was_done_to_another_batch_stands_there(olive, batch, connection):
    other = BatchFactory(project__team=olive.team, connection=connection, published=True, rows=1)
    (elsewhere,) = answer(other, {"a": ["1"]})
    reviews.approve_assignment(elsewhere, by=olive.actor)

    assert "approved an answer" not in words(get(olive, "batch_activity", batch))


@pytest.mark.parametrize("value", HOSTILE)
def test_names_are_shown_as_text(olive, ravi, batch, value):
    ravi.user.name = value[:100]
    ravi.user.save()
    record(ravi.actor, "batch.collected", batch, team_id=batch.team_id)

    assert is_shown_as_text(value, get(olive, "batch_activity", batch))


def test_of_a_long_story_the_last_two_hundred_are_told_in_as_many_queries(olive, batch):
    record(olive.actor, "batch.collected", batch, team_id=batch.team_id)
    short = count_queries(olive, "batch_activity", batch)
    for _ in range(210):
        record(olive.actor, "batch.changed", batch, team_id=batch.team_id)

    html = get(olive, "batch_activity", batch)

    assert len(lines(html)) == 200
    assert "the last 200" in words(html)
    assert count_queries(olive, "batch_activity", batch) == short


def test_strangers_find_nothing(stan, batch):
    assert stan.client.get(reverse("projects:batch_activity", args=[batch.public_id])).status_code == 404
