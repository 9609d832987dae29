"""All rows of a batch, filtered, in pages."""

import pytest
from django.urls import reverse

from projects.models import HIT, RowResult
from tests.factories import BatchFactory
from tests.factories.projects import NOON
from tests.projects.pages import HOSTILE, answer, count_queries, get, is_shown_as_text, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def make_batch(olive, connection):
    def make(rows=3, **more):
        return BatchFactory(
            project__team=olive.team, connection=connection, rows=rows, **{"published": True, **more}
        )

    return make


def test_each_row_shows_its_input_its_hit_its_answers_and_their_mean(olive, make_batch):
    batch = make_batch(rows=2)
    answer(batch, {"sentiment": ["2"]}, {"sentiment": ["5"]}, {"sentiment": ["8"]}, row=1)

    text = words(get(olive, "batch_rows", batch))

    assert "1 sentence 1 Assignable 3 of 3 5.0 to review" in text
    assert "2 sentence 2 Assignable 0 of 3 – no answer yet" in text
    assert "2 of 2" in text


def test_answers_left_out_are_no_part_of_the_mean(olive, make_batch):
    batch = make_batch(rows=1)
    answer(batch, {"sentiment": ["2"]})
    answer(batch, {"sentiment": ["9"]}, left_out_at=NOON)

    assert "2 of 3 2.0" in words(get(olive, "batch_rows", batch))


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("Assignable", "Workers can accept it."),
        ("Unassignable", "All its places are taken, or it expired while somebody works."),
        ("Reviewable", "All answers are in, or its time is over: ready to be reviewed."),
        ("Reviewing", "Marked as being reviewed; still yours to decide."),
        ("Disposed", "Deleted at MTurk; what was collected is kept here."),
    ],
)
def test_mturks_words_are_explained_in_place(olive, make_batch, status, meaning):
    batch = make_batch(rows=1)
    HIT.objects.filter(batch=batch).update(hit_status=status)

    assert f'title="{meaning}">{status}</span>' in get(olive, "batch_rows", batch)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?progress=failed", [2]),
        ("?text=sentence+3", [3]),
        ("?text=1", [1]),
        ("?sort=newest", [1]),
        ("?progress=nonsense&sort=nonsense&at=nonsense", [1, 2, 3]),
    ],
)
def test_the_address_says_which_rows_and_in_which_order(olive, make_batch, query, numbers):
    batch = make_batch()
    answer(batch, {"sentiment": ["1"]}, row=1)
    HIT.objects.filter(batch=batch, row__number=2).update(publish_state="failed", mturk_id=None)
    RowResult.objects.filter(batch=batch, number=2).update(progress="failed")

    html = get(olive, "batch_rows", batch, query=query)

    rows = reverse("projects:batch_rows", args=[batch.public_id])
    assert [number for number in (1, 2, 3) if f'href="{rows}{number}/"' in html] == numbers


def test_where_no_row_matches_the_way_back_is_shown(olive, make_batch):
    html = get(olive, "batch_rows", make_batch(), query="?text=nowhere")

    assert "No row matches; show all 3." in words(html).replace(" .", ".")
    assert 'href="?"' in html


def test_a_failed_row_says_why_and_can_be_tried_again_alone(olive, vera, make_batch):
    batch = make_batch(rows=1)
    HIT.objects.filter(batch=batch).update(publish_state="failed", mturk_id=None, outcome="Too <large>.")
    RowResult.objects.filter(batch=batch).update(progress="failed")
    batch.rows_failed = 1
    batch.save()

    html = get(olive, "batch_rows", batch)

    assert "failed Try again Too <large>." in words(html.replace("<large>", ""))
    assert "Too &lt;large&gt;." in html
    assert "Try again" not in get(vera, "batch_rows", batch)


def test_a_hit_mturk_no_longer_has_is_called_missing(olive, make_batch):
    batch = make_batch(rows=1)
    HIT.objects.filter(batch=batch).update(missing_since=NOON)

    assert "Missing at MTurk" in words(get(olive, "batch_rows", batch))


def test_a_batch_longer_than_a_page_is_paged_and_every_row_is_on_one_page(olive, make_batch):
    batch = make_batch(rows=120)
    numbers, query = [], ""
    while True:
        html = get(olive, "batch_rows", batch, query=query)
        rows = reverse("projects:batch_rows", args=[batch.public_id])
        numbers += [number for number in range(1, 121) if f'href="{rows}{number}/"' in html]
        if 'rel="next"' not in html:
            break
        query = html.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")

    assert numbers == list(range(1, 121))


@pytest.mark.parametrize("value", HOSTILE)
def test_what_a_file_holds_is_shown_as_text(olive, make_batch, value):
    batch = make_batch(rows=[{"text": value}])

    assert is_shown_as_text(value, get(olive, "batch_rows", batch))


def test_fifty_rows_take_as_many_queries_as_five(olive, make_batch):
    few, many = make_batch(rows=5), make_batch(rows=50)
    for batch, count in ((few, 5), (many, 50)):
        answer(batch, *[{"sentiment": ["1"]}] * count)

    assert count_queries(olive, "batch_rows", few) == count_queries(olive, "batch_rows", many)
