"""One row with all its answers; for numbers, their mean."""

import re

import pytest
from django.urls import reverse

from mturkhub.common.templatetags.ui import outside
from projects.models import HIT, Assignment
from tests.factories import BatchFactory
from tests.factories.projects import NOON
from tests.projects.pages import HOSTILE, answer, count_queries, get, is_shown_as_text, words

pytestmark = pytest.mark.django_db

SCORES = [(2, 2, 1, 4, 2), (7, 5, 8, 7, 6), (7, 5, 8, 5, 5), (8, 4, 5, 5, 6)]


@pytest.fixture
def make_batch(olive, connection):
    def make(rows=2, **more):
        return BatchFactory(
            project__team=olive.team,
            connection=connection,
            rows=rows,
            **{"published": True, "max_assignments": 5, **more},
        )

    return make


def mean_of(html):
    return re.findall(r"<td[^>]* data-mean[^>]*><b>(.*?)</b>", html)


@pytest.mark.parametrize(
    ("row", "mean"), [(1, "2.2"), (2, "6.6"), (3, "6.0"), (4, "5.6")], ids=["2.2", "6.6", "6.0", "5.6"]
)
def test_the_mean_of_four_tweets(olive, make_batch, row, mean):
    batch = make_batch(rows=4)
    answer(batch, *[{"sentiment": [str(score)]} for score in SCORES[row - 1]], row=row)

    html = get(olive, "row", batch, row)

    assert mean_of(html) == [mean]
    assert "Answers 5" in words(html)


def test_input_hit_and_answers_stand_on_one_page(olive, make_batch):
    batch = make_batch(rows=[{"text": "  spaced\nout ", "note": "kept"}], columns=["text", "note"])
    (given,) = answer(batch, {"why": ["because", "of\n that"], "empty": [""]})

    html = get(olive, "row", batch, 1)

    assert '<dd class="keep-space"><bdi>  spaced\nout </bdi></dd>' in html
    assert "because | of that" in words(html)
    assert batch.hits.get().mturk_id in html
    assert given.worker.mturk_id in html
    assert "48 s" in words(html)
    # What is text has no mean.
    assert mean_of(html) == ["–", "–"]


@pytest.mark.parametrize("status", ["Assignable", "Unassignable", "Reviewable", "Reviewing", "Disposed"])
def test_mturks_words_are_explained_in_place(olive, make_batch, status):
    batch = make_batch(rows=1)
    HIT.objects.filter(batch=batch).update(hit_status=status)

    html = get(olive, "row", batch, 1)

    assert re.search(rf'title="[^"]{{20,}}">{status}</span>', html)


@pytest.mark.parametrize(
    ("more", "words_shown"),
    [
        ({}, "Submitted"),
        ({"status": "Approved"}, "Approved"),
        ({"status": "Rejected"}, "Rejected"),
        # Believed is not confirmed.
        ({"pending_verdict": "approve"}, "Approving…"),
        ({"pending_verdict": "reject"}, "Rejecting…"),
        ({"left_out_at": NOON, "status": "Approved"}, "Approved Left out"),
    ],
)
def test_each_answer_says_where_it_stands(olive, make_batch, more, words_shown):
    batch = make_batch()
    answer(batch, {"sentiment": ["1"]}, row=1, **more)

    assert f"{words_shown} Mean" in words(get(olive, "row", batch, 1))


def test_answers_left_out_are_shown_and_not_counted(olive, make_batch):
    batch = make_batch()
    answer(batch, {"sentiment": ["2"]}, {"sentiment": ["4"]}, row=1)
    answer(batch, {"sentiment": ["100"], "other": ["9"]}, row=1, left_out_at=NOON)

    html = get(olive, "row", batch, 1)

    assert "100" in words(html)
    assert mean_of(html) == ["–", "3.0"]


def test_a_row_nobody_answered_and_one_never_published_say_so(olive, make_batch):
    batch = make_batch()
    batch.hits.filter(row__number=2).delete()

    assert "Nobody has answered this row yet." in words(get(olive, "row", batch, 1))
    assert "Not published yet." in words(get(olive, "row", batch, 2))


def test_a_viewer_reads_pseudonyms_alone(vera, make_batch):
    batch = make_batch()
    (given,) = answer(batch, {"sentiment": ["2"]}, row=1)

    html = get(vera, "row", batch, 1)

    assert given.worker.mturk_id not in html
    assert given.worker.team_workers.get().pseudonym in html


def test_the_rows_before_and_after_are_one_click_or_key_away(olive, make_batch):
    batch = make_batch(rows=3)

    def keys(number):
        return re.findall(r'data-key="([jk])"', get(olive, "row", batch, number))

    assert [keys(number) for number in (1, 2, 3)] == [["j"], ["k", "j"], ["k"]]


def test_a_row_with_many_answers_is_paged_and_its_mean_is_over_all(olive, make_batch):
    batch = make_batch(rows=1, max_assignments=130)
    answer(batch, *[{"sentiment": ["1"]}] * 100, *[{"sentiment": ["14"]}] * 30)

    first = get(olive, "row", batch, 1)
    address = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    second = get(olive, "row", batch, 1, query=address)

    assert "Answers 130" in words(first)
    assert [html.count('<th scope="row"><a') for html in (first, second)] == [100, 30]
    assert mean_of(first) == mean_of(second) == ["4.0"]


@pytest.mark.parametrize("value", HOSTILE)
def test_what_workers_and_files_hold_is_shown_as_text(olive, make_batch, value):
    batch = make_batch(rows=[{"text": value}])
    answer(batch, {value: [value, "after"]})

    html = get(olive, "row", batch, 1)

    assert is_shown_as_text(value, html)
    # What is written from right to left ends where the value ends.
    assert f"{outside(value)} | <bdi>after</bdi>" in html


def test_an_answer_of_64_kilobytes_is_shown_whole(olive, make_batch):
    batch = make_batch()
    answer(batch, {"essay": ["long " * 13_000]}, row=1)

    assert get(olive, "row", batch, 1).count("long ") >= 13_000


@pytest.mark.parametrize("number", [0, 3, 2**31, 10**30])
def test_a_row_that_is_not_there_is_not_found(olive, make_batch, number):
    url = reverse("projects:row", args=[make_batch().public_id, number])

    assert olive.client.get(url).status_code == 404


def test_fifty_answers_take_as_many_queries_as_five(olive, make_batch):
    few, many = make_batch(rows=1), make_batch(rows=1)
    answer(few, *[{"sentiment": ["1"]}] * 5)
    answer(many, *[{"sentiment": ["1"]}] * 50)

    assert Assignment.objects.count() == 55
    assert count_queries(olive, "row", few, 1) == count_queries(olive, "row", many, 1)
