"""A trial of the first rows and then the rest, at a pace, on schedule; and asking again for what is left."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from mturkhub.accounts.models import Connection, Event, Membership
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from projects import tasks
from projects.actions.batches import (
    pause_batch,
    publish_batch,
    publish_rest,
    republish,
    resume_batch,
    unschedule_batch,
)
from projects.actions.hits import extend_answers
from projects.actions.reviews import reject_assignment
from projects.models import HIT, Batch
from projects.publishing import publish_chunk
from projects.queueing import begin_scheduled, plan_again
from projects.states import BatchState
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk, refusal
from tests.projects.live import Live

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(mina: Person, connection: Connection, market: FakeMTurk) -> Live:
    """Five rows of three answers, nothing published."""
    project = ProjectFactory(team=mina.team, created_by=mina.user)
    return Live(BatchFactory(project=project, connection=connection, rows=5), connection, market)


def create(live: Live) -> Batch:
    """Send what is due."""
    publish_chunk(live.batch, gateway=live.market)
    live.batch.refresh_from_db()
    return live.batch


def waiting(live: Live) -> list[float]:
    """In how many minutes each HIT is due, by the clock the batch began."""
    due = [hit.due_at for hit in live.hits if hit.publish_state == "queued"]
    return [round((each - clock.now()).total_seconds() / 60) for each in due]


# A trial -----------------------------------------------------------------------------------------


def test_a_trial_publishes_the_first_rows_and_the_rest_later(draft: Live, mina: Person) -> None:
    publish_batch(draft.batch, by=mina.actor, first_rows=2, max_cost=Decimal("0.36"))
    batch = create(draft)
    assert [hit.row.number for hit in draft.hits] == [1, 2]
    assert (batch.state, batch.rows_not_published, batch.rows_no_answer) == ("live", 3, 2)

    publish_rest(batch, by=mina.actor, max_cost=Decimal("0.54"))
    batch = create(draft)

    assert len(draft.market.hits) == 5
    assert (batch.state, batch.rows_not_published) == ("live", 0)
    assert Event.objects.get(verb="batch.rest_published").details == {"rows": 3, "total": "0.54"}
    with pytest.raises(ActionRefused, match="none of its rows waits to be published"):
        publish_rest(batch, by=mina.actor)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"first_rows": 0}, "A trial takes 1 to 5 rows of this file; this says 0"),
        ({"first_rows": 6}, "A trial takes 1 to 5 rows"),
        ({"rows_per_hour": 0}, "A pace is 1 to 1,000,000 rows an hour"),
        ({"max_cost": Decimal("0.89")}, r"This costs \$0\.90 by now, more than the \$0\.89 agreed to"),
    ],
)
def test_what_makes_no_sense_is_refused(
    draft: Live, mina: Person, options: dict[str, int], sentence: str
) -> None:
    with pytest.raises(ActionRefused, match=sentence):
        publish_batch(draft.batch, by=mina.actor, **options)  # type: ignore[arg-type]

    draft.batch.refresh_from_db()
    assert draft.batch.state == "draft"
    assert not HIT.objects.exists()


# A pace ------------------------------------------------------------------------------------------


def test_a_pace_spreads_rows_over_the_hours(draft: Live, mina: Person) -> None:
    publish_batch(draft.batch, by=mina.actor, rows_per_hour=2)
    assert waiting(draft) == [0, 30, 60, 90, 120]

    create(draft)
    assert len(draft.market.hits) == 1
    draft.later(minutes=61)
    create(draft)
    assert len(draft.market.hits) == 3
    draft.later(hours=1)

    assert create(draft).state == BatchState.LIVE
    assert len(draft.market.hits) == 5


def test_a_pause_is_not_made_up_for(draft: Live, mina: Person) -> None:
    publish_batch(draft.batch, by=mina.actor, rows_per_hour=2)
    pause_batch(draft.batch, by=mina.actor)
    draft.later(hours=24)

    resume_batch(draft.batch, by=mina.actor)

    assert waiting(draft) == [0, 30, 60, 90, 120]


# On schedule -------------------------------------------------------------------------------------


def test_a_scheduled_batch_begins_when_its_time_has_come(draft: Live, mina: Person, bells: list[str]) -> None:
    at = clock.now() + timedelta(hours=2)
    batch = publish_batch(draft.batch, by=mina.actor, at=at, first_rows=2)
    assert (batch.state, batch.published_at) == ("scheduled", None)
    assert begin_scheduled(batch.pk) is False
    with pytest.raises(ActionRefused, match="is scheduled"):
        publish_batch(batch, by=mina.actor)

    draft.later(hours=2, minutes=1)
    tasks.begin_scheduled_batches()
    assert begin_scheduled(batch.pk) is False, "it has begun"

    batch = create(draft)
    assert (batch.state, batch.published_by) == ("live", mina.user)
    assert len(draft.market.hits) == 2


def test_a_time_that_is_over_publishes_at_once(draft: Live, mina: Person) -> None:
    batch = publish_batch(draft.batch, by=mina.actor, at=clock.now() - timedelta(minutes=1))

    assert batch.state == BatchState.PUBLISHING


def test_a_schedule_is_taken_back(draft: Live, mina: Person) -> None:
    publish_batch(draft.batch, by=mina.actor, at=clock.now() + timedelta(hours=2))

    batch = unschedule_batch(draft.batch, by=mina.actor)

    assert (batch.state, batch.publish_at) == ("draft", None)
    with pytest.raises(ActionRefused, match="is draft, not scheduled"):
        unschedule_batch(batch, by=mina.actor)


def lose_funds(live: Live, mina: Person, stan: Person) -> None:
    live.connection.balance = Decimal("0.10")
    live.connection.save()


def lose_account(live: Live, mina: Person, stan: Person) -> None:
    live.connection.account.team = stan.team
    live.connection.account.save()


def lose_rights(live: Live, mina: Person, stan: Person) -> None:
    Membership.objects.filter(user=mina.user).update(role="viewer")


def leave(live: Live, mina: Person, stan: Person) -> None:
    Membership.objects.filter(user=mina.user).delete()


@pytest.mark.parametrize(
    ("lose", "sentence"),
    [
        (lose_funds, "$0.80 is missing"),
        (lose_account, "Your team may not publish"),
        (lose_rights, "Viewers may not publish"),
        (leave, "People outside the team may not publish"),
    ],
)
def test_what_speaks_against_it_by_then_makes_it_a_draft_with_the_reason(
    draft: Live, mina: Person, stan: Person, lose: Callable[..., None], sentence: str
) -> None:
    publish_batch(draft.batch, by=mina.actor, at=clock.now() + timedelta(hours=2))
    lose(draft, mina, stan)
    draft.later(hours=3)

    assert begin_scheduled(draft.batch.pk) is False

    draft.batch.refresh_from_db()
    assert draft.batch.state == "draft"
    assert sentence in draft.batch.state_reason
    assert sentence in Event.objects.get(verb="batch.not_begun").details["reason"]
    assert not HIT.objects.exists()


# What is left ------------------------------------------------------------------------------------


def answer(live: Live, count: int, row: int) -> None:
    live.submit([f"A{row}W{number}" for number in range(count)], row=row)


def test_what_did_not_come_or_was_rejected_is_asked_for_again_in_the_next_round(
    live: Live, mina: Person, no_grace: None
) -> None:
    # The first row lacks one answer and has one rejected; the second is complete.
    answer(live, 2, row=1)
    answer(live, 3, row=2)
    live.collect()
    reject_assignment(live.batch.assignments.filter(row__number=1)[0], by=mina.actor, feedback="Empty.")
    live.send()
    assert plan_again(live.batch).answers == 1, "a free place may still be taken"
    live.later(days=8)
    live.collect()

    plan = republish(live.batch, by=mina.actor, max_cost=Decimal("0.12"))
    create(live)

    assert (plan.rows, plan.answers, plan.total) == (1, 2, Decimal("0.12"))
    shapes = [(hit.row.number, hit.round, hit.max_assignments) for hit in live.hits]
    assert shapes == [(1, 0, 3), (1, 1, 2), (2, 0, 3)]
    live.batch.refresh_from_db()
    assert (live.batch.state, live.batch.answers_expected) == ("live", 6)


def test_asking_again_twice_asks_for_what_the_second_round_did_not_bring(live: Live, mina: Person) -> None:
    live.later(days=8)
    live.collect()
    republish(live.batch, by=mina.actor)
    live.batch.refresh_from_db()
    create(live)
    with pytest.raises(ActionRefused, match="each is here, or may still come"):
        republish(live.batch, by=mina.actor)
    second = HIT.objects.get(row__number=1, round=1)
    live.market.submit(str(second.mturk_id), "ALATE", {"sentiment": "1"})
    live.later(days=8)
    live.collect()

    plan = republish(live.batch, by=mina.actor)

    assert plan.answers == 5
    assert sorted(HIT.objects.filter(round=2).values_list("max_assignments", flat=True)) == [2, 3]


def test_a_round_that_could_not_be_created_is_no_hindrance_to_asking_again(live: Live, mina: Person) -> None:
    live.later(days=8)
    live.collect()
    republish(live.batch, by=mina.actor)
    live.market.fail(
        "CreateHITWithHITType",
        lambda name: refusal(name, "", "Not valid.", "ParameterValidationError"),
        times=2,
    )
    create(live)
    assert set(HIT.objects.filter(round=1).values_list("publish_state", flat=True)) == {"failed"}

    republish(live.batch, by=mina.actor)

    assert sorted(HIT.objects.filter(round=2).values_list("max_assignments", flat=True)) == [3, 3]


def test_answers_asked_for_on_top_are_missing_too(live: Live, mina: Person) -> None:
    extend_answers(live.batch, by=mina.actor, answers=7, rows=[1])
    live.batch.refresh_from_db()
    create(live)
    live.later(days=8)
    live.collect()

    assert plan_again(live.batch).answers == 13


def test_ten_missing_answers_cost_the_higher_fee(draft: Live, mina: Person) -> None:
    Batch.objects.update(max_assignments=10, reward=Decimal("1.00"))
    draft.batch.refresh_from_db()
    publish_batch(draft.batch, by=mina.actor, first_rows=1)
    create(draft)
    draft.later(days=8)
    draft.collect()

    assert plan_again(draft.batch).total == Decimal("14.00")


@pytest.mark.parametrize("who", ["ravi", "vera", "stan"])
def test_who_may_not_publish_is_refused(live: Live, who: str, request: pytest.FixtureRequest) -> None:
    by = request.getfixturevalue(who).actor

    for act in (publish_rest, republish, unschedule_batch):
        with pytest.raises(ActionRefused) as refused:
            act(live.batch, by=by)
        assert refused.value.status == 403
