"""Budgets: reserved before anything is sent, lowered by MTurk's word alone, and never overspent by two at once."""

import multiprocessing
import os
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError
from django.db import connection as database

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.models import Operation
from projects.actions.batches import (
    cancel_batch,
    publish_batch,
    publish_rest,
    republish,
    retry_failed_hits,
)
from projects.actions.budgets import remove_budget, set_budget
from projects.actions.hits import extend_answers, extend_time, retry_failed_operations
from projects.actions.payments import send_bonus
from projects.actions.reviews import (
    approve_assignment,
    overturn_rejection,
    reject_assignment,
    undo_decision,
)
from projects.models import (
    HIT,
    Assignment,
    Batch,
    Bonus,
    Budget,
    BudgetPeriod,
    BudgetScope,
    BudgetSpend,
    Decision,
    Project,
)
from projects.operating import send_operations
from projects.paying import send_bonuses
from projects.publishing import publish_chunk
from projects.sending import send_decisions
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk, refusal
from tests.projects.live import Live

pytestmark = pytest.mark.django_db
CREATE = "CreateHITWithHITType"
ALL, MONTH = BudgetPeriod.NONE, BudgetPeriod.MONTH


@pytest.fixture
def project(mina: Person) -> Project:
    return ProjectFactory(team=mina.team, created_by=mina.user)


@pytest.fixture
def draft(project: Project, connection: Connection) -> Batch:
    """Three rows of three answers at 5 cents and a cent of fee: 54 cents."""
    return BatchFactory(project=project, connection=connection, rows=3)


@pytest.fixture
def limit(olive: Person) -> Callable[..., Budget]:
    def set_one(dollars: str, target: object = None, period: BudgetPeriod = ALL) -> Budget:
        return set_budget(
            olive.team,
            by=olive.actor,
            limit=Decimal(dollars),
            period=period,
            target=target,  # type: ignore[arg-type]
        )

    return set_one


def spent(budget: Budget) -> tuple[str, str]:
    """What is committed and paid."""
    spend = BudgetSpend.objects.get(budget=budget)
    return str(spend.committed), str(spend.paid)


def of(batch: Batch) -> tuple[str, str]:
    batch.refresh_from_db()
    return str(batch.committed), str(batch.paid)


# Reserving ---------------------------------------------------------------------------------------


def test_publishing_commits_against_every_budget_it_draws_on(
    draft: Batch, mina: Person, olive: Person, limit: Callable[..., Budget]
) -> None:
    drawn = [limit("10"), limit("10", mina.user), limit("10", draft.project), limit("10", draft)]
    others = [limit("10", olive.user), limit("10", ProjectFactory(team=mina.team, created_by=mina.user))]

    publish_batch(draft, by=mina.actor)

    assert [spent(budget) for budget in drawn] == [("0.54", "0.00")] * 4
    assert [spent(budget) for budget in others] == [("0.00", "0.00")] * 2
    assert of(draft) == ("0.54", "0.00")
    assert set(HIT.objects.values_list("committed", "price_each")) == {(Decimal("0.18"), Decimal("0.06"))}


@pytest.mark.parametrize("whose", list(BudgetScope))
def test_what_does_not_fit_is_refused_with_the_sum_and_nothing_is_queued(
    draft: Batch, mina: Person, limit: Callable[..., Budget], whose: BudgetScope
) -> None:
    target = {"team": None, "person": mina.user, "project": draft.project, "batch": draft}[whose]
    budget = limit("0.50", target)
    roomy = limit("10.00", period=MONTH)

    with pytest.raises(
        ActionRefused, match=r"costs \$0\.54 .* has \$0\.50 left: \$0\.04 more than it allows"
    ):
        publish_batch(draft, by=mina.actor)

    assert not HIT.objects.exists()
    assert spent(budget) == spent(roomy) == ("0.00", "0.00")
    assert of(draft) == ("0.00", "0.00")


def test_a_month_begins_anew_and_an_older_ones_money_stays_there(
    project: Project, connection: Connection, mina: Person, limit: Callable[..., Budget]
) -> None:
    budget = limit("0.60", period=MONTH)
    first, second, third = (BatchFactory(project=project, connection=connection, rows=3) for _ in range(3))
    publish_batch(first, by=mina.actor)
    with pytest.raises(ActionRefused, match="for this month has"):
        publish_batch(second, by=mina.actor)

    clock.advance(timedelta(days=32))
    publish_batch(third, by=mina.actor)

    sums = BudgetSpend.objects.filter(budget=budget).order_by("begins_on")
    assert [str(spend.committed) for spend in sums] == ["0.54", "0.54"]


def test_the_month_is_the_teams_own(
    draft: Batch, mina: Person, limit: Callable[..., Budget], monkeypatch: pytest.MonkeyPatch
) -> None:
    mina.team.time_zone = "Pacific/Auckland"
    mina.team.save()
    now = clock.now().replace(month=11, day=30, hour=20)
    monkeypatch.setattr(clock, "now", lambda: now)
    budget = limit("10", period=MONTH)

    publish_batch(draft, by=mina.actor)

    assert BudgetSpend.objects.get(budget=budget).begins_on == date(now.year, 12, 1)


def test_a_budget_counts_what_was_spent_before_it_was_set(
    draft: Batch, mina: Person, limit: Callable[..., Budget]
) -> None:
    publish_batch(draft, by=mina.actor)

    budgets = [limit("0.40"), limit("1", mina.user), limit("1", draft.project), limit("1", draft, MONTH)]

    assert [spent(budget) for budget in budgets] == [("0.54", "0.00")] * 4


# What becomes of it ------------------------------------------------------------------------------


def test_failed_rows_give_their_money_back_and_a_retry_reserves_anew(
    project: Project, connection: Connection, mina: Person, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    batch = BatchFactory(project=project, connection=connection, rows=3)
    budget = limit("0.54")
    publish_batch(batch, by=mina.actor)
    market.fail(CREATE, lambda name: refusal(name, "", "Not valid.", "ParameterValidationError"))
    publish_chunk(batch, gateway=market)
    assert spent(budget) == ("0.36", "0.00")

    limit("0.40")
    with pytest.raises(ActionRefused, match=r"\$0\.18 .* has \$0\.04 left"):
        retry_failed_hits(batch, by=mina.actor)
    limit("0.54")
    retry_failed_hits(batch, by=mina.actor)

    assert spent(budget) == of(batch) == ("0.54", "0.00")


def test_approved_is_paid_rejected_is_free_and_expired_slots_are_free(
    live: Live, mina: Person, no_grace: None, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    budget = limit("10")
    batch = live.batch
    total = of(batch)[0]
    assert spent(budget) == (total, "0.00")
    each = HIT.objects.filter(batch=batch)[0].price_each
    live.submit(["AWANDA", "AWILL"])
    live.collect()
    assert spent(budget) == (total, "0.00")

    first, second = Assignment.objects.filter(batch=batch).order_by("pk")
    approve_assignment(first, by=mina.actor)
    reject_assignment(second, by=mina.actor, feedback="Not a number.")
    assert spent(budget) == (total, "0.00")
    send_decisions(batch.connection, gateway=market)
    assert spent(budget) == of(batch) == (str(Decimal(total) - 2 * each), str(each))

    live.later(days=8)
    live.collect()
    assert spent(budget) == of(batch) == ("0.00", str(each))


def test_a_removed_budget_limits_nothing(
    draft: Batch, mina: Person, olive: Person, limit: Callable[..., Budget]
) -> None:
    budget = limit("0.10")

    remove_budget(budget, by=olive.actor)

    publish_batch(draft, by=mina.actor)
    assert not BudgetSpend.objects.exists()


# Who may, and what cannot be ---------------------------------------------------------------------


def test_owners_alone_set_budgets(mina: Person) -> None:
    with pytest.raises(ActionRefused, match="Managers may not set budgets"):
        set_budget(mina.team, by=mina.actor, limit=Decimal(1), period=ALL)


def test_the_database_refuses_a_second_budget_of_the_same_kind(
    olive: Person, limit: Callable[..., Budget]
) -> None:
    limit("1")
    with pytest.raises(IntegrityError, match="budget_once"):
        Budget.objects.create(team=olive.team, scope="team", limit=2, set_by=olive.user)


# Two at once -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_processes_cannot_overspend_one_budget(
    project: Project, connection: Connection, mina: Person, limit: Callable[..., Budget]
) -> None:
    """Eight batches of 54 cents, four processes, and room for five."""
    drafts = [BatchFactory(project=project, connection=connection, rows=3) for _ in range(8)]
    budget = limit("2.99")
    database.close()
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.Queue()

    def work(mine: list[Batch]) -> None:
        barrier.wait(30)
        for batch in mine:
            try:
                publish_batch(batch, by=mina.actor)
                results.put("published")
            except ActionRefused as refused:
                results.put(refused.sentence)
        database.close()
        results.close()
        results.join_thread()
        os._exit(0)

    processes = [context.Process(target=work, args=[drafts[n::4]]) for n in range(4)]
    for process in processes:
        process.start()
    said = [results.get(timeout=100) for _ in drafts]
    for process in processes:
        process.join(60)

    assert said.count("published") == 5
    assert all("budget of the whole team" in each for each in said if each != "published")
    assert spent(budget) == ("2.70", "0.00")
    assert HIT.objects.count() == 15


# Everything else that costs ----------------------------------------------------------------------


def test_more_answers_are_reserved_and_refused_beyond_the_budget(
    live: Live, mina: Person, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    budget = limit("0.50")
    assert spent(budget) == ("0.36", "0.00")
    with pytest.raises(ActionRefused, match=r"costs \$0\.24 .* has \$0\.14 left: \$0\.10 more"):
        extend_answers(live.batch, by=mina.actor, answers=2)
    assert spent(budget) == ("0.36", "0.00")
    assert not Operation.objects.exists()

    extend_answers(live.batch, by=mina.actor, answers=1)
    assert spent(budget) == of(live.batch) == ("0.48", "0.00")
    send_operations(live.connection, gateway=market)
    live.collect()
    assert spent(budget) == of(live.batch) == ("0.48", "0.00")


def test_what_opens_again_is_reserved_anew(
    live: Live, mina: Person, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    budget = limit("0.30")
    live.later(days=8)
    live.collect()
    assert spent(budget) == ("0.00", "0.00")
    with pytest.raises(ActionRefused, match=r"costs \$0\.36 .* has \$0\.30 left"):
        extend_time(live.batch, by=mina.actor, open_for=timedelta(days=1))

    limit("0.36")
    extend_time(live.batch, by=mina.actor, open_for=timedelta(days=1))
    assert spent(budget) == ("0.36", "0.00")
    send_operations(live.connection, gateway=market)
    assert spent(budget) == ("0.36", "0.00")
    live.collect()
    assert spent(budget) == of(live.batch) == ("0.36", "0.00")


def test_an_extension_that_fails_gives_its_money_back(
    live: Live, mina: Person, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    budget = limit("1")
    extend_answers(live.batch, by=mina.actor, answers=1, rows=[1])
    assert spent(budget) == ("0.42", "0.00")

    name = "CreateAdditionalAssignmentsForHIT"
    market.fail(name, lambda operation: refusal(operation, "InvalidHITState", "No."))
    send_operations(live.connection, gateway=market)

    assert Operation.objects.get().state == "failed"
    assert spent(budget) == of(live.batch) == ("0.36", "0.00")
    limit("0.40")
    with pytest.raises(ActionRefused, match=r"costs \$0\.06"):
        retry_failed_operations(live.batch, by=mina.actor)


def test_cancelling_frees_what_was_never_sent(
    draft: Batch, mina: Person, limit: Callable[..., Budget]
) -> None:
    budget = limit("1")
    publish_batch(draft, by=mina.actor)

    cancel_batch(draft, by=mina.actor)

    assert spent(budget) == of(draft) == ("0.00", "0.00")


def test_a_trial_reserves_its_rows_and_the_rest_later(
    draft: Batch, mina: Person, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    budget = limit("0.40")
    publish_batch(draft, by=mina.actor, first_rows=1)
    assert spent(budget) == ("0.18", "0.00")
    publish_chunk(draft, gateway=market)

    with pytest.raises(ActionRefused, match=r"costs \$0\.36 .* has \$0\.22 left"):
        publish_rest(draft, by=mina.actor)
    limit("0.54")
    publish_rest(draft, by=mina.actor)
    assert spent(budget) == of(draft) == ("0.54", "0.00")


def test_what_is_asked_for_again_is_reserved(live: Live, mina: Person, limit: Callable[..., Budget]) -> None:
    budget = limit("0.36")
    live.later(days=8)
    live.collect()

    republish(live.batch, by=mina.actor)

    assert spent(budget) == of(live.batch) == ("0.36", "0.00")


def test_a_bonus_is_committed_then_paid(
    live: Live, mina: Person, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    budget = limit("1")
    answer = live.collect_one()
    with pytest.raises(ActionRefused, match=r"costs \$0\.72 .* has \$0\.64 left"):
        send_bonus(answer, by=mina.actor, amount=Decimal("0.60"), reason="Careful")
    assert not Bonus.objects.exists()

    send_bonus(answer, by=mina.actor, amount=Decimal("0.50"), reason="Careful")
    assert spent(budget) == ("0.96", "0.00")
    assert spent(limit("1", live.batch)) == ("0.96", "0.00")
    send_bonuses(live.connection, gateway=market)

    assert Bonus.objects.get().state == "done"
    assert spent(budget) == of(live.batch) == ("0.36", "0.60")
    # Set afterwards, it counts the bonus, too.
    assert spent(limit("1", mina.user)) == ("0.36", "0.60")


def test_what_is_the_first_of_a_month_counts_in_it(
    live: Live, mina: Person, limit: Callable[..., Budget]
) -> None:
    answer = live.collect_one()
    limit("1", period=MONTH)
    clock.advance(timedelta(days=32))

    with pytest.raises(ActionRefused, match=r"costs \$1\.20 .* has \$1\.00 left"):
        send_bonus(answer, by=mina.actor, amount=Decimal("1.00"), reason="Careful")
    send_bonus(answer, by=mina.actor, amount=Decimal("0.50"), reason="Careful")

    newest = BudgetSpend.objects.latest("begins_on")
    assert newest.committed == Decimal("0.60")


def test_a_bonus_that_is_refused_costs_nothing(
    live: Live, mina: Person, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    budget = limit("1")
    send_bonus(live.collect_one(), by=mina.actor, amount=Decimal("0.50"), reason="Careful")
    market.fail("SendBonus", lambda name: refusal(name, "", "Not valid.", "ParameterValidationError"))

    send_bonuses(live.connection, gateway=market)

    assert Bonus.objects.get().state == "failed"
    assert spent(budget) == of(live.batch) == ("0.36", "0.00")


def test_overturning_a_rejection_is_reserved_anew(
    live: Live, mina: Person, no_grace: None, market: FakeMTurk, limit: Callable[..., Budget]
) -> None:
    answer = live.collect_one()
    reject_assignment(answer, by=mina.actor, feedback="Empty.")
    live.send()
    budget = limit("0.35")
    assert spent(budget) == ("0.30", "0.00")
    with pytest.raises(ActionRefused, match=r"costs \$0\.06 .* has \$0\.05 left"):
        overturn_rejection(answer, by=mina.actor)
    assert not Decision.objects.open().exists()

    limit("0.36")
    overturn_rejection(answer, by=mina.actor)
    assert spent(budget) == ("0.36", "0.00")
    undo_decision(answer, by=mina.actor)
    assert spent(budget) == ("0.30", "0.00")
    overturn_rejection(answer, by=mina.actor)
    live.send()
    assert spent(budget) == of(live.batch) == ("0.30", "0.06")
