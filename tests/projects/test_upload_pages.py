"""New batch in the browser: upload or paste, look at the check, drop lines, go on to the cost."""

import csv
import io
import re
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mturkhub.common.models import StoredFile
from projects.actions.projects import save_template
from projects.actions.uploads import upload_file
from projects.models import Batch, BatchUpload
from tests.factories import HITTemplateFactory, ProjectFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(team, olive):
    project = ProjectFactory(team=team, created_by=olive.user, name="Sentiment")
    HITTemplateFactory(project=project, version=1, html="<p>${text}</p><input name=a>")
    return project


@pytest.fixture
def address(project):
    return reverse("projects:upload_batch", args=[project.public_id])


@pytest.fixture
def checked(project, mina):
    """Uploads a file, as Mina; returns the address of its check."""

    def upload(data, name="texts.csv"):
        made = upload_file(project, by=mina.actor, name=name, chunks=[data.encode()])
        return reverse("projects:check_upload", args=[made.public_id])

    return upload


def shown(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


# Upload -------------------------------------------------------------------------------------------


def test_the_page_names_the_columns_and_offers_a_sample_with_exactly_these(project, address, mina):
    save_template(project, '${text}<img src="${image url}"><script>${*}</script>', by=mina.actor)

    html = shown(mina.client, address)
    sample = mina.client.get(reverse("projects:sample_file", args=[project.public_id]))

    assert "<bdi>text</bdi></code>, " in html
    assert "<bdi>image url</bdi></code>" in html
    assert sample.content.decode() == "text,image url\r\nfirst text,first image url\r\n"
    assert sample["Content-Disposition"] == 'attachment; filename="sample.csv"'


def test_the_sample_of_a_template_can_be_uploaded_as_it_is(project, address, mina):
    sample = mina.client.get(reverse("projects:sample_file", args=[project.public_id])).content

    answer = mina.client.post(address, {"file": SimpleUploadedFile("sample.csv", sample)}, follow=True)

    assert "All 1 row can be used." in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("texts.csv", b"\xef\xbb\xbftext,note\r\nhello,1\r\n"),
        ("texts.tsv", b"text\tnote\nhello\t1\n"),
        ("texts.jsonl", b'{"text": "hello", "note": 1}\n'),
    ],
)
def test_a_file_is_uploaded_and_its_check_shown(address, mina, name, data):
    answer = mina.client.post(address, {"file": SimpleUploadedFile(name, data)}, follow=True)

    html = unescape(answer.content.decode())
    assert f"Check of {name}" in html
    assert "All 1 row can be used." in html
    assert "Nothing has been published and nothing costs anything yet." in html
    assert not Batch.objects.exists()


@pytest.mark.parametrize("pasted", ["text\r\nhello\r\n", "text\tnote\r\nhello\t1", '{"text": "hello"}'])
def test_pasted_lines_are_checked_like_a_file(address, mina, pasted):
    answer = mina.client.post(address, {"pasted": pasted}, follow=True)

    assert "All 1 row can be used." in answer.content.decode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Choose a file, or paste lines with the column names first."),
        ({"pasted": "  \n "}, "Choose a file, or paste lines with the column names first."),
        ({"pasted": "text\na\x00b\n"}, "Null characters are not allowed."),
        ({"file": SimpleUploadedFile("x.csv", b"")}, "The submitted file is empty."),
        ({"pasted": "x" * 4_000_001}, "“Or paste the lines” takes at most 4,000,000 characters"),
    ],
)
def test_without_a_file_or_lines_the_page_comes_back_with_a_sentence(address, mina, data, sentence):
    # A browser sends the token as well.
    answer = mina.client.post(address, {"csrfmiddlewaretoken": "x", **data})

    assert answer.status_code == 400
    assert sentence in unescape(answer.content.decode())
    assert not StoredFile.objects.exists()


def test_a_file_and_pasted_lines_at_once_are_refused_and_the_lines_are_kept(address, mina):
    data = {"file": SimpleUploadedFile("x.csv", b"text\na\n"), "pasted": "text\nkept words\n"}

    answer = mina.client.post(address, data)

    html = answer.content.decode()
    assert answer.status_code == 400
    assert "There is a file and pasted text. Take one of them away." in html
    assert "kept words" in html


def test_pasted_lines_that_cannot_be_used_can_be_changed_where_they_were_pasted(address, mina, olive):
    answer = mina.client.post(address, {"pasted": "text,text\r\nkept <words>,b\r\n"}, follow=True)
    html = unescape(answer.content.decode())
    upload = BatchUpload.objects.get()

    assert "Line 1 names the column “text” 2 times." in html
    again = f"{address}?again={upload.public_id}"
    assert f'href="{again}"' in html
    form = mina.client.get(again).content.decode()
    assert "text,text\nkept &lt;words&gt;,b\n</textarea>" in form
    # Somebody else's address, or none at all, is an empty form.
    for other in ("nonsense", ProjectFactory().public_id):
        assert "kept" not in mina.client.get(f"{address}?again={other}").content.decode()


def test_a_project_without_a_template_sends_on_to_the_editor(team, mina):
    project = ProjectFactory(team=team)

    answer = mina.client.get(reverse("projects:upload_batch", args=[project.public_id]), follow=True)

    assert answer.redirect_chain == [(reverse("projects:edit_template", args=[project.public_id]), 302)]
    assert "Write the question first" in answer.content.decode()


# Check --------------------------------------------------------------------------------------------


def test_the_check_shows_columns_first_rows_and_the_size_of_the_largest_question(checked, mina):
    html = shown(mina.client, checked("id,text\n1,hello\n2,\n3,good bye\n"))

    assert "matched" in html
    assert "1 empty: line 3" in html
    assert "carried through" in html
    assert "<bdi>good bye</bdi>" in html
    assert re.search(r"largest question [\d,]+ of 65,535 bytes, line 4", html)


def test_a_missing_column_stops_and_names_the_likeliest_one(checked, connection, mina):
    address = checked("texts\nhello\n")
    html = shown(mina.client, address)

    assert "The template asks for ${text}, and the file has no such column. Did you mean “texts”?" in html
    assert 'aria-disabled="true"' in html
    answer = mina.client.post(f"{address}batch/")
    assert answer.status_code == 400
    assert not Batch.objects.exists()


def test_ten_thousand_bad_lines_give_one_page_with_the_first_fifty(checked, mina):
    address = checked("id,text\n1,hello\n" + "lonely line\n" * 10_000)

    html = shown(mina.client, address)

    assert "10,000 of 10,001 lines cannot be used." in html
    assert "first 50 of 10,000" in html
    assert html.count("has 1 cell, the header has 2 cells") == 50
    assert "Line 52 has" in html
    assert "Line 53 has" not in html
    assert "Drop these 10,000" in html
    assert "Nothing has been published and nothing costs anything yet." in html


def test_the_download_has_exactly_the_bad_lines(checked, mina):
    address = checked("id,text\n1,hello\nlonely\n2,😀\n3,good\n" + "lonely\n" * 60)

    answer = mina.client.get(f"{address}bad-lines.csv")
    content = b"".join(answer.streaming_content).decode()

    head, *lines = csv.reader(io.StringIO(content))
    assert head == ["line", "column", "what is there", "what is wrong"]
    assert [int(line[0]) for line in lines] == [3, 4, *range(6, 66)]
    assert lines[1][1:3] == ["text", "😀"]
    assert answer["Content-Disposition"] == 'attachment; filename="bad-lines.csv"'


def test_dropping_the_bad_lines_opens_the_way_to_the_cost(checked, connection, mina):
    address = checked("id,text\n1,hello\nlonely\n2,good bye\n")
    assert mina.client.post(f"{address}batch/").status_code == 400

    html = unescape(mina.client.post(f"{address}drop/", follow=True).content.decode())
    assert "2 rows are ready;" in html
    assert "2 rows, without 1 line that cannot be used" in html
    assert f"1 line dropped by <bdi>{mina.user}</bdi>." in html
    answer = mina.client.post(f"{address}batch/", follow=True)

    batch = Batch.objects.get()
    assert answer.redirect_chain == [(reverse("projects:cost", args=[batch.public_id]), 302)]
    assert (batch.rows_total, batch.lines_dropped) == (2, 1)
    assert f"1 line dropped by {mina.user}." in unescape(answer.content.decode())


def test_one_good_line_beside_a_bad_one_is_said_to_be_one_of_two(checked, mina):
    address = checked("id,text\n1,hello\n2,an 😀\n")

    before = unescape(mina.client.get(address).content.decode())
    after = unescape(mina.client.post(f"{address}drop/", follow=True).content.decode())

    assert "1 of 2 lines cannot be used." in before
    assert "1 row, without 1 line that cannot be used" in before
    # Only the first of them is shown among the rows, and there is no second one to go to.
    assert before.count("an 😀") == 1
    assert "Next row" not in before
    assert "1 row is ready;" in after


def test_of_many_rows_it_says_how_many_are_shown(checked, mina):
    address = checked("text\n" + "hello\n" * 7)

    assert "5 of 7 rows" in mina.client.get(address).content.decode()


def test_a_file_that_is_no_text_is_refused_as_that_and_offers_no_encoding(address, mina):
    data = bytes(range(256)) * 8

    answer = mina.client.post(address, {"file": SimpleUploadedFile("x.csv", data)}, follow=True)

    html = answer.content.decode()
    assert "This is not a text file: no rows can be read from it. Choose the CSV" in html
    assert "How is it written?" not in html


def test_going_on_twice_makes_one_draft(checked, connection, mina):
    address = checked("text\nhello\n")

    first = mina.client.post(f"{address}batch/")
    second = mina.client.post(f"{address}batch/")

    assert first["Location"] == second["Location"]
    assert Batch.objects.count() == 1


def test_a_newer_template_makes_a_new_draft_for_that_was_what_the_check_showed(
    project, checked, connection, mina
):
    address = checked("text\nhello\n")
    mina.client.post(f"{address}batch/")
    save_template(project, "<b>${text}</b>", by=mina.actor)

    mina.client.post(f"{address}batch/")

    assert list(Batch.objects.order_by("pk").values_list("template__version", flat=True)) == [1, 2]


def test_without_a_connection_that_works_there_is_a_sentence_and_no_batch(checked, mina):
    answer = mina.client.post(f"{checked('text' + chr(10) + 'hello')}batch/")

    assert answer.status_code == 409
    assert "There is no connection that has passed its test." in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "line"),
    [("", 2), ("?row=1", 3), ("?row=4", 6), ("?row=99", 6), ("?row=-1", 2), ("?row=²", 2), ("?row=x", 2)],
)
def test_the_preview_steps_through_the_first_five_rows(checked, mina, query, line):
    address = checked("text\n" + "".join(f"n{n}\n" for n in range(9)))

    assert f'title="Preview of line {line}"' in shown(mina.client, address + query)


def test_hostile_cells_are_text_on_the_page(checked, mina):
    hostile = "<script>alert(1)</script>"
    answer = mina.client.get(checked(f"text,{hostile}\n{hostile},a\n{hostile}\n", f"{hostile}.csv"))

    html = answer.content.decode()
    assert hostile not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


@pytest.mark.parametrize(
    ("who", "status"), [("olive", 200), ("mina", 200), ("ravi", 403), ("vera", 403), ("stan", 404)]
)
def test_the_check_and_its_download_are_for_those_who_may_make_batches(request, checked, who, status):
    address, client = checked("text\nlonely,line\n"), request.getfixturevalue(who).client

    assert client.get(address).status_code == status
    assert client.get(f"{address}bad-lines.csv").status_code == status


def test_the_queries_of_the_check_do_not_grow_with_the_rows(checked, mina):
    counts = []
    for lines in (3, 3000):
        address = checked("id,text\n" + "1,hello\nlonely\n" * lines)
        mina.client.get(address)
        with CaptureQueriesContext(database) as queries:
            mina.client.get(address)
        counts.append(len(queries))

    # A small file is read to its end, a large one is not.
    assert counts[1] <= counts[0]


def test_a_paste_larger_than_a_form_may_be_is_refused_in_words(address, mina):
    answer = mina.client.post(address, {"pasted": "text\n" + "漢" * 2_000_000})

    assert answer.status_code == 400
    assert "upload long text as a file" in answer.content.decode()
    assert not StoredFile.objects.exists()
