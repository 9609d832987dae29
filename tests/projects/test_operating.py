"""A change of a HIT reaches MTurk once, and comes back from every unknown outcome."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from mturkhub.common import clock
from mturkhub.intentions.claiming import clear_stale
from mturkhub.intentions.models import Operation
from mturkhub.intentions.settling import settle_connection
from mturkhub.management.commands.after_restore import take_up
from projects.actions.hits import (
    drop_failed_operations,
    expire_early,
    extend_answers,
    extend_time,
    retry_failed_operations,
)
from projects.ending import BY
from projects.models import HIT
from projects.operating import queue_operations
from projects.states import OperationKind
from tests.conftest import Person
from tests.fakes.mturk import FakeHIT, insufficient_funds, lost_answer, refusal, throttled
from tests.projects.live import Live

pytestmark = pytest.mark.django_db
ADD, EXPIRE, DELETE = "CreateAdditionalAssignmentsForHIT", "UpdateExpirationForHIT", "DeleteHIT"


def add(live: Live, by: Person) -> Operation:
    """Two answers more of the first row, which has three."""
    extend_answers(live.batch, by=by.actor, answers=2, rows=[1])
    return Operation.objects.get(kind=OperationKind.ADD_ANSWERS)


def expire(live: Live, by: Person) -> Operation:
    expire_early(live.batch, by=by.actor, rows=[1])
    return Operation.objects.get()


def open_longer(live: Live, by: Person) -> Operation:
    extend_time(live.batch, by=by.actor, rows=[1], open_for=timedelta(days=30))
    return Operation.objects.get()


def delete(live: Live, by: Person) -> Operation:
    """The first row's HIT is over, collected and decided; it goes."""
    live.market.update_expiration_for_hit(live.hit_id(), expire_at=live.market.now - timedelta(hours=1))
    live.market.calls.clear()
    live.collect()
    queue_operations(HIT.objects.filter(pk=live.hits[0].pk), OperationKind.DELETE, False, by=BY)
    return Operation.objects.get()


def remote(live: Live) -> FakeHIT:
    return live.market.hits[live.hit_id()]


def has_grown(live: Live) -> bool:
    return remote(live).max_assignments == 5 and live.hits[0].max_assignments == 5


def is_over(live: Live) -> bool:
    ends = live.hits[0].expires_at
    return remote(live).expires_at <= live.market.now and ends is not None and ends <= clock.now()


def is_open_longer(live: Live) -> bool:
    ends = live.hits[0].expires_at
    assert ends is not None
    far = clock.now() + timedelta(days=27)
    return ends > far and remote(live).expires_at > far


def is_deleted(live: Live) -> bool:
    return remote(live).disposed_at is not None and live.hits[0].hit_status == "Disposed"


Make = Callable[[Live, Person], Operation]
Check = Callable[[Live], bool]
# How it is asked for, by which call it is sent, and what it has done.
EACH = pytest.mark.parametrize(
    ("make", "call", "happened"),
    [
        pytest.param(add, ADD, has_grown, id="more answers"),
        pytest.param(expire, EXPIRE, is_over, id="an early end"),
        pytest.param(open_longer, EXPIRE, is_open_longer, id="more time"),
        pytest.param(delete, DELETE, is_deleted, id="deletion"),
    ],
)


def be_due() -> None:
    Operation.objects.filter(state="queued").update(due_at=clock.now())


def state(operation: Operation) -> str:
    operation.refresh_from_db()
    return operation.state


def settle(live: Live) -> int:
    return settle_connection(live.connection, live.market)


@EACH
def test_a_change_is_sent_once_and_the_hit_here_shows_it(
    live: Live, mina: Person, make: Make, call: str, happened: Check
) -> None:
    operation = make(live, mina)

    live.operate()
    live.operate()

    assert state(operation) == "done"
    assert happened(live)
    assert live.market.calls[call] == 1


@EACH
@pytest.mark.parametrize("happens", [True, False])
def test_after_a_lost_answer_it_happens_exactly_once(
    live: Live, mina: Person, make: Make, call: str, happened: Check, happens: bool
) -> None:
    operation = make(live, mina)
    live.market.fail(call, lost_answer, happens=happens)
    live.operate()
    assert state(operation) == "unknown"
    live.operate()
    assert live.market.calls[call] == 1

    settle(live)
    be_due()
    live.operate()

    assert state(operation) == "done"
    assert happened(live)


@EACH
@pytest.mark.parametrize("happens", [True, False])
def test_after_the_token_was_forgotten_getting_the_hit_decides(
    live: Live, mina: Person, make: Make, call: str, happened: Check, happens: bool
) -> None:
    operation = make(live, mina)
    live.market.fail(call, lost_answer, happens=happens)
    live.operate()
    live.later(hours=25)

    settle(live)
    assert state(operation) == ("done" if happens else "queued")
    be_due()
    live.operate()

    assert state(operation) == "done"
    assert happened(live)
    assert live.market.calls[call] == (1 if happens else 2)


@EACH
@pytest.mark.parametrize("happens", [True, False])
def test_what_was_open_in_a_backup_is_looked_up_before_it_is_sent(
    live: Live, mina: Person, make: Make, call: str, happened: Check, happens: bool
) -> None:
    operation = make(live, mina)
    waiting = Operation.objects.values("state", "first_sent_at", "last_sent_at", "attempts").get()
    before = HIT.objects.values("max_assignments", "expires_at", "hit_status").get(pk=live.hits[0].pk)
    if happens:
        # Sent by the installation that is gone now, and known to be done there.
        live.operate()
        Operation.objects.update(**waiting)
        HIT.objects.filter(pk=live.hits[0].pk).update(**before)

    take_up(clock.now(), replace=True)
    live.operate()
    assert state(operation) == "unknown"
    live.later(minutes=3)
    settle(live)
    be_due()
    live.operate()

    assert state(operation) == "done"
    assert happened(live)
    assert live.market.calls[call] == 1


@EACH
def test_a_call_that_did_not_happen_waits_and_is_sent_again(
    live: Live, mina: Person, make: Make, call: str, happened: Check
) -> None:
    operation = make(live, mina)
    live.market.fail(call, throttled)

    live.operate()
    assert state(operation) == "queued"
    assert operation.due_at > clock.now()
    be_due()
    live.operate()

    assert state(operation) == "done"
    assert happened(live)


@EACH
def test_mturks_own_no_fails_it_in_words_and_a_person_tries_again(
    live: Live, mina: Person, make: Make, call: str, happened: Check
) -> None:
    operation = make(live, mina)
    token = operation.token
    live.market.fail(call, lambda name: refusal(name, "InvalidParameterValue", "Not today."))

    live.operate()
    assert state(operation) == "failed"
    assert "Not today." in operation.outcome
    assert not happened(live)
    retry_failed_operations(live.batch, by=mina.actor)
    live.operate()

    assert state(operation) == "done"
    assert operation.token == token
    assert happened(live)


@EACH
def test_a_sender_that_died_leaves_it_unknown(
    live: Live, mina: Person, make: Make, call: str, happened: Check
) -> None:
    operation = make(live, mina)
    Operation.objects.update(
        state="sending",
        first_sent_at=clock.now(),
        last_sent_at=clock.now(),
        lease_until=clock.real_now() - timedelta(seconds=1),
    )

    assert clear_stale(Operation) == 1
    settle(live)
    be_due()
    live.operate()

    assert state(operation) == "done"
    assert happened(live)
    assert live.market.calls[call] == 1


@EACH
def test_a_lost_look_leaves_it_unknown(
    live: Live, mina: Person, make: Make, call: str, happened: Check
) -> None:
    operation = make(live, mina)
    live.market.fail(call, lost_answer)
    live.operate()
    live.later(hours=25)
    live.market.fail("GetHIT", lost_answer)

    assert settle(live) == 0

    assert state(operation) == "unknown"


@EACH
def test_a_hit_that_is_gone_ends_it(live: Live, mina: Person, make: Make, call: str, happened: Check) -> None:
    operation = make(live, mina)
    remote(live).disposed_at = live.market.now

    live.operate()

    assert state(operation) in {"failed", "overtaken", "done"}
    assert live.hits[0].max_assignments == 3


# What each kind has of its own -------------------------------------------------------------------


def test_one_change_of_a_family_is_open_for_a_hit(live: Live, mina: Person) -> None:
    operation = add(live, mina)
    operation.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        operation.save()


def test_a_hit_that_grew_elsewhere_is_left_to_a_person(live: Live, mina: Person) -> None:
    operation = add(live, mina)
    live.market.fail(ADD, lost_answer)
    live.operate()
    remote(live).max_assignments = 4
    live.later(hours=25)

    settle(live)

    assert state(operation) == "failed"
    assert "MTurk shows 4 answers for this HIT, where 3 or 5 were expected" in operation.outcome
    drop_failed_operations(live.batch, by=mina.actor)
    assert state(operation) == "cancelled"


def test_a_list_that_may_lag_is_given_two_minutes(live: Live, mina: Person) -> None:
    operation = add(live, mina)
    take_up(clock.now(), replace=True)

    assert settle(live) == 0
    live.later(minutes=3)

    assert settle(live) == 1
    assert state(operation) == "queued"


def test_an_expiration_mturk_has_seen_before_differs_by_a_second(live: Live, mina: Person) -> None:
    live.market.hidden_tokens = True
    first = expire(live, mina)
    live.operate()
    extend_time(live.batch, by=mina.actor, rows=[1], open_for=timedelta(days=2))
    live.operate()
    expire_early(live.batch, by=mina.actor, rows=[1])
    again = Operation.objects.latest("pk")

    live.operate()
    assert (state(first), state(again)) == ("done", "queued")
    assert not is_over(live)
    be_due()
    live.operate()

    assert state(again) == "done"
    assert is_over(live)


def test_a_newer_end_takes_the_place_of_one_that_nobody_has_sent(live: Live, mina: Person) -> None:
    older = open_longer(live, mina)
    expire_early(live.batch, by=mina.actor, rows=[1])
    live.operate()

    assert state(older) == "cancelled"
    assert is_over(live)
    assert live.market.calls[EXPIRE] == 1


def test_nothing_is_deleted_that_is_not_stored_here(live: Live, mina: Person) -> None:
    live.submit()
    operation = delete(live, mina)
    live.batch.assignments.all().delete()
    Operation.objects.update(values={"stored": 0, "override": False})

    live.operate()

    assert state(operation) == "overtaken"
    assert "MTurk has 1 answers of this HIT and 0 are stored here" in operation.outcome
    assert not is_deleted(live)
    assert live.market.calls[DELETE] == 0
    assert live.hits[0].fetch_wanted_at


def test_too_little_money_fails_an_extension_in_words(live: Live, mina: Person) -> None:
    operation = add(live, mina)
    live.market.fail(ADD, insufficient_funds)

    live.operate()

    assert state(operation) == "failed"
    assert "funds" in operation.outcome
    live.batch.refresh_from_db()
    assert live.batch.answers_extra == 0


def test_our_own_extension_causes_no_fetch(live: Live, mina: Person) -> None:
    live.collect_one()
    fetches = live.fetches()
    add(live, mina)
    live.operate()

    live.collect()

    assert live.fetches() == fetches
    live.batch.refresh_from_db()
    assert live.batch.answers_expected == 8
