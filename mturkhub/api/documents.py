"""The OpenAPI document, and a page that shows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.actors import team_not_required
from mturkhub.api.base import ApiView


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, made from the code that answers."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    made: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


class OpenApi(ApiView):
    """For everybody: it holds no data."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def get(self, request: Request) -> Response:
        return Response(document())


# For people --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """One field or parameter, with what it holds in words."""

    name: str
    kind: str
    is_required: bool
    words: str


@dataclass(frozen=True)
class Operation:
    """One thing to ask for: how, with what, and what comes back."""

    name: str
    method: str
    path: str
    words: str
    parameters: list[Field]
    sent_as: str
    sent: list[Field]
    status: str
    answered_as: str
    answer: list[Field]


@team_not_required
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Every operation, read off the OpenAPI document."""
    groups: dict[str, list[Operation]] = {}
    for tag, operation in _operations(document()):
        groups.setdefault(tag, []).append(operation)
    context = {"groups": groups, "api_url": settings.MTURKHUB_URL.rstrip("/") + settings.API_PATH.rstrip("/")}
    return render(request, "api/docs.html", context)


def _operations(told: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in told["paths"].items():
        for method, each in methods.items():
            sent_as, sent = _content(told, each.get("requestBody", {}))
            status = next(iter(each["responses"]))
            answered_as, answer = _content(told, each["responses"][status])
            yield (
                each["tags"][0],
                Operation(
                    name=each["operationId"],
                    method=method.upper(),
                    path=path,
                    words=each.get("description", ""),
                    parameters=[_parameter(told, one) for one in each.get("parameters", [])],
                    sent_as=sent_as,
                    sent=sent,
                    status=status,
                    answered_as=answered_as,
                    answer=answer,
                ),
            )


def _content(told: dict[str, Any], holder: dict[str, Any]) -> tuple[str, list[Field]]:
    """The media types of a body, and its fields."""
    content = holder.get("content", {})
    schema = next(iter(content.values()))["schema"] if content else {}
    return ", ".join(content), _fields(told, schema)


def _fields(told: dict[str, Any], schema: dict[str, Any]) -> list[Field]:
    schema = _resolved(told, schema)
    required = set(schema.get("required", ()))
    return [
        Field(name, _kind(told, each), name in required, each.get("description", ""))
        for name, each in schema.get("properties", {}).items()
    ]


def _parameter(told: dict[str, Any], each: dict[str, Any]) -> Field:
    schema = each["schema"]
    words = each.get("description") or schema.get("description", "")
    return Field(
        each["name"], f"{_kind(told, schema)}, in the {each['in']}", each.get("required", False), words
    )


def _resolved(told: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, where it is only named."""
    for holder in (schema, *schema.get("allOf", ()), *schema.get("oneOf", ())):
        if reference := holder.get("$ref"):
            found: dict[str, Any] = told["components"]["schemas"][reference.rsplit("/", 1)[1]]
            return found
    return schema


def _kind(told: dict[str, Any], schema: dict[str, Any]) -> str:
    """`integer`, `text`, `one of draft, live`, `list of …`."""
    found = _resolved(told, schema)
    if "enum" in found:
        return "one of " + ", ".join(str(each) for each in found["enum"] if each not in ("", None))
    kind = found.get("type", "anything")
    kinds = [each for each in (kind if isinstance(kind, list) else [kind]) if each != "null"]
    if kinds == ["array"]:
        return f"list of {_kind(told, found['items'])}"
    if kinds == ["object"] and "properties" in found:
        return "{" + ", ".join(found["properties"]) + "}"
    names = {"string": {"uuid": "id", "date-time": "time", "binary": "file", "decimal": "dollars"}}
    return " or ".join(
        names.get(each, {}).get(found.get("format", ""), _PLAIN.get(each, each)) for each in kinds
    )


_PLAIN = {"string": "text", "boolean": "true or false", "object": "object"}
