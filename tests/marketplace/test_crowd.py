"""Pretend Workers: at random within what the fields allow, or exactly as a file says."""

import random
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from marketplace import crowd
from marketplace.answers import read_answers
from marketplace.models import HIT, Assignment, Worker
from marketplace.models.assignment import AssignmentState
from tests.marketplace.conftest import Market
from tests.marketplace.forms import form, free_text, selection
from tests.marketplace.forms import question as form_question
from tests.marketplace.worker_site.conftest import html_question
from tests.marketplace.worker_site.test_submitting import answers

FORM = """<form>
  <input type=hidden name=task value="t{number}"><input type=hidden name=assignmentId>
  <label><input type=radio name=label value=yes></label><label><input type=radio name=label value=no></label>
  <input type=number name=score min=3 max=5><select name=kind><option value="">?<option>a<option value=b>bee</select>
  <input type=checkbox name=seen><textarea name=why></textarea><input type=file name=photo><button name=go>Go</button>
</form>"""


def question(number: int) -> str:
    return html_question(FORM.format(number=number))


def test_a_random_answer_fills_each_field_with_a_value_it_allows(market: Market) -> None:
    hit = market.create_hit(Question=question(1))

    for seed in range(20):
        fields = dict(crowd.random_answer(hit, random.Random(seed)))
        assert fields.keys() - {"seen"} == {"task", "label", "score", "kind", "why"}
        assert fields["task"] == "t1"
        assert fields["label"] in {"yes", "no"}
        assert fields["score"] in {"3", "4", "5"}
        assert fields["kind"] in {"a", "b"}
        assert fields["why"]


def test_pretend_workers_answer_everything_that_is_open(market: Market) -> None:
    hits = [market.create_hit(Question=question(number), MaxAssignments=3) for number in range(4)]

    call_command("work", "--workers", "4", "--seed", "1")

    assert [hit.status(hit.expires_at) for hit in HIT.objects.all()] == ["Reviewable"] * 4
    assert Assignment.objects.filter(hit=hits[0]).values("worker").distinct().count() == 3


def test_they_answer_no_more_than_asked_and_only_in_the_group_asked_for(market: Market) -> None:
    market.create_hit(Question=question(1), MaxAssignments=3)
    other = market.create_hit(Question=question(2), MaxAssignments=3, Title="Other")

    call_command("work", "--most", "2", "--group", other.hit_type.mturk_id)

    assert list(Assignment.objects.values_list("hit", flat=True)) == [other.pk, other.pk]


def test_a_question_form_is_answered_within_what_it_allows(market: Market) -> None:
    length = '<Length minLength="30" maxLength="40"/>'
    hit = market.create_hit(
        Question=form(
            form_question("sky", selection("blue", "grey")),
            form_question("birds", selection("lark", "wren", "rook", least=2, most=3)),
            form_question("count", free_text('<IsNumeric minValue="3" maxValue="5"/>')),
            form_question("why", free_text(length)),
        ),
        MaxAssignments=5,
    )

    call_command("work", "--workers", "5", "--seed", "1")

    submitted = Assignment.objects.filter(hit=hit, state=AssignmentState.SUBMITTED)
    assert submitted.count() == 5
    for assignment in submitted:
        given = read_answers(assignment.answer)
        assert given["sky"] < {"blue", "grey"}
        assert len(given["birds"]) in (2, 3)
        assert given["count"] <= {"3", "4", "5"}
        assert all(30 <= len(text) <= 40 for text in given["why"])


def test_a_question_form_they_cannot_please_is_left_to_people(market: Market) -> None:
    pattern = '<AnswerFormatRegex regex="^[0-9]{4}-[0-9]{2}$" errorText="A month"/>'
    market.create_hit(Question=form(form_question("month", free_text(pattern))))

    call_command("work")

    assert not Assignment.objects.exists()


def test_a_question_without_fields_is_left_to_people(market: Market) -> None:
    market.create_hit()

    call_command("work")

    assert not Assignment.objects.exists()


def test_a_file_is_replayed_line_by_line(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hits = {number: market.create_hit(Question=question(number), MaxAssignments=2) for number in (1, 2)}
    file = tmp_path / "labels.csv"
    file.write_text('task,worker,label\nt1,ann,yes\nt1,bo,no\nt2,ann,"a, b"\n')

    call_command("work", "--replay", str(file), "--field", "label")

    assert capsys.readouterr().out == "3 answers from 2 Workers.\n"
    ann = Worker.objects.get(name="ann")
    assert ann == crowd.pretend_worker("ann")
    assert answers(Assignment.objects.get(hit=hits[1], worker=ann)) == [("task", "t1"), ("label", "yes")]
    assert answers(Assignment.objects.get(hit=hits[2], worker=ann)) == [("task", "t2"), ("label", "a, b")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("task,label\n1,2\n", "no column worker"),
        ("task,worker,label\nt1,,yes\n", "Line 2 is incomplete"),
        ("task,worker,label\nt9,ann,yes\n", "1 lines of .* were not given"),
        ("task,worker,label\nt1,ann,yes\nt1,ann,no\n", "1 lines of .* were not given"),
    ],
)
def test_what_cannot_be_replayed_is_said(market: Market, tmp_path: Path, text: str, sentence: str) -> None:
    market.create_hit(Question=question(1), MaxAssignments=2)
    file = tmp_path / "labels.csv"
    file.write_text(text)

    with pytest.raises(CommandError, match=sentence):
        call_command("work", "--replay", str(file))


def test_in_a_demo_they_hold_a_hit_for_a_round(market: Market) -> None:
    market.create_hit(Question=question(1), MaxAssignments=2)
    people, chance = [crowd.pretend_worker("a"), crowd.pretend_worker("b")], random.Random(1)

    assert crowd.accept_some(people, chance, most=1) == 1
    assert Assignment.objects.get().state == AssignmentState.ACCEPTED
    assert crowd.submit_held(people, chance) == 1
    assert Assignment.objects.get().state == AssignmentState.SUBMITTED
