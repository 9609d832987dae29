"""The Money page: sums, budgets as bars, a forecast; and the receipt that names the budget that stops it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from projects.actions.batches import publish_batch
from projects.actions.budgets import set_budget
from projects.models import Batch, Budget, BudgetPeriod
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.projects.pages import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(mina: Person, connection: Connection) -> Batch:
    """Three rows of three answers: 54 cents."""
    project = ProjectFactory(team=mina.team, created_by=mina.user, name="Tweets")
    return BatchFactory(project=project, connection=connection, rows=3, name="First tweets")


def text_of(person: Person, path: str = "/money/") -> str:
    answer = person.client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_an_empty_page_says_what_that_means(olive: Person) -> None:
    shown = text_of(olive)

    assert "No budget is set: whoever may publish can spend what is free." in shown
    assert "Nothing has been spent yet." in shown


def test_an_owner_sets_changes_and_removes_a_budget(olive: Person, draft: Batch) -> None:
    form = {"whose": f"project:{draft.project.public_id}", "limit": "20.00", "period": "month"}
    assert olive.client.post("/money/", form).status_code == 302
    olive.client.post("/money/", form | {"limit": "30"})

    budget = Budget.objects.get()
    assert (budget.project, budget.limit, budget.period) == (draft.project, Decimal(30), "month")
    shown = text_of(olive)
    assert "$30.00 each calendar month" in shown
    assert "$0.00 paid, $0.00 held, $30.00 free" in shown
    assert "gave Tweets each calendar month a budget of $20.00" in text_of(olive, "/activity/")

    olive.client.post(f"/money/budgets/{budget.public_id}/remove/")
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"limit": "-1"}, "“At most” must be 0 or more."),
        ({"limit": "a lot"}, "Enter a number"),
        ({"limit": "0.001"}, "“At most” takes at most 2 digits after the point."),
        ({"whose": "project:0"}, "Select a valid choice"),
        ({"period": "week"}, "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_comes_back_with_a_reason(
    olive: Person, changed: dict[str, str], said: str
) -> None:
    answer = olive.client.post("/money/", {"whose": "", "limit": "5", "period": "none"} | changed)

    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not Budget.objects.exists()


def test_another_teams_project_cannot_be_named(olive: Person, stan: Person) -> None:
    theirs = ProjectFactory(team=stan.team, created_by=stan.user)

    answer = olive.client.post(
        "/money/", {"whose": f"project:{theirs.public_id}", "limit": "5", "period": "none"}
    )

    assert answer.status_code == 400


def test_money_that_is_out_stands_under_budget_and_batch(olive: Person, mina: Person, draft: Batch) -> None:
    set_budget(olive.team, by=olive.actor, limit=Decimal("0.50"), period=BudgetPeriod.NONE, target=mina.user)
    publish_batch(draft, by=olive.actor)
    set_budget(olive.team, by=olive.actor, limit=Decimal("0.50"), period=BudgetPeriod.NONE)

    shown = text_of(mina)

    assert "First tweets" in shown
    assert '$0.00 paid, $0.54 held, <span class="pill pill-red">−$0.04</span>' in shown
    assert "Managers may not set budgets" in shown


def test_the_forecast_warns_when_the_balance_lasts_less_than_a_week(
    olive: Person, draft: Batch, connection: Connection
) -> None:
    Connection.objects.filter(pk=connection.pk).update(balance=Decimal("0.90"), balance_at=clock.now())
    publish_batch(draft, by=olive.actor)
    assert "lasts 50 d" in text_of(olive)
    assert "Add funds before you publish more" not in text_of(olive)

    Connection.objects.filter(pk=connection.pk).update(balance=Decimal("0.09"))
    assert "has $0.09 left. At the pace of the last 30 days that lasts 5 d." in text_of(olive)
    assert "Local has $0.09 left: 5 days at the pace of the last 30 days." in words(
        olive.client.get("/").content.decode()
    )

    clock.advance(timedelta(days=31))
    assert "lasts" not in text_of(olive)


def test_the_receipt_names_the_budget_and_refuses_what_does_not_fit(
    olive: Person, mina: Person, draft: Batch
) -> None:
    set_budget(olive.team, by=olive.actor, limit=Decimal("10"), period=BudgetPeriod.MONTH)
    path = f"/batches/{draft.public_id}/cost/"
    assert "$9.46 after" in text_of(mina, path)

    set_budget(olive.team, by=olive.actor, limit=Decimal("0.10"), period=BudgetPeriod.MONTH)
    shown = text_of(mina, path)
    assert "the budget of the whole team for this month has $0.10 left: $0.44 more than it allows" in shown
    assert 'aria-disabled="true"' in shown

    answer = mina.client.post(f"/batches/{draft.public_id}/publish/", {"total": "0.54"})
    draft.refresh_from_db()
    assert (answer.status_code in {400, 409}, draft.state) == (True, "draft")
