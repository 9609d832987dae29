"""Taking results away: the page that offers it, and the three downloads."""

import json

import pytest
from django.db import connection as database
from django.urls import reverse

from projects.models import Assignment
from tests.factories import BatchFactory
from tests.factories.projects import NOON
from tests.projects.pages import answer, count_queries, get, words

pytestmark = pytest.mark.django_db

FILES = ["results_csv", "results_jsonl", "results_json"]


@pytest.fixture
def batch(olive, connection):
    return BatchFactory(
        project__team=olive.team, connection=connection, published=True, rows=3, name="Été: “tweets”; 1/2"
    )


def download(person, name, batch, query=""):
    return person.client.get(reverse(f"projects:{name}", args=[batch.public_id]) + query)


def text(response):
    return b"".join(response.streaming_content).decode()


@pytest.mark.parametrize("role", ["olive", "mina", "ravi", "vera"])
def test_everybody_in_the_team_is_offered_the_three_files(request, batch, role):
    html = get(request.getfixturevalue(role), "batch_export", batch)

    for name in FILES:
        assert f'action="{reverse(f"projects:{name}", args=[batch.public_id])}"' in html


@pytest.mark.parametrize(
    ("role", "sentence"),
    [
        ("olive", "WorkerId is the real id, for your role may see it."),
        ("vera", "WorkerId is your team’s pseudonym for each Worker."),
    ],
)
def test_it_says_which_ids_are_in_the_files(request, batch, role, sentence):
    assert sentence in words(get(request.getfixturevalue(role), "batch_export", batch))


def test_it_says_how_many_answers_there_are_and_how_many_are_left_out(vera, batch):
    assert "Results of 0 answers" in words(get(vera, "batch_export", batch))
    answer(batch, {"mood": ["1"]}, {"mood": ["2"]})
    answer(batch, {"mood": ["3"]}, left_out_at=NOON)

    html = get(vera, "batch_export", batch)

    assert "Results of 3 answers" in words(html)
    assert "1 that is left out of the data only if you tick it." in words(html)
    assert '<input type="checkbox" name="left_out" value="1">' in html
    # Of which field the mean is.
    assert "<bdi>mood</bdi></code>" in html


@pytest.mark.parametrize(
    ("name", "kind", "file_name"),
    [
        ("results_csv", "text/csv; charset=utf-8", "Batch_{pk}_batch_results.csv"),
        ("results_jsonl", "application/x-ndjson", "ete-tweets-12.jsonl"),
        ("results_json", "application/json", "ete-tweets-12.json"),
    ],
)
def test_each_file_is_streamed_under_a_fitting_name(vera, batch, name, kind, file_name):
    answer(batch, {"mood": ["1"]})

    response = download(vera, name, batch)

    assert response.streaming
    assert response["Content-Type"] == kind
    assert response["Content-Disposition"] == f'attachment; filename="{file_name.format(pk=batch.pk)}"'
    # A Worker's answer must never run as a page of ours.
    assert response["X-Content-Type-Options"] == "nosniff"
    assert text(response)


def test_a_name_without_letters_still_makes_a_file_name(vera, batch):
    batch.name = "漢字"
    batch.save()

    assert f'"batch-{batch.pk}.json"' in download(vera, "results_json", batch)["Content-Disposition"]


def test_the_csv_for_spreadsheets_is_offered_in_words_and_under_a_name_of_its_own(vera, batch):
    answer(batch, {"mood": ["=1"]})

    html = get(vera, "batch_export", batch)
    response = download(vera, "results_csv", batch, "?spreadsheet=1")

    assert 'name="spreadsheet" value="1"' in html
    assert "an apostrophe stands before what would be a formula" in words(html)
    name = f"Batch_{batch.pk}_batch_results_spreadsheet.csv"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert text(response).startswith("\ufeff")


@pytest.mark.parametrize(("query", "count"), [("", 2), ("?left_out=0", 2), ("?left_out=1", 3)])
def test_what_is_left_out_comes_only_when_asked_for(vera, batch, query, count):
    answer(batch, {"mood": ["1"]}, {"mood": ["2"]})
    answer(batch, {"mood": ["3"]}, left_out_at=NOON)

    lines = text(download(vera, "results_jsonl", batch, query)).splitlines()

    assert len(lines) == count


@pytest.mark.parametrize("name", FILES)
def test_files_of_a_batch_nobody_answered_are_whole(vera, batch, name):
    content = text(download(vera, name, batch))

    if name == "results_csv":
        assert len(content.splitlines()) == 1
    elif name == "results_jsonl":
        assert content == ""
    else:
        assert [item["answers"] for item in json.loads(content)] == [[], [], []]


@pytest.mark.parametrize("name", ["batch_export", *FILES])
def test_strangers_find_nothing(stan, batch, name):
    assert download(stan, name, batch).status_code == 404


def test_the_page_takes_as_many_queries_for_fifty_answers_as_for_five(vera, connection):
    made = {"project__team": vera.team, "connection": connection, "published": True, "rows": 2}
    few, many = BatchFactory(**made), BatchFactory(**made)
    answer(few, *[{"mood": ["1"]}] * 5)
    answer(many, *[{"mood": ["1"]}] * 50)

    assert Assignment.objects.count() == 55
    assert count_queries(vera, "batch_export", few) == count_queries(vera, "batch_export", many)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("query", "is_in"), [("", True), ("?rejected=1", True), ("?rejected=0", False)])
def test_rejected_answers_are_in_unless_they_are_wanted_out(vera, batch, name, query, is_in):
    answer(batch, {"mood": ["calm"]})
    answer(batch, {"mood": ["cross"]}, status="Rejected")

    content = text(download(vera, name, batch, query))

    assert "calm" in content
    assert ("cross" in content) is is_in


def test_the_raw_answers_of_one_row_hold_the_xml_as_it_came_and_what_was_left_out(vera, batch):
    (given,) = answer(batch, {"mood": ["calm"]})
    answer(batch, {"mood": ["odd"]}, left_out_at=NOON)
    row = given.row
    url = reverse("projects:row_jsonl", args=[batch.public_id, row.number])

    lines = [json.loads(line) for line in text(vera.client.get(url)).splitlines()]

    assert [(line["output"], line["left_out"]) for line in lines] == [
        ({"mood": "calm"}, False),
        ({"mood": "odd"}, True),
    ]
    assert lines[0]["raw_xml"] == given.answer.raw_xml
    assert f'href="{url}"' in get(vera, "row", batch, row.number)


# Only what is new ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
class TestOnlyWhatIsNew:
    def take(self, person, batch, query="?new=1"):
        lines = text(download(person, "results_jsonl", batch, query)).splitlines()
        return sorted(json.loads(line)["output"]["mood"] for line in lines)

    def test_each_answer_comes_once(self, vera, batch):
        answer(batch, {"mood": ["1"]}, {"mood": ["2"]})
        assert self.take(vera, batch, "") == ["1", "2"]

        answer(batch, {"mood": ["3"]})

        assert self.take(vera, batch) == ["3"]
        assert self.take(vera, batch) == []
        assert self.take(vera, batch, "") == ["1", "2", "3"]

    def test_it_is_offered_once_something_was_taken_with_when_and_how_much(self, vera, batch):
        answer(batch, {"mood": ["1"]}, {"mood": ["2"]})
        assert "only what is new" not in words(get(vera, "batch_export", batch))
        self.take(vera, batch, "")

        html = words(get(vera, "batch_export", batch))

        assert "JSON Lines, only what is new" in html
        assert "(2 answers), each once" in html

    def test_that_nothing_is_new_is_said_before_the_click(self, vera, batch):
        answer(batch, {"mood": ["1"]})
        self.take(vera, batch, "")

        nothing = get(vera, "batch_export", batch)
        answer(batch, {"mood": ["2"]}, {"mood": ["3"]})
        two = get(vera, "batch_export", batch)

        assert "Nothing is new now." in words(nothing)
        assert 'name="new"' not in nothing
        assert "2 are new now." in words(two)
        assert 'name="new"' in two

    def test_everybody_has_a_last_download_of_their_own(self, vera, mina, batch):
        answer(batch, {"mood": ["1"]})
        self.take(vera, batch, "")

        assert self.take(mina, batch) == ["1"]

    def test_a_download_that_broke_off_begins_again_where_the_one_before_ended(self, vera, batch):
        answer(batch, {"mood": ["1"]}, {"mood": ["2"]})
        broken = download(vera, "results_jsonl", batch).streaming_content
        next(broken)
        del broken

        assert self.take(vera, batch) == ["1", "2"]

    def test_an_answer_that_is_stored_by_a_slow_transaction_is_not_passed_over(self, vera, batch):
        """It began before the download and is seen only after it."""
        slow = database.copy()
        try:
            with slow.cursor() as cursor:
                cursor.execute("begin")
                cursor.execute("select now()")
                (began,) = cursor.fetchone()
                answer(batch, {"mood": ["early"]})
                (late,) = answer(batch, {"mood": ["late"]})
                # As the slow one would have stored it, and as nobody else can see it yet.
                Assignment.objects.filter(pk=late.pk).update(
                    collected_at=began, batch=BatchFactory(project=batch.project)
                )
                assert self.take(vera, batch) == []
                cursor.execute(
                    "update projects_assignment set batch_id = %s where id = %s", [batch.pk, late.pk]
                )
                cursor.execute("commit")
        finally:
            slow.close()

        assert self.take(vera, batch) == ["early", "late"]
