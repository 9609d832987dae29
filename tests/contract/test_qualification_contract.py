"""The marketplace's qualification operations with ordinary boto3 over HTTP: success, and each error MTurk has.

Each raw answer is held against botocore's own description of the service.
"""

import re
import uuid
from typing import Any

import pytest

from tests.contract.conftest import Commands
from tests.contract.test_marketplace_contract import (
    CREATE,
    PAST,
    QUESTION,
    TYPE,
    Market,
    check_refused,
    client,
    members_of,
)
from tests.marketplace.forms import TEST, TEST_KEY, answer_key
from tests.servers import MarketplaceServer

TESTED = {"Test": TEST, "TestDurationInSeconds": 600}
OLIVE, MINA = "ATESTOLIVE", "ATESTMINA"


@pytest.fixture(scope="module")
def market(marketplace_server: MarketplaceServer, manage: Commands) -> Market:
    name = f"Qualifications {uuid.uuid4()}"
    return Market(client(marketplace_server.url, *manage("add_requester", name).split()), manage, name)


@pytest.fixture(scope="module")
def stranger(marketplace_server: MarketplaceServer, manage: Commands) -> Any:
    """Another requester's client."""
    return client(marketplace_server.url, *manage("add_requester", f"Stranger {uuid.uuid4()}").split())


def kind(market: Market, **members: Any) -> dict[str, Any]:
    """A type of a fresh name."""
    given = {
        "Name": f"Type {uuid.uuid4()}",
        "Description": "d",
        "QualificationTypeStatus": "Active",
    } | members
    return dict(market.mturk.create_qualification_type(**given)["QualificationType"])


def type_id(market: Market, **members: Any) -> dict[str, str]:
    return {"QualificationTypeId": kind(market, **members)["QualificationTypeId"]}


def requires(of: dict[str, str], comparator: str = "Exists", **more: Any) -> dict[str, Any]:
    return {"QualificationRequirements": [of | {"Comparator": comparator} | more]}


def worker(market: Market, worker_id: str = OLIVE) -> dict[str, str]:
    """A Worker who is known to the market."""
    market.manage("worker_ask", type_id(market)["QualificationTypeId"], worker_id)
    return {"WorkerId": worker_id}


# Successes ---------------------------------------------------------------------------------------


def test_a_type_is_created_read_changed_listed_and_deleted(market: Market) -> None:
    made = kind(market, **TESTED, AnswerKey=TEST_KEY, RetryDelayInSeconds=60, Keywords="sky, grass")
    of = {"QualificationTypeId": made["QualificationTypeId"]}
    assert re.fullmatch("3[A-Z0-9]{29}", made["QualificationTypeId"])
    assert market.mturk.get_qualification_type(**of)["QualificationType"] == made

    changed = market.mturk.update_qualification_type(**of, **TESTED, QualificationTypeStatus="Inactive")
    assert changed["QualificationType"] == {
        name: value for name, value in made.items() if name != "AnswerKey"
    } | {"QualificationTypeStatus": "Inactive", "IsRequestable": False}
    market.mturk.update_qualification_type(**of, QualificationTypeStatus="Active")

    pages = market.mturk.get_paginator("list_qualification_types").paginate(
        MustBeRequestable=True, MustBeOwnedByCaller=True, Query="grass SKY", MaxResults=1
    )
    assert [each["QualificationTypeId"] for page in pages for each in page["QualificationTypes"]] == [
        made["QualificationTypeId"]
    ]
    assert members_of(market.mturk.delete_qualification_type(**of)) == {}
    check_refused(
        market.mturk, "get_qualification_type", of, "RequestError", "QualificationTypeDoesNotExist", ""
    )


def test_the_markets_own_types_are_there(market: Market) -> None:
    pages = market.mturk.get_paginator("list_qualification_types").paginate(MustBeRequestable=False)
    listed = {each["QualificationTypeId"] for page in pages for each in page["QualificationTypes"]}

    assert {"00000000000000000040", "00000000000000000071", "000000000000000000L0"} <= listed
    locale = market.mturk.get_qualification_type(QualificationTypeId="00000000000000000071")
    assert locale["QualificationType"]["Name"] == "Worker_Locale"


def test_qualifications_are_given_read_listed_and_taken_back(market: Market) -> None:
    of, olive = type_id(market), worker(market)
    assert members_of(market.mturk.associate_qualification_with_worker(**of, **olive, IntegerValue=80)) == {}

    held = market.mturk.get_qualification_score(**of, **olive)["Qualification"]
    assert (held["WorkerId"], held["IntegerValue"], held["Status"]) == (OLIVE, 80, "Granted")
    listed = market.mturk.list_workers_with_qualification_type(**of)
    assert (listed["NumResults"], listed["Qualifications"]) == (1, [held])

    taken = market.mturk.disassociate_qualification_from_worker(**of, **olive, Reason="over")
    assert members_of(taken) == {}
    revoked = market.mturk.list_workers_with_qualification_type(**of, Status="Revoked")
    assert [each["Status"] for each in revoked["Qualifications"]] == ["Revoked"]
    assert market.mturk.list_workers_with_qualification_type(**of)["NumResults"] == 0


def test_requests_are_listed_accepted_and_rejected(market: Market) -> None:
    of = type_id(market, **TESTED)
    answers = '{"sky": ["blue"], "grass": ["green"]}'
    first, second = (
        market.manage("worker_ask", of["QualificationTypeId"], who, answers) for who in (OLIVE, MINA)
    )

    pages = market.mturk.get_paginator("list_qualification_requests").paginate(**of, MaxResults=1)
    listed = [each for page in pages for each in page["QualificationRequests"]]
    assert [each["QualificationRequestId"] for each in listed] == [first, second]
    assert listed[0]["Test"] == TEST
    assert "<SelectionIdentifier>blue</SelectionIdentifier>" in listed[0]["Answer"]

    accept, reject = market.mturk.accept_qualification_request, market.mturk.reject_qualification_request
    assert members_of(accept(QualificationRequestId=first, IntegerValue=5)) == {}
    assert members_of(reject(QualificationRequestId=second, Reason="no")) == {}
    score = market.mturk.get_qualification_score(**of, WorkerId=OLIVE)["Qualification"]
    assert score["IntegerValue"] == 5
    assert members_of(market.mturk.list_qualification_requests(**of)) == {
        "NumResults": 0,
        "QualificationRequests": [],
    }


def test_a_test_with_a_key_is_scored_by_itself(market: Market) -> None:
    of = type_id(market, **TESTED, AnswerKey=TEST_KEY)

    market.manage("worker_ask", of["QualificationTypeId"], OLIVE, '{"sky": ["blue"], "grass": ["blue"]}')

    assert market.mturk.get_qualification_score(**of, WorkerId=OLIVE)["Qualification"]["IntegerValue"] == 50


def test_hits_are_listed_by_what_they_require_and_go_to_holders_only(market: Market) -> None:
    of = type_id(market)
    hit_id = market.hit(**requires(of, "GreaterThan", IntegerValues=[5]))

    listed = market.mturk.list_hits_for_qualification_type(**of)
    assert (listed["NumResults"], [each["HITId"] for each in listed["HITs"]]) == (1, [hit_id])
    with pytest.raises(Exception, match="not_qualified"):
        market.manage("worker_act", "accept", hit_id, OLIVE)
    market.mturk.associate_qualification_with_worker(**of, WorkerId=OLIVE, IntegerValue=6)
    market.submit(hit_id)


# Errors ------------------------------------------------------------------------------------------

NONE = {"QualificationTypeId": "3NONE"}
NEW = {"Name": "n", "Description": "d", "QualificationTypeStatus": "Active"}
VALIDATION, REQUEST = "ParameterValidationError", "RequestError"


@pytest.mark.parametrize(
    ("operation", "members", "kind", "code", "message"),
    [
        ("create_qualification_type", NEW | {"Name": "x" * 201}, VALIDATION, "", 'The value "'),
        ("create_qualification_type", NEW | {"QualificationTypeStatus": "Gone"}, VALIDATION, "", 'The value "Gone"'),
        ("create_qualification_type", NEW | {"RetryDelayInSeconds": -1}, VALIDATION, "", 'The value "-1"'),
        ("create_qualification_type", NEW | {"Test": TEST}, VALIDATION, "", "A Test needs TestDurationInSeconds."),
        ("create_qualification_type", NEW | {"AnswerKey": TEST_KEY}, VALIDATION, "", "AnswerKey belongs to a Test."),
        ("create_qualification_type", NEW | TESTED | {"AutoGranted": True}, VALIDATION, "", "A QualificationType with a"),
        ("create_qualification_type", NEW | TESTED | {"Test": QUESTION}, VALIDATION, "", "The Test's outer element is HTML"),
        ("create_qualification_type", NEW | TESTED | {"Test": TEST[:-1]}, VALIDATION, "", "There was an error parsing"),
        ("create_qualification_type", NEW | TESTED | {"AnswerKey": answer_key({"x": [("y", 1)]})}, VALIDATION, "", "The AnswerKey"),
        ("update_qualification_type", NONE | {"Test": TEST}, VALIDATION, "", "A Test needs"),
        ("list_qualification_types", {"MustBeRequestable": True, "MaxResults": 101}, VALIDATION, "", 'The value "101"'),
        ("list_qualification_types", {"MustBeRequestable": True, "NextToken": "p1:x"}, VALIDATION, "", 'The value "p1:x"'),
        ("list_qualification_requests", {"NextToken": "p1:x"}, VALIDATION, "", 'The value "p1:x"'),
        ("list_workers_with_qualification_type", NONE | {"Status": "All"}, VALIDATION, "", 'The value "All"'),
        ("get_qualification_type", {"QualificationTypeId": "lower"}, VALIDATION, "", 'The value "lower"'),
        ("get_qualification_score", NONE | {"WorkerId": "B1"}, VALIDATION, "", 'The value "B1"'),
        # what does not exist
        *(
            (operation, NONE | more, REQUEST, "QualificationTypeDoesNotExist", "QualificationType 3NONE does not exist.")
            for operation, more in (
                ("update_qualification_type", {}),
                ("get_qualification_type", {}),
                ("delete_qualification_type", {}),
                ("associate_qualification_with_worker", {"WorkerId": "A1"}),
                ("disassociate_qualification_from_worker", {"WorkerId": "A1"}),
                ("get_qualification_score", {"WorkerId": "A1"}),
                ("list_workers_with_qualification_type", {}),
                ("list_qualification_requests", {}),
                ("list_hits_for_qualification_type", {}),
            )
        ),
        ("accept_qualification_request", {"QualificationRequestId": "none"}, REQUEST, "QualificationRequestDoesNotExist", ""),
        ("reject_qualification_request", {"QualificationRequestId": "none"}, REQUEST, "QualificationRequestDoesNotExist", ""),
    ],
)  # fmt: skip
def test_an_error_that_needs_no_history(
    market: Market, operation: str, members: dict[str, Any], kind: str, code: str, message: str
) -> None:
    check_refused(market.mturk, operation, members, kind, code, message)


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("update_qualification_type", {}),
        ("delete_qualification_type", {}),
        ("associate_qualification_with_worker", {"WorkerId": "A1"}),
        ("disassociate_qualification_from_worker", {"WorkerId": "A1"}),
        ("get_qualification_score", {"WorkerId": "A1"}),
        ("list_workers_with_qualification_type", {}),
        ("list_qualification_requests", {}),
    ],
)
def test_another_requesters_type_is_not_yours(
    market: Market, stranger: Any, operation: str, more: dict[str, Any]
) -> None:
    check_refused(
        stranger, operation, type_id(market) | more, "RequestError", "PermissionDeniedException", ""
    )


def test_a_name_in_use_and_a_worker_nobody_knows_are_refused(market: Market) -> None:
    made = kind(market)
    check_refused(
        market.mturk,
        "create_qualification_type",
        NEW | {"Name": made["Name"]},
        "RequestError",
        "QualificationTypeAlreadyExists",
        "You have already created a QualificationType with this name.",
    )
    check_refused(
        market.mturk,
        "associate_qualification_with_worker",
        type_id(market) | {"WorkerId": "ANOBODY"},
        "ParameterValidationError",
        "",
        'The value "ANOBODY" is not valid for the parameter WorkerId.',
    )


def test_a_qualification_that_is_not_held_or_was_taken_back_is_refused(market: Market) -> None:
    of, olive = type_id(market), worker(market)
    for operation in ("get_qualification_score", "disassociate_qualification_from_worker"):
        check_refused(market.mturk, operation, of | olive, "RequestError", "QualificationDoesNotExist", "")
    market.mturk.associate_qualification_with_worker(**of, **olive)
    market.mturk.disassociate_qualification_from_worker(**of, **olive)
    for operation in ("get_qualification_score", "disassociate_qualification_from_worker"):
        check_refused(
            market.mturk,
            operation,
            of | olive,
            "RequestError",
            "InvalidQualificationState",
            "This Qualification is currently in the state 'Revoked'.  This operation can be called with a "
            "status of: Granted",
        )


def test_a_request_is_decided_once_and_by_its_own_requester(market: Market, stranger: Any) -> None:
    of = type_id(market)
    request = {"QualificationRequestId": market.manage("worker_ask", of["QualificationTypeId"], OLIVE)}
    operations = ("accept_qualification_request", "reject_qualification_request")
    for operation in operations:
        check_refused(stranger, operation, request, "RequestError", "PermissionDeniedException", "")
    market.mturk.reject_qualification_request(**request)
    for operation in operations:
        check_refused(
            market.mturk, operation, request, "RequestError", "InvalidQualificationRequestState", ""
        )


def test_a_type_that_hits_require_is_being_deleted_for_a_while(market: Market) -> None:
    of = type_id(market)
    hit_type = market.mturk.create_hit_type(**TYPE, **requires(of))["HITTypeId"]
    hit_id = market.hit(**requires(of))
    market.mturk.delete_qualification_type(**of)

    disposing = (
        "This QualificationType is currently in the state 'Disposing'.  "
        "This operation can be called with a status of: Active"
    )
    code = "InvalidQualificationTypeState"
    for operation, members in (
        ("delete_qualification_type", of),
        ("update_qualification_type", of | {"Description": "x"}),
        ("associate_qualification_with_worker", of | {"WorkerId": "A1"}),
        ("create_hit_type", TYPE | requires(of)),
        ("create_hit", CREATE | requires(of)),
    ):
        check_refused(market.mturk, operation, members, "RequestError", code, disposing)
    again = {"HITTypeId": hit_type, "LifetimeInSeconds": 60, "Question": QUESTION}
    check_refused(
        market.mturk, "create_hit_with_hit_type", again, "RequestError", "HITTypeDoesNotExist", "HITType "
    )
    market.mturk.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)


def test_an_inactive_type_cannot_be_required(market: Market, stranger: Any) -> None:
    of = type_id(market, QualificationTypeStatus="Inactive")
    for mturk in (market.mturk, stranger):
        check_refused(
            mturk, "create_hit", CREATE | requires(of), "RequestError", "InvalidQualificationTypeState", ""
        )
    check_refused(stranger, "get_qualification_type", of, "RequestError", "PermissionDeniedException", "")
