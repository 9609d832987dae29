"""A bonus is sent from the answer it is for, at the price on the button; it stands beside the answer afterwards."""

import json

import pytest
from django.urls import reverse

from projects.exporting import results_jsonl
from projects.models import Assignment, Bonus
from projects.paying import send_bonuses
from projects.results_table import results_csv
from tests.conftest import Person
from tests.factories import BonusFactory
from tests.fakes.mturk import insufficient_funds
from tests.projects.live import Live
from tests.projects.pages import HOSTILE, get, is_shown_as_text, post, words

pytestmark = pytest.mark.django_db
ASKED = {"amount": "0.50", "reason": "Careful work"}


@pytest.fixture
def answer(live: Live) -> Assignment:
    return live.collect_one()


def pay(live: Live) -> None:
    send_bonuses(live.connection, gateway=live.market)


def test_the_price_is_shown_first_and_then_sent(live: Live, mina: Person, answer: Assignment) -> None:
    shown = words(post(mina, "bonus", answer, ASKED).content.decode())
    assert "Fee $0.10" in shown
    assert "Send the bonus for $0.60" in shown
    assert not Bonus.objects.exists()

    response = post(mina, "bonus", answer, {**ASKED, "total": "0.60"})

    page = words(mina.client.get(response.url).content.decode())
    assert "$0.50 Paying… Careful work" in page
    pay(live)
    assert "$0.50 Paid Careful work" in words(mina.client.get(response.url).content.decode())
    assert "+ $0.50 bonus" in words(get(mina, "row", live.batch, 1))
    assert "Paid $0.60 0 approved; bonuses $0.60" in words(get(mina, "batch", live.batch))
    told = words(get(mina, "batch_activity", live.batch))
    assert "sent a bonus of $0.50, $0.60 with the fee: Careful work" in told


def test_another_amount_than_the_button_named_is_not_sent(mina: Person, answer: Assignment) -> None:
    shown = words(post(mina, "bonus", answer, {**ASKED, "amount": "5.00", "total": "0.60"}).content.decode())

    assert "Send the bonus for $6.00" in shown
    assert not Bonus.objects.exists()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"amount": "0.50", "reason": " "}, "A bonus needs a reason"),
        ({"amount": "0", "reason": "Good"}, "The least a bonus can be is $0.01."),
        ({"amount": "x", "reason": "Good"}, "Write an amount in dollars"),
    ],
)
def test_what_cannot_be_sent_is_said_and_what_was_typed_is_kept(
    mina: Person, answer: Assignment, data: dict[str, str], sentence: str
) -> None:
    response = post(mina, "bonus", answer, data)

    assert response.status_code == 400
    assert sentence in words(response.content.decode())


def test_the_same_again_is_warned_of(live: Live, mina: Person, answer: Assignment) -> None:
    post(mina, "bonus", answer, {**ASKED, "total": "0.60"})
    refused = post(mina, "bonus", answer, {**ASKED, "total": "0.60"})
    assert "The same bonus is on its way already" in words(refused.content.decode())
    pay(live)

    shown = words(post(mina, "bonus", answer, ASKED).content.decode())

    assert "Sending it pays a second one." in shown


def test_a_refused_one_says_why_and_is_tried_again(live: Live, mina: Person, answer: Assignment) -> None:
    live.market.fail("SendBonus", insufficient_funds)
    response = post(mina, "bonus", answer, {**ASKED, "total": "0.60"})
    pay(live)
    assert "Not paid" in words(mina.client.get(response.url).content.decode())

    post(mina, "retry_bonus", Bonus.objects.get())
    pay(live)

    assert "Paid Careful work" in words(mina.client.get(response.url).content.decode())


def test_a_reviewer_sees_why_not(ravi: Person, answer: Assignment) -> None:
    url = reverse("projects:review_batch", args=[answer.batch.public_id])
    html = ravi.client.get(url).content.decode()

    assert "Reviewers may not send bonuses" in html
    assert reverse("projects:bonus", args=[answer.public_id]) not in html


@pytest.mark.parametrize("value", HOSTILE)
def test_a_reason_is_text(mina: Person, answer: Assignment, value: str) -> None:
    BonusFactory(assignment=answer, reason=value, outcome=value)

    assert is_shown_as_text(value, get(mina, "bonus", answer))


def test_downloads_carry_paid_bonuses_where_it_breaks_nothing(
    live: Live, mina: Person, answer: Assignment
) -> None:
    before = b"".join(results_csv(live.batch, by=mina.actor))
    BonusFactory(assignment=answer, state="done")
    BonusFactory(assignment=answer, state="failed")

    [line] = results_jsonl(live.batch, by=mina.actor)

    assert json.loads(line)["bonuses"] == [{"amount": "0.50", "reason": "Careful work"}]
    assert b"".join(results_csv(live.batch, by=mina.actor)) == before
