"""What every call has in common, whatever the operation."""

import json
import time
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.validate import ParamValidator
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from marketplace import clock, shapes
from marketplace.models import HITLayout
from marketplace.operations import OPERATIONS
from tests.marketplace.conftest import QUESTION, TYPE, Market
from tests.marketplace.test_signing import send, signed


def call(market: Market, operation: str, body: str) -> tuple[int, dict[str, Any]]:
    """A signed call with any body."""
    headers = {"X-Amz-Target": f"MTurkRequesterServiceV20170117.{operation}"}
    return send(signed(market, body=body, headers=headers), body=body)


def test_an_operation_nobody_knows_gets_the_error_of_aws(market: Market) -> None:
    assert call(market, "MakeCoffee", "{}")[1]["__type"] == "UnknownOperationException"


def test_every_operation_of_mturk_is_answered() -> None:
    assert OPERATIONS.keys() == shapes.operation_names()
    assert len(OPERATIONS) == 39


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"x"',
        "null",
        '{"MaxResults": NaN}',
        '{"MaxResults": "1"}',
        '{"MaxResults": 1.5}',
        '{"MaxResults": true}',
        '{"MaxResults": 99999999999}',
        '{"NextToken": 1}',
        "[" * 100_000,
    ],
)
def test_a_body_that_is_no_json_or_has_a_wrong_type_is_a_serialization_error(
    market: Market, body: str
) -> None:
    status, answer = call(market, "ListHITs", body)

    assert (status, answer["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("member", "value"),
    [("ExpireAt", '"1970-01-01"'), ("ExpireAt", "true"), ("HITId", "{}"), ("ExpireAt", "[0]")],
)
def test_wrong_types_of_other_members_too(market: Market, member: str, value: str) -> None:
    body = json.dumps({"HITId": "3A", "ExpireAt": 0})[:-1] + f', "{member}": {value}}}'

    assert call(market, "UpdateExpirationForHIT", body)[1]["__type"] == "SerializationException"


@pytest.mark.parametrize("moment", ["1e300", "-1e300", "253402300800", "-62135596801"])
def test_a_time_outside_the_calendar_is_refused(market: Market, moment: str) -> None:
    answer = call(market, "UpdateExpirationForHIT", f'{{"HITId": "3A", "ExpireAt": {moment}}}')[1]

    assert answer["__type"] == "ParameterValidationError"


def test_unknown_members_and_nulls_are_passed_over(market: Market) -> None:
    assert call(market, "ListHITs", '{"Colour": "red", "NextToken": null}') == (
        200,
        {"NumResults": 0, "HITs": []},
    )


def test_an_empty_body_is_an_empty_request(market: Market) -> None:
    assert call(market, "GetAccountBalance", "")[0] == 200


def test_messages_end_with_the_time_in_milliseconds(market: Market) -> None:
    answer = call(market, "GetHIT", '{"HITId": "3NONE"}')[1]

    assert answer["__type"] == "RequestError"
    assert answer["TurkErrorCode"] == "AWS.MechanicalTurk.HITDoesNotExist"
    text, _, stamp = answer["Message"].rpartition(" (")
    assert text == "Hit 3NONE does not exist."
    assert abs(int(stamp.removesuffix(")")) - time.time() * 1000) < 60_000


def test_an_answer_has_its_own_id_and_type_and_no_cookie(market: Market) -> None:
    answer = market.mturk.get_account_balance()["ResponseMetadata"]

    assert len(answer["RequestId"]) == 36
    assert answer["HTTPHeaders"]["content-type"] == "application/x-amz-json-1.1"
    assert "set-cookie" not in answer["HTTPHeaders"]


def test_operations_without_output_answer_an_empty_object(market: Market) -> None:
    hit = market.create_hit()

    body = json.dumps({"HITId": hit.mturk_id, "ExpireAt": 0})

    assert call(market, "UpdateExpirationForHIT", body) == (200, {})


def test_money_is_text_and_times_are_numbers(market: Market) -> None:
    hit = market.create_hit()

    shown = call(market, "GetHIT", json.dumps({"HITId": hit.mturk_id}))[1]["HIT"]

    assert shown["Reward"] == "0.50"
    assert isinstance(shown["CreationTime"], int | float)


def test_a_fault_of_the_database_is_a_service_fault(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise DatabaseError("away")

    monkeypatch.setitem(OPERATIONS, "GetAccountBalance", fail)

    status, answer = call(market, "GetAccountBalance", "{}")

    assert (status, answer["__type"]) == (500, "ServiceFault")
    assert "away" not in answer["Message"]


@pytest.mark.parametrize("wrong", [{}, {"AvailableBalance": 5}, {"AvailableBalance": "5", "Colour": "red"}])
def test_an_answer_mturk_would_not_give_is_never_sent(
    market: Market, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    monkeypatch.setitem(OPERATIONS, "GetAccountBalance", lambda *_: wrong)

    status, _ = call(market, "GetAccountBalance", "{}")

    # GetAccountBalance requires nothing, so only what is there can be wrong.
    assert status == (500 if wrong else 200)


def test_a_request_of_more_than_two_megabytes_is_refused(market: Market) -> None:
    body = json.dumps({"NextToken": "x" * (2 * 1024 * 1024)})

    assert call(market, "ListHITs", body)[0] == 413


def test_other_methods_and_pages_are_not_the_api(db: None) -> None:
    assert Client().put("/").status_code in (404, 405)
    assert Client().get("/healthz").content == b"ok\n"


def test_raw_answers_fit_botocores_own_description(market: Market, settings: Settings) -> None:
    hit = market.create_hit(
        MaxAssignments=2,
        QualificationRequirements=[
            {"QualificationTypeId": "00000000000000000040", "Comparator": "LessThan", "IntegerValues": [5]}
        ],
    )
    assignment, untouched = market.submit(hit), market.create_hit(Title="Untouched")
    layout_id = HITLayout.objects.create(
        requester=market.requester, html="<p>${colour}</p>", created_at=clock.now()
    ).mturk_id
    place = {
        "Destination": "http://127.0.0.1:1/queue",
        "Transport": "SQS",
        "Version": "2006-05-05",
        "EventTypes": ["HITCreated"],
    }
    settings.NOTIFICATION_ENDPOINTS = {"sqs": ["http://127.0.0.1:1/"], "sns": [], "post": []}
    by_hit, by_assignment = {"HITId": hit.mturk_id}, {"AssignmentId": assignment.mturk_id}
    kind = market.mturk.create_qualification_type(
        Name="Careful", Description="Has answered before.", QualificationTypeStatus="Active"
    )["QualificationType"]["QualificationTypeId"]
    of_kind = {"QualificationTypeId": kind}
    holder = of_kind | {"WorkerId": assignment.worker.mturk_id}
    calls: dict[str, dict[str, Any]] = {
        "GetAccountBalance": {},
        "CreateHITType": TYPE,
        "CreateHIT": TYPE
        | {
            "HITLayoutId": layout_id,
            "HITLayoutParameters": [{"Name": "colour", "Value": "red"}],
            "LifetimeInSeconds": 60,
        },
        "CreateHITWithHITType": {
            "HITTypeId": hit.hit_type.mturk_id,
            "Question": QUESTION,
            "LifetimeInSeconds": 60,
        },
        "GetHIT": by_hit,
        "ListHITs": {},
        "ListAssignmentsForHIT": by_hit,
        "GetAssignment": by_assignment,
        "ApproveAssignment": by_assignment,
        "SendBonus": by_assignment
        | {"WorkerId": assignment.worker.mturk_id, "BonusAmount": "1", "Reason": "Well done"},
        "ListBonusPayments": by_assignment,
        "CreateWorkerBlock": {"WorkerId": "AWHOEVER", "Reason": "spam"},
        "ListWorkerBlocks": {},
        "DeleteWorkerBlock": {"WorkerId": "AWHOEVER"},
        "NotifyWorkers": {"Subject": "x", "MessageText": "y", "WorkerIds": ["AWHOEVER"]},
        "CreateQualificationType": {
            "Name": "Quick",
            "Description": "Answers at once.",
            "QualificationTypeStatus": "Active",
        },
        "GetQualificationType": of_kind,
        "ListQualificationTypes": {"MustBeRequestable": False},
        "UpdateQualificationType": of_kind | {"Description": "Has answered twice."},
        "AssociateQualificationWithWorker": holder | {"IntegerValue": 7},
        "GetQualificationScore": holder,
        "ListWorkersWithQualificationType": of_kind,
        "ListQualificationRequests": of_kind,
        "ListHITsForQualificationType": of_kind,
        "DisassociateQualificationFromWorker": holder,
        "DeleteQualificationType": of_kind,
        "UpdateNotificationSettings": {"HITTypeId": hit.hit_type.mturk_id, "Notification": place},
        "UpdateHITTypeOfHIT": {"HITId": untouched.mturk_id, "HITTypeId": hit.hit_type.mturk_id},
        "CreateAdditionalAssignmentsForHIT": by_hit | {"NumberOfAdditionalAssignments": 1},
        "UpdateExpirationForHIT": by_hit | {"ExpireAt": 0},
        "ListReviewableHITs": {},
        "UpdateHITReviewStatus": by_hit,
        "ListReviewPolicyResultsForHIT": by_hit,
        "DeleteHIT": by_hit,
    }
    # What is always refused, needs a server or a Worker who asks, or cannot follow the others.
    others = {
        "RejectAssignment",
        "GetFileUploadURL",
        "SendTestEventNotification",
        "AcceptQualificationRequest",
        "RejectQualificationRequest",
    }
    assert calls.keys() == OPERATIONS.keys() - others
    for operation, members in calls.items():
        status, answer = call(market, operation, json.dumps(members))
        assert status == 200, answer
        shape = shapes.service().operation_model(operation).output_shape
        report = ParamValidator().validate(answer, shape)
        assert not report.has_errors(), report.generate_report()
        parsed = create_parser("json").parse(
            {"body": json.dumps(answer).encode(), "headers": {}, "status_code": 200}, shape
        )
        assert parsed.keys() - {"ResponseMetadata"} == answer.keys()


# Few round trips: each counted query is one. The test clock costs none of its own.


@pytest.mark.parametrize(
    ("operation", "most"),
    [
        ("GetAccountBalance", 2),
        ("GetHIT", 2),
        ("ListHITs", 2),
        ("CreateHITWithHITType", 6),
        ("ApproveAssignment", 6),
    ],
)
def test_a_call_costs_few_queries(market: Market, operation: str, most: int) -> None:
    hit = market.create_hit()
    assignment = market.submit(hit)
    members = {
        "GetHIT": {"HITId": hit.mturk_id},
        "CreateHITWithHITType": {
            "HITTypeId": hit.hit_type.mturk_id,
            "LifetimeInSeconds": 60,
            "Question": QUESTION,
            "UniqueRequestToken": "row-1",
        },
        "ApproveAssignment": {"AssignmentId": assignment.mturk_id},
    }.get(operation, {})

    with CaptureQueriesContext(connection) as queries:
        assert call(market, operation, json.dumps(members))[0] == 200

    asked = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(asked) <= most, asked
