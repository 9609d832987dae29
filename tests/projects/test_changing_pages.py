"""The pages that change HITs and end a batch: what they say beforehand, and that they do exactly that."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from mturkhub.accounts.models import Connection
from mturkhub.intentions.models import Operation
from projects.models import HIT, Batch
from projects.publishing import publish_chunk
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk, refusal
from tests.projects.live import Live
from tests.projects.pages import count_queries, get, post, words

pytestmark = pytest.mark.django_db


def test_more_answers_say_their_price_and_cost_it(live: Live, mina: Person) -> None:
    text = words(get(mina, "extend", live.batch, query="?answers=2"))
    assert "HITs that grow by 2 2" in text
    assert "Ask for 2 more each for $0.24" in text

    post(mina, "extend", live.batch, {"answers": "2", "total": "0.24"})

    page = words(get(mina, "batch", live.batch))
    assert "2 changes of its HITs are on the way to MTurk" in page
    live.operate()
    assert "Answers 0 of 10" in words(get(mina, "batch", live.batch))
    assert "asked for 2 answers more of 2 rows" in words(get(mina, "batch_activity", live.batch))


def test_two_pages_that_were_opened_at_once_do_not_ask_for_twice_as_much(live: Live, mina: Person) -> None:
    html = get(mina, "extend", live.batch, query="?answers=2")
    [seen] = re.findall(r'name="seen" value="(\d+)"', html)
    data = {"answers": "2", "total": "0.24", "seen": seen}

    first = post(mina, "extend", live.batch, data)
    live.operate()
    second = post(mina, "extend", live.batch, data)

    assert (first.status_code, second.status_code) == (302, 409)
    assert "Nothing was asked for twice" in words(second.content.decode())
    assert Operation.objects.count() == 2


def test_the_border_at_ten_is_explained(live: Live, mina: Person) -> None:
    text = words(get(mina, "extend", live.batch, query="?answers=7&row=1"))

    assert "More answers for row 1" in text
    assert (
        "Nine places cannot grow to ten. A Worker who has answered the first HIT may answer the further one"
        in text
    )
    assert "Ask for 7 more each for $0.42" in text


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"answers": "2", "total": "0.12"}, "more than the $0.12 agreed to"),
        ({"answers": "2"}, "The page did not say what this costs"),
        ({"answers": "0", "total": "0"}, "Ask for at least one answer more."),
        ({"answers": "x", "total": "0"}, "Write a whole number."),
    ],
)
def test_what_was_not_agreed_to_is_not_done(
    live: Live, mina: Person, data: dict[str, str], sentence: str
) -> None:
    response = post(mina, "extend", live.batch, data)

    assert response.status_code in {400, 409}
    assert sentence in words(response.content.decode())
    assert not Operation.objects.exists()


def test_on_production_the_sum_is_ticked(live: Live, mina: Person) -> None:
    live.connection.environment = "production"
    live.connection.tested_at = live.batch.created_at
    live.connection.save()
    assert "Spend $0.24 on Production" in words(get(mina, "extend", live.batch, query="?answers=2"))

    refused = post(mina, "extend", live.batch, {"answers": "2", "total": "0.24"})
    assert "Tick the box that repeats the sum" in words(refused.content.decode())
    assert not Operation.objects.exists()

    post(mina, "extend", live.batch, {"answers": "2", "total": "0.24", "sure": "1"})
    assert Operation.objects.count() == 2


def test_more_time_for_one_row_leads_back_to_it_and_stands_there(live: Live, mina: Person) -> None:
    query = "?row=2&open_for_0=30&open_for_1=days"
    assert "Open 1 HIT longer for $0.00" in words(get(mina, "more_time", live.batch, query=query))

    response = post(
        mina, "more_time", live.batch, {"row": "2", "open_for_0": "30", "open_for_1": "days", "total": "0"}
    )

    assert response.url == reverse("projects:row", args=[live.batch.public_id, 2])
    text = words(mina.client.get(response.url).content.decode())
    assert "Open until" in text
    assert "queued" in text


def test_a_time_mturk_does_not_take_is_refused_with_its_limits(live: Live, mina: Person) -> None:
    response = mina.client.get(
        reverse("projects:more_time", args=[live.batch.public_id]),
        {"open_for_0": "9", "open_for_1": "seconds"},
    )

    assert response.status_code == 400
    assert "MTurk takes 30 seconds to 365 days. This is 9 seconds." in words(response.content.decode())


def test_an_early_end_and_a_cancellation_say_what_they_release(live: Live, mina: Person) -> None:
    text = words(get(mina, "expire", live.batch))
    assert "2 HITs are open, with 6 places not answered" in text
    assert "$0.36 are free again" in text
    assert "0 HITs that wait to be created never are" in words(get(mina, "cancel", live.batch))

    post(mina, "cancel", live.batch)

    assert "Cancelled by Mina. Its HITs are expiring" in words(get(mina, "batch", live.batch))


def test_closing_with_deletion_wants_the_name(live: Live, mina: Person) -> None:
    assert "Delete its 2 HITs at MTurk, too" in words(get(mina, "close", live.batch))

    refused = post(mina, "close", live.batch, {"delete": "1", "name": "something else"})
    assert refused.status_code == 400
    assert "type the batch’s name" in words(refused.content.decode())
    live.batch.refresh_from_db()
    assert live.batch.state == "live"

    post(mina, "close", live.batch, {"delete": "1", "name": f" {live.batch.name} "})
    text = words(get(mina, "batch", live.batch))
    assert "Closing. Waiting for MTurk to confirm. Its HITs are deleted at MTurk once that is done" in text


def test_only_an_owner_is_offered_to_give_up_overturning(live: Live, mina: Person, olive: Person) -> None:
    answer = live.collect_one()
    answer.status = "Rejected"
    answer.save()

    assert "Managers may not delete HITs whose rejections" in words(get(mina, "close", live.batch))
    assert "this rejection can then never be overturned" in words(get(olive, "close", live.batch))


def test_refused_changes_stand_on_the_batch_and_on_home_and_are_tried_again(live: Live, mina: Person) -> None:
    live.market.fail(
        "UpdateExpirationForHIT",
        lambda name: refusal(name, "InvalidParameterValue", "Not <b>today</b>."),
        times=2,
    )
    post(mina, "expire", live.batch)
    live.operate()
    html = get(mina, "batch", live.batch)
    assert "Not &lt;b&gt;today&lt;/b&gt;." in html
    assert "Try these 2 again" in words(html)
    home = mina.client.get(reverse("projects:home")).content.decode()
    assert "MTurk refused changes of its HITs." in words(home)

    post(mina, "retry_changes", live.batch)
    live.operate()

    assert not Operation.objects.exclude(state="done").exists()


def test_a_paused_batch_says_what_resuming_creates(live: Live, mina: Person) -> None:
    HIT.objects.filter(pk=live.hits[0].pk).update(publish_state="queued", mturk_id=None)
    live.batch.state = "paused"
    live.batch.save()

    assert "Resuming creates 1 HIT for $0.18." in words(get(mina, "batch", live.batch))


def test_who_may_not_publish_sees_why(live: Live, ravi: Person) -> None:
    html = get(ravi, "batch", live.batch)

    assert "Extend…" in words(html)
    assert "Reviewers may not publish" in html
    assert reverse("projects:extend", args=[live.batch.public_id]) not in html


def test_many_changes_take_as_many_queries_as_few(live: Live, mina: Person) -> None:
    post(mina, "expire", live.batch, {"row": "1"})
    few = count_queries(mina, "batch", live.batch)
    post(mina, "extend", live.batch, {"answers": "1", "total": str(Decimal("0.12"))})

    assert count_queries(mina, "batch", live.batch) == few


# How a batch is published ------------------------------------------------------------------------


SETTINGS = {
    "name": "First",
    "reward": "0.05",
    "max_assignments": "3",
    "assignment_duration_0": "1",
    "assignment_duration_1": "hours",
    "lifetime_0": "7",
    "lifetime_1": "days",
    "auto_approval_delay_0": "3",
    "auto_approval_delay_1": "days",
}


@pytest.fixture
def draft(mina: Person, connection: Connection) -> Batch:
    project = ProjectFactory(team=mina.team, created_by=mina.user)
    return BatchFactory(project=project, connection=connection, rows=5)


def test_a_trial_costs_what_its_button_says_and_the_rest_is_offered(
    mina: Person, draft: Batch, market: FakeMTurk
) -> None:
    form = {**SETTINGS, "connection": draft.connection_id, "first_rows": "2"}
    receipt = post(mina, "cost", draft, form, htmx=True).content.decode()
    assert "Publish 2 HITs for $0.36" in words(receipt)

    post(mina, "publish_batch", draft, {**form, "total": "0.36"})
    draft.refresh_from_db()
    publish_chunk(draft, gateway=market)
    assert len(market.hits) == 2
    assert "3 rows are not published yet. Publish the rest…" in words(get(mina, "batch", draft))
    assert "Publish 3 HITs for $0.54" in words(get(mina, "publish_rest", draft))

    post(mina, "publish_rest", draft, {"total": "0.54"})
    draft.refresh_from_db()
    publish_chunk(draft, gateway=market)
    assert len(market.hits) == 5


def test_a_schedule_is_in_the_teams_zone_and_can_be_taken_back(mina: Person, draft: Batch) -> None:
    mina.team.time_zone = "America/New_York"
    mina.team.save()
    form = {
        **SETTINGS,
        "connection": draft.connection_id,
        "publish_at": "2030-07-01T09:00",
        "rows_per_hour": "50",
    }

    assert "Schedule 5 HITs for $0.90" in words(post(mina, "cost", draft, form, htmx=True).content.decode())
    post(mina, "publish_batch", draft, {**form, "total": "0.90"})

    draft.refresh_from_db()
    assert (draft.state, draft.publish_at) == ("scheduled", datetime(2030, 7, 1, 13, 0, tzinfo=UTC))
    page = words(get(mina, "cost", draft))
    assert "by Mina" in page
    assert "50 rows an hour" in page
    assert "Take that back first" in page
    post(mina, "unschedule", draft)
    draft.refresh_from_db()
    assert draft.state == "draft"


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"first_rows": "6"}, "This file has 5 rows."),
        ({"publish_at": "tomorrow"}, "Write a day and a time"),
        ({"rows_per_hour": "0"}, "“Rows an hour” must be 1 or more."),
    ],
)
def test_an_option_that_makes_no_sense_publishes_nothing(
    mina: Person, draft: Batch, option: dict[str, str], sentence: str
) -> None:
    form = {**SETTINGS, "connection": draft.connection_id, "total": "0.90", **option}

    response = post(mina, "publish_batch", draft, form)

    assert response.status_code == 400
    assert sentence in words(response.content.decode())
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_what_is_left_is_asked_for_again_at_its_price(live: Live, mina: Person) -> None:
    assert "Nothing is missing now" in words(get(mina, "republish", live.batch))
    live.later(days=8)
    live.collect()
    assert "Ask for 6 answers again for $0.36" in words(get(mina, "republish", live.batch))

    refused = post(mina, "republish", live.batch, {"total": "0.30"})
    assert "more than the $0.30 agreed to" in words(refused.content.decode())
    post(mina, "republish", live.batch, {"total": "0.36"})

    assert HIT.objects.filter(round=1, publish_state="queued").count() == 2
