"""What the OpenAPI document says besides what the views say themselves."""

from functools import cache
from typing import Any

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from mturkhub.api.repeating import HEADER

KEY = OpenApiParameter(
    HEADER,
    str,
    OpenApiParameter.HEADER,
    description="The same key with the same body happens once, and answers the same for two days.",
)
_PROBLEM = {
    "type": "object",
    "description": "Why not, as RFC 9457 has it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {
            "type": "string",
            "description": "The sentence for people: what is wrong, where, what to do.",
        },
        "errors": {
            "type": "object",
            "description": "Field → sentences.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "bad_lines": {
            "type": "array",
            "description": "Lines of a file that cannot be used, the first 50.",
            "items": {
                "type": "object",
                "properties": {
                    "line": {"type": "integer"},
                    "column": {"type": "string"},
                    "found": {"type": "string"},
                    "sentence": {"type": "string"},
                },
            },
        },
        "connections": {"type": "array", "items": {"type": "object"}},
        "encodings": {
            "type": "array",
            "description": "In which a file that is no UTF-8 can be read.",
            "items": {
                "type": "object",
                "properties": {"encoding": {"type": "string"}, "name": {"type": "string"}},
            },
        },
        "request_id": {"type": "string", "description": "Under which the server's log has it."},
    },
}


@cache
def listing(item: type[serializers.Serializer[Any]]) -> Any:
    """The schema of one page of a list."""
    return inline_serializer(
        f"{item.__name__}Page",
        {
            "next": serializers.CharField(
                allow_null=True, help_text="The address of the next page; null at the end."
            ),
            "results": item(many=True),
        },
    )


def with_problems(result: Any, **_: Any) -> Any:
    """Let every operation say that it may refuse, and in which form."""
    result["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["4XX"] = {"description": "Refused.", "content": content}
    return result
