"""Rejected answers are asked for again by themselves: once each, within a cap, and only where that is wished for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.urls import reverse

from mturkhub.accounts.models import Event
from mturkhub.common.errors import ActionRefused
from projects import requeueing
from projects.actions.batches import cancel_batch, pause_batch, publish_batch, republish
from projects.actions.budgets import set_budget
from projects.actions.continuing import continue_batch
from projects.actions.requeueing import plan_requeue, set_requeue, stop_requeue
from projects.actions.reviews import overturn_rejection, reject_assignment
from projects.models import HIT, Assignment, Batch, BudgetPeriod, LedgerEntry
from projects.publishing import publish_chunk
from projects.requeueing import requeue
from projects.tasks import ask_again_for_rejected
from tests.conftest import Person
from tests.factories import BatchFactory, HITTemplateFactory
from tests.projects.live import Live
from tests.projects.pages import get, post, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_grace")]
ENOUGH: dict[str, Any] = {"most": 50, "limit": Decimal("6.00")}


@pytest.fixture
def rejected(live: Live, mina: Person) -> Live:
    """Both rows are full; of the first, two answers are rejected."""
    for row in (1, 2):
        live.submit(["AWANDA", "AXEL", "AYLA"], row=row)
    live.collect()
    reject(live, live.answers[:2], mina)
    return live


def reject(live: Live, answers: list[Assignment], by: Person) -> None:
    for answer in answers:
        reject_assignment(answer, by=by.actor, feedback="It is empty.")
    live.send()
    live.batch.refresh_from_db()


def rounds(live: Live) -> list[int]:
    """The sizes of the HITs that ask again."""
    again = HIT.objects.filter(batch=live.batch, round__gt=0).order_by("pk")
    return list(again.values_list("max_assignments", flat=True))


def create(live: Live) -> None:
    publish_chunk(live.batch, gateway=live.market)
    live.batch.refresh_from_db()


def test_it_is_off_unless_somebody_switches_it_on(rejected: Live) -> None:
    ask_again_for_rejected()

    assert requeue(rejected.batch.pk) == 0
    assert rounds(rejected) == []


def test_each_rejected_answer_is_asked_for_again_once(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)

    ask_again_for_rejected()
    ask_again_for_rejected()

    assert rounds(rejected) == [2]
    rejected.batch.refresh_from_db()
    assert (rejected.batch.state, rejected.batch.requeued) == ("publishing", 2)
    assert rejected.batch.requeued_cost == Decimal("0.12")
    further = HIT.objects.get(round=1)
    assert (further.by_id, further.by_rule) == (None, requeueing.BY.rule)
    assert set(Assignment.objects.filter(status="Rejected").values_list("asked_again_in", flat=True)) == {
        further.pk
    }
    create(rejected)
    assert len(rejected.market.hits) == 3
    entry = LedgerEntry.objects.get(reason="asked_again")
    assert (entry.amount, entry.by_rule) == (Decimal("0.12"), requeueing.BY.rule)
    event = Event.objects.get(verb="batch.requeued")
    assert (event.details["more"], event.details["total"], event.by_rule) == (2, "0.12", requeueing.BY.rule)


def test_the_replacement_is_replaced_too_when_it_is_rejected(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)
    requeue(rejected.batch.pk)
    rejected.batch.refresh_from_db()
    create(rejected)
    rejected.market.submit(str(HIT.objects.get(round=1).mturk_id), "ALATE", {"sentiment": "1"})
    rejected.collect()

    reject(rejected, [rejected.answers[-1]], mina)
    requeue(rejected.batch.pk)

    assert rounds(rejected) == [2, 1]


def test_a_rejection_mturk_has_not_confirmed_waits(live: Live, mina: Person) -> None:
    live.submit(["AWANDA", "AXEL", "AYLA"])
    live.collect()
    set_requeue(live.batch, by=mina.actor, **ENOUGH)
    reject_assignment(live.answers[0], by=mina.actor, feedback="It is empty.")

    assert requeue(live.batch.pk) == 0
    live.send()
    assert requeue(live.batch.pk) == 1


def test_an_overturned_rejection_is_not_asked_for_again(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)
    overturn_rejection(rejected.answers[0], by=mina.actor)
    assert requeue(rejected.batch.pk) == 1

    rejected.send()
    assert requeue(rejected.batch.pk) == 0
    assert rounds(rejected) == [1]


def test_overturning_after_it_was_asked_for_again_pays_both_and_says_so(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)
    requeue(rejected.batch.pk)
    answer = rejected.answers[0]
    page = get(mina, "review_batch", rejected.batch, query=f"?show=all&answer={answer.public_id}")
    assert "another answer has been asked for in its place, so both are paid" in words(page)
    before = Batch.objects.get(pk=rejected.batch.pk).committed

    overturn_rejection(answer, by=mina.actor)

    assert Batch.objects.get(pk=rejected.batch.pk).committed == before + Decimal("0.06")
    assert LedgerEntry.objects.filter(reason="overturned", kind="held").count() == 1


def test_what_was_asked_for_by_hand_is_not_asked_for_again(rejected: Live, mina: Person) -> None:
    republish(rejected.batch, by=mina.actor)
    set_requeue(Batch.objects.get(), by=mina.actor, **ENOUGH)

    assert requeue(rejected.batch.pk) == 0
    assert not Assignment.objects.not_asked_again().exists()
    # Also later, when the HIT that asked for it is over without an answer.
    rejected.batch.refresh_from_db()
    create(rejected)
    rejected.later(days=8)
    rejected.collect()
    assert requeue(rejected.batch.pk) == 0
    assert rounds(rejected) == [2]


def test_what_a_further_batch_asks_for_is_not_asked_for_again(rejected: Live, mina: Person) -> None:
    HITTemplateFactory(project=rejected.batch.project, team=rejected.batch.team)
    draft = continue_batch(rejected.batch, by=mina.actor)
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)
    assert requeue(rejected.batch.pk) == 0

    cancel_batch(draft, by=mina.actor)
    assert requeue(rejected.batch.pk) == 2


def test_it_works_in_a_batch_that_continues_another(rejected: Live, mina: Person) -> None:
    HITTemplateFactory(project=rejected.batch.project, team=rejected.batch.team)
    draft = continue_batch(rejected.batch, by=mina.actor)
    further = replace(rejected, batch=draft)
    publish_batch(draft, by=mina.actor)
    further.batch.refresh_from_db()
    create(further)
    further.submit(["AZRA", "ABEL"])
    further.collect()
    assert requeue(draft.pk) == 0
    set_requeue(draft, by=mina.actor, **ENOUGH)
    reject(further, further.answers[:1], mina)

    assert requeue(draft.pk) == 1


@pytest.mark.parametrize(
    ("cap", "asked"),
    [
        ({"most": 1, "limit": Decimal("6.00")}, 1),
        ({"most": 50, "limit": Decimal("0.11")}, 1),
        ({"most": 2, "limit": Decimal("0.12")}, 2),
    ],
)
def test_the_cap_holds_in_answers_and_in_dollars(
    rejected: Live, mina: Person, cap: dict[str, Any], asked: int
) -> None:
    set_requeue(rejected.batch, by=mina.actor, **cap)

    assert requeue(rejected.batch.pk) == asked

    rejected.batch.refresh_from_db()
    assert rejected.batch.requeued == asked
    assert bool(rejected.batch.requeue_stopped) == (asked < 2)
    if asked < 2:
        assert f"1 of at most {cap['most']} answers" in rejected.batch.requeue_stopped
        assert Event.objects.filter(verb="batch.requeue_stopped").count() == 1
        assert requeue(rejected.batch.pk) == 0
        text = words(get(mina, "batch", rejected.batch))
        assert "Asking again for rejected answers has stopped: 1 of at most" in text


def test_a_raised_cap_goes_on_where_the_old_one_stopped(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, most=1, limit=Decimal("6.00"))
    requeue(rejected.batch.pk)
    with pytest.raises(ActionRefused, match="have been asked for in this way already"):
        set_requeue(rejected.batch, by=mina.actor, most=1, limit=Decimal("6.00"))

    set_requeue(rejected.batch, by=mina.actor, most=2, limit=Decimal("6.00"))

    assert requeue(rejected.batch.pk) == 1
    assert rounds(rejected) == [1, 1]


def test_a_budget_stops_it_in_words(rejected: Live, mina: Person, olive: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)
    # Four answers are still to be decided and paid.
    set_budget(olive.team, by=olive.actor, limit=Decimal("0.30"), period=BudgetPeriod.NONE)
    ledger = LedgerEntry.objects.count()

    assert requeue(rejected.batch.pk) == 0

    rejected.batch.refresh_from_db()
    assert "the budget of the whole team has $0.06 left" in rejected.batch.requeue_stopped
    assert (rounds(rejected), LedgerEntry.objects.count()) == ([], ledger)
    assert Assignment.objects.not_asked_again().count() == 2


def test_a_balance_that_is_too_low_stops_it_in_words(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)
    rejected.connection.balance = Decimal("0.10")
    rejected.connection.save()

    assert requeue(rejected.batch.pk) == 0
    rejected.batch.refresh_from_db()
    assert "$0.02 is missing" in rejected.batch.requeue_stopped


def test_who_dies_in_the_middle_has_done_nothing(
    rejected: Live, mina: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)

    def die(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(requeueing, "record", die)
        with pytest.raises(SystemExit):
            requeue(rejected.batch.pk)
    rejected.batch.refresh_from_db()
    assert (rounds(rejected), rejected.batch.requeued) == ([], 0)

    assert requeue(rejected.batch.pk) == 2
    assert rounds(rejected) == [2]


@pytest.mark.parametrize("state", ["paused", "closing", "closed", "cancelled"])
def test_only_a_batch_at_work_asks_again(rejected: Live, mina: Person, state: str) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)
    Batch.objects.update(state=state)

    assert requeue(rejected.batch.pk) == 0
    assert rounds(rejected) == []


def test_it_can_be_switched_off(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)

    stop_requeue(rejected.batch, by=mina.actor)

    assert requeue(rejected.batch.pk) == 0
    with pytest.raises(ActionRefused, match="does not ask again"):
        stop_requeue(rejected.batch, by=mina.actor)


def test_what_it_means_is_said_before(rejected: Live, mina: Person) -> None:
    plan = plan_requeue(rejected.batch, by=mina.actor, most=50, limit=Decimal("6.00"))

    assert (plan.each, plan.whole, plan.now, plan.now_total) == (
        Decimal("0.06"),
        Decimal("3.00"),
        2,
        Decimal("0.12"),
    )


@pytest.mark.parametrize(
    ("cap", "sentence"),
    [
        ({"most": 0, "limit": Decimal("6.00")}, "1 to 1,000,000 answers; this says 0"),
        ({"most": 5, "limit": Decimal("0.05")}, r"One answer costs \$0.06 with the fee"),
        ({"most": 5, "limit": Decimal("0.065")}, "whole cents"),
        ({"most": 5, "limit": Decimal("NaN")}, "this says NaN"),
    ],
)
def test_a_cap_that_makes_no_sense_is_refused(
    rejected: Live, mina: Person, cap: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ActionRefused, match=sentence):
        set_requeue(rejected.batch, by=mina.actor, **cap)
    assert not Event.objects.filter(verb="batch.requeue_set").exists()


@pytest.mark.parametrize("who", ["ravi", "vera", "stan"])
def test_who_may_not_publish_switches_nothing_on(
    rejected: Live, who: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(who).actor

    for act in (
        lambda: set_requeue(rejected.batch, by=by, **ENOUGH),
        lambda: stop_requeue(rejected.batch, by=by),
    ):
        with pytest.raises(ActionRefused) as refused:
            act()
        assert refused.value.status == 403


# Pages --------------------------------------------------------------------------------------------


def test_the_page_says_the_price_and_switches_it_on_and_off(rejected: Live, mina: Person) -> None:
    assert "Ask again by itself…" in words(get(mina, "batch", rejected.batch))
    text = words(get(mina, "requeue", rejected.batch, query="?most=50&limit=6.00"))
    assert "2 for $0.12" in text
    assert "Ask again for up to $3.00" in text

    post(mina, "requeue", rejected.batch, {"most": "50", "limit": "6.00", "total": "3.00"})
    requeue(rejected.batch.pk)

    page = words(get(mina, "batch", rejected.batch))
    assert "2 of at most 50 so far, $0.12 of at most $6.00" in page
    activity = words(get(mina, "batch_activity", rejected.batch))
    assert "asked again for 2 answers that had been rejected, for $0.12" in activity
    assert "at most 50 answers for $6.00" in activity
    post(mina, "requeue", rejected.batch, {"off": "1"})
    rejected.batch.refresh_from_db()
    assert rejected.batch.requeue_most is None


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?most=0&limit=6", "Allow at least one answer."),
        ("?most=5&limit=", "This field is required."),
        ("?most=5&limit=0.05", "One answer costs $0.06 with the fee"),
    ],
)
def test_a_cap_that_makes_no_sense_is_named_on_the_page(
    rejected: Live, mina: Person, query: str, sentence: str
) -> None:
    response = mina.client.get(reverse("projects:requeue", args=[rejected.batch.public_id]) + query)

    assert response.status_code == 400
    assert sentence in words(response.content.decode())


def test_on_production_it_is_ticked(rejected: Live, mina: Person) -> None:
    rejected.connection.environment = "production"
    rejected.connection.save()
    form = {"most": "50", "limit": "6.00", "total": "3.00"}

    assert "Spend up to $3.00 on Production" in words(
        get(mina, "requeue", rejected.batch, query="?most=50&limit=6.00")
    )
    assert post(mina, "requeue", rejected.batch, form).status_code == 400
    assert not Batch.objects.requeueing().exists()
    post(mina, "requeue", rejected.batch, {**form, "sure": "1"})
    assert Batch.objects.requeueing().exists()


def test_it_is_set_with_publishing(live: Live, mina: Person) -> None:
    draft = BatchFactory(project=live.batch.project, connection=live.connection, rows=1)
    form = {
        "name": "First",
        "connection": draft.connection_id,
        "reward": "0.05",
        "max_assignments": "3",
        "assignment_duration_0": "1",
        "assignment_duration_1": "hours",
        "lifetime_0": "7",
        "lifetime_1": "days",
        "auto_approval_delay_0": "3",
        "auto_approval_delay_1": "days",
        "requeue_most": "10",
        "requeue_limit": "0.60",
    }
    shown = words(post(mina, "cost", draft, form, htmx=True).content.decode())
    assert "at most 10 answers, held when they are asked for up to $0.60" in shown
    half = post(mina, "publish_batch", draft, {**form, "requeue_limit": "", "total": "0.18"})
    assert half.status_code == 400
    assert "state both" in words(half.content.decode())

    post(mina, "publish_batch", draft, {**form, "total": "0.18"})

    draft.refresh_from_db()
    assert (draft.state, draft.requeue_most, draft.requeue_limit) == ("publishing", 10, Decimal("0.60"))


def test_a_paused_batch_goes_on_asking_when_it_is_resumed(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)
    Batch.objects.update(state="publishing")
    pause_batch(rejected.batch, by=mina.actor)
    assert requeue(rejected.batch.pk) == 0
    Batch.objects.update(state="live")

    assert requeue(rejected.batch.pk) == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_ask_once(rejected: Live, mina: Person) -> None:
    set_requeue(rejected.batch, by=mina.actor, **ENOUGH)

    def ask(_: int) -> int:
        try:
            return requeue(rejected.batch.pk)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(ask, range(4)))

    assert sorted(asked) == [0, 0, 0, 2]
    assert rounds(rejected) == [2]
