"""From a file to a draft batch, through actions."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Event
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import StoredFile
from projects import checking
from projects.actions import uploads
from projects.actions.projects import save_template
from projects.actions.uploads import change_batch, check_again, create_batch, drop_bad_lines, upload_file
from projects.models import Batch, BatchRow, BatchUpload, RowResult
from tests.factories import BatchFactory, ConnectionFactory, HITTemplateFactory, ProjectFactory

pytestmark = pytest.mark.django_db

TWO_BAD = "id,text\n1,hello\nlonely\n2,good bye\nlonely,too,many\n"


@pytest.fixture
def project(team, olive):
    project = ProjectFactory(team=team, created_by=olive.user, name="Sentiment")
    HITTemplateFactory(project=project, version=1, html="<p>${text}</p><input name=a>")
    return project


@pytest.fixture
def upload(project, mina):
    """Uploads a file, as Mina."""

    def upload(data, name="texts.csv"):
        data = data if isinstance(data, bytes) else data.encode()
        return upload_file(project, by=mina.actor, name=name, chunks=[data])

    return upload


def refusal(action, *args, **kwargs):
    with pytest.raises(ActionRefused) as refused:
        action(*args, **kwargs)
    return refused.value.sentence


# Uploading ----------------------------------------------------------------------------------------


def test_an_upload_is_stored_and_checked_and_nothing_more(upload, mina):
    made = upload("id,text\n1,hello\n")

    made.refresh_from_db()
    assert (made.file.name, made.created_by, made.report["rows"]) == ("texts.csv", mina.user, 1)
    assert made.file.expires_at > made.created_at + timedelta(days=6)
    assert not Batch.objects.exists()
    assert Event.objects.get(verb="upload.made").details == {"bytes": 16}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"text\ncaf\xe9\n",
        b"text,note\na\x00b\n",
        b"text\na\x00b\n",
        b'{"text": "a\\u0000b\\ud800"}\n{"te\\u0000xt": 1}\n{"a": "\x00"}\n',
        b'{"\\u0000": 1, "\\u0000": 2}',
    ],
)
def test_any_file_is_stored_with_a_report_of_what_is_wrong_with_it(upload, data, connection, mina):
    made = upload(data, "pasted text")

    made.refresh_from_db()
    assert made.report["refusal"] or made.report["issues"] or made.report["missing"]
    assert refusal(create_batch, made, by=mina.actor, connection=connection)
    assert not Batch.objects.exists()


def test_a_project_without_a_template_takes_no_file(team, mina):
    project = ProjectFactory(team=team, name="Empty")

    sentence = refusal(upload_file, project, by=mina.actor, name="x.csv", chunks=[b"text\n"])

    assert sentence == "“Empty” has no template yet. Write the question first, then upload."
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize("who", ["ravi", "vera", "stan"])
def test_who_may_not_make_batches_may_not_upload_drop_or_make_one(request, project, upload, connection, who):
    made, by = upload(TWO_BAD), request.getfixturevalue(who).actor
    files = StoredFile.objects.count()

    for action, kwargs in [
        (upload_file, {"name": "x.csv", "chunks": [b"text\nhello\n"]}),
        (drop_bad_lines, {}),
        (create_batch, {"connection": connection}),
    ]:
        subject = project if action is upload_file else made
        assert "may not upload batches" in refusal(action, subject, by=by, **kwargs)

    assert StoredFile.objects.count() == files
    assert BatchUpload.objects.get().lines_dropped_at is None
    assert not Batch.objects.exists()


def test_a_rule_of_the_system_uploads_nothing_for_a_batch_belongs_to_a_person(project):
    assert "belongs to a person" in refusal(
        upload_file, project, by=Actor.system("rule"), name="x.csv", chunks=[b"text\nhello\n"]
    )


# Bad lines ----------------------------------------------------------------------------------------


def test_a_batch_refuses_while_bad_lines_remain(upload, connection, mina):
    made = upload(TWO_BAD)

    sentence = refusal(create_batch, made, by=mina.actor, connection=connection)

    assert sentence == "2 lines cannot be used. Mend the file and upload it again, or drop the lines."
    assert not Batch.objects.exists()
    assert not BatchRow.objects.exists()


def test_dropped_lines_are_left_out_and_the_batch_says_how_many_and_who(upload, connection, mina):
    made = drop_bad_lines(upload(TWO_BAD), by=mina.actor)

    batch = create_batch(made, by=mina.actor, connection=connection)

    assert (batch.rows_total, batch.lines_dropped, batch.upload.lines_dropped_by) == (2, 2, mina.user)
    assert [(row.number, row.input["text"]) for row in batch.rows.order_by("number")] == [
        (1, "hello"),
        (2, "good bye"),
    ]
    assert Event.objects.get(verb="upload.lines_dropped").details == {"lines": 2}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("texts\nhello\n", "The template asks for ${text}, and the file has no such column."),
        ("id,text\n", "The file has a header and no rows."),
        ("id,text\nlonely\n", "No line of the file can be used."),
    ],
)
def test_what_stops_a_file_cannot_be_dropped(upload, connection, mina, data, sentence):
    made = drop_bad_lines(upload(data), by=mina.actor)

    assert refusal(create_batch, made, by=mina.actor, connection=connection).startswith(sentence)


def test_lines_that_are_bad_only_with_a_newer_template_were_never_dropped(project, upload, connection, mina):
    made = upload(f"id,text\n1,hello\nlonely\n2,{'x' * 40_000}\n")
    drop_bad_lines(made, by=mina.actor)
    save_template(project, "${text}${text}", by=mina.actor)

    sentence = refusal(create_batch, made, by=mina.actor, connection=connection)

    assert sentence.startswith("2 lines cannot be used.")


def test_lines_stay_dropped_when_a_newer_template_changes_nothing_about_them(
    project, upload, connection, mina
):
    made = drop_bad_lines(upload(TWO_BAD), by=mina.actor)
    save_template(project, "<b>${text}</b>", by=mina.actor)

    batch = create_batch(made, by=mina.actor, connection=connection)

    assert (batch.rows_total, batch.template.version) == (2, 2)


def test_a_file_is_read_again_only_when_template_or_frame_has_changed(project, upload, mina, monkeypatch):
    made = upload("text\nhello\n")
    read = []
    check_file = checking.check_file
    monkeypatch.setattr(checking, "check_file", lambda *args: read.append(1) or check_file(*args))

    check_again(made)
    assert not read
    save_template(project, "${text}${url}", by=mina.actor)
    assert list(check_again(made).missing) == ["url"]
    made.project.frame_height = 650
    check_again(made)
    check_again(made)

    assert len(read) == 2


# Making the batch ---------------------------------------------------------------------------------


def test_a_draft_has_a_row_for_each_line_and_a_copy_of_the_projects_terms(project, upload, connection, mina):
    batch = create_batch(upload("id,text\n1,hello\n2,good bye\n"), by=mina.actor, connection=connection)

    batch.refresh_from_db()
    assert (batch.state, batch.name, batch.created_by) == ("draft", "Sentiment 1", mina.user)
    assert (batch.columns, batch.rows_total, batch.rows_not_published) == (["id", "text"], 2, 2)
    assert (batch.title, batch.reward, batch.lifetime) == (project.title, project.reward, project.lifetime)
    assert batch.template == project.templates.get()
    rows = batch.rows.order_by("number")
    assert [row.input for row in rows] == [{"id": "1", "text": "hello"}, {"id": "2", "text": "good bye"}]
    assert len({row.public_id for row in rows}) == 2
    results = RowResult.objects.filter(batch=batch).order_by("number")
    assert [(result.number, result.progress, result.answers) for result in results] == [
        (1, "not_published", 0),
        (2, "not_published", 0),
    ]
    assert Event.objects.get(verb="batch.created").details == {"rows": 2, "dropped": 0}


@pytest.mark.parametrize(
    "cell",
    [
        "  white space  ",
        "tab\there",
        "two\nlines\r\nthree",
        "back\\slash \\N \\. \\t",
        "quotes \" and ' ",
        "漢字 é \u2028 \x7f \x01",
        "NULL",
        "",
    ],
)
def test_every_cell_arrives_in_its_row_as_it_stood_in_the_file(project, connection, mina, cell):
    save_template(project, "no placeholder", by=mina.actor)
    data = 'text,note\n"{}",x\n'.format(cell.replace('"', '""')).encode()
    made = upload_file(project, by=mina.actor, name="x.csv", chunks=[data[:7], data[7:]])

    batch = create_batch(made, by=mina.actor, connection=connection)

    assert batch.rows.get().input == {"text": cell, "note": "x"}


def test_values_of_json_lines_keep_their_types(upload, connection, mina):
    made = upload('{"text": "hello", "n": [1, 0.5, {"a": null}], "ok": true}\n', "x.jsonl")

    batch = create_batch(made, by=mina.actor, connection=connection)

    assert batch.columns == ["text", "n", "ok"]
    assert batch.rows.get().input == {"text": "hello", "n": [1, 0.5, {"a": None}], "ok": True}


def test_values_are_kept_as_they_are(upload, connection, mina):
    values = {
        "text": 'tab\t, line\n, "quote", \\n, ´ü漢',
        "whole": 2**70,
        "real": 0.1,
        "nested": [{"😀": None}],
    }

    batch = create_batch(upload(json.dumps(values), "x.jsonl"), by=mina.actor, connection=connection)

    assert batch.rows.get().input == values


def test_surplus_columns_are_carried_in_the_order_of_the_file(upload, connection, mina):
    made = upload("zeta,text,alpha,10\n1,hello,2,3\n")

    batch = create_batch(made, by=mina.actor, connection=connection)

    assert batch.columns == ["zeta", "text", "alpha", "10"]
    assert batch.rows.get().input == {"zeta": "1", "text": "hello", "alpha": "2", "10": "3"}


def test_rows_are_copied_in_portions_without_losing_one(upload, connection, mina, monkeypatch):
    monkeypatch.setattr(uploads, "PORTION", 500)

    batch = create_batch(
        upload("text\n" + "".join(f"n{n}\n" for n in range(50))), by=mina.actor, connection=connection
    )

    assert [row.input["text"] for row in batch.rows.order_by("number")] == [f"n{n}" for n in range(50)]
    assert list(batch.rows.order_by("number").values_list("number", flat=True)) == list(range(1, 51))


def test_the_number_of_queries_does_not_grow_with_the_rows(
    upload, connection, mina, django_assert_max_num_queries
):
    made = upload("text\n" + "hello\n" * 3000)

    with django_assert_max_num_queries(30):
        create_batch(made, by=mina.actor, connection=connection)

    assert BatchRow.objects.count() == 3000


def test_a_batch_keeps_its_template_and_terms_when_the_project_changes(project, upload, connection, mina):
    batch = create_batch(upload("text\nhello\n"), by=mina.actor, connection=connection)

    save_template(project, "<b>${text}</b>", by=mina.actor)
    project.title = "Another title"
    project.save()

    batch.refresh_from_db()
    assert batch.template.version == 1
    assert batch.title != "Another title"


@pytest.mark.parametrize(
    ("given", "name"), [("", "Sentiment 1"), ("  Pilot ", "Pilot"), ("n" * 200, "n" * 100)]
)
def test_a_batch_is_named_by_the_person_or_by_its_number(upload, connection, mina, given, name):
    batch = create_batch(upload("text\nhello\n"), by=mina.actor, connection=connection, name=given)

    assert batch.name == name


def test_a_connection_of_another_team_is_refused(upload, connection, mina):
    elsewhere = ConnectionFactory(name="Theirs")

    sentence = refusal(create_batch, upload("text\nhello\n"), by=mina.actor, connection=elsewhere)

    assert "Your team may not publish on Theirs" in sentence
    batch = create_batch(upload("text\nhello\n"), by=mina.actor, connection=connection)
    assert "Your team may not publish on Theirs" in refusal(
        change_batch, batch, by=mina.actor, connection=elsewhere
    )


# Changing a draft ---------------------------------------------------------------------------------


def test_a_drafts_settings_can_be_changed(team, mina):
    batch = BatchFactory(project__team=team, rows=1)

    changed = change_batch(batch, by=mina.actor, reward=Decimal("0.10"), lifetime=timedelta(days=1))

    changed.refresh_from_db()
    assert (changed.reward, changed.lifetime) == (Decimal("0.10"), timedelta(days=1))
    assert Event.objects.get(verb="batch.changed").details == {"fields": ["lifetime", "reward"]}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"max_assignments": 0}, "“max_assignments” must be 1 or more."),
        ({"reward": Decimal("0.001")}, "“reward” takes at most 2 digits after the point."),
        ({"title": "x" * 129}, "“title” takes at most 128 characters"),
        ({"lifetime": timedelta(seconds=29)}, "“lifetime” must be 30 s or more."),
    ],
)
def test_a_value_mturk_would_refuse_is_refused_for_scripts_too(team, mina, changes, sentence):
    batch = BatchFactory(project__team=team, rows=1)

    assert refusal(change_batch, batch, by=mina.actor, **changes).startswith(sentence)
    assert not Event.objects.exists()


def test_the_settings_of_a_published_batch_are_frozen(team, mina):
    batch = BatchFactory(project__team=team, published=True, rows=1)

    sentence = refusal(change_batch, batch, by=mina.actor, reward=Decimal("1.00"))

    assert "is published, so its settings stay as they are" in sentence
    batch.refresh_from_db()
    assert batch.reward == Decimal("0.05")
