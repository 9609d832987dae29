"""Making, changing, finding and deleting qualification types through the API."""

from collections.abc import Callable
from typing import Any

import pytest

from marketplace import clockwork
from marketplace.models import QualificationType
from marketplace.system_types import SYSTEM_TYPES
from tests.marketplace.conftest import TYPE, Market
from tests.marketplace.forms import TEST, TEST_KEY, answer_key, form, free_text, question
from tests.marketplace.refusals import refused

KIND = {"Name": "Colours", "Description": "Who sees them", "QualificationTypeStatus": "Active"}
TESTED = {"Test": TEST, "TestDurationInSeconds": 600}


def make(market: Market, **members: Any) -> dict[str, Any]:
    given = {name: value for name, value in (KIND | members).items() if value is not None}
    return dict(market.mturk.create_qualification_type(**given)["QualificationType"])


def update(market: Market, kind: dict[str, Any], **members: Any) -> dict[str, Any]:
    type_id = kind["QualificationTypeId"]
    return dict(
        market.mturk.update_qualification_type(QualificationTypeId=type_id, **members)["QualificationType"]
    )


def require(kind: dict[str, Any], **more: Any) -> dict[str, Any]:
    requirement = {"QualificationTypeId": kind["QualificationTypeId"], "Comparator": "Exists"} | more
    return {"QualificationRequirements": [requirement]}


# Making


def test_a_plain_type_comes_back_as_mturk_shows_one(market: Market) -> None:
    kind = make(market)

    assert kind.keys() == {
        *("QualificationTypeId", "CreationTime", "Name", "Description", "QualificationTypeStatus"),
        *("IsRequestable", "AutoGranted"),
    }
    assert (kind["IsRequestable"], kind["AutoGranted"]) == (True, False)
    assert len(kind["QualificationTypeId"]) == 30
    assert market.mturk.get_qualification_type(QualificationTypeId=kind["QualificationTypeId"])[
        "QualificationType"
    ] == kind  # fmt: skip


def test_everything_a_type_can_have_comes_back(market: Market) -> None:
    given = KIND | TESTED | {"AnswerKey": TEST_KEY, "Keywords": "a, b", "RetryDelayInSeconds": 0}

    kind = make(market, **given)

    assert {name: kind[name] for name in given} == given


@pytest.mark.parametrize(
    ("members", "value"),
    [
        ({"AutoGranted": True}, 1),
        ({"AutoGranted": True, "AutoGrantedValue": -7}, -7),
        # a value that nothing uses
        ({"AutoGrantedValue": 5}, None),
        ({"AutoGranted": False, "AutoGrantedValue": 5}, None),
    ],
)
def test_auto_granted_types_have_a_value(market: Market, members: dict[str, Any], value: int | None) -> None:
    kind = make(market, **members)

    assert (kind["AutoGranted"], kind.get("AutoGrantedValue")) == (value is not None, value)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"Name": "x" * 201}, "Name"),
        ({"Name": ""}, "Name"),
        ({"Name": None}, "Name is missing"),
        ({"Description": "x" * 2001}, "Description"),
        ({"Keywords": "x" * 1001}, "Keywords"),
        ({"QualificationTypeStatus": "Disposing"}, '"Disposing"'),
        ({"RetryDelayInSeconds": -1}, "RetryDelayInSeconds"),
        ({"RetryDelayInSeconds": 2**40}, "RetryDelayInSeconds"),
        (TESTED | {"TestDurationInSeconds": 0}, "TestDurationInSeconds"),
        ({"Test": TEST}, "needs TestDurationInSeconds"),
        ({"TestDurationInSeconds": 60}, "belongs to a Test"),
        ({"AnswerKey": TEST_KEY}, "belongs to a Test"),
        (TESTED | {"AutoGranted": True}, "cannot be AutoGranted"),
        (TESTED | {"Test": "<p/>"}, "must be QuestionForm"),
        (TESTED | {"Test": "no XML"}, "parsing the XML of the Test"),
        (TESTED | {"Test": form("<Overview><Text>" + "x" * 65_535 + "</Text></Overview>")}, "65535"),
        (TESTED | {"AnswerKey": "<AnswerKey/>"}, "namespace of AnswerKey"),
        (TESTED | {"AnswerKey": answer_key({"sea": [("blue", 1)]})}, "“sea”"),
        (TESTED | {"Test": form(question("sky", free_text())), "AnswerKey": TEST_KEY}, "which the Test has not"),
    ],
)  # fmt: skip
def test_a_type_that_makes_no_sense_is_refused_in_words(
    market: Market, members: dict[str, Any], says: str
) -> None:
    with refused() as refusal:
        make(market, **members)

    assert (refusal.kind, refusal.code) == ("ParameterValidationError", "")
    assert says in refusal.message
    assert not QualificationType.objects.exists()


def test_a_name_is_taken_once_among_ones_own(market: Market, make_market: Callable[[str], Market]) -> None:
    make(market)

    with refused() as refusal:
        make(market)
    assert refusal.code == "QualificationTypeAlreadyExists"
    assert refusal.message.startswith("You have already created a QualificationType with this name. ")
    make(make_market("Newsroom"))


# Changing


def test_what_is_not_given_stays(market: Market) -> None:
    kind = make(market, **TESTED, AnswerKey=TEST_KEY, RetryDelayInSeconds=60, Keywords="k")

    assert update(market, kind) == kind
    changed = update(market, kind, Description="New", QualificationTypeStatus="Inactive")
    assert changed == kind | {
        "Description": "New",
        "QualificationTypeStatus": "Inactive",
        "IsRequestable": False,
    }


def test_a_test_without_its_key_drops_the_key(market: Market) -> None:
    kind = make(market, **TESTED, AnswerKey=TEST_KEY)

    assert "AnswerKey" not in update(market, kind, **TESTED)
    assert update(market, kind, **TESTED, AnswerKey=TEST_KEY)["AnswerKey"] == TEST_KEY


def test_a_retry_delay_can_be_given_later_and_changed_but_not_taken_away(market: Market) -> None:
    kind = make(market)

    assert update(market, kind, RetryDelayInSeconds=60)["RetryDelayInSeconds"] == 60
    assert update(market, kind, RetryDelayInSeconds=0)["RetryDelayInSeconds"] == 0
    assert update(market, kind, Description="x")["RetryDelayInSeconds"] == 0


def test_auto_granting_is_switched_on_changed_and_off(market: Market) -> None:
    kind = make(market)

    assert update(market, kind, AutoGranted=True)["AutoGrantedValue"] == 1
    assert update(market, kind, AutoGrantedValue=9)["AutoGrantedValue"] == 9
    assert update(market, kind, AutoGranted=True)["AutoGrantedValue"] == 9
    assert update(market, kind, AutoGranted=False)["AutoGranted"] is False


def test_a_test_and_auto_granting_exclude_each_other_later_too(market: Market) -> None:
    tested, granted = make(market, **TESTED), make(market, Name="Other", AutoGranted=True)

    for kind, members in ((tested, {"AutoGranted": True}), (granted, TESTED)):
        with refused() as refusal:
            update(market, kind, **members)
        assert refusal.kind == "ParameterValidationError"
    assert update(market, granted, AutoGranted=False, **TESTED)["Test"] == TEST


# Finding


def names(market: Market, **members: Any) -> list[str]:
    asked = {"MustBeRequestable": True} | members
    return [kind["Name"] for kind in market.mturk.list_qualification_types(**asked)["QualificationTypes"]]


@pytest.fixture
def others(make_market: Callable[[str], Market]) -> Market:
    return make_market("Newsroom")


def test_types_are_searched_in_name_keywords_and_description(market: Market) -> None:
    make(market, Name="Spanish", Keywords="language, iberia")
    make(market, Name="Colours", Description="Language of painters")

    assert names(market) == ["Colours", "Spanish"]
    assert names(market, Query="language") == ["Colours", "Spanish"]
    assert names(market, Query="IBERIA span") == ["Spanish"]
    assert names(market, Query="100%_") == []


def test_others_types_are_found_while_they_are_active(market: Market, others: Market) -> None:
    make(others, Name="Public")
    make(others, Name="Private", QualificationTypeStatus="Inactive")
    make(market, Name="Mine")
    make(market, Name="Draft", QualificationTypeStatus="Inactive")

    assert names(market) == ["Mine", "Public"]
    assert names(market, MustBeOwnedByCaller=True) == ["Mine"]
    assert names(market, MustBeOwnedByCaller=True, MustBeRequestable=False) == ["Draft", "Mine"]


def test_the_markets_own_types_are_listed_after_all_others(market: Market) -> None:
    for number in range(3):
        make(market, Name=f"Type {number}")

    pages = list(
        market.mturk.get_paginator("list_qualification_types").paginate(MustBeRequestable=False, MaxResults=2)
    )

    listed = [kind["QualificationTypeId"] for page in pages for kind in page["QualificationTypes"]]
    assert listed[3:] == list(SYSTEM_TYPES)
    assert len(listed) == len(set(listed)) == 3 + len(SYSTEM_TYPES)
    assert pages[-1]["NumResults"] == 0
    assert names(market, MustBeRequestable=False, Query="locale", MaxResults=1) == ["Worker_Locale"]


def test_pages_stay_as_they_are_while_types_are_added(market: Market) -> None:
    for number in range(4):
        make(market, Name=f"Type {number}")
    first = market.mturk.list_qualification_types(MustBeRequestable=True, MaxResults=2)
    make(market, Name="Late")

    assert names(market, MaxResults=2, NextToken=first["NextToken"]) == ["Type 1", "Type 0"]
    with refused() as refusal:
        names(market, NextToken=first["NextToken"], Query="Type")
    assert "NextToken" in refusal.message


def test_a_type_of_the_market_can_be_read_and_nothing_else(market: Market) -> None:
    type_id = "00000000000000000040"
    kind = market.mturk.get_qualification_type(QualificationTypeId=type_id)["QualificationType"]

    assert (kind["Name"], kind["IsRequestable"]) == ("Worker_NumberHITsApproved", False)
    worker = {"WorkerId": market.worker().mturk_id}
    for operation, members in (
        ("update_qualification_type", {}),
        ("delete_qualification_type", {}),
        ("associate_qualification_with_worker", worker),
        ("disassociate_qualification_from_worker", worker),
        ("get_qualification_score", worker),
        ("list_workers_with_qualification_type", {}),
        ("list_qualification_requests", {}),
    ):
        with refused() as refusal:
            getattr(market.mturk, operation)(QualificationTypeId=type_id, **members)
        assert refusal.code == "PermissionDeniedException"


def test_another_requesters_type_shows_no_key_and_takes_no_orders(market: Market, others: Market) -> None:
    kind = make(others, **TESTED, AnswerKey=TEST_KEY)
    type_id = {"QualificationTypeId": kind["QualificationTypeId"]}
    worker = {"WorkerId": market.worker().mturk_id}

    seen = market.mturk.get_qualification_type(**type_id)["QualificationType"]
    assert "AnswerKey" not in seen
    for operation, members in (
        ("update_qualification_type", {}),
        ("delete_qualification_type", {}),
        ("associate_qualification_with_worker", worker),
        ("disassociate_qualification_from_worker", worker),
        ("get_qualification_score", worker),
        ("list_workers_with_qualification_type", {}),
        ("list_qualification_requests", {}),
    ):
        with refused() as refusal:
            getattr(market.mturk, operation)(**type_id, **members)
        assert refusal.code == "PermissionDeniedException"
    update(others, kind, QualificationTypeStatus="Inactive")
    with refused() as refusal:
        market.mturk.get_qualification_type(**type_id)
    assert refusal.code == "PermissionDeniedException"


# HITs that require them


@pytest.mark.parametrize(("status", "code"), [("Active", ""), ("Inactive", "InvalidQualificationTypeState")])
def test_new_hits_may_require_active_types_of_anybody(
    market: Market, others: Market, status: str, code: str
) -> None:
    for owner in (market, others):
        kind = make(owner, QualificationTypeStatus=status)
        if not code:
            market.create_hit(**require(kind))
            continue
        with refused() as refusal:
            market.create_hit(**require(kind))
        assert refusal.code == code
        with refused() as refusal:
            market.mturk.create_hit_type(**TYPE, **require(kind))
        assert refusal.code == code


def test_a_type_that_became_inactive_stops_new_hits_of_its_hit_types(market: Market) -> None:
    kind = make(market)
    hit = market.create_hit(**require(kind))
    update(market, kind, QualificationTypeStatus="Inactive")
    again = {
        "HITTypeId": hit.hit_type.mturk_id,
        "LifetimeInSeconds": 60,
        "Question": hit.question,
    }

    with refused() as refusal:
        market.mturk.create_hit_with_hit_type(**again)
    assert refusal.code == "InvalidQualificationTypeState"
    update(market, kind, QualificationTypeStatus="Active")
    market.mturk.create_hit_with_hit_type(**again)


def test_hits_are_listed_by_the_type_they_require(market: Market, others: Market) -> None:
    kind, public = make(market), make(others, Name="Public")
    several = [market.create_hit(Title=f"T{number}", **require(kind)) for number in range(3)]
    of_others = market.create_hit(**require(public))
    of_market = market.create_hit(
        QualificationRequirements=[
            {"QualificationTypeId": "000000000000000000L0", "Comparator": "EqualTo", "IntegerValues": [100]}
        ]
    )
    others.create_hit(**require(kind))

    def listed(type_id: str) -> list[str]:
        pages = market.mturk.get_paginator("list_hits_for_qualification_type").paginate(
            QualificationTypeId=type_id, MaxResults=2
        )
        return [hit["HITId"] for page in pages for hit in page["HITs"]]

    assert listed(kind["QualificationTypeId"]) == [hit.mturk_id for hit in reversed(several)]
    assert listed(public["QualificationTypeId"]) == [of_others.mturk_id]
    assert listed("000000000000000000L0") == [of_market.mturk_id]
    market.mturk.update_expiration_for_hit(HITId=several[0].mturk_id, ExpireAt=0)
    market.mturk.delete_hit(HITId=several[0].mturk_id)
    assert several[0].mturk_id not in listed(kind["QualificationTypeId"])


# Deleting


def state_in_message(market: Market, kind: dict[str, Any]) -> str:
    with refused() as refusal:
        market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])
    assert refusal.code == "InvalidQualificationTypeState"
    assert refusal.message.endswith("'.  This operation can be called with a status of: Active,Inactive")
    return refusal.message.split("'")[1]


def test_a_type_nobody_requires_goes_at_once(market: Market) -> None:
    kind = make(market)

    market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])

    assert state_in_message(market, kind) == "Disposed"
    with refused() as refusal:
        market.mturk.get_qualification_type(QualificationTypeId=kind["QualificationTypeId"])
    assert refusal.code == "QualificationTypeDoesNotExist"
    assert names(market, MustBeOwnedByCaller=True, MustBeRequestable=False) == []
    make(market)


def test_a_type_that_hits_require_goes_within_48_hours(market: Market) -> None:
    kind = make(market)
    hit = market.create_hit(**require(kind))
    market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])

    shown = market.mturk.get_qualification_type(QualificationTypeId=kind["QualificationTypeId"])
    assert shown["QualificationType"]["QualificationTypeStatus"] == "Inactive"
    assert state_in_message(market, kind) == "Disposing"
    for act in (
        lambda: make(market),
        lambda: update(market, kind, Description="x"),
        lambda: market.create_hit(Title="Another", **require(kind)),
        lambda: market.mturk.create_hit_with_hit_type(
            HITTypeId=hit.hit_type.mturk_id, LifetimeInSeconds=60, Question=hit.question
        ),
        lambda: market.mturk.associate_qualification_with_worker(
            QualificationTypeId=kind["QualificationTypeId"], WorkerId=market.worker().mturk_id
        ),
    ):
        with refused() as refusal:
            act()
        assert refusal.code in {
            "QualificationTypeAlreadyExists",
            "InvalidQualificationTypeState",
            "HITTypeDoesNotExist",
        }

    market.wait(hours=47, minutes=59)
    assert clockwork.tidy() == 0
    assert state_in_message(market, kind) == "Disposing"
    market.wait(minutes=1)
    assert state_in_message(market, kind) == "Disposed"
    make(market)
    assert clockwork.tidy() == 0


def test_it_goes_as_soon_as_the_last_hit_is_deleted(market: Market) -> None:
    kind = make(market)
    hit = market.create_hit(**require(kind))
    market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=0)
    market.mturk.delete_hit(HITId=hit.mturk_id)

    assert clockwork.tidy() == 1
    assert state_in_message(market, kind) == "Disposed"


def test_after_120_days_nobody_remembers_it(market: Market) -> None:
    kind = make(market)
    market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])
    market.wait(days=120)

    with refused() as refusal:
        market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])
    assert refusal.code == "QualificationTypeDoesNotExist"


def test_deleting_leaves_what_workers_hold_and_work_that_goes_on(market: Market) -> None:
    kind = make(market)
    worker = market.worker()
    give = {"QualificationTypeId": kind["QualificationTypeId"], "WorkerId": worker.mturk_id}
    market.mturk.associate_qualification_with_worker(**give)
    hit = market.create_hit(**require(kind))
    market.mturk.delete_qualification_type(QualificationTypeId=kind["QualificationTypeId"])

    assert market.mturk.get_qualification_score(**give)["Qualification"]["Status"] == "Granted"
    assert market.submit(hit, worker).state == "submitted"
    assert worker.qualifications.filter(revoked_at=None).count() == 1
