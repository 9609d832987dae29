"""A market in this process: a requester whose boto3 calls reach Django without a network, and Workers."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from django.test import Client

if os.environ.get("DJANGO_SETTINGS_MODULE") != "marketplace.settings":
    # A run with the dashboard's settings cannot load these; pytest.ini here says how to run them.
    collect_ignore_glob = ["*test_*.py"]
else:
    from marketplace import clock, lifecycle
    from marketplace.models import HIT, Assignment, Balance, Requester, Worker
    from marketplace.requesters import Keys, ensure_requester

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
    'HTMLQuestion.xsd"><HTMLContent><![CDATA[<!DOCTYPE html><p>What is it?</p>]]></HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)
TYPE = {
    "Title": "Name the colour",
    "Description": "One word",
    "Reward": "0.50",
    "AssignmentDurationInSeconds": 600,
    "AutoApprovalDelayInSeconds": 3600,
}


def _send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    """Hand a signed request to Django instead of the network."""
    headers = {
        name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()
    }
    response = Client().generic(
        "POST",
        "/",
        data=request.body or b"",
        content_type=headers.pop("Content-Type"),
        headers=headers | {"Host": "testserver"},
    )
    raw = SimpleNamespace(stream=lambda: iter([response.content]))
    return AWSResponse(request.url, response.status_code, dict(response.headers), raw)


def mturk_client(key_id: str, secret: str) -> "MTurkClient":
    """An ordinary boto3 client that signs with these keys."""
    client = boto3.client(
        "mturk",
        endpoint_url="http://testserver",
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        # Nothing is checked before it is sent, so that the server's own checks are seen.
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    client.meta.events.register("before-send.mturk", _send)
    return client


@dataclass
class Market:
    """A requester with money, their client, and people to work."""

    requester: "Requester"
    keys: "Keys"
    mturk: "MTurkClient"

    @property
    def balance(self) -> tuple[Decimal, Decimal]:
        """What is available and what is on hold."""
        balance = Balance.objects.get(requester=self.requester)
        return balance.available, balance.held

    def create_hit(self, **members: Any) -> "HIT":
        """A HIT with one slot for 50 cents, made through the API."""
        answer = self.mturk.create_hit(
            **{"LifetimeInSeconds": 86_400, "MaxAssignments": 1, "Question": QUESTION} | TYPE | members
        )
        return HIT.objects.get(mturk_id=answer["HIT"]["HITId"])

    def worker(self) -> "Worker":
        return Worker.objects.create(created_at=clock.now())

    def accept(self, hit: "HIT", worker: "Worker | None" = None) -> "Assignment":
        return lifecycle.accept_hit(hit, worker or self.worker())

    def submit(self, hit: "HIT", worker: "Worker | None" = None, **fields: str) -> "Assignment":
        """A Worker accepts the HIT and answers it."""
        assignment = self.accept(hit, worker)
        return lifecycle.submit_assignment(assignment.mturk_id, list((fields or {"colour": "red"}).items()))

    def status(self, hit: "HIT") -> tuple[str, int, int, int]:
        """HITStatus, available, pending and completed, as GetHIT shows them."""
        shown = self.mturk.get_hit(HITId=hit.mturk_id)["HIT"]
        return (
            shown["HITStatus"],
            shown["NumberOfAssignmentsAvailable"],
            shown["NumberOfAssignmentsPending"],
            shown["NumberOfAssignmentsCompleted"],
        )

    def wait(self, **duration: float) -> None:
        """Move the clock ahead; what time does shows at the next call."""
        clock.advance(timedelta(**duration))


@pytest.fixture
def make_market(db: None) -> "Callable[[str], Market]":
    def make(name: str) -> Market:
        requester, keys = ensure_requester(name)
        return Market(requester, keys, mturk_client(keys.key_id, keys.secret))

    return make


@pytest.fixture
def market(make_market: "Callable[[str], Market]") -> Market:
    return make_market("Lab")


@pytest.fixture
def mturk(market: Market) -> "MTurkClient":
    return market.mturk
