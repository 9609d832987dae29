"""Filters, orders and places in lists, as they stand in an address."""

from datetime import timedelta

import pytest

from projects.filters import ROW_SORTS, SHOWN, SORTS, AssignmentFilter, RowFilter, page_of
from projects.models import Assignment, RowResult
from tests.factories import AssignmentFactory, BatchFactory, TeamWorkerFactory, WorkerFactory
from tests.factories.projects import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(olive, connection):
    return BatchFactory(project__team=olive.team, connection=connection, published=True, rows=3)


@pytest.fixture
def answers(batch):
    """One of each kind, in the order they came."""
    first, second, third = batch.hits.order_by("row__number")
    return {
        "waiting": AssignmentFactory(hit=first, work_time=timedelta(seconds=30)),
        "pending": AssignmentFactory(hit=second, pending_verdict="approve", work_time=timedelta(seconds=10)),
        "approved": AssignmentFactory(hit=third, status="Approved", work_time=timedelta(seconds=20)),
        "rejected": AssignmentFactory(hit=first, status="Rejected", work_time=timedelta(seconds=20)),
        "left_out": AssignmentFactory(hit=second, left_out_at=NOON, work_time=timedelta(seconds=40)),
    }


def test_a_worker_nobody_can_be_called_is_looked_for_without_the_nul() -> None:
    assert AssignmentFilter.read({"worker": "A\x00B", "text": "\x00"}) == AssignmentFilter(worker="AB")


def names(found, answers):
    by_key = {answer.pk: name for name, answer in answers.items()}
    return [by_key[answer.pk] for answer in found]


# Answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        # What is left out of the data still waits to be paid.
        ("waiting", ["waiting", "left_out"]),
        ("pending", ["pending"]),
        ("approved", ["approved"]),
        ("rejected", ["rejected"]),
        ("left_out", ["left_out"]),
        ("all", ["waiting", "pending", "approved", "rejected", "left_out"]),
    ],
)
def test_each_choice_shows_its_answers(batch, answers, show, expected):
    assert names(AssignmentFilter(show=show).apply(batch), answers) == expected


def test_every_choice_is_tested():
    assert set(SHOWN) == {"waiting", "pending", "approved", "rejected", "left_out", "all"}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("oldest", ["waiting", "pending", "approved", "rejected", "left_out"]),
        ("newest", ["left_out", "rejected", "approved", "pending", "waiting"]),
        ("fastest", ["pending", "approved", "rejected", "waiting", "left_out"]),
        ("slowest", ["left_out", "waiting", "rejected", "approved", "pending"]),
        ("worker", ["waiting", "pending", "approved", "rejected", "left_out"]),
    ],
)
def test_each_order_has_its_order(batch, answers, sort, expected):
    assert names(AssignmentFilter(show="all", sort=sort).apply(batch), answers) == expected


@pytest.mark.parametrize("text", ["a1realworker", "A1REALWORKER", "w-7q2m4k", "W-7Q2M4K"])
def test_a_worker_is_found_by_pseudonym_and_by_the_real_id_as_it_is_spelled(olive, batch, text):
    worker = WorkerFactory(connection=batch.connection, mturk_id="A1REALWORKER")
    TeamWorkerFactory(team=olive.team, worker=worker, pseudonym="W-7Q2M4K")
    mine = AssignmentFactory(hit=batch.hits.first(), worker=worker)
    AssignmentFactory(hit=batch.hits.last())

    found = list(AssignmentFilter(worker=text).apply(batch))

    assert found == ([] if text == "a1realworker" else [mine])


@pytest.mark.parametrize("text", ["sentence 2", "SENTENCE 2", "wunderbar"])
def test_text_is_looked_for_in_input_and_answer(batch, text):
    mine = AssignmentFactory(
        hit=batch.hits.get(row__number=2), answer__fields={"why": ["It was wunderbar, really."]}
    )
    AssignmentFactory(hit=batch.hits.get(row__number=1))

    assert list(AssignmentFilter(text=text).apply(batch)) == [mine]


@pytest.mark.parametrize("text", ["%", "_", "100%", "' or 1=1 --", "\\"])
def test_characters_of_sql_mean_themselves(batch, text):
    AssignmentFactory(hit=batch.hits.first())

    assert list(AssignmentFilter(text=text, show="all").apply(batch)) == []


def test_another_batchs_answers_are_never_shown(batch, olive, connection):
    AssignmentFactory(hit__row__batch=BatchFactory(project__team=olive.team, connection=connection))

    assert list(AssignmentFilter(show="all").apply(batch)) == []


# Rows ---------------------------------------------------------------------------------------------


def numbers(found):
    return [result.number for result in found]


def test_rows_come_by_number_or_by_their_newest_answer(batch):
    RowResult.objects.filter(batch=batch, number=1).update(last_answer_at=NOON)
    RowResult.objects.filter(batch=batch, number=3).update(last_answer_at=NOON + timedelta(hours=1))

    assert numbers(RowFilter().page(batch).items) == [1, 2, 3]
    assert numbers(RowFilter(sort="newest").page(batch).items) == [3, 1]


def test_rows_are_found_by_progress_number_text_and_hit_id(batch):
    RowResult.objects.filter(batch=batch, number=2).update(progress="failed")
    hit_id = batch.hits.get(row__number=3).mturk_id

    assert numbers(RowFilter(progress="failed").page(batch).items) == [2]
    assert numbers(RowFilter(text="2").page(batch).items) == [2]
    assert numbers(RowFilter(text="Sentence 1").page(batch).items) == [1]
    assert numbers(RowFilter(text=hit_id).page(batch).items) == [3]
    assert numbers(RowFilter(text="9" * 50).page(batch).items) == []


# Addresses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"show": "nothing", "sort": "pk; drop table", "worker": "", "text": "\x00"},
        {"show": "waiting", "sort": "oldest"},
    ],
)
def test_what_makes_no_sense_in_an_address_is_the_usual(query):
    assert AssignmentFilter.read(query) == AssignmentFilter()
    assert RowFilter.read(query) == RowFilter()


@pytest.mark.parametrize(
    "chosen",
    [
        AssignmentFilter(show=show, sort=sort, worker="A&B", text="ü=1 %")
        for show, sort in zip(SHOWN, [*SORTS, "oldest"], strict=True)
    ],
)
def test_an_address_brings_the_same_list_again(rf, chosen):
    assert AssignmentFilter.read(rf.get(f"/?{chosen.query()}").GET) == chosen


@pytest.mark.parametrize("sort", ROW_SORTS)
def test_an_address_brings_the_same_rows_again(rf, sort):
    chosen = RowFilter(progress="failed", sort=sort, text="ü&=")

    assert RowFilter.read(rf.get(f"/?{chosen.query(at='>1')}").GET) == chosen


# Pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", SORTS)
def test_paging_forwards_and_back_shows_each_answer_once_whatever_the_order(batch, sort):
    for number in range(7):
        # Ties in time and length: only the key tells them apart.
        AssignmentFactory(
            hit=batch.hits.first(),
            submitted_at=NOON + timedelta(seconds=number // 3),
            work_time=timedelta(seconds=number % 2, microseconds=5),
        )
    found = AssignmentFilter(show="all", sort=sort).apply(batch)
    everything = list(found)

    forwards, pages, place = [], [], ""
    while True:
        page = page_of(found, place, size=3)
        forwards += page.items
        pages.append(page)
        if not page.older:
            break
        place = page.older
    backwards = []
    while place := pages[-1].newer:
        pages.append(page_of(found, place, size=3))
        backwards = pages[-1].items + backwards

    assert forwards == everything
    assert [len(page.items) for page in pages] == [3, 3, 1, 3, 3]
    assert backwards == everything[:6]
    assert {page.total for page in pages} == {7}


@pytest.mark.parametrize("sort", ["newest", "slowest", "worker"])
@pytest.mark.parametrize(
    "place",
    [
        *("x", ">", "<", "<a~b", ">x~y~z", ">1~2"),
        ">2026-13-45T00:00~1",
        # Without a zone.
        ">2026-01-01~1",
        ">2026-01-01T00:00:00+00:00~" + "9" * 40,
        "<0001-01-01T00:00:00+14:00~1",
        ">" + "9" * 40 + "~1",
        ">" + "9" * 40 + "~2026-01-01T00:00:00+00:00~1",
    ],
)
def test_a_place_nobody_made_here_harms_nothing(batch, place, sort):
    AssignmentFactory(hit=batch.hits.first())

    assert page_of(AssignmentFilter(sort=sort).apply(batch), place).total == 1


def test_new_answers_do_not_move_the_page_one_reads(batch):
    for _ in range(4):
        AssignmentFactory(hit=batch.hits.first())
    found = AssignmentFilter(sort="newest").apply(batch)
    second = page_of(found, "", size=2).older
    before = page_of(found, second, size=2).items

    AssignmentFactory(hit=batch.hits.first())

    assert page_of(found, second, size=2).items == before


def test_a_long_list_is_counted_only_so_far(batch, monkeypatch):
    monkeypatch.setattr("projects.filters.MOST_COUNTED", 2)
    for _ in range(3):
        AssignmentFactory(hit=batch.hits.first())

    page = page_of(Assignment.objects.filter(batch=batch).order_by("id"), "")

    assert (page.total, page.total_words) == (2, "more than 10,000")


# Searching ----------------------------------------------------------------------------------------


def test_a_search_looks_through_so_many_and_goes_on_from_there(olive, connection, monkeypatch):
    monkeypatch.setattr("projects.filters.SEARCHED", 4)
    batch = BatchFactory(
        project__team=olive.team,
        connection=connection,
        published=True,
        rows=[{"text": text} for text in ("x", "hit", "x", "x", "x", "x", "x", "x", "hit", "hit")],
    )
    chosen = RowFilter(text="hit")

    pages, place = [], ""
    while not pages or place:
        pages.append(chosen.page(batch, place))
        place = pages[-1].older

    assert [numbers(page.items) for page in pages] == [[2], [], [9, 10]]
    assert [page.is_part for page in pages] == [True, True, True]
    assert numbers(chosen.page(batch, pages[-1].newer).items) == []
    assert pages[0].all_words == "that match"


def test_a_row_named_by_its_number_comes_first_however_far_it_is(olive, connection, monkeypatch):
    monkeypatch.setattr("projects.filters.SEARCHED", 2)
    batch = BatchFactory(
        project__team=olive.team,
        connection=connection,
        published=True,
        rows=[{"text": f"{number} or 7"} for number in range(1, 9)],
    )

    first = RowFilter(text="7").page(batch)

    assert numbers(first.items) == [7, 1, 2]
    assert numbers(RowFilter(text="7").page(batch, first.older).items) == [3, 4]


def test_a_bulk_decision_takes_every_match_and_not_only_those_looked_through(batch, answers, monkeypatch):
    monkeypatch.setattr("projects.filters.SEARCHED", 1)

    assert len(AssignmentFilter(show="all", text="sentence").apply(batch)) == len(answers)
    assert len(AssignmentFilter(show="all", text="sentence").page(batch).items) == 1
