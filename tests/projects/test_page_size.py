"""No page of a batch of 300,000 answers asks or reads more than that of a batch of 1,000 rows."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mturkhub.accounts.models import Connection
from projects.filters import ROW_SORTS, SHOWN, SORTS, AssignmentFilter, RowFilter
from projects.models import Assignment, Batch
from projects.states import RowProgress
from tests.conftest import Person
from tests.factories import BatchFactory, HITTypeFactory, ProjectFactory
from tests.projects.large import fill

SMALL, LARGE = 1_000, 171_600
# Rows that a page may read more of, per query, than at the small size: a counted list reads 10,001, or twice that
# where Postgres takes an index with some others in it; a search looks through 5,000 with the row and the answer of each.
COUNTED, SEARCHED = 10_001, 21_000


@dataclass
class World:
    person: Person
    batch: Batch


@pytest.fixture
def worlds(olive: Person, connection: Connection) -> list[World]:
    made = []
    for rows in (SMALL, LARGE):
        project = ProjectFactory(team=olive.team, created_by=olive.user)
        batch = BatchFactory(project=project, connection=connection, published=True)
        fill(batch, rows, hit_type=HITTypeFactory(connection=connection))
        made.append(World(olive, Batch.objects.get(pk=batch.pk)))
    return made


def addresses(world: World) -> Iterator[tuple[str, str]]:
    """A name and an address for each page of the batch, and for those that show it among others."""
    batch = world.batch
    for name in ("batch", "batch_figures", "batch_export", "batch_activity", "batch_rows", "review_batch"):
        yield name, reverse(f"projects:{name}", args=[batch.public_id])
    for name in ("home", "projects", "review"):
        yield name, reverse(f"projects:{name}")
    money = reverse("projects:ledger")
    yield "ledger", f"{money}?batch={batch.public_id}"
    yield "ledger of a kind", f"{money}?kind=paid&batch={batch.public_id}"
    yield "project", reverse("projects:project", args=[batch.project.public_id])
    yield "row", reverse("projects:row", args=[batch.public_id, batch.rows_total // 2 + 10])
    rows = reverse("projects:batch_rows", args=[batch.public_id])
    yield "rows, midst", f"{rows}?{RowFilter().query(at=row_place(batch, 'row'))}"
    yield "rows search", f"{rows}?{RowFilter(text='nowhere').query()}"
    answers = reverse("projects:review_batch", args=[batch.public_id])
    answer = middle(batch)
    yield "review, midst", f"{answers}?{AssignmentFilter().query(at='>' + answer_place(answer, 'oldest'))}"
    yield "review one", f"{answers}?answer={answer.public_id}"
    yield "review Worker", f"{answers}?{AssignmentFilter(worker=answer.worker.mturk_id).query()}"
    yield "review search", f"{answers}?{AssignmentFilter(text='nowhere').query()}"


def lists(world: World) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each list in each filter and order, at its begin, in its midst and backwards from there."""
    batch, answer = world.batch, middle(world.batch)
    for progress, sort in product(["", *RowProgress.values], ROW_SORTS):
        rows = RowFilter(progress=progress, sort=sort)
        for sign in ("", "<", ">"):
            place = sign and sign + row_place(batch, sort)
            yield f"rows {progress} {sort} {sign}", partial(rows.page, batch, place)
    for text in ("number 77", "500"):
        yield f"rows search {text}", partial(RowFilter(text=text).page, batch)
    for show, sort in product(SHOWN, SORTS):
        answers = AssignmentFilter(show=show, sort=sort)
        for sign in ("", "<", ">"):
            place = sign and sign + answer_place(answer, sort)
            yield f"review {show} {sort} {sign}", partial(answers.page, batch, place)
        yield f"review search {show} {sort}", partial(replace(answers, text="number 77").page, batch)


def middle(batch: Batch) -> Assignment:
    number = batch.rows_total // 2 + 10
    return Assignment.objects.filter(batch=batch, row__number=number).order_by("pk")[0]


def row_place(batch: Batch, sort: str) -> str:
    """Without the sign that says in which direction."""
    row = batch.results.get(number=batch.rows_total // 2 + 10)
    assert row.last_answer_at
    return f"{row.last_answer_at.isoformat()}~{row.number}" if sort == "newest" else str(row.number)


def answer_place(answer: Assignment, sort: str) -> str:
    time, length = answer.submitted_at.isoformat(), int(answer.work_time.total_seconds() * 1_000_000)
    return {
        "oldest": f"{time}~{answer.pk}",
        "newest": f"{time}~{answer.pk}",
        "fastest": f"{length}~{answer.pk}",
        "slowest": f"{length}~{answer.pk}",
        "worker": f"{answer.worker_id}~{time}~{answer.pk}",
    }[sort]


def asked_by(show: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(database) as captured:
        show()
    return [query["sql"] for query in captured.captured_queries]


def visit(world: World, address: str) -> None:
    assert world.person.client.get(address).status_code == 200, address


@cache
def rows_read(sql: str) -> int:
    """The rows that a query takes from its tables and indexes, also those it then passes over."""
    if not sql.lower().startswith("select"):
        return 0
    with database.cursor() as cursor:
        cursor.execute("explain (analyze, timing off, format json) " + sql.replace("%", "%%"), [])
        [(plan,)] = cursor.fetchall()
    return _scanned((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])


def _scanned(node: dict[str, Any]) -> int:
    below = sum(_scanned(child) for child in node.get("Plans", []))
    # A bitmap's rows are counted where they are then read.
    if not node["Node Type"].endswith("Scan") or node["Node Type"] in {"Subquery Scan", "Bitmap Index Scan"}:
        return below
    passed_over = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return below + round((node["Actual Rows"] + passed_over) * node["Actual Loops"])


def compare(name: str, small: Callable[[], object], large: Callable[[], object]) -> Iterator[str]:
    """What is wrong with a page: it asks more often, or a query of it reads more."""
    asked, asked_of_large = asked_by(small), asked_by(large)
    # An empty list has no rows to ask for.
    if len(asked_of_large) > len(asked) + 1:
        yield f"{name}: {len(asked)} queries became {len(asked_of_large)}"
    most = max(rows_read(sql) for sql in asked)
    for sql in asked_of_large:
        read = rows_read(sql)
        allowed = SEARCHED if "search" in name else 2 * COUNTED if "LIMIT 10001" in sql else 2 * most + 200
        if read > allowed:
            yield f"{name}: {read:,} rows where {allowed:,} would do: {sql[:2000]}"


# Writing and explaining takes a while on a busy machine.
@pytest.mark.timeout(600)
@pytest.mark.django_db
def test_pages_and_lists_of_a_hundred_times_larger_batch_ask_and_read_no_more(worlds: list[World]) -> None:
    small, large = worlds
    wrong: list[str] = []
    visit(small, reverse("projects:home"))
    for (name, one), (_, other) in zip(addresses(small), addresses(large), strict=True):
        wrong += compare(name, partial(visit, small, one), partial(visit, large, other))
    for (name, show_one), (_, show_other) in zip(lists(small), lists(large), strict=True):
        wrong += compare(name, show_one, show_other)

    assert not wrong, "\n\n".join(wrong)
