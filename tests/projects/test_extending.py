"""More answers, more time, an early end: for a batch or some rows, at the price that was shown."""

from datetime import timedelta
from decimal import Decimal

import pytest

from mturkhub.accounts.models import Event
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.models import Operation
from projects.actions import batches, hits
from projects.models import HIT
from projects.publishing import publish_chunk
from projects.states import BatchState
from tests.conftest import Person
from tests.projects.live import Live, make_live

pytestmark = pytest.mark.django_db
SOON = timedelta(days=30)


def kinds() -> list[str]:
    return list(Operation.objects.order_by("pk").values_list("kind", flat=True))


def give(live: Live, workers: int, row: int = 1) -> None:
    """So many Workers answer a row."""
    live.submit([f"AWORKER{number}" for number in range(workers)], row=row)
    live.collect()


# More answers ------------------------------------------------------------------------------------


def test_every_row_grows_at_the_price_that_was_shown(live: Live, mina: Person) -> None:
    plan = hits.plan_extension(live.batch, by=mina.actor, answers=2)
    assert (plan.growing, plan.further, plan.reopened, plan.total) == (2, 0, 0, Decimal("0.24"))

    hits.extend_answers(live.batch, by=mina.actor, answers=2, max_cost=plan.total)
    live.operate()

    assert [hit.max_assignments for hit in live.hits] == [5, 5]
    assert {hit.max_assignments for hit in live.market.hits.values()} == {5}
    event = Event.objects.get(verb="batch.extended")
    assert event.details["total"] == "0.24"


def test_one_row_grows_alone(live: Live, mina: Person) -> None:
    plan = hits.extend_answers(live.batch, by=mina.actor, answers=1, rows=[2])
    live.operate()

    assert (plan.growing, plan.total) == (1, Decimal("0.06"))
    assert [hit.max_assignments for hit in live.hits] == [3, 4]


def test_past_nine_a_row_gets_a_further_hit_in_the_next_round(live: Live, mina: Person) -> None:
    plan = hits.extend_answers(live.batch, by=mina.actor, answers=7, rows=[1])
    live.batch.refresh_from_db()
    assert (plan.growing, plan.further, plan.total) == (0, 1, Decimal("0.42"))
    assert live.batch.state == BatchState.PUBLISHING
    assert live.batch.answers_expected == 13

    publish_chunk(live.batch, gateway=live.market)

    shapes = [(hit.row.number, hit.round, hit.max_assignments) for hit in live.hits]
    assert shapes == [(1, 0, 3), (1, 1, 7), (2, 0, 3)]
    assert not Operation.objects.exists()
    live.batch.refresh_from_db()
    assert live.batch.state == BatchState.LIVE


def test_the_newest_hit_of_a_row_is_what_grows(live: Live, mina: Person) -> None:
    hits.extend_answers(live.batch, by=mina.actor, answers=7, rows=[1])
    live.batch.refresh_from_db()
    publish_chunk(live.batch, gateway=live.market)

    hits.extend_answers(live.batch, by=mina.actor, answers=1)
    live.operate()

    assert [hit.max_assignments for hit in live.hits] == [3, 8, 4]


def test_ten_and_more_grow_at_the_higher_fee(mina: Person, live: Live) -> None:
    large = make_live(mina, live.connection, live.market, rows=1, max_assignments=10, reward=Decimal("1.00"))

    plan = hits.extend_answers(large.batch, by=mina.actor, answers=5)

    assert (plan.growing, plan.further, plan.total) == (1, 0, Decimal("7.00"))


def test_an_expired_hit_gets_time_too_and_its_free_places_cost_again(live: Live, mina: Person) -> None:
    give(live, 1)
    live.later(days=8)
    live.collect()
    plan = hits.plan_extension(live.batch, by=mina.actor, answers=1, rows=[1])
    # One more, and the two that nobody took before.
    assert (plan.reopened, plan.places, plan.total) == (1, 2, Decimal("0.18"))

    hits.extend_answers(live.batch, by=mina.actor, answers=1, rows=[1])
    live.operate()

    remote = live.market.hits[live.hit_id()]
    assert remote.status(live.market.now) == "Assignable"
    assert (remote.max_assignments, remote.available) == (4, 3)
    assert remote.expires_at > live.market.now + timedelta(days=6)
    assert live.hits[0].hit_status == "Assignable"


@pytest.mark.parametrize("answers", [0, -1, 10**9 + 1])
def test_a_number_mturk_does_not_take_is_refused(live: Live, mina: Person, answers: int) -> None:
    with pytest.raises(ActionRefused, match="1 to 1,000,000,000 answers more"):
        hits.extend_answers(live.batch, by=mina.actor, answers=answers)


def test_a_price_that_has_risen_or_is_not_covered_is_refused(live: Live, mina: Person) -> None:
    with pytest.raises(ActionRefused, match=r"This costs \$0\.24 by now, more than the \$0\.12 agreed to"):
        hits.extend_answers(live.batch, by=mina.actor, answers=2, max_cost=Decimal("0.12"))
    live.connection.balance = Decimal("0.23")
    live.connection.save()
    with pytest.raises(ActionRefused, match=r"\$0\.01 is missing"):
        hits.extend_answers(live.batch, by=mina.actor, answers=2)

    assert not Operation.objects.exists()
    assert not Event.objects.filter(verb="batch.extended").exists()


def test_an_account_taken_back_pays_for_nothing_more(live: Live, mina: Person, stan: Person) -> None:
    hits.extend_answers(live.batch, by=mina.actor, answers=2)
    expire = hits.plan_early_end(live.batch, by=mina.actor)
    live.connection.account.team = stan.team
    live.connection.account.save()

    live.operate()
    assert set(Operation.objects.values_list("state", flat=True)) == {"failed"}
    assert "has not lent it" in Operation.objects.all()[0].outcome
    with pytest.raises(ActionRefused, match="Your team may not publish"):
        hits.extend_time(live.batch, by=mina.actor, open_for=SOON)
    # Ending costs nothing and stays allowed.
    assert hits.expire_early(live.batch, by=mina.actor) == expire.hits == 2


# More time, and an early end ---------------------------------------------------------------------


def test_more_time_opens_expired_hits_again_and_says_what_that_holds(live: Live, mina: Person) -> None:
    give(live, 3, row=2)
    live.later(days=8)
    live.collect()

    plan = hits.extend_time(live.batch, by=mina.actor, open_for=SOON)
    live.operate()

    # The second row has all its answers.
    assert (plan.still_open, plan.expired, plan.places, plan.total) == (0, 1, 3, Decimal("0.18"))
    assert live.market.hits[live.hit_id()].status(live.market.now) == "Assignable"
    assert live.market.calls["UpdateExpirationForHIT"] == 1


def test_open_hits_cost_nothing_more_and_never_end_sooner(live: Live, mina: Person) -> None:
    plan = hits.plan_time(live.batch, by=mina.actor, open_for=SOON)
    assert (plan.still_open, plan.expired, plan.total) == (2, 0, Decimal("0.00"))

    with pytest.raises(ActionRefused, match="No HIT with free places ends before that"):
        hits.extend_time(live.batch, by=mina.actor, open_for=timedelta(days=1))
    with pytest.raises(ActionRefused, match="30 seconds to 365 days"):
        hits.extend_time(live.batch, by=mina.actor, open_for=timedelta(days=366))


def test_an_early_end_releases_free_places_and_lets_holders_finish(live: Live, mina: Person) -> None:
    live.market.accept(live.hit_id(), "AHOLDER")
    plan = hits.plan_early_end(live.batch, by=mina.actor)
    assert (plan.hits, plan.places, plan.released) == (2, 6, Decimal("0.36"))

    hits.expire_early(live.batch, by=mina.actor)
    live.operate()

    live.market.submit(live.hit_id(), "AHOLDER", {"sentiment": "1"})
    live.collect()
    assert len(live.answers) == 1
    assert [hit.hit_status for hit in live.hits] == ["Reviewable", "Reviewable"]
    with pytest.raises(ActionRefused, match="None of these HITs can be accepted any more"):
        hits.expire_early(live.batch, by=mina.actor)


@pytest.mark.parametrize("state", ["draft", "closing", "closed", "cancelled"])
def test_what_is_over_is_not_changed_any_more(live: Live, mina: Person, state: str) -> None:
    live.batch.state = state
    live.batch.save()

    for ask in (
        lambda: hits.extend_answers(live.batch, by=mina.actor, answers=1),
        lambda: hits.extend_time(live.batch, by=mina.actor, open_for=SOON),
        lambda: hits.expire_early(live.batch, by=mina.actor),
    ):
        with pytest.raises(ActionRefused, match="its HITs are not changed any more"):
            ask()
    assert kinds() == []


@pytest.mark.parametrize("who", ["ravi", "vera", "stan"])
def test_who_may_not_publish_changes_nothing(live: Live, who: str, request: pytest.FixtureRequest) -> None:
    by = request.getfixturevalue(who).actor

    for ask in (
        lambda: hits.extend_answers(live.batch, by=by, answers=1),
        lambda: hits.extend_time(live.batch, by=by, open_for=SOON),
        lambda: hits.expire_early(live.batch, by=by),
        lambda: hits.retry_failed_operations(live.batch, by=by),
        lambda: hits.drop_failed_operations(live.batch, by=by),
        lambda: batches.cancel_batch(live.batch, by=by),
        lambda: batches.close_batch(live.batch, by=by),
    ):
        with pytest.raises(ActionRefused) as refused:
            ask()
        assert refused.value.status == 403
    assert kinds() == []


def test_rows_that_never_got_a_hit_are_named(live: Live, mina: Person) -> None:
    HIT.objects.filter(pk=live.hits[0].pk).update(publish_state="failed", mturk_id=None)

    plan = hits.plan_extension(live.batch, by=mina.actor, answers=1)

    assert (plan.growing, plan.without_hit) == (1, 1)
    assert clock.now() < plan.until
