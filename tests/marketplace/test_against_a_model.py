"""Random sequences of calls, Workers' acts and moves of the clock, held against a small model in plain Python.

The model knows each HIT's slots and each Assignment's story; what counters, states and money must be follows from
these. After every step the marketplace has to say the same.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from marketplace import clock, clockwork, lifecycle
from marketplace.models import HIT, Assignment, LedgerEntry, Worker
from marketplace.models.ledger import Account
from tests.marketplace.conftest import QUESTION, Market

OPENING = Decimal("20.00")
WORK_TIME = timedelta(minutes=10)
LIFETIME = timedelta(hours=24)
APPROVAL_DELAY = timedelta(days=3)
OVERTURN_WITHIN = timedelta(days=30)
RETENTION = timedelta(days=120)
# No sum of these comes within seconds of a deadline, so that the time the test itself takes changes nothing.
WAITS = [timedelta(minutes=7), timedelta(hours=20), timedelta(days=11), timedelta(days=47)]


@dataclass
class Job:
    """What one Worker did with one HIT."""

    id: str
    worker: str
    accepted_at: timedelta
    state: str = "accepted"
    submitted_at: timedelta = timedelta()
    bonuses: Decimal = Decimal(0)
    # How often it was paid: at most once, and never less than its state says.
    was_paid: bool = False


@dataclass
class Model:
    """One HIT, as the API's own documentation has it."""

    id: str
    reward: Decimal
    slots: int
    made_with: int
    expires_at: timedelta
    active_at: timedelta
    is_deleted: bool = False
    jobs: list[Job] = field(default_factory=list)

    def count(self, *states: str) -> int:
        return sum(job.state in states for job in self.jobs)

    @property
    def available(self) -> int:
        return self.slots - self.count("accepted", "submitted", "approved", "rejected")

    @property
    def price(self) -> Decimal:
        rate = Decimal("0.4") if self.made_with >= 10 else Decimal("0.2")
        return self.reward + max(
            Decimal("0.01"), (self.reward * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)
        )

    def status(self, now: timedelta) -> str:
        if self.is_deleted:
            return "Disposed"
        if self.available and now < self.expires_at:
            return "Assignable"
        return "Unassignable" if self.count("accepted") else "Reviewable"

    def held(self, now: timedelta) -> Decimal:
        free = self.available if now < self.expires_at and not self.is_deleted else 0
        return self.price * (free + self.count("accepted", "submitted"))

    def let_time_pass(self, now: timedelta) -> None:
        for job in self.jobs:
            if job.state == "accepted" and now >= job.accepted_at + WORK_TIME:
                job.state, self.active_at = "abandoned", now
            if job.state == "submitted" and now >= job.submitted_at + APPROVAL_DELAY:
                job.state, job.was_paid, self.active_at = "approved", True, now


def fee_on_bonus(amount: Decimal) -> Decimal:
    return max(Decimal("0.01"), (amount * Decimal("0.2")).quantize(Decimal("0.01"), ROUND_HALF_UP))


class MarketAndModel(RuleBasedStateMachine):
    """Both sides of each act."""

    hits = Bundle("hits")
    make_market: Callable[[str], Market]
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.market = self.make_market(f"Modelled {next(self.numbers)}")
        self.workers = Worker.objects.bulk_create(Worker(created_at=clock.now()) for _ in range(3))
        self.now = timedelta()
        self.began_at = clock.now()
        self.models: list[Model] = []

    # What is said of an act ------------------------------------------------------------------------

    @property
    def held(self) -> Decimal:
        return sum((model.held(self.now) for model in self.models), Decimal(0))

    @property
    def paid(self) -> Decimal:
        jobs = [(model, job) for model in self.models for job in model.jobs]
        return sum((model.price * job.was_paid + job.bonuses for model, job in jobs), Decimal(0))

    @property
    def free(self) -> Decimal:
        return OPENING - self.held - self.paid

    def call(self, operation: str, **members: Any) -> str:
        """Make the call; returns the code of its refusal, or nothing."""
        try:
            getattr(self.market.mturk, operation)(**members)
        except ClientError as error:
            return str(error.response.get("TurkErrorCode", error.response["Error"]["Code"])).split(".")[-1]
        return ""

    # Requesters ------------------------------------------------------------------------------------

    @rule(
        target=hits, reward=st.sampled_from(["0.01", "0.33", "1.00"]), slots=st.sampled_from([1, 2, 3, 9, 10])
    )
    def create(self, reward: str, slots: int) -> Model | None:
        model = Model("", Decimal(reward), slots, slots, self.now + LIFETIME, self.now)
        known = set(HIT.objects.filter(requester=self.market.requester).values_list("mturk_id", flat=True))
        refusal = self.call(
            "create_hit",
            Title="Name the colour",
            Description="One word",
            Reward=reward,
            MaxAssignments=slots,
            LifetimeInSeconds=int(LIFETIME.total_seconds()),
            AssignmentDurationInSeconds=int(WORK_TIME.total_seconds()),
            AutoApprovalDelayInSeconds=int(APPROVAL_DELAY.total_seconds()),
            Question=QUESTION,
        )

        assert refusal == ("InsufficientFunds" if model.price * slots > self.free else "")
        if refusal:
            return None
        made = HIT.objects.filter(requester=self.market.requester).exclude(mturk_id__in=known)
        model.id = made.get().mturk_id
        self.models.append(model)
        return model

    @rule(model=hits, more=st.sampled_from([1, 2, 7]))
    def extend(self, model: Model | None, more: int) -> None:
        if model is None:
            return
        refusal = self.call(
            "create_additional_assignments_for_hit", HITId=model.id, NumberOfAdditionalAssignments=more
        )

        cost = model.price * more if self.now < model.expires_at else Decimal(0)
        if model.is_deleted:
            assert refusal == "InvalidHITState"
        elif model.slots < 10 <= model.slots + more:
            assert refusal == "InvalidMaximumAssignmentsIncrease"
        elif cost > self.free:
            assert refusal == "InsufficientFunds"
        else:
            assert refusal == ""
            model.slots += more
            model.active_at = self.now

    @rule(model=hits)
    def expire(self, model: Model | None) -> None:
        if model is None:
            return
        refusal = self.call(
            "update_expiration_for_hit", HITId=model.id, ExpireAt=datetime(1970, 1, 1, tzinfo=UTC)
        )

        assert refusal == ("InvalidHITState" if model.is_deleted else "")
        if not model.is_deleted:
            model.expires_at, model.active_at = min(model.expires_at, self.now), self.now

    @rule(model=hits)
    def reopen(self, model: Model | None) -> None:
        if model is None:
            return
        refusal = self.call("update_expiration_for_hit", HITId=model.id, ExpireAt=clock.now() + LIFETIME)

        cost = model.price * model.available if self.now >= model.expires_at else Decimal(0)
        if model.is_deleted:
            assert refusal == "InvalidHITState"
        elif cost > self.free:
            assert refusal == "InsufficientFunds"
        else:
            assert refusal == ""
            model.expires_at, model.active_at = self.now + LIFETIME, self.now

    @rule(model=hits)
    def delete(self, model: Model | None) -> None:
        if model is None:
            return
        refusal = self.call("delete_hit", HITId=model.id)

        may = model.status(self.now) == "Reviewable" and not model.count("submitted")
        assert refusal == ("" if may else "InvalidHITState")
        model.is_deleted = model.is_deleted or may

    @rule(data=st.data(), verdict=st.sampled_from(["approve", "reject", "overturn"]))
    def decide(self, data: st.DataObject, verdict: str) -> None:
        found = self.some_job(data, "submitted", "approved", "rejected")
        if found is None:
            return
        model, job = found
        if verdict == "reject":
            refusal = self.call("reject_assignment", AssignmentId=job.id, RequesterFeedback="No colour.")
        else:
            refusal = self.call(
                "approve_assignment", AssignmentId=job.id, OverrideRejection=verdict == "overturn"
            )

        in_time = self.now < job.submitted_at + OVERTURN_WITHIN and not model.is_deleted
        if job.state == "submitted":
            assert refusal == ""
            job.state, model.active_at = "rejected" if verdict == "reject" else "approved", self.now
            job.was_paid = verdict != "reject"
        elif job.state == "rejected" and verdict == "overturn" and in_time:
            assert refusal == ("InsufficientFunds" if model.price > self.free else "")
            if not refusal:
                job.state, job.was_paid, model.active_at = "approved", True, self.now
        else:
            assert refusal == "InvalidAssignmentState"

    @rule(data=st.data(), amount=st.sampled_from(["0.01", "2.50"]))
    def pay_more(self, data: st.DataObject, amount: str) -> None:
        found = self.some_job(data, "submitted", "approved", "rejected")
        if found is None:
            return
        _, job = found
        refusal = self.call(
            "send_bonus",
            WorkerId=job.worker,
            AssignmentId=job.id,
            BonusAmount=amount,
            Reason="A fine colour.",
        )

        cost = Decimal(amount) + fee_on_bonus(Decimal(amount))
        assert refusal == ("InsufficientFunds" if cost > self.free else "")
        if not refusal:
            job.bonuses += cost

    # Workers ---------------------------------------------------------------------------------------

    @rule(model=hits, number=st.integers(0, 2))
    def accept(self, model: Model | None, number: int) -> None:
        if model is None:
            return
        worker = self.workers[number]
        mine = [job for job in model.jobs if job.worker == worker.mturk_id]
        may = model.status(self.now) == "Assignable" and all(
            job.state in ("returned", "abandoned") for job in mine
        )
        if any(job.state == "accepted" for job in mine):
            return
        try:
            held = lifecycle.accept_hit(HIT.objects.get(mturk_id=model.id), worker)
        except lifecycle.Refused:
            assert not may
            return
        assert may
        model.jobs.append(Job(held.mturk_id, worker.mturk_id, self.now))

    @rule(data=st.data())
    def submit(self, data: st.DataObject) -> None:
        if found := self.some_job(data, "accepted"):
            model, job = found
            lifecycle.submit_assignment(job.id, [("colour", "red")])
            job.state, job.submitted_at, model.active_at = "submitted", self.now, self.now

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        if found := self.some_job(data, "accepted"):
            model, job = found
            lifecycle.return_assignment(job.id)
            job.state, model.active_at = "returned", self.now

    def some_job(self, data: st.DataObject, *states: str) -> tuple[Model, Job] | None:
        """One of the jobs in these states, and its HIT; None when there is none."""
        found = [(model, job) for model in self.models for job in model.jobs if job.state in states]
        return found[data.draw(st.integers(0, len(found) - 1))] if found else None

    # Time ------------------------------------------------------------------------------------------

    @rule(wait=st.sampled_from(WAITS))
    def wait(self, wait: timedelta) -> None:
        clock.advance(wait)
        self.now += wait
        lifecycle.apply_due()
        for model in self.models:
            model.let_time_pass(self.now)
        clockwork.tidy()
        for model in self.models:
            is_over = model.status(self.now) == "Reviewable" and not model.count("submitted")
            since = max(model.active_at, model.expires_at if model.available else timedelta())
            if is_over and self.now >= since + RETENTION:
                model.is_deleted = True

    # What must be so -------------------------------------------------------------------------------

    @invariant()
    def money_agrees(self) -> None:
        assert self.market.balance == (self.free, self.held)

    @invariant()
    def the_ledger_adds_up(self) -> None:
        entries = LedgerEntry.objects.filter(requester=self.market.requester)

        def into(account: Account) -> Decimal:
            gained = entries.filter(target=account).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
            lost = entries.filter(source=account).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
            return Decimal(gained - lost)

        assert (into(Account.AVAILABLE), into(Account.HELD)) == (self.free, self.held)
        assert into(Account.WORKERS) + into(Account.FEES) == self.paid

    @invariant()
    def counters_and_states_agree(self) -> None:
        rows = HIT.objects.filter(requester=self.market.requester).in_bulk(field_name="mturk_id")
        now = clock.now()
        for model in self.models:
            row = rows[model.id]
            assert (row.status(now), row.available_count, row.pending_count, row.completed_count) == (
                model.status(self.now),
                model.available,
                model.count("accepted"),
                model.count("approved", "rejected"),
            )
        states = dict(Assignment.objects.filter(hit__in=rows.values()).values_list("mturk_id", "state"))
        assert states == {job.id: job.state for model in self.models for job in model.jobs}


@pytest.mark.timeout(300)
def test_no_sequence_of_acts_and_times_parts_market_and_model(
    make_market: Callable[[str], Market], monkeypatch: pytest.MonkeyPatch, settings_of_market: None
) -> None:
    monkeypatch.setattr(MarketAndModel, "make_market", staticmethod(make_market), raising=False)

    run_state_machine_as_test(
        MarketAndModel,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def settings_of_market(settings: Any) -> None:
    settings.OPENING_BALANCE = OPENING
