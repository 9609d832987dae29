"""A newer wish about a HIT's end waits for a change that may be known at MTurk already, and is sent after it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from mturkhub.intentions.models import Operation
from mturkhub.intentions.settling import settle_connection
from projects.actions.batches import cancel_batch
from projects.actions.hits import (
    expire_early,
    extend_time,
    plan_time,
    retry_failed_operations,
)
from projects.counting import recount
from projects.models import HIT, Batch
from tests.conftest import Person
from tests.fakes.mturk import lost_answer, refusal
from tests.projects.live import Live
from tests.projects.pages import get, words

pytestmark = pytest.mark.django_db
EXPIRE = "UpdateExpirationForHIT"
LATER = timedelta(days=30)


def wishes() -> list[tuple[str, bool, bool]]:
    """State, whether it waits for another, and whether it wants more time, of each in the order they were made."""
    told = Operation.objects.order_by("pk").values_list("state", "is_next", "values__expire_at")
    return [(state, is_next, bool(until)) for state, is_next, until in told]


def more_time(live: Live, by: Person) -> None:
    extend_time(live.batch, by=by.actor, rows=[1], open_for=LATER)


@pytest.fixture
def unknown(live: Live, mina: Person) -> Live:
    """The end of the first row's HIT was sent, and no answer came."""
    live.market.fail(EXPIRE, lost_answer)
    expire_early(live.batch, by=mina.actor, rows=[1])
    live.operate()
    assert wishes() == [("unknown", False, False)]
    return live


def settle(live: Live) -> None:
    """The first change is looked up, and sent again where MTurk had not heard of it."""
    settle_connection(live.connection, live.market)
    first = Operation.objects.order_by("pk")[0]
    if first.state == "queued":
        live.operate()


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_a_wish_waits_while_the_one_before_may_be_known(live: Live, mina: Person, state: str) -> None:
    expire_early(live.batch, by=mina.actor, rows=[1])
    Operation.objects.update(state=state, first_sent_at=live.market.now, last_sent_at=live.market.now)

    more_time(live, mina)
    live.operate()

    assert wishes() == [(state, False, False), ("queued", True, True)]
    assert live.market.calls[EXPIRE] == 0
    assert "waits for the change before it" in words(get(mina, "row", live.batch, 1))
    assert plan_time(live.batch, by=mina.actor, open_for=LATER, rows=[1]).waiting == 1


def test_it_is_sent_when_the_one_before_is_done(unknown: Live, mina: Person) -> None:
    more_time(unknown, mina)

    settle(unknown)
    unknown.operate()

    assert wishes() == [("done", False, False), ("done", False, True)]
    assert unknown.market.hits[unknown.hit_id()].status(unknown.market.now) == "Assignable"
    calls = unknown.market.calls[EXPIRE]
    unknown.operate()
    assert unknown.market.calls[EXPIRE] == calls


def test_it_takes_the_place_of_the_one_before_when_that_fails(live: Live, mina: Person) -> None:
    expire_early(live.batch, by=mina.actor, rows=[1])
    Operation.objects.update(state="sending", first_sent_at=live.market.now, last_sent_at=live.market.now)
    more_time(live, mina)
    Operation.objects.filter(state="sending").update(state="failed", outcome="Not today.")

    live.operate()

    assert wishes() == [("cancelled", False, False), ("done", False, True)]
    assert not Operation.objects.filter(state="failed").exists()


def test_a_retry_of_the_one_before_is_waited_for_too(live: Live, mina: Person) -> None:
    expire_early(live.batch, by=mina.actor, rows=[1])
    Operation.objects.update(state="sending", first_sent_at=live.market.now, last_sent_at=live.market.now)
    more_time(live, mina)
    Operation.objects.filter(state="sending").update(state="failed", outcome="Not today.")

    retry_failed_operations(live.batch, by=mina.actor)
    live.operate()

    assert wishes() == [("done", False, False), ("queued", True, True)]
    live.operate()
    assert wishes() == [("done", False, False), ("done", False, True)]


def test_it_is_sent_when_the_one_before_was_overtaken(unknown: Live, mina: Person) -> None:
    more_time(unknown, mina)
    Operation.objects.filter(state="unknown").update(state="overtaken")

    unknown.operate()

    assert wishes() == [("overtaken", False, False), ("done", False, True)]


def test_the_newest_wish_is_the_only_one_that_waits(unknown: Live, mina: Person) -> None:
    more_time(unknown, mina)
    expire_early(unknown.batch, by=mina.actor, rows=[1])
    assert wishes() == [
        ("unknown", False, False),
        ("cancelled", True, True),
    ]

    more_time(unknown, mina)
    assert Operation.objects.filter(state="queued", is_next=True).count() == 1
    settle(unknown)
    unknown.operate()

    assert unknown.market.hits[unknown.hit_id()].status(unknown.market.now) == "Assignable"


def test_a_sender_that_dies_before_it_has_sent_the_next_loses_nothing(
    unknown: Live, mina: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    more_time(unknown, mina)
    settle(unknown)

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("projects.operating.claim", die)
        with pytest.raises(SystemExit):
            unknown.operate()
    unknown.operate()

    assert wishes() == [("done", False, False), ("done", False, True)]


def test_places_a_waiting_wish_opens_again_are_held_at_once(live: Live, mina: Person) -> None:
    live.later(days=8)
    live.collect()
    assert Batch.objects.get().committed == 0
    more_time(live, mina)
    Operation.objects.update(state="unknown", first_sent_at=live.market.now, last_sent_at=live.market.now)

    # A still later end is wished for; then the first wish turns out to have failed.
    extend_time(live.batch, by=mina.actor, rows=[1], open_for=2 * LATER)
    Operation.objects.filter(state="unknown").update(state="failed")
    recount([live.hits[0].row_id])

    assert Operation.objects.filter(state="queued", is_next=True).count() == 1
    assert Batch.objects.get().committed == Decimal("0.18")
    assert HIT.objects.get(row__number=1).committed == Decimal("0.18")


def test_cancelling_the_batch_replaces_a_wish_for_more_time_that_waits(unknown: Live, mina: Person) -> None:
    more_time(unknown, mina)

    cancel_batch(unknown.batch, by=mina.actor)
    settle(unknown)
    for _ in range(2):
        unknown.operate()

    assert unknown.market.hits[unknown.hit_id()].status(unknown.market.now) != "Assignable"
    assert not Operation.objects.filter(state__in=["queued", "sending", "unknown"]).exists()


def test_a_refused_wish_that_waited_fails_in_words(unknown: Live, mina: Person) -> None:
    more_time(unknown, mina)
    settle(unknown)
    unknown.market.fail(EXPIRE, lambda name: refusal(name, "InvalidParameterValue", "Not today."))

    unknown.operate()

    assert wishes()[-1] == ("failed", False, True)


def test_one_that_waited_in_a_backup_gives_way_to_a_newer_wish(unknown: Live, mina: Person) -> None:
    more_time(unknown, mina)
    Operation.objects.update(state="unknown", first_sent_at=unknown.market.now)

    extend_time(unknown.batch, by=mina.actor, rows=[1], open_for=2 * LATER)

    assert [state for state, *_ in wishes()] == ["unknown", "cancelled", "queued"]
