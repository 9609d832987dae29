"""Errors as application/problem+json (RFC 9457), with the same sentences as the pages."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from mturkhub.common import request_log
from mturkhub.common.errors import ActionRefused

CONTENT_TYPE = "application/problem+json"
NOT_FOUND = "There is nothing here: the address or the id may be mistyped, or it belongs to another team."
UNTOLD = "Send a token: Authorization: Bearer …. You make one on your own page, under Tokens."
FAILED = (
    "This server made a mistake, which is in its log under the request_id. Nothing is lost that was saved. Tell whoever "
    "runs the server."
)
UNREADABLE = "This request cannot be read. Nothing was changed."
TOO_LARGE = (
    "What was sent is larger than this address takes: 5 MB of fields, 200 MB of a file. Nothing was changed."
)


class Refused(ActionRefused):
    """A refusal with more than a sentence: the fields, lines or connections it is about."""

    def __init__(self, sentence: str, *, status: int = 400, **more: Any) -> None:
        super().__init__(sentence, status=status)
        self.more = more


def fields_refused(errors: dict[str, Any]) -> Refused:
    """The refusal of a body, per field; the sentence is the first of them."""
    told = {name: [str(each) for each in sentences] for name, sentences in errors.items()}
    name, sentences = next(iter(told.items()))
    first = sentences[0] if name == "body" else f"{name}: {sentences[0]}"
    return Refused(first, errors=told)


def problem(status: int, sentence: str, **more: Any) -> dict[str, Any]:
    """The members of one problem document."""
    members = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sentence,
    }
    return {**members, **more, "request_id": request_log.reference()}


def answer_to(error: Exception, context: dict[str, Any]) -> Response | None:
    """What REST framework answers to an exception; None for one that is a fault of ours."""
    more: dict[str, Any] = {}
    headers: dict[str, str] = {}
    match error:
        case Refused():
            status, sentence, more = error.status, error.sentence, error.more
        case ActionRefused():
            status, sentence = error.status, error.sentence
        case Http404():
            status, sentence = 404, NOT_FOUND
        case RequestDataTooBig() | TooManyFieldsSent() | TooManyFilesSent():
            status, sentence = 413, TOO_LARGE
        case SuspiciousOperation():
            status, sentence = 400, UNREADABLE
        case exceptions.ValidationError():
            refused = fields_refused(_by_field(error.detail))
            status, sentence, more = 400, refused.sentence, refused.more
        case exceptions.APIException():
            status, sentence, headers = _of_framework(error, context)
        case _:
            return None
    response = Response(problem(status, sentence, **more), status=status, content_type=CONTENT_TYPE)
    for name, value in headers.items():
        response[name] = value
    return response


def _of_framework(error: exceptions.APIException, context: dict[str, Any]) -> tuple[int, str, dict[str, str]]:
    sentence, headers = str(error.detail), {}
    match error:
        case exceptions.NotAuthenticated():
            sentence, headers = UNTOLD, {"WWW-Authenticate": "Bearer"}
        case exceptions.AuthenticationFailed():
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        case exceptions.MethodNotAllowed():
            allowed = [each for each in context["view"].allowed_methods if each != "HEAD"]
            sentence = f"{context['request'].method} is not what this address takes: {', '.join(allowed)}."
        case exceptions.UnsupportedMediaType():
            takes = ", ".join(parser.media_type for parser in context["view"].parser_classes)
            sentence = f"Send the body as {takes}, with the header Content-Type saying so."
        case exceptions.Throttled():
            seconds = int(getattr(error, "wait", None) or 1)
            headers = {"Retry-After": str(seconds)}
            sentence = f"This token has asked as often as it may in a minute. Ask again in {seconds} s."
    return error.status_code, sentence, headers


def _by_field(detail: Any) -> dict[str, Any]:
    """REST framework's errors, flat: those of no field are of the body."""
    if not isinstance(detail, dict):
        return {"body": detail}
    return {"body" if name == "non_field_errors" else name: _sentences(each) for name, each in detail.items()}


def _sentences(detail: Any) -> list[Any]:
    """The sentences of one field; of a list of values only those that are wrong."""
    if isinstance(detail, dict):
        return [f"{name}: {each}" for name, found in detail.items() for each in _sentences(found)]
    if isinstance(detail, list):
        return [sentence for each in detail for sentence in _sentences(each)]
    return [detail]


def problem_response(status: int, sentence: str) -> HttpResponse:
    """The same outside of REST framework."""
    return JsonResponse(problem(status, sentence), status=status, content_type=CONTENT_TYPE)


# What Django answers by itself, outside of any view: a page for people, a problem for scripts.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(settings.API_PATH):
        return problem_response(400, UNREADABLE)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(settings.API_PATH):
        return problem_response(404, NOT_FOUND)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(settings.API_PATH):
        return problem_response(500, FAILED)
    return defaults.server_error(request)
