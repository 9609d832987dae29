"""A results file of the requester site becomes a closed batch: everything in it is read, and nothing is ever sent."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from mturkhub.common.errors import ActionRefused
from mturkhub.workers.models import Worker
from projects import importing
from projects.actions.batches import close_batch
from projects.actions.budgets import set_budget
from projects.actions.hits import extend_answers, extend_time
from projects.actions.payments import send_bonus
from projects.actions.results import import_results, read_results_as, upload_results
from projects.actions.reviews import approve_assignment, decide_many, overturn_rejection
from projects.columns import DECISION_COLUMNS, RESULT_COLUMNS
from projects.models import (
    HIT,
    Assignment,
    Batch,
    BudgetPeriod,
    BudgetSpend,
    ForeignHIT,
    ResultsUpload,
)
from projects.results_reading import ResultsReport
from projects.results_table import results_csv
from projects.states import Verdict
from tests.factories import BatchFactory, ConnectionFactory, ProjectFactory
from tests.projects.live import make_live
from tests.projects.pages import get, post, words
from tests.projects.test_made_elsewhere import look, make_elsewhere

pytestmark = pytest.mark.django_db

LINE = {
    "HITId": "3HIT1",
    "HITTypeId": "3TYPE1",
    "Title": "Rate a tweet",
    "Description": "Read one tweet.",
    "Keywords": "tweets",
    "Reward": "$0.02",
    "CreationTime": "Wed Nov 20 20:00:00 PST 2019",
    "MaxAssignments": "2",
    "RequesterAnnotation": "BatchId:3843733;OriginalHitTemplateId:928390838;",
    "AssignmentDurationInSeconds": "3600",
    "AutoApprovalDelayInSeconds": "259200",
    "Expiration": "Wed Nov 27 20:00:00 PST 2019",
    "AssignmentId": "3ANSWER1",
    "WorkerId": "AWANDA",
    "AssignmentStatus": "Approved",
    "AcceptTime": "Wed Nov 20 21:03:26 PST 2019",
    "SubmitTime": "Wed Nov 20 21:04:26 PST 2019",
    "AutoApprovalTime": "Sat Nov 23 21:04:26 PST 2019",
    "ApprovalTime": "Thu Nov 21 09:00:00 PST 2019",
    "RejectionTime": "",
    "RequesterFeedback": "Thank you",
    "WorkTimeInSeconds": "60",
    "Input.text": "Häuser",
    "Answer.sentiment": "7",
}


def results(*changes):
    """A file with one line per change of LINE."""
    written = io.StringIO()
    writer = csv.DictWriter(written, list(LINE), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows({**LINE, **change} for change in changes or [{}])
    return written.getvalue()


TWO = [
    {},
    {"AssignmentId": "3ANSWER2", "WorkerId": "AWILL", "AssignmentStatus": "Rejected", "ApprovalTime": "",
     "RejectionTime": "Thu Nov 21 09:00:00 PST 2019", "RequesterFeedback": "Empty", "Answer.sentiment": ""},
    {"HITId": "3HIT2", "AssignmentId": "3ANSWER3", "AssignmentStatus": "Submitted", "ApprovalTime": "",
     "Input.text": "two", "Answer.sentiment": "a|b", "SubmitTime": "Thu Nov 21 09:04:26 PST 2019", "WorkTimeInSeconds": "43260"},
]  # fmt: skip


@pytest.fixture
def project(team, olive):
    return ProjectFactory(team=team, created_by=olive.user)


@pytest.fixture
def upload(project, connection, mina):
    def make(text, *, to=None, into=None, name="Batch_1_batch_results.csv"):
        chunks = [text if isinstance(text, bytes) else text.encode()]
        return upload_results(
            into or project, by=mina.actor, connection=to or connection, name=name, chunks=chunks
        )

    return make


def run(upload, by, **more):
    job = import_results(upload, by=by.actor, **more)
    importing.run(job)
    job.refresh_from_db()
    return job


@pytest.fixture
def imported(upload, mina):
    """The batch of TWO."""
    assert run(upload(results(*TWO)), mina).state == "done"
    return Batch.objects.get()


def report(upload):
    return ResultsReport.from_json(upload.report)


# What it becomes ----------------------------------------------------------------------------------


def test_a_file_becomes_a_closed_batch_with_a_row_per_hit(imported, mina, connection):
    assert (imported.state, imported.title, imported.reward) == ("closed", "Rate a tweet", Decimal("0.02"))
    assert (imported.imported_at is not None, imported.created_by) == (True, mina.user)
    assert imported.columns == ["text"]
    assert [row.input for row in imported.rows.order_by("number")] == [{"text": "Häuser"}, {"text": "two"}]
    assert list(imported.hits.order_by("row__number").values_list("mturk_id", flat=True)) == [
        "3HIT1",
        "3HIT2",
    ]
    assert (imported.answers_approved, imported.answers_rejected, imported.answers_submitted) == (1, 1, 1)
    assert (imported.rows_total, imported.rows_decided, imported.rows_to_review) == (2, 1, 1)
    assert imported.assignment_duration == timedelta(hours=1)


def test_each_answer_is_as_the_file_says(imported):
    first = Assignment.objects.get(mturk_id="3ANSWER1")

    assert (first.worker.mturk_id, first.status, first.feedback) == ("AWANDA", "Approved", "Thank you")
    assert first.accepted_at == datetime(2019, 11, 21, 5, 3, 26, tzinfo=UTC)
    assert first.approved_at == datetime(2019, 11, 21, 17, 0, tzinfo=UTC)
    assert first.work_time == timedelta(minutes=1)
    assert (first.answer.fields, first.answer.raw_xml, first.answer.is_damaged) == (
        {"sentiment": ["7"]},
        "",
        False,
    )
    assert Assignment.objects.get(mturk_id="3ANSWER2").answer.fields == {}
    assert Assignment.objects.get(mturk_id="3ANSWER3").answer.fields == {"sentiment": ["a|b"]}


def test_our_own_results_come_back_as_the_same_cells(olive, connection, market, team, upload):
    live = make_live(olive, connection, market)
    live.submit(["AWANDA", "AWILL"], sentiment="7, or “8”", why="a|b\nc")
    live.submit(["AWANDA"], row=2, sentiment="=1+1")
    market.approve_assignment(live.submit(["AWU"], row=2)[0])
    live.collect()
    live.batch.refresh_from_db()
    before = b"".join(results_csv(live.batch, by=olive.actor)).decode()
    other = ConnectionFactory(account__team=team, name="Old account")

    run(upload(before, to=other), olive)

    after = b"".join(results_csv(Batch.objects.get(imported_at__isnull=False), by=olive.actor)).decode()
    assert after == before


def test_winter_and_summer_time_are_told_apart(upload, mina):
    at = [
        {"SubmitTime": "Sun Nov 03 01:30:00 PDT 2019", "AcceptTime": "Sun Nov 03 01:29:00 PDT 2019"},
        {"AssignmentId": "3B", "SubmitTime": "Sun Nov 03 01:30:00 PST 2019", "AcceptTime": "Sun Nov 03 01:29:00 PST 2019"},
    ]  # fmt: skip
    run(upload(results(*at)), mina)

    first, second = Assignment.objects.order_by("submitted_at")
    assert second.submitted_at - first.submitted_at == timedelta(hours=1)


def test_its_workers_are_those_of_the_account(imported, connection, mina):
    assert Worker.objects.filter(connection=connection).count() == 2
    assert "AWANDA" not in get(mina, "row", imported, 1)


def test_it_counts_in_no_budget(olive, team, upload, mina):
    set_budget(team, by=olive.actor, target=None, limit=Decimal("0.01"), period=BudgetPeriod.NONE)

    run(upload(results(*TWO)), mina)

    spend = BudgetSpend.objects.get()
    assert (spend.committed, spend.paid) == (0, 0)
    assert set(HIT.objects.values_list("reserved_on", flat=True)) == {None}
    page = words(get(mina, "batch", Batch.objects.get()))
    assert "Imported from a results file" in page
    assert "it counts in no budget" in page


# Nothing is sent ----------------------------------------------------------------------------------


def _decide(batch, by):
    approve_assignment(batch.assignments.get(status="Submitted"), by=by.actor)


def _decide_many(batch, by):
    decide_many(batch, batch.assignments.all(), by=by.actor, verdict=Verdict.APPROVE)


def _overturn(batch, by):
    overturn_rejection(batch.assignments.get(status="Rejected"), by=by.actor)


def _pay(batch, by):
    send_bonus(batch.assignments.first(), by=by.actor, amount=Decimal(1), reason="Careful")


@pytest.mark.parametrize("act", [_decide, _decide_many, _overturn, _pay])
def test_what_is_about_pay_is_refused_in_a_sentence(imported, mina, act):
    with pytest.raises(
        ActionRefused, match="was imported from a results file, to be read: nothing is sent for it"
    ):
        act(imported, mina)


@pytest.mark.parametrize(
    "act",
    [
        lambda batch, by: extend_answers(batch, by=by.actor, answers=1),
        lambda batch, by: extend_time(batch, by=by.actor, open_for=timedelta(days=1)),
        lambda batch, by: close_batch(batch, by=by.actor),
    ],
)
def test_what_changes_hits_is_refused_in_a_sentence(imported, mina, act):
    with pytest.raises(ActionRefused, match="is closed"):
        act(imported, mina)


def test_nobody_is_asked_to_decide_its_answers(imported, mina):
    home = words(mina.client.get(reverse("projects:home")).content.decode())
    review = words(mina.client.get(reverse("projects:review")).content.decode())

    assert "wait" not in home.split("Needs you")[1].split("Live batches")[0].replace("Answers that wait", "")
    assert str(imported) not in review


def test_a_sweep_leaves_it_alone(imported, connection, market):
    hit_id = make_elsewhere(market)
    HIT.objects.filter(mturk_id="3HIT1").update(mturk_id=hit_id)
    market.submit(hit_id, "AZOE")
    before = list(HIT.objects.order_by("pk").values())

    look(connection, market)

    assert list(HIT.objects.order_by("pk").values()) == before
    assert Assignment.objects.count() == 3
    assert ForeignHIT.objects.count() == 0
    assert market.calls["GetHIT"] == 0


# What is wrong with a line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"AssignmentStatus": "approved"}, "“approved” is none of Submitted, Approved, Rejected"),
        (
            {"SubmitTime": "20.11.2019 21:04"},
            "“20.11.2019 21:04” is no time like “Wed Nov 20 21:03:26 PST 2019”",
        ),
        ({"SubmitTime": "Wed Nov 31 21:04:26 PST 2019"}, "is no time like"),
        ({"SubmitTime": ""}, "It is empty, and every answer has one"),
        ({"SubmitTime": "Wed Nov 20 21:00:00 PST 2019"}, "It lies before AcceptTime"),
        ({"ApprovalTime": "yesterday"}, "column “ApprovalTime”: “yesterday” is no time"),
        ({"WorkerId": "W-7Q2K9M"}, "Downloads show a pseudonym to whoever may not see Worker ids"),
        ({"HITId": "3.5E+12"}, "“3.5E+12” is no HITId. Take the file as it was downloaded"),
        ({"AssignmentId": ""}, "“” is no AssignmentId"),
        ({"Reward": "two cents"}, "“two cents” is no sum like “$0.05”"),
        ({"MaxAssignments": "-1"}, "“-1” is no whole number"),
        ({"WorkTimeInSeconds": "1.5"}, "“1.5” is no whole number"),
        ({"AssignmentId": "3ANSWER1"}, "line 2 has the same answer"),
        ({"Title": "Another"}, "column “Title”: “Another”, and line 2 says “Rate a tweet”"),
        ({"Input.text": "other"}, "line 2 has the same HIT with another value"),
    ],
)
def test_a_bad_line_is_named_with_its_column_and_what_to_do(upload, change, sentence):
    found = report(upload(results({}, {"AssignmentId": "3OTHER", "WorkerId": "AWILL", **change})))

    assert (found.rows, found.bad_lines) == (1, 1)
    assert found.issues[0].line == 3
    assert sentence in found.issues[0].sentence
    assert found.issues[0].sentence.startswith("Line 3, column “")


def test_bad_lines_are_left_out_only_when_that_is_said(upload, mina):
    made = upload(results({}, {"AssignmentId": "3OTHER", "SubmitTime": "?"}))

    with pytest.raises(ActionRefused, match=r"1 line cannot be imported\. Mend the file"):
        import_results(made, by=mina.actor)
    run(made, mina, drop_bad_lines=True)

    assert Batch.objects.get().lines_dropped == 1
    assert Assignment.objects.count() == 1


def test_the_same_file_twice_is_refused_naming_the_batch_that_has_it(upload, imported, mina):
    again = upload(results(*TWO))

    found = report(again)
    assert (found.rows, found.bad_lines) == (0, 3)
    assert f"this HIT is in the batch “{imported}” already" in found.issues[0].sentence
    with pytest.raises(ActionRefused, match="No line of the file can be imported"):
        import_results(again, by=mina.actor)


def test_pressing_twice_imports_once(upload, mina):
    made = upload(results(*TWO))
    first, second = import_results(made, by=mina.actor), import_results(made, by=mina.actor)
    assert first == second

    importing.run(first)
    importing.run(second)

    assert Batch.objects.count() == 1
    with pytest.raises(ActionRefused, match=r"already\. Nothing was imported twice"):
        import_results(made, by=mina.actor)


def test_what_came_here_another_way_since_the_check_stops_the_import(upload, mina):
    first, second = upload(results(*TWO)), upload(results(*TWO))
    run(first, mina)

    job = run(second, mina)

    assert (job.state, Batch.objects.count()) == ("stopped", 1)
    assert "some of its HITs have come here another way" in job.outcome


def test_a_hit_of_another_team_on_the_same_account_is_not_named(upload, stan, connection):
    theirs = make_theirs(stan, connection)

    found = report(upload(results({"HITId": theirs})))

    assert "this HIT is with another team here already" in found.issues[0].sentence


def make_theirs(stan, connection):
    project = ProjectFactory(team=stan.team)
    hit = BatchFactory(project=project, connection=connection, published=True, rows=1).hits.get()
    HIT.objects.filter(pk=hit.pk).update(mturk_id="3THEIRS")
    return "3THEIRS"


def test_a_hit_that_is_still_at_mturk_is_better_adopted(upload, connection, market):
    hit_id = make_elsewhere(market)
    look(connection, market)

    found = report(upload(results({"HITId": hit_id})))

    assert "Have an owner of the account adopt it" in found.issues[0].sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The file is empty."),
        ("text\nhello\n", "The file has no column “HITId”"),
        ('{"HITId": 1}', "The file has no column"),
        (results({}).splitlines()[0] + "\n", "The file has a header and no answers."),
    ],
)
def test_what_is_no_results_file_is_refused(upload, mina, text, sentence):
    made = upload(text)

    assert sentence in report(made).refusal
    with pytest.raises(ActionRefused):
        import_results(made, by=mina.actor)


def test_a_file_in_another_encoding_is_read_as_the_person_says(upload, mina):
    made = upload(results({}).encode("cp1252"))
    assert report(made).is_other_encoding
    assert "How is it written?" in words(get(mina, "import_results", made))

    read_results_as(made, by=mina.actor, encoding="cp1252")
    run(ResultsUpload.objects.get(), mina)

    assert Batch.objects.get().rows.get().input == {"text": "Häuser"}


def test_too_many_answers_are_refused_with_what_to_do(upload, monkeypatch):
    monkeypatch.setattr("projects.results_reading.MOST_LINES", 2)

    assert "Split it, each part with the header line" in report(upload(results(*TWO))).refusal


def test_an_import_that_dies_leaves_nothing_behind(upload, mina, monkeypatch):
    made = upload(results(*TWO))
    job = import_results(made, by=mina.actor)

    def dies(_rows):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(importing, "recount", dies)
        with pytest.raises(RuntimeError):
            importing.run(job)
    assert Batch.objects.count() == 0

    importing.run(job)
    assert Batch.objects.get().answers == 3


def test_a_reviewer_imports_nothing(project, connection, ravi):
    with pytest.raises(ActionRefused, match="Reviewers may not upload batches"):
        upload_results(project, by=ravi.actor, connection=connection, name="r.csv", chunks=[b""])


# The pages ----------------------------------------------------------------------------------------


def test_from_the_project_to_the_batch(mina, project, connection):
    assert reverse("projects:upload_results", args=[project.public_id]) in get(mina, "project", project)
    file = SimpleUploadedFile("results.csv", results(*TWO).encode())

    sent = post(mina, "upload_results", project, {"file": file, "connection": str(connection.public_id)})
    made = ResultsUpload.objects.get()
    said = words(get(mina, "import_results", made))
    pressed = post(mina, "import_results", made)

    assert sent["Location"] == reverse("projects:import_results", args=[made.public_id])
    assert (
        "Answers 3, 1 Approved, 1 Rejected, 1 Submitted HITs 2 Workers 2 Submitted 21 Nov 2019 to 21 Nov 2019"
        in said
    )
    assert "/jobs/" in pressed["Location"]


def test_the_page_names_what_is_wrong_and_asks_before_leaving_it_out(mina, upload):
    made = upload(results({}, {"AssignmentId": "3OTHER", "SubmitTime": "<b>?"}))

    html = get(mina, "import_results", made)
    refused = post(mina, "import_results", made)
    pressed = post(mina, "import_results", made, {"drop": "1"})

    assert "1 of 2 lines cannot be imported." in words(html)
    assert "“&lt;b&gt;?” is no time like" in html
    assert "Leave 1 line out, import 1 answer" in words(html)
    assert refused.status_code == 400
    assert "or leave the line out" in refused.content.decode()
    assert "/jobs/" in pressed["Location"]


def test_all_bad_lines_can_be_downloaded(mina, upload):
    made = upload(results({}, *[{"AssignmentId": f"3OTHER{n}", "SubmitTime": "soon"} for n in range(60)]))
    url = reverse("projects:bad_result_lines", args=[made.public_id])

    html = get(mina, "import_results", made)
    lines = b"".join(mina.client.get(url).streaming_content).decode().splitlines()

    assert "Lines that cannot be imported first 50 of 60" in words(html)
    assert f'href="{url}"' in html
    assert lines[0] == "line,column,what is there,what is wrong"
    assert lines[1].startswith('3,SubmitTime,soon,"Line 3, column “SubmitTime”: “soon” is no time like')
    assert len(lines) == 61


def test_a_file_that_is_no_text_is_refused_as_that(upload):
    for binary in (b"\x89PNG\r\n\x1a\n\x00", bytes(range(256)) * 8):
        found = report(upload(binary))

        assert "not a text file: no rows can be read from it" in found.refusal
        assert not found.encodings


def test_the_columns_that_are_read_are_those_of_the_requester_site():
    named = [column for column in LINE if not column.startswith(("Input.", "Answer."))]

    assert set(named) <= set(RESULT_COLUMNS)
    assert DECISION_COLUMNS == ["Approve", "Reject"]
