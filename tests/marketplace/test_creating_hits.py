from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from marketplace import clock
from marketplace.models import HIT, HITType, RequestToken
from marketplace.tokens import forget_tokens
from tests.marketplace.conftest import QUESTION, TYPE, Market
from tests.marketplace.refusals import refused

LOCALE = {
    "QualificationTypeId": "00000000000000000071",
    "Comparator": "EqualTo",
    "LocaleValues": [{"Country": "US"}],
}
APPROVED = {"QualificationTypeId": "000000000000000000L0", "Comparator": "GreaterThan", "IntegerValues": [95]}


def make(market: Market, **members: Any) -> dict[str, Any]:
    given = {"LifetimeInSeconds": 3600, "Question": QUESTION} | TYPE | members
    return market.mturk.create_hit(**{name: value for name, value in given.items() if value is not None})[
        "HIT"
    ]


def test_a_new_hit_is_shown_complete(market: Market) -> None:
    hit = make(
        market,
        MaxAssignments=3,
        Keywords="a, b",
        RequesterAnnotation="row 7",
        QualificationRequirements=[LOCALE],
    )

    assert hit["Expiration"] - hit["CreationTime"] == timedelta(hours=1)
    for name in ("HITId", "HITTypeId", "HITGroupId", "CreationTime", "Expiration"):
        assert hit.pop(name)
    assert hit == {
        "Title": "Name the colour",
        "Description": "One word",
        "Question": QUESTION,
        "Keywords": "a, b",
        "HITStatus": "Assignable",
        "MaxAssignments": 3,
        "Reward": "0.50",
        "AutoApprovalDelayInSeconds": 3600,
        "AssignmentDurationInSeconds": 600,
        "RequesterAnnotation": "row 7",
        "QualificationRequirements": [LOCALE | {"RequiredToPreview": False, "ActionsGuarded": "Accept"}],
        "HITReviewStatus": "NotReviewed",
        "NumberOfAssignmentsPending": 0,
        "NumberOfAssignmentsAvailable": 3,
        "NumberOfAssignmentsCompleted": 0,
    }


def test_what_was_not_given_is_left_out_or_has_its_default(market: Market) -> None:
    hit = make(market, AutoApprovalDelayInSeconds=None)

    assert "Keywords" not in hit
    assert "RequesterAnnotation" not in hit
    assert hit["MaxAssignments"] == 1
    assert hit["AutoApprovalDelayInSeconds"] == 30 * 86_400
    assert hit["QualificationRequirements"] == []


# HIT types


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"Reward": "0.5"},
        {"Keywords": ""},
        {"QualificationRequirements": []},
    ],
)
def test_equal_properties_are_one_hit_type(market: Market, same: dict[str, Any]) -> None:
    assert make(market)["HITTypeId"] == market.mturk.create_hit_type(**TYPE | same)["HITTypeId"]


def test_the_order_of_requirements_makes_no_other_type(market: Market) -> None:
    one = market.mturk.create_hit_type(**TYPE, QualificationRequirements=[LOCALE, APPROVED])
    other = market.mturk.create_hit_type(**TYPE, QualificationRequirements=[APPROVED, LOCALE])

    assert one["HITTypeId"] == other["HITTypeId"]


@pytest.mark.parametrize(
    "different",
    [
        {"Title": "Name the color"},
        {"Description": "one word"},
        {"Keywords": "colour"},
        {"Reward": "0.51"},
        {"AssignmentDurationInSeconds": 601},
        {"AutoApprovalDelayInSeconds": 3601},
        {"QualificationRequirements": [APPROVED]},
    ],
)
def test_any_other_property_is_another_hit_type(market: Market, different: dict[str, Any]) -> None:
    first = market.mturk.create_hit_type(**TYPE)["HITTypeId"]

    assert market.mturk.create_hit_type(**TYPE | different)["HITTypeId"] != first


def test_equal_properties_of_another_requester_are_another_type(make_market: Any) -> None:
    ids = {make_market(name).mturk.create_hit_type(**TYPE)["HITTypeId"] for name in ("Lab", "Newsroom")}

    assert len(ids) == 2


def test_a_hit_of_a_type_has_the_properties_of_the_type(market: Market) -> None:
    type_id = market.mturk.create_hit_type(**TYPE)["HITTypeId"]

    hit = market.mturk.create_hit_with_hit_type(HITTypeId=type_id, LifetimeInSeconds=60, Question=QUESTION)[
        "HIT"
    ]

    assert (hit["HITTypeId"], hit["Title"], hit["Reward"]) == (type_id, "Name the colour", "0.50")
    assert hit["HITGroupId"] != type_id


def test_a_type_of_another_requester_does_not_exist(make_market: Any) -> None:
    type_id = make_market("Lab").mturk.create_hit_type(**TYPE)["HITTypeId"]

    with refused() as refusal:
        make_market("Newsroom").mturk.create_hit_with_hit_type(
            HITTypeId=type_id, LifetimeInSeconds=60, Question=QUESTION
        )
    assert refusal.code == "HITTypeDoesNotExist"


# Tokens


def test_a_repeated_token_names_the_hit_it_made(market: Market) -> None:
    hit = make(market, UniqueRequestToken="row-1")

    with refused() as refusal:
        make(market, UniqueRequestToken="row-1")

    assert (refusal.kind, refusal.code) == ("RequestError", "HitAlreadyExists")
    assert refusal.message == f'The HIT with ID "{hit["HITId"]}" already exists.'
    assert HIT.objects.count() == 1
    assert market.balance == (Decimal("9999.40"), Decimal("0.60"))


def test_both_create_operations_share_their_tokens(market: Market) -> None:
    type_id = make(market, UniqueRequestToken="row-1")["HITTypeId"]

    with refused() as refusal:
        market.mturk.create_hit_with_hit_type(
            HITTypeId=type_id, LifetimeInSeconds=60, Question=QUESTION, UniqueRequestToken="row-1"
        )
    assert refusal.code == "HitAlreadyExists"


def test_a_token_acts_again_after_24_hours(market: Market) -> None:
    first = make(market, UniqueRequestToken="row-1")["HITId"]
    market.wait(hours=23, minutes=59)
    with refused():
        make(market, UniqueRequestToken="row-1")

    market.wait(minutes=2)
    second = make(market, UniqueRequestToken="row-1")["HITId"]

    assert second != first
    with refused() as refusal:
        make(market, UniqueRequestToken="row-1")
    assert second in refusal.message


def test_tokens_that_may_act_again_are_forgotten(market: Market) -> None:
    make(market, UniqueRequestToken="old")
    market.wait(hours=23)
    make(market, UniqueRequestToken="new")
    market.wait(hours=2)

    assert forget_tokens(clock.now()) == 1
    assert RequestToken.objects.get().token == "new"


def test_a_refused_call_does_not_use_up_its_token(market: Market) -> None:
    with refused():
        make(market, UniqueRequestToken="row-1", Reward="9000", MaxAssignments=2)

    assert make(market, UniqueRequestToken="row-1")


def test_two_requesters_may_use_one_token(make_market: Any) -> None:
    ids = {make(make_market(name), UniqueRequestToken="row-1")["HITId"] for name in ("Lab", "Newsroom")}

    assert len(ids) == 2


# What is refused


@pytest.mark.parametrize(
    ("member", "value"),
    [
        # text
        ("Title", "x" * 129),
        ("Title", ""),
        ("Description", "x" * 2001),
        ("Keywords", "x" * 1001),
        ("RequesterAnnotation", "x" * 256),
        ("Title", "half a pair \ud800"),
        ("Title", "nothing \0"),
        # money
        ("Reward", "$1"),
        ("Reward", ".05"),
        ("Reward", "-1"),
        ("Reward", "0.005"),
        ("Reward", "1.00\n"),
        # numbers
        ("MaxAssignments", 0),
        ("MaxAssignments", 1_000_000_001),
        ("LifetimeInSeconds", 29),
        ("LifetimeInSeconds", 31_536_001),
        ("AssignmentDurationInSeconds", 29),
        ("AssignmentDurationInSeconds", 31_536_001),
        ("AutoApprovalDelayInSeconds", -1),
        ("AutoApprovalDelayInSeconds", 2_592_001),
        # from the service description
        ("UniqueRequestToken", "x" * 65),
        ("UniqueRequestToken", ""),
        ("HITLayoutId", "lower"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(market: Market, member: str, value: object) -> None:
    with refused() as refusal:
        make(market, **{member: value})

    assert (refusal.kind, refusal.code) == ("ParameterValidationError", "")
    assert member in refusal.message
    assert not HIT.objects.exists()
    assert not HITType.objects.exists()


@pytest.mark.parametrize("reward", ["1", "1.", "1.5", "0.05", "0", "0.00"])
def test_every_way_mturk_writes_a_reward_is_taken(market: Market, reward: str) -> None:
    assert Decimal(make(market, Reward=reward)["Reward"]) == Decimal(reward)


@pytest.mark.parametrize(
    ("members", "kind", "code"),
    [
        ({"Question": None}, "ParameterValidationError", ""),
        ({"Title": None}, "ParameterValidationError", ""),
        ({"HITLayoutId": "3ABC"}, "ParameterValidationError", ""),
        ({"HITLayoutId": "3ABC", "Question": None}, "RequestError", "HITLayoutDoesNotExist"),
        ({"Reward": "9000", "MaxAssignments": 2}, "RequestError", "InsufficientFunds"),
        (
            {"QualificationRequirements": [APPROVED | {"QualificationTypeId": "3NOBODY"}]},
            "RequestError",
            "QualificationTypeDoesNotExist",
        ),
        # types
        ({"Title": 5}, "SerializationException", ""),
        ({"Reward": 0.5}, "SerializationException", ""),
        ({"MaxAssignments": "3"}, "SerializationException", ""),
        ({"MaxAssignments": True}, "SerializationException", ""),
    ],
)
def test_each_refusal_has_its_kind_and_leaves_nothing_behind(
    market: Market, members: dict[str, Any], kind: str, code: str
) -> None:
    with refused() as refusal:
        make(market, **members)

    assert (refusal.kind, refusal.code) == (kind, code)
    assert not HIT.objects.exists()
    assert market.balance == (Decimal("10000.00"), Decimal("0.00"))


# Qualification requirements


@pytest.mark.parametrize(
    "wrong",
    [
        APPROVED | {"Comparator": "Nearly"},
        APPROVED | {"IntegerValues": []},
        APPROVED | {"IntegerValues": [1, 2]},
        APPROVED | {"Comparator": "Exists"},
        APPROVED | {"LocaleValues": [{"Country": "US"}]},
        APPROVED | {"Comparator": "In", "IntegerValues": list(range(16))},
        APPROVED | {"ActionsGuarded": "Everything"},
        APPROVED | {"ActionsGuarded": "Accept", "RequiredToPreview": True},
        LOCALE | {"Comparator": "GreaterThan"},
        LOCALE | {"LocaleValues": [{"Country": "usa"}]},
        LOCALE | {"LocaleValues": [{"Country": "DE", "Subdivision": "BY"}]},
        LOCALE | {"LocaleValues": [{"Subdivision": "WA"}]},
        {"QualificationTypeId": "00000000000000000071", "Comparator": "EqualTo", "IntegerValues": [1]},
        {
            "QualificationTypeId": "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH",
            "Comparator": "EqualTo",
            "IntegerValues": [1],
        },
        {"Comparator": "Exists"},
    ],
)
def test_a_requirement_that_makes_no_sense_is_refused(market: Market, wrong: dict[str, Any]) -> None:
    with refused() as refusal:
        market.mturk.create_hit_type(**TYPE, QualificationRequirements=[wrong])

    assert refusal.kind == "ParameterValidationError"


def test_more_than_ten_requirements_are_refused(market: Market) -> None:
    with refused() as refusal:
        market.mturk.create_hit_type(**TYPE, QualificationRequirements=[APPROVED] * 11)

    assert refusal.kind == "ParameterValidationError"


@pytest.mark.parametrize(
    ("given", "guarded", "preview"),
    [
        ({}, "Accept", False),
        ({"RequiredToPreview": True}, "PreviewAndAccept", True),
        ({"RequiredToPreview": False}, "Accept", False),
        ({"ActionsGuarded": "PreviewAndAccept"}, "PreviewAndAccept", True),
        ({"ActionsGuarded": "DiscoverPreviewAndAccept"}, "DiscoverPreviewAndAccept", True),
    ],
)
def test_a_requirement_comes_back_with_both_switches(
    market: Market, given: dict[str, Any], guarded: str, preview: bool
) -> None:
    hit = make(market, QualificationRequirements=[APPROVED | given])

    assert hit["QualificationRequirements"] == [
        APPROVED | {"ActionsGuarded": guarded, "RequiredToPreview": preview}
    ]
