"""Turns whatever boto3 raises into an MTurkError: did it perhaps happen, and can trying again help?

When in doubt the answer is "it may have happened": that costs a look, the other mistake costs money.
"""

import re
from typing import Any

from botocore import exceptions as boto

from mturkhub.gateway.errors import THROTTLING, Missing, MTurkError

# kind → (sentence, may it have happened); trying again can help with each.
_NO_IDENTITY = (
    "This server has no AWS identity of its own that works. Whoever runs it gives it one (a role, a profile or "
    "AWS_ACCESS_KEY_ID), or you enter keys here instead."
)
_CONNECTION_FAILURES: list[tuple[type[Exception], str, str, bool]] = [
    (boto.ConnectTimeoutError, "ConnectTimeout", "{where} did not answer within 5 seconds.", False),
    (boto.ProxyConnectionError, "ProxyFailed", "The proxy on the way to {where} cannot be reached.", False),
    (boto.EndpointConnectionError, "ConnectionFailed", "{where} cannot be reached.", False),
    (boto.ReadTimeoutError, "ReadTimeout", "{where} took longer than 30 seconds to answer.", True),
    (boto.SSLError, "TLSFailed", "No secure connection to {where} could be made or kept.", True),
    (
        boto.HTTPClientError,
        "ConnectionCut",
        "The connection to {where} was cut before the answer came.",
        True,
    ),
    (boto.IncompleteReadError, "ConnectionCut", "The answer of {where} broke off.", True),
]
_IDENTITY_FAILURES = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
)
# TLS that fails with these words failed in the handshake, before the request was sent.
_TLS_NEVER_MADE = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")

_WRONG_KEY = (
    "{where} does not know this access key. Enter the access key again, or make a new one with whoever "
    "runs the market."
)
_WRONG_SIGNATURE = (
    "{where} did not accept the signature: the secret access key does not belong to this access key id. "
    "Enter both again."
)
_EXPIRED_KEY = "This access key was a temporary one and has run out. Enter a new one."
_WRONG_CLOCK = (
    "{where} refused the request because its time is off: this server's clock differs from real time. "
    "Set the clock by a time server, then test again."
)
_NO_RIGHT = (
    "This access key may not call {operation}. Give its IAM user the policy AmazonMechanicalTurkFullAccess, "
    "or allow the action mechanicalturk:{operation}."
)
_NOT_LINKED = (
    "The AWS account of this access key is not linked to an MTurk requester account. Sign in on the "
    "requester site as the requester and link the AWS account under Developer, then test again. "
    "The sandbox is linked separately."
)
_NO_FUNDS = "The balance at {where} does not cover this. Add funds, then try again."
_SENTENCES_BY_TYPE = {
    "UnrecognizedClientException": _WRONG_KEY,
    "InvalidClientTokenId": _WRONG_KEY,
    "InvalidAccessKeyId": _WRONG_KEY,
    "InvalidSignatureException": _WRONG_SIGNATURE,
    "SignatureDoesNotMatch": _WRONG_SIGNATURE,
    "IncompleteSignature": _WRONG_SIGNATURE,
    "IncompleteSignatureException": _WRONG_SIGNATURE,
    "MissingAuthenticationTokenException": _WRONG_SIGNATURE,
    "ExpiredTokenException": _EXPIRED_KEY,
    "RequestExpired": _WRONG_CLOCK,
    "RequestTimeTooSkewed": _WRONG_CLOCK,
    "AccessDeniedException": _NO_RIGHT,
    "AccessDenied": _NO_RIGHT,
    "OptInRequired": _NOT_LINKED,
    "SubscriptionRequiredException": _NOT_LINKED,
    "UnknownOperationException": "{where} does not offer {operation}.",
}
_MISSING = {
    _WRONG_KEY: Missing.KEYS,
    _WRONG_SIGNATURE: Missing.KEYS,
    _EXPIRED_KEY: Missing.KEYS,
    _WRONG_CLOCK: Missing.CLOCK,
    _NO_RIGHT: Missing.POLICY,
    _NOT_LINKED: Missing.LINK,
}
# MTurk has no code for this; the wording is that of its refusals to AWS accounts without a requester account.
_LINK_WORDS = re.compile(
    r"must be linked|not linked to|link your (AWS )?account|not registered|must register", re.IGNORECASE
)
# "Hit 3… does not exist. (1624047673969)": the bracket is MTurk's clock in milliseconds.
_TRAILING_TIME = re.compile(r"\s*\(\d{10,}(?: s)?\)\s*$")


class UnreadableAnswer(Exception):
    """An answer came, and it is not one of the MTurk API."""


def explain(error: Exception, *, operation: str, where: str) -> MTurkError:
    """The MTurkError for an exception of boto3, or of reading its answer. `where` names the host asked."""
    if isinstance(error, boto.ClientError):
        return _explain_answer(error, operation=operation, where=where)
    for kind_of_error, kind, sentence, may_have_happened in _CONNECTION_FAILURES:
        if isinstance(error, kind_of_error):
            if kind == "TLSFailed" and any(words in str(error) for words in _TLS_NEVER_MADE):
                may_have_happened = False
            return MTurkError(
                operation=operation,
                kind=kind,
                code="",
                sentence=sentence.format(where=where),
                details=str(error),
                may_have_happened=may_have_happened,
                retry_can_help=True,
            )
    if isinstance(error, _IDENTITY_FAILURES):
        return MTurkError(
            operation=operation,
            kind="NoIdentity",
            code="",
            sentence=_NO_IDENTITY,
            # What stands there may quote a profile, a token address or a reply that holds keys.
            details=type(error).__name__,
            may_have_happened=False,
            retry_can_help=False,
            missing=Missing.IDENTITY,
        )
    if isinstance(error, boto.ParamValidationError):
        return MTurkError(
            operation=operation,
            kind="ParamValidation",
            code="",
            sentence=f"{operation} was not sent: a value does not fit. {_first_line(error)}",
            details=str(error),
            may_have_happened=False,
            retry_can_help=False,
        )
    return MTurkError(
        operation=operation,
        kind="UnreadableAnswer",
        code="",
        sentence=f"The answer of {where} cannot be read. Is this the address of an MTurk endpoint?",
        details=f"{type(error).__name__}: {error}",
        may_have_happened=True,
        retry_can_help=True,
    )


def _explain_answer(error: Any, *, operation: str, where: str) -> MTurkError:
    """An answer with an error status. MTurk's own 4xx, known by its `__type`, says that nothing happened."""
    answer = error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = str(answer.get("Error", {}).get("Code") or "")
    # An error page of whatever stands in between may hold NUL, which Postgres does not store.
    message = str(answer.get("Error", {}).get("Message") or "").replace("\x00", "\ufffd")
    code = str(answer.get("TurkErrorCode") or "").removeprefix("AWS.MechanicalTurk.")
    # Without `__type` botocore puts the status in its place.
    has_type = bool(kind) and not kind.isdigit()
    # The model flags ServiceFault as MTurk's own trouble, so whatever its status it proves nothing.
    is_refusal = has_type and 400 <= status < 500 and kind != "ServiceFault"
    request_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
    about_account = _about_account(kind, message) if is_refusal else ""
    words = [kind if has_type else "", code, f"HTTP {status}", f"request {request_id}" if request_id else ""]
    return MTurkError(
        operation=operation,
        kind=kind if has_type else f"HTTP{status}",
        code=code,
        sentence=_sentence(kind if is_refusal else "", code, message, status, operation, where),
        details=f"{message[:2000]} ({', '.join(word for word in words if word)})".strip(),
        may_have_happened=not is_refusal,
        retry_can_help=status >= 500 or status in (408, 429) or kind in THROTTLING or kind == "ServiceFault",
        missing=_MISSING.get(about_account, ""),
    )


def _sentence(kind: str, code: str, message: str, status: int, operation: str, where: str) -> str:
    """What a person reads: the missing step where we know it, else MTurk's own words. No kind: no refusal."""
    if not kind:
        return f"{where} answered with an error of its own (HTTP {status}) to {operation}."
    if kind in THROTTLING:
        return f"{where} is asked too much at once and wants us to slow down."
    if code == "InsufficientFunds":
        return _NO_FUNDS.format(where=where)
    if known := _about_account(kind, message) or _SENTENCES_BY_TYPE.get(kind):
        return known.format(where=where, operation=operation)
    own_words = _TRAILING_TIME.sub("", message) or kind
    return f"MTurk refused {operation}: {own_words}"


def _about_account(kind: str, message: str) -> str:
    """The sentence, with its names not filled in, of a refusal for what the requester has not done; else empty."""
    if _LINK_WORDS.search(message):
        return _NOT_LINKED
    if re.search(r"signature (expired|not yet current)", message, re.IGNORECASE):
        return _WRONG_CLOCK
    known = _SENTENCES_BY_TYPE.get(kind, "")
    return known if known in _MISSING else ""


def _first_line(error: Exception) -> str:
    """botocore opens with "Parameter validation failed:" and then lists one fault a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 else (lines[0] if lines else "")
