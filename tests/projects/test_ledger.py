"""The ledger: what each thing that moves money enters, and that it always adds up to what batches say."""

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.db import InternalError, transaction
from django.db import connection as database
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from mturkhub.accounts.models import Connection
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.errors import MTurkError
from projects.actions.batches import cancel_batch, publish_batch, publish_rest, republish, retry_failed_hits
from projects.actions.hits import expire_early, extend_answers, extend_time, retry_failed_operations
from projects.actions.payments import retry_bonus, send_bonus
from projects.actions.reviews import (
    approve_assignment,
    overturn_rejection,
    reject_assignment,
    undo_decision,
)
from projects.balances import refresh_balance
from projects.models import HIT, Assignment, Batch, Bonus, LedgerEntry, Reconciliation
from projects.operating import send_operations
from projects.paying import send_bonuses
from projects.publishing import publish_chunk
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk, refusal
from tests.projects.live import Live

pytestmark = pytest.mark.django_db
CREATE = "CreateHITWithHITType"
Entered = list[tuple[str, str, str, int, str]]


@pytest.fixture
def draft(mina: Person, connection: Connection) -> Batch:
    """Three rows of three answers at 5 cents and a cent of fee: 54 cents."""
    project = ProjectFactory(team=mina.team, created_by=mina.user)
    return BatchFactory(project=project, connection=connection, rows=3)


def entered(batch: Batch, since: int = 0) -> Entered:
    """Kind, amount, reason, answers and who, in the order in which they were entered."""
    found = LedgerEntry.objects.filter(batch=batch).order_by("pk")[since:]
    return [
        (each.kind, str(each.amount), each.reason, each.answers, str(each.by or each.by_rule))
        for each in found
    ]


def check_adds_up() -> None:
    """Batches, HITs and the ledger say the same, and each answer was paid once or not at all."""
    for batch in Batch.objects.all():
        kinds = LedgerEntry.objects.filter(batch=batch).values_list("kind").annotate(sum=Sum("amount"))
        sums = dict(kinds)
        held, released, paid = (sums.get(kind, Decimal(0)) for kind in ("held", "released", "paid"))
        assert (held - released - paid, paid) == (batch.committed, batch.paid)
        kept = [
            model.objects.filter(batch=batch).aggregate(committed=Sum("committed"), paid=Sum("paid"))
            for model in (HIT, Bonus)
        ]
        for name in ("committed", "paid"):
            assert sum(each[name] or 0 for each in kept) == getattr(batch, name)
    of_answers = LedgerEntry.objects.filter(kind="paid", bonus=None).values_list("assignment")
    paid_for = dict(of_answers.annotate(sum=Sum("amount")))
    for answer in Assignment.objects.select_related("hit"):
        price = answer.hit.price_each if answer.status == "Approved" else Decimal(0)
        assert paid_for.get(answer.pk, Decimal(0)) == price


# What is entered ---------------------------------------------------------------------------------


def test_publishing_is_one_entry_however_many_rows(draft: Batch, mina: Person) -> None:
    publish_batch(draft, by=mina.actor)

    assert entered(draft) == [("held", "0.54", "published", 9, "Mina")]
    assert LedgerEntry.objects.values_list("fee", "hit").get() == (Decimal("0.09"), None)
    check_adds_up()


def test_publishing_takes_as_many_queries_for_a_hundred_rows_as_for_one(
    mina: Person, connection: Connection
) -> None:
    project = ProjectFactory(team=mina.team, created_by=mina.user)

    def queries(rows: int) -> int:
        batch = BatchFactory(project=project, connection=connection, rows=rows)
        with CaptureQueriesContext(database) as taken:
            publish_batch(batch, by=mina.actor)
        return len(taken)

    assert queries(100) == queries(1)


def test_an_answer_is_paid_with_its_worker_and_who_decided(
    live: Live, mina: Person, ravi: Person, no_grace: None
) -> None:
    first, second = _answers(live, 2)
    approve_assignment(first, by=ravi.actor)
    reject_assignment(second, by=mina.actor, feedback="Not a number.")
    assert len(entered(live.batch)) == 1

    live.send()

    assert entered(live.batch, since=1) == [
        ("released", "0.06", "rejected", 1, "Mina"),
        ("paid", "0.06", "approved", 1, "Ravi"),
    ]
    paid = LedgerEntry.objects.get(kind="paid")
    assert (paid.assignment, paid.worker, paid.hit) == (first, first.worker, first.hit)
    assert paid.fee == Decimal("0.01")
    check_adds_up()


def test_what_the_market_approved_by_time_or_elsewhere_says_so(live: Live) -> None:
    first, _second = _answers(live, 2)
    live.market.approve_assignment(first.mturk_id)
    live.collect()
    live.later(days=4)
    live.collect()

    assert entered(live.batch, since=1) == [
        ("paid", "0.06", "decided_elsewhere", 1, "what the market says"),
        ("paid", "0.06", "approved_by_time", 1, "what the market says"),
    ]
    check_adds_up()


def test_overturning_holds_again_and_pays(live: Live, mina: Person, olive: Person, no_grace: None) -> None:
    (answer,) = _answers(live, 1)
    reject_assignment(answer, by=mina.actor, feedback="Empty.")
    live.send()
    overturn_rejection(answer, by=mina.actor)
    undo_decision(answer, by=olive.actor)
    overturn_rejection(answer, by=olive.actor)
    live.send()

    assert entered(live.batch, since=1) == [
        ("released", "0.06", "rejected", 1, "Mina"),
        ("held", "0.06", "overturned", 1, "Mina"),
        ("released", "0.06", "not_overturned", 1, "Olive"),
        ("held", "0.06", "overturned", 1, "Olive"),
        ("paid", "0.06", "overturned", 1, "Olive"),
    ]
    check_adds_up()


def test_what_nobody_answered_is_released_when_it_is_over_and_held_when_it_opens_again(
    live: Live, mina: Person
) -> None:
    live.later(days=8)
    live.collect()
    extend_time(live.batch, by=mina.actor, open_for=timedelta(days=1))

    assert entered(live.batch, since=1) == [
        ("released", "0.36", "unused", 6, "what the market says"),
        ("held", "0.36", "opened_again", 6, "Mina"),
    ]
    check_adds_up()


def test_more_answers_and_a_refused_extension_are_entered(live: Live, mina: Person) -> None:
    extend_answers(live.batch, by=mina.actor, answers=2)
    name = "CreateAdditionalAssignmentsForHIT"
    live.market.fail(name, lambda operation: refusal(operation, "InvalidHITState", "No."), times=2)
    live.operate()

    more, *refused = entered(live.batch, since=1)
    assert more == ("held", "0.24", "more_answers", 4, "Mina")
    assert {each[2:] for each in refused} == {("change_refused", 4, "what the market says")}
    check_adds_up()


def test_failed_rows_are_released_and_a_retry_holds_anew(
    draft: Batch, mina: Person, olive: Person, market: FakeMTurk
) -> None:
    publish_batch(draft, by=mina.actor)
    market.fail(CREATE, lambda name: refusal(name, "", "Not valid.", "ParameterValidationError"))
    publish_chunk(draft, gateway=market)
    retry_failed_hits(draft, by=olive.actor)

    assert entered(draft, since=1) == [
        ("released", "0.18", "refused", 3, "what the market says"),
        ("held", "0.18", "tried_again", 3, "Olive"),
    ]
    assert LedgerEntry.objects.filter(hit__isnull=False).count() == 2
    check_adds_up()


def test_cancelling_releases_what_was_never_sent(draft: Batch, mina: Person, olive: Person) -> None:
    publish_batch(draft, by=mina.actor)
    cancel_batch(draft, by=olive.actor)

    assert entered(draft, since=1) == [("released", "0.54", "cancelled", 9, "Olive")]
    check_adds_up()


def test_a_bonus_is_held_then_paid_or_released(live: Live, mina: Person, olive: Person) -> None:
    (answer,) = _answers(live, 1)
    send_bonus(answer, by=mina.actor, amount=Decimal("0.50"), reason="Careful")
    live.market.fail("SendBonus", lambda name: refusal(name, "", "Not valid.", "ParameterValidationError"))
    send_bonuses(live.connection, gateway=live.market)
    retry_bonus(Bonus.objects.get(), by=olive.actor)
    send_bonuses(live.connection, gateway=live.market)

    assert entered(live.batch, since=1) == [
        ("held", "0.60", "bonus", 0, "Mina"),
        ("released", "0.60", "bonus", 0, "what the market says"),
        ("held", "0.60", "bonus", 0, "Olive"),
        ("paid", "0.60", "bonus", 0, "Mina"),
    ]
    assert set(LedgerEntry.objects.filter(bonus__isnull=False).values_list("worker", "fee")) == {
        (answer.worker_id, Decimal("0.10"))
    }
    check_adds_up()


# That it stays -----------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [lambda found: found.update(amount=1), lambda found: found.delete()])
def test_the_database_refuses_to_change_or_delete_an_entry(
    draft: Batch, mina: Person, change: Callable[[Any], Any]
) -> None:
    publish_batch(draft, by=mina.actor)

    with pytest.raises(InternalError, match="never changed or deleted"), transaction.atomic():
        change(LedgerEntry.objects.all())

    assert entered(draft) == [("held", "0.54", "published", 9, "Mina")]


def test_money_from_before_the_ledger_is_entered_with_who_and_when(
    live: Live, mina: Person, olive: Person, no_grace: None
) -> None:
    first, second, third = _answers(live, 3)
    approve_assignment(first, by=mina.actor)
    reject_assignment(second, by=olive.actor, feedback="Empty.")
    live.send()
    reject_assignment(third, by=olive.actor, feedback="Empty.")
    live.send()
    overturn_rejection(third, by=olive.actor)
    send_bonus(first, by=mina.actor, amount=Decimal("0.50"), reason="Careful")
    send_bonuses(live.connection, gateway=live.market)
    live.batch.refresh_from_db()
    # As it was before: nothing entered, and the bonus counted nowhere.
    Bonus.objects.update(price=0, committed=0, paid=0, reserved_on=None)
    Batch.objects.update(paid=live.batch.paid - Decimal("0.60"))
    migration = import_module("projects.migrations.0014_open_ledger")
    with database.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("truncate projects_ledgerentry")
        cursor.execute(migration._COUNT_OLD_BONUSES)
        cursor.execute(migration._OPEN)

    assert sorted(entered(live.batch)) == sorted(
        [
            ("held", "0.36", "published", 6, "Mina"),
            ("paid", "0.06", "approved", 1, "Mina"),
            ("released", "0.06", "rejected", 1, "Olive"),
            ("held", "0.60", "bonus", 0, "Mina"),
            ("paid", "0.60", "bonus", 0, "Mina"),
        ]
    )
    check_adds_up()
    # What happens next goes on from there.
    live.send()
    assert entered(live.batch)[-1] == ("paid", "0.06", "overturned", 1, "Olive")
    check_adds_up()


# That it adds up, whatever happens ---------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_ledger_adds_up_after_whatever_happens(
    live: Live, mina: Person, no_grace: None, seed: int
) -> None:
    """Forty things in any order, each of which may be refused."""
    random_ = random.Random(seed)
    second = BatchFactory(project=live.batch.project, connection=live.connection, rows=3)
    publish_batch(second, by=mina.actor, first_rows=1)
    refresh_balance(live.connection, gateway=live.market)
    story = Story(live, second, mina, random_)
    names = [name for name in dir(Story) if not name.startswith("_")]

    for _ in range(40):
        name = random_.choice(names)
        try:
            with transaction.atomic():
                getattr(story, name)()
        except (ActionRefused, MTurkError, IndexError):
            continue
        check_adds_up()

    live.collect()
    refresh_balance(live.connection, gateway=live.market)
    assert Reconciliation.objects.get().not_ours == 0
    live.later(days=40)
    live.collect()
    check_adds_up()


class Story:
    """What people, Workers, the market and time can do."""

    def __init__(self, live: Live, second: Batch, mina: Person, random_: random.Random) -> None:
        self._live, self._second, self._by, self._random = live, second, mina.actor, random_
        self._workers = 0

    def _batch(self) -> Batch:
        batch = self._random.choice([self._live.batch, self._second])
        batch.refresh_from_db()
        return batch

    def _answer(self, status: str) -> Assignment:
        found = Assignment.objects.filter(status=status, pending_verdict="").order_by("pk")
        return self._random.choice(list(found))

    def _refuse(self, name: str) -> None:
        self._live.market.fail(name, lambda operation: refusal(operation, "InvalidHITState", "No."))

    def answer(self) -> None:
        now = self._live.market.now
        open_ = [hit for hit in self._live.market.hits.values() if hit.status(now) == "Assignable"]
        for hit in self._random.sample(open_, min(3, len(open_))):
            self._workers += 1
            self._live.market.submit(hit.hit_id, f"A{self._workers:05}", {"sentiment": "7"})
        self._live.collect()

    def collect(self) -> None:
        self._live.collect()

    def approve(self) -> None:
        approve_assignment(self._answer("Submitted"), by=self._by)

    def reject(self) -> None:
        reject_assignment(self._answer("Submitted"), by=self._by, feedback="Empty.")

    def overturn(self) -> None:
        overturn_rejection(self._answer("Rejected"), by=self._by)

    def undo(self) -> None:
        pending = Assignment.objects.exclude(pending_verdict="").order_by("pk")
        undo_decision(self._random.choice(list(pending)), by=self._by)

    def send(self) -> None:
        self._live.send()

    def decide_elsewhere(self) -> None:
        self._live.market.reject_assignment(self._answer("Submitted").mturk_id, feedback="Elsewhere.")

    def publish(self) -> None:
        publish_chunk(self._batch(), gateway=self._live.market)

    def fail_to_publish(self) -> None:
        self._refuse(CREATE)
        publish_chunk(self._batch(), gateway=self._live.market)

    def publish_rest(self) -> None:
        publish_rest(self._second, by=self._by)

    def republish(self) -> None:
        republish(self._batch(), by=self._by)

    def retry(self) -> None:
        retry_failed_hits(self._batch(), by=self._by)

    def extend(self) -> None:
        extend_answers(self._batch(), by=self._by, answers=self._random.choice([1, 4, 7]))

    def more_time(self) -> None:
        extend_time(self._batch(), by=self._by, open_for=timedelta(days=self._random.randint(1, 20)))

    def expire(self) -> None:
        expire_early(self._batch(), by=self._by)

    def operate(self) -> None:
        send_operations(self._live.connection, gateway=self._live.market)

    def fail_to_operate(self) -> None:
        self._refuse("CreateAdditionalAssignmentsForHIT")
        send_operations(self._live.connection, gateway=self._live.market)

    def retry_operations(self) -> None:
        retry_failed_operations(self._batch(), by=self._by)

    def bonus(self) -> None:
        answer = self._answer(self._random.choice(["Submitted", "Approved", "Rejected"]))
        send_bonus(answer, by=self._by, amount=Decimal("0.13"), reason=str(self._random.random()))

    def pay(self) -> None:
        send_bonuses(self._live.connection, gateway=self._live.market)

    def fail_to_pay(self) -> None:
        self._live.market.fail(
            "SendBonus", lambda name: refusal(name, "", "Not valid.", "ParameterValidationError")
        )
        send_bonuses(self._live.connection, gateway=self._live.market)

    def retry_bonus(self) -> None:
        retry_bonus(self._random.choice(list(Bonus.objects.filter(state="failed"))), by=self._by)

    def cancel(self) -> None:
        if self._random.random() < 0.2:
            cancel_batch(self._second, by=self._by)

    def wait(self) -> None:
        self._live.later(days=self._random.choice([1, 3, 8]))
        self._live.collect()


def _answers(live: Live, number: int) -> list[Assignment]:
    live.submit([f"AWORKER{each}" for each in range(number)])
    live.collect()
    return live.answers
