"""Giving and taking Qualifications through the API, and what Workers ask for."""

from typing import Any

import pytest
from lxml import etree

from marketplace import granting, lifecycle
from marketplace.answers import FormAnswer
from marketplace.models import Qualification, QualificationRequest, Worker
from tests.marketplace.conftest import Market
from tests.marketplace.forms import TEST, TEST_KEY
from tests.marketplace.refusals import refused
from tests.marketplace.test_qualification_types import TESTED, make, update
from tests.marketplace.test_working import code_of

RIGHT = [FormAnswer("sky", ("blue",)), FormAnswer("grass", ("green",))]
HALF = [FormAnswer("sky", ("blue",)), FormAnswer("grass", ("blue",))]


def give(market: Market, kind: dict[str, Any], worker: Worker, **members: Any) -> None:
    market.mturk.associate_qualification_with_worker(
        QualificationTypeId=kind["QualificationTypeId"], WorkerId=worker.mturk_id, **members
    )


def take(market: Market, kind: dict[str, Any], worker: Worker, **members: Any) -> None:
    market.mturk.disassociate_qualification_from_worker(
        QualificationTypeId=kind["QualificationTypeId"], WorkerId=worker.mturk_id, **members
    )


def score(market: Market, kind: dict[str, Any], worker: Worker) -> dict[str, Any]:
    return dict(
        market.mturk.get_qualification_score(
            QualificationTypeId=kind["QualificationTypeId"], WorkerId=worker.mturk_id
        )["Qualification"]
    )


def ask(kind: dict[str, Any], worker: Worker) -> QualificationRequest:
    return granting.ask(kind["QualificationTypeId"], worker)


def requests(market: Market, **members: Any) -> list[dict[str, Any]]:
    return list(market.mturk.list_qualification_requests(**members)["QualificationRequests"])  # type: ignore[arg-type]


# Giving and taking


def test_a_qualification_is_given_with_1_where_no_value_is_named(market: Market) -> None:
    kind, worker = make(market), market.worker()

    give(market, kind, worker)

    held = score(market, kind, worker)
    assert held.keys() == {"QualificationTypeId", "WorkerId", "GrantTime", "IntegerValue", "Status"}
    assert (held["WorkerId"], held["IntegerValue"], held["Status"]) == (worker.mturk_id, 1, "Granted")


def test_a_worker_is_told_what_was_given_and_taken_unless_the_requester_says_no(market: Market) -> None:
    kind, told, spared = make(market), market.worker(), market.worker()

    give(market, kind, told, IntegerValue=80)
    give(market, kind, spared, SendNotification=False)
    take(market, kind, told, Reason="You have learnt it.")

    first, second = told.messages.order_by("pk")
    assert kind["Name"] in first.subject
    assert "80" in first.text
    assert (kind["Name"] in second.subject, second.text) == (True, "You have learnt it.")
    assert not spared.messages.exists()


def test_giving_again_replaces_the_value_and_renews_the_time(market: Market) -> None:
    kind, worker = make(market), market.worker()
    give(market, kind, worker, IntegerValue=5, SendNotification=False)
    first = score(market, kind, worker)
    market.wait(hours=1)

    give(market, kind, worker, IntegerValue=-5)

    again = score(market, kind, worker)
    assert again["IntegerValue"] == -5
    assert again["GrantTime"] > first["GrantTime"]
    assert Qualification.objects.count() == 1


def test_what_was_taken_back_can_be_given_again(market: Market) -> None:
    kind, worker = make(market), market.worker()
    give(market, kind, worker)
    take(market, kind, worker, Reason="Two labels were guesses")

    assert worker.qualifications.get().revoke_reason == "Two labels were guesses"
    for act in (lambda: score(market, kind, worker), lambda: take(market, kind, worker)):
        with refused() as refusal:
            act()
        assert refusal.code == "InvalidQualificationState"
        assert refusal.message.endswith("This operation can be called with a status of: Granted")
    give(market, kind, worker)
    assert score(market, kind, worker)["Status"] == "Granted"
    assert worker.qualifications.get().revoke_reason == ""


def test_nobody_can_be_asked_about_what_they_never_had(market: Market) -> None:
    kind, worker = make(market), market.worker()

    for act in (lambda: score(market, kind, worker), lambda: take(market, kind, worker)):
        with refused() as refusal:
            act()
        assert refusal.code == "QualificationDoesNotExist"


def test_a_worker_who_is_not_there_is_given_nothing(market: Market) -> None:
    kind = make(market)

    with refused() as refusal:
        give(market, kind, Worker(mturk_id="ANOBODY"))
    assert refusal.kind == "ParameterValidationError"
    assert refusal.message == 'The value "ANOBODY" is not valid for the parameter WorkerId.'


def test_holders_are_listed_by_status_and_pages_stay_while_more_come(market: Market) -> None:
    kind = make(market)
    workers = [market.worker() for _ in range(5)]
    for worker in workers[:4]:
        give(market, kind, worker)
    take(market, kind, workers[1])
    asked = {"QualificationTypeId": kind["QualificationTypeId"]}

    first = market.mturk.list_workers_with_qualification_type(**asked, MaxResults=2)
    give(market, kind, workers[4])
    give(market, kind, workers[0], IntegerValue=7)
    second = market.mturk.list_workers_with_qualification_type(
        **asked, MaxResults=2, NextToken=first["NextToken"]
    )

    listed = [each["WorkerId"] for page in (first, second) for each in page["Qualifications"]]
    assert listed == [workers[number].mturk_id for number in (0, 2, 3, 4)]
    revoked = market.mturk.list_workers_with_qualification_type(**asked, Status="Revoked")
    assert [each["WorkerId"] for each in revoked["Qualifications"]] == [workers[1].mturk_id]
    with refused() as refusal:
        market.mturk.list_workers_with_qualification_type(
            **asked, Status="Revoked", NextToken=first["NextToken"]
        )
    assert "NextToken" in refusal.message


# Asking


def test_an_auto_granted_type_is_given_to_whoever_asks(market: Market) -> None:
    kind, worker = make(market, AutoGranted=True, AutoGrantedValue=3), market.worker()

    request = ask(kind, worker)

    assert (request.state, score(market, kind, worker)["IntegerValue"]) == ("granted", 3)
    assert requests(market) == []
    assert code_of(lambda: ask(kind, worker)) == "held"


def test_without_a_test_a_request_waits_for_the_requester(market: Market) -> None:
    kind, worker = make(market), market.worker()

    request = ask(kind, worker)

    [listed] = requests(market)
    assert listed.keys() == {"QualificationRequestId", "QualificationTypeId", "WorkerId", "SubmitTime"}
    assert (listed["QualificationRequestId"], listed["WorkerId"]) == (request.mturk_id, worker.mturk_id)
    assert code_of(lambda: ask(kind, worker)) == "pending"


@pytest.mark.parametrize(("members", "value"), [({"IntegerValue": 80}, 80), ({}, None)])
def test_a_request_is_accepted_with_a_value_or_without(
    market: Market, members: dict[str, Any], value: int | None
) -> None:
    kind, worker = make(market), market.worker()
    request = ask(kind, worker)

    market.mturk.accept_qualification_request(QualificationRequestId=request.mturk_id, **members)

    assert score(market, kind, worker).get("IntegerValue") == value
    assert requests(market) == []


def test_accepting_overwrites_what_was_given_meanwhile_and_giving_leaves_the_request(market: Market) -> None:
    kind, worker = make(market), market.worker()
    request = ask(kind, worker)
    give(market, kind, worker, IntegerValue=1)
    assert len(requests(market)) == 1

    market.mturk.accept_qualification_request(QualificationRequestId=request.mturk_id, IntegerValue=2)

    assert score(market, kind, worker)["IntegerValue"] == 2


def test_a_rejected_request_leaves_what_the_worker_holds_and_tells_the_reason(market: Market) -> None:
    kind, worker = make(market), market.worker()
    give(market, kind, worker, IntegerValue=4)
    request = ask(kind, worker)

    market.mturk.reject_qualification_request(QualificationRequestId=request.mturk_id, Reason="Not yet")

    request.refresh_from_db()
    assert (request.state, request.reason) == ("rejected", "Not yet")
    assert score(market, kind, worker)["IntegerValue"] == 4


def test_a_request_is_decided_once_and_by_its_requester(market: Market, make_market: Any) -> None:
    request = ask(make(market), market.worker())
    decide = {"QualificationRequestId": request.mturk_id}

    for operation in ("accept_qualification_request", "reject_qualification_request"):
        with refused() as refusal:
            getattr(make_market("Newsroom").mturk, operation)(**decide)
        assert refusal.code == "PermissionDeniedException"
        with refused() as refusal:
            getattr(market.mturk, operation)(QualificationRequestId="no such")
        assert refusal.code == "QualificationRequestDoesNotExist"
    market.mturk.reject_qualification_request(**decide)
    for operation in ("accept_qualification_request", "reject_qualification_request"):
        with refused() as refusal:
            getattr(market.mturk, operation)(**decide)
        assert refusal.code == "InvalidQualificationRequestState"


def test_requests_are_listed_for_one_type_or_for_all_of_ones_own(market: Market, make_market: Any) -> None:
    others = make_market("Newsroom")
    first, second, theirs = make(market), make(market, Name="Other"), make(others)
    for kind in (first, second, theirs):
        for _ in range(2):
            ask(kind, market.worker())

    of_first = requests(market, QualificationTypeId=first["QualificationTypeId"])
    pages = list(market.mturk.get_paginator("list_qualification_requests").paginate(MaxResults=3))

    assert {each["QualificationTypeId"] for each in of_first} == {first["QualificationTypeId"]}
    listed = [each["QualificationRequestId"] for page in pages for each in page["QualificationRequests"]]
    assert len(listed) == len(set(listed)) == 4
    assert pages[-1]["NumResults"] == 0


@pytest.mark.parametrize("why", ["inactive", "deleted", "unknown"])
def test_what_is_not_there_cannot_be_asked_for(market: Market, why: str) -> None:
    kind = make(market)
    if why == "inactive":
        update(market, kind, QualificationTypeStatus="Inactive")
    if why == "deleted":
        market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])
    if why == "unknown":
        kind = {"QualificationTypeId": "3NONE"}

    assert code_of(lambda: ask(kind, market.worker())) == "not_requestable"


def test_deleting_a_type_rejects_the_requests_that_wait(market: Market) -> None:
    kind = make(market)
    request = ask(kind, market.worker())

    market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])

    request.refresh_from_db()
    assert request.state == "rejected"
    assert requests(market) == []


# Asking again


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_without_a_retry_delay_a_worker_asks_once_ever(market: Market, decision: str) -> None:
    kind, worker = make(market), market.worker()
    request = ask(kind, worker)
    decide = getattr(market.mturk, f"{decision}_qualification_request")
    decide(QualificationRequestId=request.mturk_id)
    market.wait(days=900)

    assert code_of(lambda: ask(kind, worker)) == "once"
    update(market, kind, RetryDelayInSeconds=0)
    assert ask(kind, worker).state == "pending"


def test_the_retry_delay_counts_from_the_last_request(market: Market) -> None:
    kind, worker = make(market, RetryDelayInSeconds=3600), market.worker()
    request = ask(kind, worker)
    market.wait(minutes=50)
    market.mturk.reject_qualification_request(QualificationRequestId=request.mturk_id)

    market.wait(minutes=9)
    assert code_of(lambda: ask(kind, worker)) == "too_soon"
    market.wait(minutes=1)
    assert ask(kind, worker).state == "pending"


# Tests


def test_a_test_with_a_key_is_scored_and_granted_at_once(market: Market) -> None:
    kind, worker = make(market, **TESTED, AnswerKey=TEST_KEY), market.worker()

    request = ask(kind, worker)
    assert (request.state, requests(market)) == ("testing", [])
    granting.submit_test(request.mturk_id, worker, HALF)

    assert score(market, kind, worker)["IntegerValue"] == 50
    assert requests(market) == []
    request.refresh_from_db()
    assert (request.state, request.value) == ("granted", 50)


def test_a_failing_score_is_granted_all_the_same_and_can_be_improved(market: Market) -> None:
    kind = make(market, **TESTED, AnswerKey=TEST_KEY, RetryDelayInSeconds=0)
    worker = market.worker()

    granting.submit_test(ask(kind, worker).mturk_id, worker, [FormAnswer("sky"), FormAnswer("grass")])
    assert score(market, kind, worker)["IntegerValue"] == 0
    granting.submit_test(ask(kind, worker).mturk_id, worker, RIGHT)

    assert score(market, kind, worker)["IntegerValue"] == 100


def test_a_test_without_a_key_goes_to_the_requester_with_its_answers(market: Market) -> None:
    kind, worker = make(market, **TESTED), market.worker()
    request = ask(kind, worker)
    update(market, kind, Test=TEST.replace("Well?", "And?"), TestDurationInSeconds=60)

    granting.submit_test(request.mturk_id, worker, RIGHT)

    [listed] = requests(market)
    # As this Worker got it.
    assert listed["Test"] == TEST
    root = etree.fromstring(listed["Answer"].encode())
    assert [[part.text for part in answer] for answer in root] == [["sky", "blue"], ["grass", "green"]]
    assert root[0][1].tag.endswith("}SelectionIdentifier")
    market.mturk.accept_qualification_request(QualificationRequestId=request.mturk_id, IntegerValue=9)
    assert score(market, kind, worker)["IntegerValue"] == 9


def test_asking_again_while_the_test_runs_goes_on_with_it(market: Market) -> None:
    kind, worker = make(market, **TESTED), market.worker()
    first = ask(kind, worker)
    market.wait(minutes=5)

    again = ask(kind, worker)

    assert (again.pk, again.deadline_at) == (first.pk, first.deadline_at)
    with refused() as refusal:
        market.mturk.accept_qualification_request(QualificationRequestId=first.mturk_id)
    assert refusal.code == "QualificationRequestDoesNotExist"


def test_a_test_is_submitted_in_time_or_not_at_all(market: Market) -> None:
    kind = make(market, **TESTED, AnswerKey=TEST_KEY, RetryDelayInSeconds=900)
    worker = market.worker()
    request = ask(kind, worker)
    market.wait(minutes=10)

    assert code_of(lambda: granting.submit_test(request.mturk_id, worker, RIGHT)) == "too_late"
    assert not Qualification.objects.exists()
    # The attempt counts, and the wait with it.
    assert code_of(lambda: ask(kind, worker)) == "too_soon"
    market.wait(minutes=5)
    assert ask(kind, worker).pk != request.pk
    request.refresh_from_db()
    assert request.state == "lapsed"


def test_a_test_is_submitted_once_and_by_its_worker(market: Market) -> None:
    kind, worker = make(market, **TESTED, AnswerKey=TEST_KEY), market.worker()
    request = ask(kind, worker)

    def submit(who: Worker) -> Any:
        return lambda: granting.submit_test(request.mturk_id, who, RIGHT)

    assert code_of(submit(market.worker())) == "no_such_request"
    submit(worker)()
    assert code_of(submit(worker)) == "submitted"


def test_a_test_whose_type_is_deleted_meanwhile_is_withdrawn(market: Market) -> None:
    kind, worker = make(market, **TESTED, AnswerKey=TEST_KEY), market.worker()
    request = ask(kind, worker)
    market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])

    assert code_of(lambda: granting.submit_test(request.mturk_id, worker, RIGHT)) == "withdrawn"
    assert not Qualification.objects.exists()


def test_asking_leaves_the_hits_a_worker_holds_alone(market: Market) -> None:
    kind, worker = make(market), market.worker()
    held = market.accept(market.create_hit(), worker)
    ask(kind, worker)

    assert lifecycle.submit_assignment(held.mturk_id, [("a", "b")]).state == "submitted"
