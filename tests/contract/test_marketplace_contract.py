"""Every operation of the marketplace with ordinary boto3 over HTTP: its success, and each error MTurk has for it.

Each raw answer is held against botocore's own description of the service.
"""

import json
import re
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from mturkhub.command import sites
from mturkhub.command.manager import Manager
from mturkhub.command.ports import listen
from tests.contract.conftest import CommandFailed, Commands
from tests.servers import MarketplaceServer, address, wait

QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
    'HTMLQuestion.xsd"><HTMLContent><![CDATA[<!DOCTYPE html><p>7?</p>]]></HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)
TYPE = {"Title": "Rate it", "Description": "One number", "Reward": "0.05", "AssignmentDurationInSeconds": 600}
PAST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Market:
    """A requester of their own and test Workers."""

    mturk: Any
    manage: Commands
    name: str

    def hit(self, **members: Any) -> str:
        given = {"LifetimeInSeconds": 3600, "Question": QUESTION} | TYPE | members
        return str(self.mturk.create_hit(**given)["HIT"]["HITId"])

    def submit(self, hit_id: str, worker: str = "ATESTOLIVE", rating: str = "7") -> str:
        self.manage("worker_act", "accept", hit_id, worker)
        return self.manage("worker_act", "submit", hit_id, worker, json.dumps({"rating": rating}))

    def assignment(self) -> str:
        return self.submit(self.hit())


def check_raw_answer(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Raise unless the body is what the description promises, before botocore makes the best of it."""
    assert response_dict["headers"]["x-amzn-requestid"]
    assert response_dict["headers"]["content-type"] == "application/x-amz-json-1.1"
    body = json.loads(response_dict["body"])
    if response_dict["status_code"] != 200:
        assert body["__type"]
        return
    if operation_model.output_shape is None or not operation_model.output_shape.members:
        assert body == {}
        return
    report = ParamValidator().validate(body, operation_model.output_shape)
    assert not report.has_errors(), report.generate_report()
    assert "null" not in response_dict["body"].decode()


def client(url: str, key_id: str, secret: str) -> Any:
    made = boto3.client(
        "mturk",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )
    made.meta.events.register("before-parse.mturk", check_raw_answer)
    return made


@pytest.fixture(scope="module")
def market(marketplace_server: MarketplaceServer, manage: Commands) -> Market:
    name = f"Contract {uuid.uuid4()}"
    keys = manage("add_requester", name).split()
    return Market(client(marketplace_server.url, *keys), manage, name)


@pytest.fixture(scope="module")
def stranger(marketplace_server: MarketplaceServer, manage: Commands) -> Any:
    """Another requester's client."""
    return client(marketplace_server.url, *manage("add_requester", f"Stranger {uuid.uuid4()}").split())


def members_of(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


# Successes ---------------------------------------------------------------------------------------


def test_get_account_balance(market: Market) -> None:
    answer = members_of(market.mturk.get_account_balance())

    assert re.fullmatch(r"\d+\.\d\d", answer["AvailableBalance"])


def test_create_hit_type(market: Market) -> None:
    first, again = (market.mturk.create_hit_type(**TYPE)["HITTypeId"] for _ in range(2))

    assert first == again
    assert re.fullmatch("3[A-Z0-9]{29}", first)


def test_create_hit_and_create_hit_with_hit_type_and_get_hit_show_the_same(market: Market) -> None:
    hit = market.mturk.create_hit(
        **TYPE, LifetimeInSeconds=3600, Question=QUESTION, MaxAssignments=2, RequesterAnnotation="row 1"
    )["HIT"]
    of_type = market.mturk.create_hit_with_hit_type(
        HITTypeId=hit["HITTypeId"],
        LifetimeInSeconds=3600,
        Question=QUESTION,
        MaxAssignments=2,
        RequesterAnnotation="row 1",
    )["HIT"]

    assert market.mturk.get_hit(HITId=hit["HITId"])["HIT"] == hit
    own = {"HITId", "CreationTime", "Expiration"}
    assert {name: of_type[name] for name in of_type.keys() - own} == {
        name: hit[name] for name in hit.keys() - own
    }


def test_list_hits_through_the_paginator(market: Market) -> None:
    made = {market.hit() for _ in range(3)}

    pages = list(market.mturk.get_paginator("list_hits").paginate(MaxResults=2))

    listed = [hit["HITId"] for page in pages for hit in page["HITs"]]
    assert made <= set(listed)
    assert len(listed) == len(set(listed))
    assert pages[-1]["NumResults"] == 0
    assert all("NextToken" in page for page in pages[:-1])


def test_answers_are_listed_read_approved_and_rejected(market: Market) -> None:
    hit_id = market.hit(MaxAssignments=2)
    good, bad = market.submit(hit_id), market.submit(hit_id, "ATESTMINA")

    assert members_of(market.mturk.approve_assignment(AssignmentId=good)) == {}
    assert members_of(market.mturk.reject_assignment(AssignmentId=bad, RequesterFeedback="blank")) == {}

    listed = market.mturk.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    assert [each["AssignmentStatus"] for each in listed] == ["Approved", "Rejected"]
    for assignment in listed:
        shown = market.mturk.get_assignment(AssignmentId=assignment["AssignmentId"])
        assert shown["Assignment"] == assignment
        assert shown["HIT"]["HITId"] == hit_id
    market.mturk.approve_assignment(AssignmentId=bad, OverrideRejection=True)
    statuses = market.mturk.list_assignments_for_hit(HITId=hit_id, AssignmentStatuses=["Rejected"])
    assert members_of(statuses) == {"NumResults": 0, "Assignments": []}


def test_a_hit_is_extended_expired_and_deleted(market: Market) -> None:
    hit_id = market.hit()
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=300)

    market.mturk.create_additional_assignments_for_hit(HITId=hit_id, NumberOfAdditionalAssignments=2)
    market.mturk.update_expiration_for_hit(HITId=hit_id, ExpireAt=later)
    hit = market.mturk.get_hit(HITId=hit_id)["HIT"]
    assert (hit["MaxAssignments"], hit["Expiration"]) == (3, later)

    market.mturk.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)
    assert market.mturk.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Reviewable"
    assert members_of(market.mturk.delete_hit(HITId=hit_id)) == {}
    assert market.mturk.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Disposed"


def test_a_hit_fills_in_a_layout(market: Market, tmp_path: Path) -> None:
    file = tmp_path / "layout.html"
    file.write_text("<p>${question}</p>")
    layout_id, name = market.manage("add_layout", market.name, str(file)).split()

    hit = market.mturk.create_hit(
        **TYPE,
        LifetimeInSeconds=60,
        HITLayoutId=layout_id,
        HITLayoutParameters=[{"Name": name, "Value": "7?"}],
    )["HIT"]

    assert hit["HITLayoutId"] == layout_id
    assert "<p>7?</p>" in hit["Question"]


def test_a_hit_is_listed_as_reviewable_and_as_reviewing(market: Market) -> None:
    hit_id = of_submitted(market)

    def listed(**members: Any) -> list[dict[str, str]]:
        pages = market.mturk.get_paginator("list_reviewable_hits").paginate(**members)
        return [hit for page in pages for hit in page["HITs"]]

    assert {"HITId": hit_id} in listed()
    assert members_of(market.mturk.update_hit_review_status(HITId=hit_id)) == {}
    assert {"HITId": hit_id} not in listed()
    assert {"HITId": hit_id} in listed(Status="Reviewing")
    market.mturk.update_hit_review_status(HITId=hit_id, Revert=True)
    assert {"HITId": hit_id} in listed()


def test_a_hit_changes_its_type(market: Market) -> None:
    hit_id = market.hit()
    type_id = market.mturk.create_hit_type(**TYPE | {"Reward": "0.10"})["HITTypeId"]

    assert members_of(market.mturk.update_hit_type_of_hit(HITId=hit_id, HITTypeId=type_id)) == {}

    hit = market.mturk.get_hit(HITId=hit_id)["HIT"]
    assert (hit["HITTypeId"], hit["Reward"]) == (type_id, "0.10")


def test_a_bonus_is_paid_and_listed(market: Market) -> None:
    assignment_id = market.assignment()
    bonus = {"WorkerId": "ATESTOLIVE", "AssignmentId": assignment_id, "BonusAmount": "0.25", "Reason": "good"}
    before = Decimal(market.mturk.get_account_balance()["AvailableBalance"])

    assert members_of(market.mturk.send_bonus(**bonus)) == {}

    assert before - Decimal(market.mturk.get_account_balance()["AvailableBalance"]) == Decimal("0.30")
    pages = list(market.mturk.get_paginator("list_bonus_payments").paginate(AssignmentId=assignment_id))
    [payment] = [payment for page in pages for payment in page["BonusPayments"]]
    assert {name: payment[name] for name in bonus} == bonus
    assert isinstance(payment["GrantTime"], datetime)


def test_workers_are_blocked_listed_and_unblocked(market: Market) -> None:
    assert members_of(market.mturk.create_worker_block(WorkerId="ATESTBLOCKED", Reason="spam")) == {}
    hit_id = market.hit()
    with pytest.raises(CommandFailed, match="none_left"):
        market.manage("worker_act", "accept", hit_id, "ATESTBLOCKED")

    pages = list(market.mturk.get_paginator("list_worker_blocks").paginate())
    assert {"WorkerId": "ATESTBLOCKED", "Reason": "spam"} in [
        block for page in pages for block in page["WorkerBlocks"]
    ]
    for _ in range(2):
        assert members_of(market.mturk.delete_worker_block(WorkerId="ATESTBLOCKED")) == {}
    assert market.submit(hit_id, "ATESTBLOCKED")


def test_workers_are_written_to_and_whoever_cannot_be_is_named(market: Market) -> None:
    decided(market)

    answer = market.mturk.notify_workers(
        Subject="Hello", MessageText="Come back.", WorkerIds=["ATESTOLIVE", "ANOBODY"]
    )

    [failure] = answer["NotifyWorkersFailureStatuses"]
    assert (failure["WorkerId"], failure["NotifyWorkersFailureCode"]) == ("ANOBODY", "HardFailure")


def test_review_policies_act_and_report(market: Market) -> None:
    known = {"Key": "AnswerKey", "MapEntries": [{"Key": "rating", "Values": ["7"]}]}
    plurality = {
        "QuestionIds": "rating",
        "QuestionAgreementThreshold": "50",
        "DisregardAssignmentIfRejected": "T",
        "ApproveIfWorkerAgreementScoreIsAtLeast": "100",
        "ExtendIfHITAgreementScoreIsLessThan": "100",
        "ExtendMaximumAssignments": "3",
        "ExtendMinimumTimeInSeconds": "3600",
    }
    hit_id = market.hit(
        MaxAssignments=2,
        AssignmentReviewPolicy={"PolicyName": "ScoreMyKnownAnswers/2011-09-01", "Parameters": [known]},
        HITReviewPolicy={
            "PolicyName": "SimplePlurality/2011-09-01",
            "Parameters": [{"Key": key, "Values": [value]} for key, value in plurality.items()],
        },
    )
    market.submit(hit_id)
    market.submit(hit_id, "ATESTMINA", "9")
    assert market.mturk.get_hit(HITId=hit_id)["HIT"]["MaxAssignments"] == 3
    market.submit(hit_id, "ATESTRAVI")

    report = market.mturk.list_review_policy_results_for_hit(HITId=hit_id, MaxResults=100)

    assert report["AssignmentReviewPolicy"]["PolicyName"] == "ScoreMyKnownAnswers/2011-09-01"
    scores = [
        each["Value"]
        for each in report["AssignmentReviewReport"]["ReviewResults"]
        if each["Key"] == "KnownAnswerScore"
    ]
    assert scores == ["100", "0", "100"]
    names = [each["ActionName"] for each in report["HITReviewReport"]["ReviewActions"]]
    assert names == ["review", "extend", "review", "approve", "approve"]
    listed = market.mturk.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    assert [each["AssignmentStatus"] for each in listed] == ["Approved", "Submitted", "Approved"]


def specification(destination: str, **members: Any) -> dict[str, Any]:
    return {
        "Destination": destination,
        "Transport": "SQS",
        "Version": "2006-05-05",
        "EventTypes": ["HITCreated"],
    } | members


def test_events_reach_a_queue_without_anybody_asking(market: Market, queues: str) -> None:
    sqs = boto3.client(
        "sqs",
        endpoint_url=queues,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    url = sqs.create_queue(QueueName=f"contract-{uuid.uuid4()}")["QueueUrl"]
    events: list[dict[str, str]] = []

    def arrived(count: int) -> bool:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            events.extend(json.loads(message["Body"])["Events"])
        return len(events) == count

    members = {"Notification": specification(url), "TestEventType": "Ping"}
    assert members_of(market.mturk.send_test_event_notification(**members)) == {}
    wait(lambda: arrived(1))
    type_id = market.mturk.create_hit_type(**TYPE | {"Title": "Told of"})["HITTypeId"]
    assert (
        members_of(
            market.mturk.update_notification_settings(HITTypeId=type_id, Notification=specification(url))
        )
        == {}
    )
    hit_id = market.hit(Title="Told of")
    wait(lambda: arrived(2))

    assert [event["EventType"] for event in events] == ["Ping", "HITCreated"]
    assert (events[1]["HITId"], events[1]["HITTypeId"]) == (hit_id, type_id)


def test_time_acts_without_anybody_asking(market: Market, marketplace_server: MarketplaceServer) -> None:
    assignment_id = market.submit(market.hit(AutoApprovalDelayInSeconds=0))

    # Straight from the table: a call would make time act by itself.
    with closing(psycopg2.connect(marketplace_server.database_url)) as database, database.cursor() as cursor:
        database.autocommit = True

        def is_approved() -> bool:
            query = "select state = 'approved' from marketplace_assignment where mturk_id = %s"
            cursor.execute(query, [assignment_id])
            return bool(cursor.fetchone()[0])

        wait(is_approved)


# Errors ------------------------------------------------------------------------------------------


def decided(market: Market) -> str:
    assignment_id = market.assignment()
    market.mturk.approve_assignment(AssignmentId=assignment_id)
    return assignment_id


def held(market: Market) -> str:
    return market.manage("worker_act", "accept", market.hit(), "ATESTRAVI")


def deleted(market: Market) -> str:
    hit_id = market.hit()
    market.mturk.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)
    market.mturk.delete_hit(HITId=hit_id)
    return hit_id


def of_submitted(market: Market) -> str:
    hit_id = market.hit()
    market.submit(hit_id)
    return hit_id


NO_HIT, NO_ASSIGNMENT = {"HITId": "3NONE"}, {"AssignmentId": "3NONE"}
FEEDBACK = {"RequesterFeedback": "no"}
CONTENT = {"LifetimeInSeconds": 60, "Question": QUESTION}
CREATE = TYPE | CONTENT
UNKNOWN_TYPE = {"QualificationRequirements": [{"QualificationTypeId": "3NONE", "Comparator": "Exists"}]}
PLACE = {
    "Destination": "http://127.0.0.1:1/queue",
    "Transport": "SQS",
    "Version": "2014-08-15",
    "EventTypes": ["HITCreated"],
}
NO_MONEY = (
    "This Requester has insufficient funds in their account to complete this transaction. Please visit "
)
ONLY_SUBMITTED = "This operation can be called with a status of: Submitted"
IN_STATE = "This HIT is currently in the state '"
NOT_VALID = 'The value "'


@pytest.mark.parametrize(
    ("operation", "members", "kind", "code", "message"),
    [
        ("create_hit_type", TYPE | {"Reward": "1.005"}, "ParameterValidationError", "", NOT_VALID),
        ("create_hit_type", TYPE | UNKNOWN_TYPE, "RequestError", "QualificationTypeDoesNotExist", ""),
        # creating
        ("create_hit", CREATE | {"Title": "x" * 129}, "ParameterValidationError", "", NOT_VALID),
        (
            "create_hit",
            CREATE | {"Question": "<p/>"},
            "ParameterValidationError",
            "",
            "The Question's outer element",
        ),
        ("create_hit", CREATE | {"Reward": "9999"}, "RequestError", "InsufficientFunds", NO_MONEY),
        ("create_hit", CREATE | UNKNOWN_TYPE, "RequestError", "QualificationTypeDoesNotExist", ""),
        (
            "create_hit",
            {**TYPE, "LifetimeInSeconds": 60, "HITLayoutId": "3NONE"},
            "RequestError",
            "HITLayoutDoesNotExist",
            "",
        ),
        (
            "create_hit_with_hit_type",
            CONTENT | {"HITTypeId": "3NONE"},
            "RequestError",
            "HITTypeDoesNotExist",
            "",
        ),
        # what does not exist
        ("get_hit", NO_HIT, "RequestError", "HITDoesNotExist", "Hit 3NONE does not exist."),
        ("delete_hit", NO_HIT, "RequestError", "HITDoesNotExist", "Hit 3NONE does not exist."),
        ("list_assignments_for_hit", NO_HIT, "RequestError", "HITDoesNotExist", "Hit 3NONE does not exist."),
        (
            "update_expiration_for_hit",
            NO_HIT | {"ExpireAt": PAST},
            "RequestError",
            "HITDoesNotExist",
            "Hit 3NONE",
        ),
        (
            "create_additional_assignments_for_hit",
            NO_HIT | {"NumberOfAdditionalAssignments": 1},
            "RequestError",
            "HITDoesNotExist",
            "Hit 3NONE",
        ),
        (
            "get_assignment",
            NO_ASSIGNMENT,
            "RequestError",
            "AssignmentDoesNotExist",
            "Assignment 3NONE does not exist.",
        ),
        ("approve_assignment", NO_ASSIGNMENT, "RequestError", "AssignmentDoesNotExist", "Assignment 3NONE"),
        (
            "reject_assignment",
            NO_ASSIGNMENT | FEEDBACK,
            "RequestError",
            "AssignmentDoesNotExist",
            "Assignment 3NONE",
        ),
        *(
            (operation, NO_HIT | more, "RequestError", "HITDoesNotExist", "Hit 3NONE does not exist.")
            for operation, more in (
                ("update_hit_review_status", {}),
                ("list_review_policy_results_for_hit", {}),
                ("list_bonus_payments", {}),
            )
        ),
        *(
            (operation, NO_ASSIGNMENT | more, "RequestError", "AssignmentDoesNotExist", "Assignment 3NONE")
            for operation, more in (
                ("get_file_upload_url", {"QuestionIdentifier": "file"}),
                ("send_bonus", {"WorkerId": "ANOBODY", "BonusAmount": "1", "Reason": "good"}),
                ("list_bonus_payments", {}),
            )
        ),
        *(
            (operation, {"HITTypeId": "3NONE"} | more, "RequestError", "HITTypeDoesNotExist", "HITType 3NONE")
            for operation, more in (
                ("list_reviewable_hits", {}),
                ("update_hit_type_of_hit", NO_HIT),
                ("update_notification_settings", {"Active": True}),
            )
        ),
        # money, Workers, notifications
        (
            "send_bonus",
            NO_ASSIGNMENT | {"WorkerId": "ANOBODY", "BonusAmount": "0.00", "Reason": "good"},
            "ParameterValidationError",
            "",
            'The value "0.00" is not valid for the parameter BonusAmount.',
        ),
        ("list_bonus_payments", {}, "ParameterValidationError", "", "Either HITId or AssignmentId"),
        (
            "create_worker_block",
            {"WorkerId": "wanda", "Reason": "spam"},
            "ParameterValidationError",
            "",
            'The value "wanda" is not valid for the parameter WorkerId.',
        ),
        (
            "delete_worker_block",
            {"WorkerId": "wanda"},
            "ParameterValidationError",
            "",
            'The value "wanda" is not valid for the parameter WorkerId.',
        ),
        ("list_worker_blocks", {"MaxResults": 101}, "ParameterValidationError", "", 'The value "101"'),
        (
            "notify_workers",
            {"Subject": "x" * 201, "MessageText": "y", "WorkerIds": ["ANOBODY"]},
            "ParameterValidationError",
            "",
            NOT_VALID,
        ),
        (
            "notify_workers",
            {"Subject": "x", "MessageText": "y", "WorkerIds": ["ANOBODY"] * 101},
            "ParameterValidationError",
            "",
            "There are 101 WorkerIds",
        ),
        ("update_notification_settings", {"HITTypeId": "3NONE"}, "ParameterValidationError", "", "Either"),
        *(
            (
                "send_test_event_notification",
                {"Notification": place, "TestEventType": "Ping"},
                "RequestError",
                "InvalidTransportEndpoint",
                message,
            )
            for place, message in (
                (
                    {**PLACE, "Transport": "Email", "Destination": "lab@example.org"},
                    "This marketplace sends no",
                ),
                (
                    {**PLACE, "Destination": "http://127.0.0.1:1/queue"},
                    "The operator of this marketplace does",
                ),
            )
        ),
        (
            "send_test_event_notification",
            {"Notification": {**PLACE, "Version": "1999-01-01"}, "TestEventType": "Ping"},
            "ParameterValidationError",
            "",
            'The value "1999-01-01"',
        ),
        (
            "create_hit",
            CREATE | {"HITReviewPolicy": {"PolicyName": "Coffee"}},
            "ParameterValidationError",
            "",
            'The PolicyName "Coffee"',
        ),
        # what botocore leaves to the server
        (
            "get_hit",
            {"HITId": "lower"},
            "ParameterValidationError",
            "",
            'The value "lower" is not valid for the',
        ),
        (
            "list_hits",
            {"MaxResults": 101},
            "ParameterValidationError",
            "",
            'The value "101" is not valid for the',
        ),
        ("list_hits", {"NextToken": "p1:made-up"}, "ParameterValidationError", "", 'The value "p1:made-up"'),
        (
            "list_assignments_for_hit",
            NO_HIT | {"AssignmentStatuses": ["Nope"]},
            "ParameterValidationError",
            "",
            'The value "Nope"',
        ),
    ],
)
def test_an_error_that_needs_no_history(
    market: Market, operation: str, members: dict[str, Any], kind: str, code: str, message: str
) -> None:
    check_refused(market.mturk, operation, members, kind, code, message)


@pytest.mark.parametrize(
    ("operation", "make", "member", "more", "code", "message"),
    [
        (
            "delete_hit",
            Market.hit,
            "HITId",
            {},
            "InvalidHITState",
            f"{IN_STATE}Assignable'.  This operation can be",
        ),
        ("delete_hit", of_submitted, "HITId", {}, "InvalidHITState", f"{IN_STATE}Reviewable'.  "),
        ("delete_hit", deleted, "HITId", {}, "InvalidHITState", f"{IN_STATE}Disposed'.  "),
        ("list_assignments_for_hit", deleted, "HITId", {}, "HITDoesNotExist", "Hit "),
        ("update_expiration_for_hit", deleted, "HITId", {"ExpireAt": PAST}, "InvalidHITState", IN_STATE),
        (
            "create_additional_assignments_for_hit",
            deleted,
            "HITId",
            {"NumberOfAdditionalAssignments": 1},
            "InvalidHITState",
            IN_STATE,
        ),
        (
            "create_additional_assignments_for_hit",
            Market.hit,
            "HITId",
            {"NumberOfAdditionalAssignments": 9},
            "InvalidMaximumAssignmentsIncrease",
            "",
        ),
        (
            "create_additional_assignments_for_hit",
            lambda market: market.hit(MaxAssignments=10),
            "HITId",
            {"NumberOfAdditionalAssignments": 1_000_000},
            "InsufficientFunds",
            NO_MONEY,
        ),
        (
            "update_hit_review_status",
            Market.hit,
            "HITId",
            {},
            "InvalidHITState",
            f"{IN_STATE}Assignable'.  This operation can be called with a status of: Reviewable",
        ),
        (
            "get_file_upload_url",
            Market.assignment,
            "AssignmentId",
            {"QuestionIdentifier": "file"},
            "InvalidParameterValue",
            "FileUploadAnswer was withdrawn",
        ),
        (
            "send_bonus",
            Market.assignment,
            "AssignmentId",
            {"WorkerId": "ATESTMINA", "BonusAmount": "1", "Reason": "good"},
            "AssignmentDoesNotExist",
            "Assignment ",
        ),
        (
            "send_bonus",
            Market.assignment,
            "AssignmentId",
            {"WorkerId": "ATESTOLIVE", "BonusAmount": "99999", "Reason": "good"},
            "InsufficientFunds",
            NO_MONEY,
        ),
        ("approve_assignment", decided, "AssignmentId", {}, "InvalidAssignmentState", ONLY_SUBMITTED),
        ("reject_assignment", decided, "AssignmentId", FEEDBACK, "InvalidAssignmentState", ONLY_SUBMITTED),
        ("approve_assignment", held, "AssignmentId", {}, "InvalidAssignmentState", ONLY_SUBMITTED),
        (
            "get_assignment",
            held,
            "AssignmentId",
            {},
            "InvalidAssignmentState",
            "This operation can be called with a status of: Reviewable,Approved,Rejected",
        ),
    ],
)
def test_an_error_of_state(
    market: Market, operation: str, make: Any, member: str, more: dict[str, Any], code: str, message: str
) -> None:
    check_refused(market.mturk, operation, {member: make(market)} | more, "RequestError", code, message)


@pytest.mark.parametrize(
    ("operation", "make", "member", "more", "code"),
    [
        ("get_hit", Market.hit, "HITId", {}, "HITDoesNotExist"),
        ("delete_hit", Market.hit, "HITId", {}, "HITDoesNotExist"),
        ("update_hit_review_status", Market.hit, "HITId", {}, "HITDoesNotExist"),
        ("list_review_policy_results_for_hit", Market.hit, "HITId", {}, "HITDoesNotExist"),
        ("list_bonus_payments", Market.hit, "HITId", {}, "HITDoesNotExist"),
        ("list_bonus_payments", Market.assignment, "AssignmentId", {}, "AssignmentDoesNotExist"),
        ("get_assignment", Market.assignment, "AssignmentId", {}, "AssignmentDoesNotExist"),
        ("approve_assignment", Market.assignment, "AssignmentId", {}, "AssignmentDoesNotExist"),
    ],
)
def test_what_is_another_requesters_does_not_exist(
    market: Market, stranger: Any, operation: str, make: Any, member: str, more: dict[str, Any], code: str
) -> None:
    check_refused(stranger, operation, {member: make(market)} | more, "RequestError", code, "")


def test_a_repeated_token_is_an_error_with_what_it_did(market: Market) -> None:
    token = {"UniqueRequestToken": str(uuid.uuid4())}
    hit_id = market.hit(**token)
    more = {"HITId": hit_id, "NumberOfAdditionalAssignments": 1} | token
    market.mturk.create_additional_assignments_for_hit(**more)

    exists = f'The HIT with ID "{hit_id}" already exists.'
    check_refused(market.mturk, "create_hit", CREATE | token, "RequestError", "HitAlreadyExists", exists)
    check_refused(
        market.mturk,
        "create_additional_assignments_for_hit",
        more,
        "RequestError",
        "DuplicateRequest",
        f'The idempotency token "{token["UniqueRequestToken"]}" has already been processed.',
    )


def test_a_bonus_with_a_repeated_token_is_an_error_and_paid_once(market: Market) -> None:
    bonus = {"WorkerId": "ATESTOLIVE", "AssignmentId": market.assignment(), "BonusAmount": "0.25"}
    bonus |= {"Reason": "good", "UniqueRequestToken": str(uuid.uuid4())}
    market.mturk.send_bonus(**bonus)

    message = f'The idempotency token "{bonus["UniqueRequestToken"]}" has already been processed.'
    check_refused(market.mturk, "send_bonus", bonus, "RequestError", "DuplicateRequest", message)
    assert market.mturk.list_bonus_payments(AssignmentId=bonus["AssignmentId"])["NumResults"] == 1


def test_a_type_stays_once_somebody_has_accepted(market: Market) -> None:
    hit_id = of_submitted(market)
    type_id = market.mturk.get_hit(HITId=hit_id)["HIT"]["HITTypeId"]

    members = {"HITId": hit_id, "HITTypeId": type_id}
    check_refused(
        market.mturk, "update_hit_type_of_hit", members, "RequestError", "InvalidHITState", IN_STATE
    )


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (("AKIANOBODY", "secret"), "UnrecognizedClientException"),
        ((None, "wrong"), "InvalidSignatureException"),
    ],
)
def test_strange_keys_get_the_errors_of_aws(
    marketplace_server: MarketplaceServer, keys: tuple[str | None, str], kind: str
) -> None:
    wrong = client(marketplace_server.url, keys[0] or marketplace_server.access_key, keys[1])

    check_refused(wrong, "get_account_balance", {}, kind, "", "")


def unsigned(request: Any) -> None:
    del request.headers["Authorization"]


def half_signed(request: Any) -> None:
    request.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=AKIAHALF/20260101/us-east-1"


def another_body(request: Any) -> None:
    request.body = b" " * len(request.body)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (unsigned, "MissingAuthenticationTokenException"),
        (half_signed, "IncompleteSignatureException"),
        (another_body, "InvalidSignatureException"),
    ],
)
def test_a_request_that_is_not_signed_right_gets_the_errors_of_aws(
    marketplace_server: MarketplaceServer, manage: Commands, spoil: Any, kind: str
) -> None:
    keys = manage("add_requester", f"Spoilt {uuid.uuid4()}").split()
    careless = client(marketplace_server.url, *keys)
    careless.meta.events.register("before-send.mturk", lambda request, **_: spoil(request))

    check_refused(careless, "get_account_balance", {}, kind, "", "")


def coffee(request: Any) -> None:
    request.headers.replace_header("X-Amz-Target", "MTurkRequesterServiceV20170117.MakeCoffee")


def broken_json(request: Any) -> None:
    request.data = b'{"HITId": '


def a_number_for_a_text(request: Any) -> None:
    request.data = b'{"HITId": 7}'


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (coffee, "UnknownOperationException"),
        (broken_json, "SerializationException"),
        (a_number_for_a_text, "SerializationException"),
    ],
)
def test_what_no_sdk_would_send_gets_the_errors_of_aws(
    marketplace_server: MarketplaceServer, manage: Commands, change: Any, kind: str
) -> None:
    keys = manage("add_requester", f"Strange {uuid.uuid4()}").split()
    strange = client(marketplace_server.url, *keys)
    strange.meta.events.register_first("before-sign.mturk", lambda request, **_: change(request))

    check_refused(strange, "get_hit", {"HITId": "3" * 30}, kind, "", "")


def test_a_hit_from_before_the_fees_changed_cannot_grow(
    market: Market, marketplace_server: MarketplaceServer
) -> None:
    hit_id = market.hit()
    with closing(psycopg2.connect(marketplace_server.database_url)) as database, database.cursor() as cursor:
        cursor.execute(
            "update marketplace_hit set created_at = '2015-07-21 12:00+00' where mturk_id = %s", [hit_id]
        )
        database.commit()

    more = {"HITId": hit_id, "NumberOfAdditionalAssignments": 1}
    check_refused(
        market.mturk,
        "create_additional_assignments_for_hit",
        more,
        "RequestError",
        "HITTooOldForExtension",
        "This HIT was made before 22 July 2015",
    )


def test_a_database_that_refuses_is_a_fault_of_the_service(
    market: Market, marketplace_server: MarketplaceServer
) -> None:
    with closing(psycopg2.connect(marketplace_server.database_url)) as database, database.cursor() as cursor:
        database.autocommit = True
        cursor.execute("alter table marketplace_workerblock rename to marketplace_away")
        try:
            with pytest.raises(ClientError) as caught:
                market.mturk.list_worker_blocks()
        finally:
            cursor.execute("alter table marketplace_away rename to marketplace_workerblock")

    assert isinstance(caught.value, market.mturk.exceptions.ServiceFault)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert market.mturk.list_worker_blocks()["NumResults"] == 0


def test_calls_beyond_the_rate_are_throttled(
    tmp_path: Path, marketplace_server: MarketplaceServer, manage: Commands
) -> None:
    keys = manage("add_requester", f"Hurried {uuid.uuid4()}").split()
    manager = Manager(tmp_path)
    with closing(listen("127.0.0.1", 0, variable="no variable")) as listener:
        manager.start(sites.marketplace(listener, marketplace_server.env | {"MARKETPLACE_RATE": "0.001/3"}))
        hurried = client(address(listener), *keys)
        try:
            for _ in range(3):
                hurried.get_account_balance()
            check_refused(hurried, "get_account_balance", {}, "ThrottlingException", "", "Rate exceeded")
        finally:
            manager.stop()


def check_refused(
    mturk: Any, operation: str, members: dict[str, Any], kind: str, code: str, message: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(mturk, operation)(**members)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (kind, 400)
    assert answer.get("TurkErrorCode", "") == (f"AWS.MechanicalTurk.{code}" if code else "")
    assert answer["Error"]["Message"].startswith(message)
    if kind in ("RequestError", "ParameterValidationError"):
        assert re.search(r" \(\d{13}\)$", answer["Error"]["Message"])
    if kind == "RequestError":
        assert isinstance(caught.value, mturk.exceptions.RequestError)
