"""Checks AWS Signature Version 4 against the marketplace's own keys, and says who calls.

The same query brings the time and whether time has done something, so that a call starts with one round trip.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.db import connection
from django.http import HttpRequest

from marketplace import clock, lifecycle
from marketplace.errors import ApiError
from marketplace.models import AccessKey

SERVICE = "mturk-requester"
REGION = "us-east-1"
_ALGORITHM = "AWS4-HMAC-SHA256"
_SKEW = timedelta(minutes=15)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_CREDENTIAL = re.compile(r"([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request\Z")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request, and when it came in."""

    requester_id: int
    # The marketplace's time, which tests may move; signatures are checked against Postgres' own.
    now: datetime
    something_is_due: bool


@dataclass(frozen=True, slots=True)
class _Authorization:
    key_id: str
    date: str
    region: str
    service: str
    signed_headers: list[str]
    signature: str


def check_signature(request: HttpRequest) -> Caller:
    """The caller whose key signed this request; raises AWS's own errors where none did."""
    given = _read_authorization(request.headers.get("Authorization", ""))
    signed_at = _read_timestamp(request.headers.get("X-Amz-Date", ""))
    key, real_now, caller = _look_up(given.key_id)
    # A temporary session's token cannot be one of ours.
    if key is None or "X-Amz-Security-Token" in request.headers:
        raise ApiError(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    _check_scope(given, signed_at)
    _check_age(signed_at, real_now)
    if not hmac.compare_digest(_signature(request, given, key.secret).encode(), given.signature.encode()):
        raise ApiError("InvalidSignatureException", _MISMATCH)
    return caller


def _read_authorization(header: str) -> _Authorization:
    if not header:
        raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = header.partition(" ")
    if algorithm != _ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    missing = [name for name in ("Credential", "SignedHeaders", "Signature") if not parts.get(name)]
    if missing:
        raise _incomplete(f"Authorization header requires '{missing[0]}' parameter.")
    credential = _CREDENTIAL.match(parts["Credential"])
    if credential is None:
        raise _incomplete("Credential must have the form key/date/region/service/aws4_request.")
    headers = parts["SignedHeaders"].lower().split(";")
    if "host" not in headers or "x-amz-date" not in headers:
        raise _incomplete("'Host' and 'X-Amz-Date' must be 'SignedHeader's in the AWS Authorization.")
    key_id, date, region, service = credential.groups()
    return _Authorization(key_id, date, region, service, headers, parts["Signature"])


def _read_timestamp(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete("Date must be in ISO-8601 'basic format' in the X-Amz-Date header.") from None


def _incomplete(message: str) -> ApiError:
    return ApiError("IncompleteSignatureException", message)


def _look_up(key_id: str) -> tuple[AccessKey | None, datetime, Caller]:
    # Materialized, so that the volatile clock is read once and the indexes can be used.
    query = f"""
        with at as materialized (select {clock.REAL_NOW_SQL} as real_now, {clock.now_sql()} as now)
        select at.real_now, at.now, ({lifecycle.DUE_SQL.format(now="(select now from at)")}),
               key.requester_id, key.encrypted_secret
        from at left join marketplace_accesskey key on key.key_id = %s and key.revoked_at is null
    """  # noqa: S608  (only our own constants are put in; the key id is a parameter)
    with connection.cursor() as cursor:
        cursor.execute(query, [key_id])
        real_now, now, is_due, requester_id, encrypted_secret = cursor.fetchone()
    key = AccessKey(requester_id=requester_id, encrypted_secret=encrypted_secret) if requester_id else None
    return key, real_now, Caller(requester_id, now, bool(is_due))


def _check_scope(given: _Authorization, signed_at: datetime) -> None:
    if given.region != REGION:
        raise ApiError(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid region, not '{given.region}'. Use '{REGION}'.",
        )
    if given.service != SERVICE:
        raise ApiError(
            "InvalidSignatureException", f"Credential should be scoped to correct service: '{SERVICE}'."
        )
    if given.date != f"{signed_at:%Y%m%d}":
        raise ApiError(
            "InvalidSignatureException",
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date: {given.date}",
        )


def _check_age(signed_at: datetime, real_now: datetime) -> None:
    said, here = signed_at.strftime(_TIMESTAMP), real_now.astimezone(UTC).strftime(_TIMESTAMP)
    if signed_at < real_now - _SKEW:
        raise ApiError(
            "InvalidSignatureException",
            f"Signature expired: {said} is now earlier than the allowed 15 minutes before {here}.",
        )
    if signed_at > real_now + _SKEW:
        raise ApiError(
            "InvalidSignatureException",
            f"Signature not yet current: {said} is still later than the allowed 15 minutes after {here}.",
        )


def _signature(request: HttpRequest, given: _Authorization, secret: str) -> str:
    """The signature this secret gives to the request, over the headers that were signed."""
    headers = {name: " ".join(request.headers.get(name, "").split()) for name in given.signed_headers}
    body_hash = hashlib.sha256(request.body).hexdigest()
    # A body hash that the client states must be the body's.
    if headers.get("x-amz-content-sha256", body_hash) != body_hash:
        raise ApiError("InvalidSignatureException", _MISMATCH)
    query = "&".join(sorted(request.META.get("QUERY_STRING", "").split("&")))
    canonical_headers = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    signed_headers = ";".join(sorted(headers))
    canonical = f"POST\n/\n{query}\n{canonical_headers}\n{signed_headers}\n{body_hash}"
    to_sign = "\n".join(
        (
            _ALGORITHM,
            request.headers["X-Amz-Date"],
            f"{given.date}/{given.region}/{given.service}/aws4_request",
            hashlib.sha256(canonical.encode("latin-1")).hexdigest(),
        )
    )
    return hmac.new(_signing_key(secret, given.date), to_sign.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, REGION, SERVICE, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
