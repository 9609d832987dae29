"""More answers for a HIT that is just being extended: each wish is sent in its turn, exactly once, whatever became of the one before."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection as database

from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.models import OPEN_STATES, Operation
from mturkhub.intentions.restoring import doubt_everything_open
from mturkhub.intentions.settling import settle_connection
from projects.actions.hits import extend_answers, extend_time, plan_extension, retry_failed_operations
from projects.models import HIT, Batch, LedgerEntry
from projects.publishing import publish_chunk
from tests.conftest import Person
from tests.fakes.mturk import insufficient_funds, lost_answer
from tests.projects.live import Live
from tests.projects.pages import get, words

pytestmark = pytest.mark.django_db
ADD = "CreateAdditionalAssignmentsForHIT"


def more(live: Live, by: Person, answers: int) -> None:
    """So many answers more of the first row, which has three."""
    extend_answers(live.batch, by=by.actor, answers=answers, rows=[1])


def wishes() -> list[tuple[str, bool, int, int]]:
    """State, whether it waits for another, from and to how many answers, in the order they were made."""
    told = Operation.objects.filter(adds_up=True).order_by("pk")
    return [(each.state, each.is_next, each.values["max_before"], each.values["max_after"]) for each in told]


def answers(live: Live) -> tuple[int, int]:
    """Of the first row's HIT: how many at MTurk, and how many here."""
    return live.market.hits[live.hit_id()].max_assignments, live.hits[0].max_assignments


def held() -> Decimal:
    return HIT.objects.get(row__number=1, round=0).committed


def finish(live: Live) -> None:
    """Until nothing is on its way."""
    for _ in range(6):
        settle_connection(live.connection, live.market)
        Operation.objects.filter(state="queued", due_at__gt=clock.now()).update(due_at=clock.now())
        live.operate()
    assert not Operation.objects.filter(state__in=OPEN_STATES).exists()


@pytest.fixture
def refused(live: Live, mina: Person) -> Live:
    """Of two wishes, for two answers and for one, the first was refused."""
    more(live, mina, 2)
    more(live, mina, 1)
    live.market.fail(ADD, insufficient_funds)
    live.operate()
    assert wishes() == [("failed", False, 3, 5), ("queued", True, 5, 6)]
    return live


def test_each_is_sent_in_its_turn_and_held_at_once(live: Live, mina: Person, olive: Person) -> None:
    more(live, mina, 2)
    more(live, olive, 1)
    more(live, mina, 3)
    assert wishes() == [("queued", False, 3, 5), ("queued", True, 5, 6), ("queued", True, 6, 9)]
    assert held() == Decimal("0.54")

    live.operate()
    assert answers(live) == (5, 5)
    live.operate()
    assert answers(live) == (6, 6)
    live.operate()

    assert answers(live) == (9, 9)
    assert live.market.calls[ADD] == 3
    live.batch.refresh_from_db()
    assert (live.batch.answers_extra, held()) == (6, Decimal("0.54"))
    assert [operation.by for operation in Operation.objects.order_by("pk")] == [
        mina.user,
        olive.user,
        mina.user,
    ]


@pytest.mark.parametrize("happens", [True, False])
def test_it_waits_while_nobody_knows_whether_the_one_before_has_happened(
    live: Live, mina: Person, happens: bool
) -> None:
    more(live, mina, 2)
    live.market.fail(ADD, lost_answer, happens=happens)
    live.operate()
    if happens:
        live.collect()
    more(live, mina, 1)
    assert wishes() == [("unknown", False, 3, 5), ("queued", True, 5, 6)]

    live.operate()
    assert wishes()[1] == ("queued", True, 5, 6)
    finish(live)

    assert answers(live) == (6, 6)
    assert held() == Decimal("0.36")


@pytest.mark.parametrize("happens", [True, False])
def test_a_day_later_what_the_hit_shows_says_what_has_happened(
    live: Live, mina: Person, happens: bool
) -> None:
    more(live, mina, 2)
    live.market.fail(ADD, lost_answer, happens=happens)
    live.operate()
    more(live, mina, 1)
    live.later(hours=25)

    finish(live)

    assert answers(live) == (6, 6)


def test_one_that_was_refused_takes_only_its_own_with_it(refused: Live) -> None:
    assert held() == Decimal("0.24")

    refused.operate()

    assert wishes() == [("failed", False, 3, 5), ("done", False, 3, 4)]
    assert answers(refused) == (4, 4)


@pytest.mark.parametrize("hours", [0, 25])
def test_a_refused_one_is_tried_again_after_those_that_wait(refused: Live, mina: Person, hours: int) -> None:
    refused.later(hours=hours)

    retry_failed_operations(refused.batch, by=mina.actor)
    assert held() == Decimal("0.36")
    finish(refused)

    assert wishes() == [("done", False, 4, 6), ("done", False, 3, 4)]
    assert answers(refused) == (6, 6)
    assert refused.market.calls[ADD] == 3


@pytest.mark.parametrize("hours", [0, 25])
def test_several_refused_ones_are_tried_again_at_once(refused: Live, mina: Person, hours: int) -> None:
    refused.market.fail(ADD, insufficient_funds)
    refused.operate()
    assert [state for state, *_ in wishes()] == ["failed", "failed"]
    refused.later(hours=hours)

    retry_failed_operations(refused.batch, by=mina.actor)
    finish(refused)

    assert answers(refused) == (6, 6)


def test_what_was_asked_for_counts_at_the_border_from_nine_to_ten(live: Live, mina: Person) -> None:
    more(live, mina, 4)

    plan = extend_answers(live.batch, by=mina.actor, answers=3, rows=[1])
    finish(live)
    live.batch.refresh_from_db()
    publish_chunk(live.batch, gateway=live.market)

    assert (plan.growing, plan.further, plan.waiting) == (0, 1, 0)
    shapes = [(hit.row.number, hit.round, hit.max_assignments) for hit in live.hits]
    assert shapes == [(1, 0, 7), (1, 1, 3), (2, 0, 3)]


def test_a_click_counts_what_it_asks_for_itself_once(live: Live, mina: Person) -> None:
    more(live, mina, 3)

    # The first row would come to ten; the second comes to seven, and would be at the border when asked again.
    plan = extend_answers(live.batch, by=mina.actor, answers=4)

    assert (plan.growing, plan.further) == (1, 1)
    assert [(hit.row.number, hit.round) for hit in live.hits] == [(1, 0), (1, 1), (2, 0)]
    live.batch.refresh_from_db()
    assert live.batch.committed == plan.total + Decimal("0.54")


def test_places_that_are_about_to_open_again_are_held_once(live: Live, mina: Person) -> None:
    live.later(days=8)
    live.collect()
    more(live, mina, 1)

    plan = extend_answers(live.batch, by=mina.actor, answers=1, rows=[1])
    longer = extend_time(live.batch, by=mina.actor, open_for=timedelta(days=30), rows=[1])

    assert (plan.reopened, plan.places, plan.total) == (0, 0, Decimal("0.06"))
    assert (longer.expired, longer.places, longer.total) == (1, 0, Decimal("0.00"))
    assert held() == Decimal("0.30")
    finish(live)
    live.collect()
    assert held() == Decimal("0.30")


def test_a_page_opened_before_somebody_else_asked_is_still_refused(live: Live, mina: Person) -> None:
    seen = plan_extension(live.batch, by=mina.actor, answers=1).asked_before
    more(live, mina, 1)

    with pytest.raises(ActionRefused, match="More answers have been asked for since this page was opened"):
        extend_answers(live.batch, by=mina.actor, answers=1, seen=seen)

    assert len(wishes()) == 1


def test_the_pages_say_what_waits(live: Live, mina: Person) -> None:
    more(live, mina, 1)
    more(live, mina, 1)

    assert "Just being extended" in words(get(mina, "extend", live.batch))
    said = words(get(mina, "row", live.batch, 1))
    assert "5 answers instead of 4 queued waits for the change before it" in said


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_after_a_restore_each_happens_once(live: Live, mina: Person, sent: int) -> None:
    """Two wishes are in the backup; so many of them were sent after it was made."""
    more(live, mina, 2)
    more(live, mina, 1)
    [remote] = [live.market.hits[live.hit_id()]]
    remote.max_assignments += [0, 2, 3][sent]

    doubt_everything_open(clock.now())
    for _ in range(4):
        # Lists may lag behind for two minutes.
        live.later(minutes=3)
        settle_connection(live.connection, live.market)
        live.operate()

    assert [state for state, *_ in wishes()] == ["done", "done"]
    assert answers(live) == (6, 6)


@pytest.mark.django_db(transaction=True)
def test_two_people_and_two_senders_at_once_come_to_exactly_what_was_paid_for(
    live: Live, mina: Person, olive: Person
) -> None:
    barrier, problems = threading.Barrier(4), []

    def ask(by: Person, number: int) -> Callable[[], None]:
        batch = Batch.objects.get(pk=live.batch.pk)
        return lambda: [extend_answers(batch, by=by.actor, answers=number) for _ in range(2)]

    def send() -> None:
        for _ in range(5):
            live.operate()

    def run(do: Callable[[], None]) -> None:
        try:
            barrier.wait(30)
            do()
        except Exception as problem:
            problems.append(problem)
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=[do]) for do in (ask(mina, 2), ask(olive, 1), send, send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finish(live)

    assert problems == []
    assert {hit.max_assignments for hit in live.market.hits.values()} == {9}
    assert [hit.max_assignments for hit in live.hits] == [9, 9]
    assert live.market.calls[ADD] == 8
    live.batch.refresh_from_db()
    assert (live.batch.committed, live.batch.answers_extra) == (Decimal("1.08"), 12)
    paid_for = LedgerEntry.objects.filter(kind="held", reason="more_answers")
    assert sum(entry.amount for entry in paid_for.filter(by=mina.user)) == Decimal("0.48")
    assert sum(entry.amount for entry in paid_for.filter(by=olive.user)) == Decimal("0.24")
