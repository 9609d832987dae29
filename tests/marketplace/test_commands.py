import io
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from marketplace import clock
from marketplace.models import Assignment, Balance, Qualification, QualificationRequest, Requester
from tests.marketplace.conftest import Market, mturk_client
from tests.marketplace.forms import TEST_KEY
from tests.marketplace.test_qualification_types import TESTED, make


def run(*command: str, **options: Any) -> list[str]:
    output = io.StringIO()
    call_command(*command, stdout=output, **options)
    return output.getvalue().split("\n")[:-1]


@pytest.fixture
def first_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETPLACE_ACCESS_KEY_ID", "AKIAFIRST")
    monkeypatch.setenv("MARKETPLACE_SECRET_ACCESS_KEY", "first secret")


def test_the_first_requester_is_made_once_and_given_its_balance_once(db: None, first_keys: None) -> None:
    assert run("ensure_first_requester") == ["AKIAFIRST"]
    assert run("ensure_first_requester") == ["AKIAFIRST"]

    assert Requester.objects.count() == 1
    balance = mturk_client("AKIAFIRST", "first secret").get_account_balance()
    assert balance["AvailableBalance"] == "10000.00"


def test_a_changed_secret_takes_the_place_of_the_old_one(
    db: None, first_keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ensure_first_requester")
    monkeypatch.setenv("MARKETPLACE_SECRET_ACCESS_KEY", "second secret")

    run("ensure_first_requester")

    assert mturk_client("AKIAFIRST", "second secret").get_account_balance()


def test_without_keys_a_pair_is_made_and_kept(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETPLACE_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("MARKETPLACE_SECRET_ACCESS_KEY", raising=False)

    key_id, secret = run("ensure_first_requester")

    assert run("ensure_first_requester") == [key_id, secret]
    assert mturk_client(key_id, secret).get_account_balance()


def test_half_a_key_pair_is_refused(db: None, first_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETPLACE_SECRET_ACCESS_KEY")

    with pytest.raises(CommandError, match="Set both"):
        run("ensure_first_requester")


def test_a_further_requester_has_keys_and_money_of_its_own(market: Market) -> None:
    key_id, secret = run("add_requester", "Newsroom")

    assert mturk_client(key_id, secret).get_account_balance()["AvailableBalance"] == "10000.00"
    with pytest.raises(CommandError, match="already"):
        run("add_requester", "Newsroom")


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_deposit_goes_to_the_requester_named(market: Market, by: str) -> None:
    who = market.requester.name if by == "name" else market.requester.mturk_id

    assert run("deposit", who, "12.34") == ["Lab has 10012.34 available and 0.00 on hold."]


@pytest.mark.parametrize("amount", ["0", "-5", "1.234", "money", "NaN", "1e30"])
def test_a_deposit_must_be_an_amount(market: Market, amount: str) -> None:
    with pytest.raises(CommandError):
        run("deposit", "--", "Lab", amount)
    assert Balance.objects.get().available == Decimal(10_000)


def test_a_deposit_to_nobody_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="Nobody"):
        run("deposit", "Nobody", "5")


def test_tick_does_what_time_does(market: Market) -> None:
    market.submit(market.create_hit())
    market.wait(hours=2)

    assert run("tick") == ["1"]
    assert Assignment.objects.get().state == "approved"


def test_a_test_worker_acts_from_the_command_line(market: Market) -> None:
    hit = market.create_hit()

    (first,) = run("worker_act", "accept", hit.mturk_id, "ATEST1")
    run("worker_act", "return", hit.mturk_id, "ATEST1")
    (second,) = run("worker_act", "accept", hit.mturk_id, "ATEST1")
    run("worker_act", "submit", hit.mturk_id, "ATEST1", '{"colour": "red"}')

    assert {each.mturk_id: each.state for each in Assignment.objects.all()} == {
        first: "returned",
        second: "submitted",
    }


def test_a_worker_is_told_why_not(market: Market) -> None:
    hit = market.create_hit().mturk_id
    run("worker_act", "accept", hit, "ATEST1")

    with pytest.raises(CommandError, match="none_left: There are no HITs left here"):
        run("worker_act", "accept", hit, "ATEST2")
    with pytest.raises(CommandError, match="does not hold"):
        run("worker_act", "submit", hit, "ATEST2", '{"colour": "red"}')
    with pytest.raises(CommandError, match="There is no HIT"):
        run("worker_act", "accept", "3NONE", "ATEST2")


@pytest.mark.parametrize("fields", ["red", "[]", '{"colour": 5}'])
def test_fields_must_be_an_object_of_texts(market: Market, fields: str) -> None:
    hit = market.create_hit().mturk_id
    run("worker_act", "accept", hit, "ATEST1")

    with pytest.raises(CommandError, match="FIELDS"):
        run("worker_act", "submit", hit, "ATEST1", fields)


def test_nobody_acts_as_a_real_worker(market: Market) -> None:
    hit, worker = market.create_hit(), market.worker()

    with pytest.raises(CommandError, match="no test Worker"):
        run("worker_act", "accept", hit.mturk_id, worker.mturk_id)


def test_test_workers_can_be_switched_off(market: Market, settings: Settings) -> None:
    settings.TEST_WORKERS = False

    with pytest.raises(CommandError, match="switched off"):
        run("worker_act", "accept", market.create_hit().mturk_id, "ATEST1")


def test_the_clock_moves_only_where_it_may(db: None, settings: Settings) -> None:
    before = clock.now()
    run("advance_clock", "3600")
    assert (clock.now() - before).total_seconds() == pytest.approx(3600, abs=60)

    settings.TEST_CLOCK = False
    assert (clock.now() - before).total_seconds() == pytest.approx(0, abs=60)
    with pytest.raises(CommandError):
        run("advance_clock", "3600")
    with pytest.raises(ImproperlyConfigured):
        clock.advance(clock.now() - before)


# Qualifications


def test_a_test_worker_asks_and_takes_a_test(market: Market) -> None:
    plain, tested = make(market), make(market, Name="Tested", **TESTED, AnswerKey=TEST_KEY)

    [request] = run("worker_ask", plain["QualificationTypeId"], "ATESTOLIVE")
    run("worker_ask", tested["QualificationTypeId"], "ATESTOLIVE", '{"sky": ["blue"], "grass": ["blue"]}')

    assert QualificationRequest.objects.get(mturk_id=request).state == "pending"
    assert Qualification.objects.get().value == 50
    with pytest.raises(CommandError, match="pending: You have asked"):
        run("worker_ask", plain["QualificationTypeId"], "ATESTOLIVE")
    with pytest.raises(CommandError, match="JSON object"):
        run("worker_ask", plain["QualificationTypeId"], "ATESTOLIVE", '{"sky": [1]}')


def test_what_the_market_knows_of_a_worker_is_said(market: Market) -> None:
    worker = market.worker()

    run("edit_worker", worker.mturk_id, "--country", "US", "--subdivision", "WA", "--adult", "--master")
    run("edit_worker", worker.mturk_id, "--no-adult")

    worker.refresh_from_db()
    assert (worker.country, worker.subdivision, worker.is_adult, worker.is_master) == (
        "US",
        "WA",
        False,
        True,
    )
    for wrong in (["--country", "DE"], ["--country", "XX", "--subdivision", ""], ["--subdivision", "BY"]):
        with pytest.raises(CommandError, match="is no"):
            run("edit_worker", worker.mturk_id, *wrong)
    with pytest.raises(CommandError, match="no Worker"):
        run("edit_worker", "ANOBODY")
