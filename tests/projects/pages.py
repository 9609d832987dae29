"""How tests read pages: as text, by the test client, with their queries counted."""

import re
from html import unescape
from typing import Any

from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mturkhub.common.templatetags.ui import outside
from projects.counting import recount
from projects.models import HIT, Assignment, Batch
from projects.queueing import price_each
from tests.conftest import Person
from tests.factories import AssignmentFactory, TeamWorkerFactory

# What Workers and files may hold; each must come out as text.
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea></td></table><h1>gone",
    "{{ request.user }}{% now 'Y' %}",
    "javascript:alert(1)",
    "\u202etxt.exe",
]


def get(person: Person, name: str, thing: Any, *args: Any, query: str = "") -> str:
    """The page's HTML; fails unless it is there."""
    response = person.client.get(reverse(f"projects:{name}", args=[thing.public_id, *args]) + query)
    assert response.status_code == 200, (response.status_code, response.get("Location"))
    return response.content.decode()


def post(person: Person, name: str, thing: Any, data: dict[str, Any] | None = None, **headers: Any) -> Any:
    """The answer to a click; `htmx=True` as HTMX sends it, `from_page=URL` as a form on that page does."""
    if headers.pop("htmx", False):
        headers["HTTP_HX_REQUEST"] = "true"
    if page := headers.pop("from_page", ""):
        headers["HTTP_REFERER"] = f"http://testserver{page}"
    return person.client.post(reverse(f"projects:{name}", args=[thing.public_id]), data or {}, **headers)


def words(html: str) -> str:
    """The text of the page's content as one line, without its frame."""
    found = re.search(r"<main.*</main>", html, re.S)
    text = re.sub(r"<[^>]*>", " ", found[0] if found else html)
    return " ".join(unescape(text).split())


def ask_for_ten(hit: HIT) -> HIT:
    """A HIT on the other side of the border from nine to ten, where the fee is higher."""
    hit.max_assignments, hit.price_each = 10, price_each(hit.batch, 10)
    hit.save(update_fields=["max_assignments", "price_each"])
    return hit


def is_shown_as_text(value: str, html: str) -> bool:
    """Whether it stands in the page with its markup escaped and what it hides named, and nowhere without."""
    escaped = outside(value).removeprefix("<bdi>").removesuffix("</bdi>")
    return escaped in html and (escaped == value or value not in html)


def count_queries(person: Person, name: str, thing: Any, *args: Any, query: str = "") -> int:
    get(person, name, thing, *args, query=query)
    with CaptureQueriesContext(database) as queries:
        get(person, name, thing, *args, query=query)
    return len(queries)


def answer(batch: Batch, *fields: dict[str, list[str]], row: int = 0, **more: Any) -> list[Assignment]:
    """One answer for each of these fields, to one row or to all in turn, with the counters kept."""
    hits = list(batch.hits.select_related("row").order_by("row__number"))
    if row:
        hits = [hit for hit in hits if hit.row.number == row]
    made = [
        AssignmentFactory(hit=hits[number % len(hits)], answer__fields=each, **more)
        for number, each in enumerate(fields)
    ]
    for assignment in made:
        if not assignment.worker.team_workers.filter(team=batch.team).exists():
            TeamWorkerFactory(team=batch.team, worker=assignment.worker)
    recount(batch.rows.values_list("pk", flat=True))
    batch.answer_fields = sorted(set(batch.answer_fields).union(*fields))
    batch.save(update_fields=["answer_fields"])
    batch.refresh_from_db()
    return made
