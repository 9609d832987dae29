"""Lists in pages, by key: `next` is the address of the page that follows, null at the end."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from mturkhub.api.fields import Fields, Text
from mturkhub.common.errors import ActionRefused
from projects.filters import Page, is_place, page_of

USUAL, MOST = 100, 500


class PageFields(Fields):
    """The parameters of every list."""

    page_size = serializers.IntegerField(
        min_value=1, max_value=MOST, required=False, help_text=f"How many on a page; {USUAL} unless told."
    )
    at = Text(
        required=False, max_length=200, help_text="Where the page begins: taken from `next`, never made."
    )


def page_from(request: Request, found: QuerySet[Any], given: dict[str, Any]) -> Page:
    """The page of the list that the address asks for."""
    check_place(found, given)
    # Counting all of them is what makes a list slow; a script reads to the end.
    return page_of(found, given.get("at", ""), given.get("page_size", USUAL), total=0)


def check_place(found: QuerySet[Any], given: dict[str, Any]) -> None:
    """Refuse a place that was not made here: silently beginning anew, a script would never end."""
    if (place := given.get("at", "")) and not is_place(found, place):
        raise ActionRefused(
            "`at` is no place in this list. Follow the address in `next` as it is.", status=400
        )


def listed(request: Request, page: Page, show: Callable[[Iterable[Any]], list[Any]]) -> Response:
    """The page's rows and where the next one is."""
    address = request.build_absolute_uri()
    following = replace_query_param(address, "at", page.older) if page.older else None
    return Response({"next": following, "results": show(page.items)})
