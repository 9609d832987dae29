"""Signatures are checked against the marketplace's own keys, and against the real time alone."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.test import Client

from marketplace.models import AccessKey
from tests.marketplace.conftest import Market, mturk_client
from tests.marketplace.refusals import refused

TARGET = "MTurkRequesterServiceV20170117.GetAccountBalance"


def signed(
    market: Market,
    *,
    body: str = "{}",
    at: datetime | None = None,
    secret: str | None = None,
    service: str = "mturk-requester",
    region: str = "us-east-1",
    headers: dict[str, str] | None = None,
) -> dict[str, str]:
    """Headers of a call signed by botocore, at any time and with any scope."""
    given = {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.1"} | (headers or {})
    request = AWSRequest("POST", "http://testserver/", headers=given, data=body)
    auth = SigV4Auth(Credentials(market.keys.key_id, secret or market.keys.secret), service, region)
    timestamp = (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    request.context["timestamp"] = timestamp
    request.headers["X-Amz-Date"] = timestamp
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(to_sign, request))
    return dict(request.headers.items())


def send(headers: dict[str, str], body: str = "{}", path: str = "/") -> tuple[int, dict[str, Any]]:
    response = Client().generic(
        "POST",
        path,
        data=body,
        content_type=headers["Content-Type"],
        headers=headers | {"Host": "testserver"},
    )
    return response.status_code, json.loads(response.content)


def kind_of(headers: dict[str, str], **sent: Any) -> str:
    status, answer = send(headers, **sent)
    assert status == 400
    return str(answer["__type"])


def test_a_signature_with_ones_own_key_is_taken(market: Market) -> None:
    assert send(signed(market)) == (200, {"AvailableBalance": "10000.00"})


def test_more_signed_headers_are_taken(market: Market) -> None:
    headers = {"Amz-Sdk-Invocation-Id": "7", "X-Odd": "two   spaces"}

    assert send(signed(market, headers=headers))[0] == 200


@pytest.mark.parametrize("minutes", [-14, 0, 14])
def test_fifteen_minutes_of_wrong_clock_are_forgiven(market: Market, minutes: int) -> None:
    assert send(signed(market, at=datetime.now(UTC) + timedelta(minutes=minutes)))[0] == 200


@pytest.mark.parametrize(("minutes", "says"), [(-16, "Signature expired"), (16, "Signature not yet current")])
def test_an_old_or_early_signature_is_refused(market: Market, minutes: int, says: str) -> None:
    status, answer = send(signed(market, at=datetime.now(UTC) + timedelta(minutes=minutes)))

    assert (status, answer["__type"]) == (400, "InvalidSignatureException")
    assert answer["message"].startswith(says)


def test_the_test_clock_moves_no_signature(market: Market) -> None:
    market.wait(days=30)

    assert send(signed(market))[0] == 200
    assert kind_of(signed(market, at=datetime.now(UTC) + timedelta(days=30))) == "InvalidSignatureException"


def test_a_wrong_secret_is_a_wrong_signature(market: Market) -> None:
    assert kind_of(signed(market, secret="another")) == "InvalidSignatureException"


def test_a_body_that_was_not_signed_is_refused(market: Market) -> None:
    assert kind_of(signed(market), body='{"a": 1}') == "InvalidSignatureException"


def test_a_stated_body_hash_must_be_the_bodys(market: Market) -> None:
    of_empty_body = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    assert (
        kind_of(signed(market, headers={"X-Amz-Content-SHA256": of_empty_body}))
        == "InvalidSignatureException"
    )


@pytest.mark.parametrize(
    ("header", "value"), [("X-Amz-Target", "MTurkRequesterServiceV20170117.ListHITs"), ("X-Amz-Date", None)]
)
def test_a_changed_header_is_refused(market: Market, header: str, value: str | None) -> None:
    headers = signed(market)
    headers[header] = value or (datetime.now(UTC) + timedelta(seconds=5)).strftime("%Y%m%dT%H%M%SZ")

    assert kind_of(headers) == "InvalidSignatureException"


def test_another_service_or_region_is_refused(market: Market) -> None:
    assert kind_of(signed(market, service="s3")) == "InvalidSignatureException"
    assert kind_of(signed(market, region="eu-west-1")) == "InvalidSignatureException"


def test_an_unknown_key_is_refused_as_aws_does(db: None) -> None:
    with refused() as refusal:
        mturk_client("AKIANOBODY", "secret").get_account_balance()
    assert refusal.kind == "UnrecognizedClientException"
    assert refusal.message == "The security token included in the request is invalid."


def test_a_revoked_key_is_unknown(market: Market) -> None:
    AccessKey.objects.update(revoked_at=datetime.now(UTC))

    with refused() as refusal:
        market.mturk.get_account_balance()
    assert refusal.kind == "UnrecognizedClientException"


def test_a_session_token_is_none_of_ours(market: Market) -> None:
    headers = signed(market, headers={"X-Amz-Security-Token": "temporary"})

    assert kind_of(headers) == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("authorization", "kind"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("Basic dXNlcjpwYXNz", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host;x-amz-date, Signature=0",
            "IncompleteSignatureException",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/mturk-requester/aws4_request, "
            "SignedHeaders=host, Signature=0",
            "IncompleteSignatureException",
        ),
    ],
)
def test_half_an_authorization_is_refused(market: Market, authorization: str | None, kind: str) -> None:
    headers = signed(market) | ({"Authorization": authorization} if authorization else {})
    if authorization is None:
        del headers["Authorization"]

    assert kind_of(headers) == kind


def test_a_call_without_a_date_is_refused(market: Market) -> None:
    headers = signed(market)
    del headers["X-Amz-Date"]

    assert kind_of(headers) == "IncompleteSignatureException"


def test_secrets_are_not_stored_readably(market: Market) -> None:
    key = AccessKey.objects.get()

    assert key.secret == market.keys.secret
    assert market.keys.secret.encode() not in bytes(key.encrypted_secret)
