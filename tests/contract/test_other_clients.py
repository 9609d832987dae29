"""Clients nobody here wrote, with only the endpoint changed: the AWS CLI and the JavaScript SDK take the same walk."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Commands
from tests.contract.test_marketplace_contract import QUESTION, TYPE
from tests.servers import MarketplaceServer

ROOT = Path(__file__).resolve().parents[2]
# Makes one call and returns its answer; fails with the client's own words.
Call = Callable[..., dict[str, Any]]


class ClientRefused(Exception):
    """The client ended with an error; its text holds what it printed."""


def aws_cli(operation: str, members: str) -> list[str]:
    command = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", operation).lower()
    return [str(Path(sys.executable).with_name("aws")), "mturk", command, "--cli-input-json", members]


def javascript(operation: str, members: str) -> list[str]:
    return ["node", str(Path(__file__).with_name("call.mjs")), operation, members]


@pytest.fixture(params=[aws_cli, javascript], ids=["AWS CLI", "JavaScript SDK"])
def call(request: pytest.FixtureRequest, marketplace_server: MarketplaceServer, manage: Commands) -> Call:
    key_id, secret = manage("add_requester", f"Client {uuid.uuid4()}").split()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL_MTURK": marketplace_server.url,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def make(operation: str, **members: Any) -> dict[str, Any]:
        done = subprocess.run(
            request.param(operation, json.dumps(members)),
            env=env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=90,
        )
        if done.returncode != 0:
            raise ClientRefused(done.stderr)
        answer: dict[str, Any] = json.loads(done.stdout or "{}")
        return answer

    return make


@pytest.mark.timeout(300)
def test_create_list_answer_approve_pay_more_and_qualify(call: Call, manage: Commands) -> None:
    before = Decimal(call("GetAccountBalance")["AvailableBalance"])
    kind = call(
        "CreateQualificationType",
        Name=f"Careful {uuid.uuid4()}",
        Description="Has answered before.",
        QualificationTypeStatus="Active",
    )["QualificationType"]["QualificationTypeId"]
    hit = call("CreateHIT", Question=QUESTION, LifetimeInSeconds=3600, **TYPE)["HIT"]["HITId"]
    assert [each["HITId"] for each in call("ListHITs")["HITs"]] == [hit]
    manage("worker_act", "accept", hit, "ATESTCLIENTS")
    manage("worker_act", "submit", hit, "ATESTCLIENTS", '{"rating": "7"}')

    (answer,) = call("ListAssignmentsForHIT", HITId=hit)["Assignments"]
    assert "<FreeText>7</FreeText>" in answer["Answer"]
    assignment, worker = answer["AssignmentId"], answer["WorkerId"]
    call("ApproveAssignment", AssignmentId=assignment, RequesterFeedback="Thank you.")
    call(
        "SendBonus", WorkerId=worker, AssignmentId=assignment, BonusAmount="1.00", Reason="Well thought out."
    )
    call("AssociateQualificationWithWorker", QualificationTypeId=kind, WorkerId=worker, IntegerValue=7)

    assert call("GetAssignment", AssignmentId=assignment)["Assignment"]["AssignmentStatus"] == "Approved"
    assert call("ListBonusPayments", HITId=hit)["BonusPayments"][0]["BonusAmount"] == "1.00"
    score = call("GetQualificationScore", QualificationTypeId=kind, WorkerId=worker)
    assert score["Qualification"]["IntegerValue"] == 7
    # 0.05 and 0.01 for the answer, 1.00 and 0.20 for the bonus.
    assert before - Decimal(call("GetAccountBalance")["AvailableBalance"]) == Decimal("1.26")


def test_a_refusal_reads_as_mturks(call: Call) -> None:
    with pytest.raises(ClientRefused, match="Hit 3NOSUCHHIT does not exist"):
        call("GetHIT", HITId="3NOSUCHHIT")
