"""MTurk's JSON over HTTP: finds who calls and what is asked, and answers as MTurk does.

What each operation does is in `operations/`; what requests and answers must look like, in `shapes.py`.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError

from marketplace import lifecycle, logs, metrics, shapes, signing, throttle
from marketplace.errors import (
    ApiError,
    insufficient_funds,
    serialization_error,
    service_fault,
    unknown_operation,
)
from marketplace.ledger import InsufficientFunds
from marketplace.operations import OPERATIONS, Call

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/x-amz-json-1.1"
_TARGET_PREFIX = "MTurkRequesterServiceV20170117."


class ApiMiddleware:
    """Answers `POST /`, which is every API call; the pages' middleware never sees one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST" and request.path == "/":
            return answer(request)
        return self.get_response(request)


def answer(request: HttpRequest) -> HttpResponse:
    """The answer to one API call, whatever happens."""
    began = time.monotonic()
    request_id = str(uuid.uuid4())
    logs.begin(request_id)
    try:
        body, status = _act(request, request_id), 200
    except ApiError as error:
        body, status = error.body(), error.http_status
    except InsufficientFunds:
        body, status = insufficient_funds().body(), 400
    except Exception:
        # Whatever went wrong here, the caller's SDK can only read MTurk's JSON.
        logger.exception("An API call failed")
        fault = service_fault()
        body, status = fault.body(), fault.http_status
    content = json.dumps(body, separators=(",", ":"))
    operation = request.headers.get("X-Amz-Target", "").removeprefix(_TARGET_PREFIX)
    # What a caller sends may hold anything; only names of operations go into the log.
    shown = operation if operation in shapes.operation_names() else "unknown"
    duration_ms = round((time.monotonic() - began) * 1000)
    about = {"operation": shown, "status": status, "duration_ms": duration_ms}
    metrics.count_call(shown, status)
    logger.info("api %s %s", shown, status, extra=about)
    return HttpResponse(
        content,
        status=status,
        content_type=CONTENT_TYPE,
        # json.dumps writes ASCII, so characters are bytes.
        headers={"x-amzn-RequestId": request_id, "Content-Length": str(len(content))},
    )


def _act(request: HttpRequest, request_id: str) -> dict[str, Any]:
    try:
        caller = signing.check_signature(request)
    except RequestDataTooBig:
        raise ApiError(
            "RequestEntityTooLargeException", "The request is too large.", http_status=413
        ) from None
    except UnreadablePostError:
        raise serialization_error("The request did not arrive whole.") from None
    throttle.check_rate(caller.requester_id)
    name = request.headers.get("X-Amz-Target", "").removeprefix(_TARGET_PREFIX)
    if name not in OPERATIONS:
        raise unknown_operation()
    members = shapes.read_request(name, _read_json(request.body))
    if caller.something_is_due:
        lifecycle.apply_due()
    call = Call(name, caller.requester_id, caller.now, request_id)
    return shapes.write_answer(name, OPERATIONS[name](call, members) or {})


def _read_json(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise serialization_error("The request is not valid JSON in UTF-8.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
