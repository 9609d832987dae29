"""What Workers do: accept, submit and return, and how they are told that they cannot."""

from typing import Any

import pytest
from lxml import etree

from marketplace import lifecycle
from marketplace.answers import answer_document
from marketplace.lifecycle import QUEUE_LIMIT, Refused
from marketplace.models import Assignment
from tests.marketplace.conftest import Market

NAMESPACE = (
    "{http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd}"
)


def code_of(act: Any) -> str:
    with pytest.raises(Refused) as caught:
        act()
    assert len(str(caught.value.sentence)) > 20
    return caught.value.code


def submit(assignment: Assignment, *fields: tuple[str, str]) -> Assignment:
    return lifecycle.submit_assignment(assignment.mturk_id, list(fields or [("colour", "red")]))


# Accepting


def test_accepting_twice_gives_the_same_assignment(market: Market) -> None:
    hit, worker = market.create_hit(MaxAssignments=2), market.worker()

    assert market.accept(hit, worker) == market.accept(hit, worker)
    assert market.status(hit) == ("Assignable", 1, 1, 0)


def test_a_worker_does_a_hit_once(market: Market) -> None:
    hit, worker = market.create_hit(MaxAssignments=2), market.worker()
    market.submit(hit, worker)

    assert code_of(lambda: market.accept(hit, worker)) == "done_before"


def test_a_returned_hit_can_be_accepted_again_under_a_fresh_id(market: Market) -> None:
    hit, worker = market.create_hit(), market.worker()
    first = market.accept(hit, worker)
    lifecycle.return_assignment(first.mturk_id)

    assert market.accept(hit, worker).mturk_id != first.mturk_id


@pytest.mark.parametrize("why", ["all taken", "expired", "deleted"])
def test_a_hit_without_a_slot_cannot_be_accepted(market: Market, why: str) -> None:
    hit = market.create_hit()
    if why == "all taken":
        market.accept(hit)
    else:
        market.wait(days=1)
    if why == "deleted":
        market.mturk.delete_hit(HITId=hit.mturk_id)

    assert code_of(lambda: market.accept(hit)) == "none_left"


def test_another_hit_of_the_group_takes_the_place_of_one_that_is_gone(market: Market) -> None:
    gone, next_one, other_group = market.create_hit(), market.create_hit(), market.create_hit(Title="Other")
    market.accept(gone)
    worker = market.worker()

    assert lifecycle.accept_hit(gone, worker, or_another=True).hit == next_one
    assert code_of(lambda: lifecycle.accept_hit(gone, worker, or_another=True)) == "none_left"
    assert other_group.assignments.count() == 0


def test_the_oldest_hit_of_a_group_that_the_worker_has_not_done_comes_next(market: Market) -> None:
    hits = [market.create_hit(MaxAssignments=2) for _ in range(3)]
    worker = market.worker()

    given = [submit(lifecycle.accept_any(hits[0].hit_type, worker)).hit for _ in range(3)]

    assert given == hits
    assert code_of(lambda: lifecycle.accept_any(hits[0].hit_type, worker)) == "none_left"


def test_a_worker_holds_at_most_25(market: Market) -> None:
    worker = market.worker()
    held = [market.accept(market.create_hit(), worker) for _ in range(QUEUE_LIMIT)]
    one_more = market.create_hit()

    assert code_of(lambda: market.accept(one_more, worker)) == "queue_full"
    submit(held[0])
    market.accept(one_more, worker)


# Submitting and returning


@pytest.mark.parametrize("act", ["submit", "return"])
@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("submitted", "submitted"),
        ("approved", "submitted"),
        ("returned", "returned"),
        ("abandoned", "too_late"),
    ],
)
def test_only_what_one_holds_can_be_submitted_or_returned(
    market: Market, act: str, before: str, code: str
) -> None:
    assignment = market.accept(market.create_hit())
    if before in ("submitted", "approved"):
        submit(assignment)
    if before == "approved":
        market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
    if before == "returned":
        lifecycle.return_assignment(assignment.mturk_id)
    if before == "abandoned":
        market.wait(minutes=11)
        lifecycle.apply_due()
    was = Assignment.objects.values().get()

    acts = {
        "submit": lambda: submit(assignment),
        "return": lambda: lifecycle.return_assignment(assignment.mturk_id),
    }
    assert code_of(acts[act]) == code

    assert Assignment.objects.values().get() == was


def test_a_submission_after_the_deadline_is_refused_even_before_it_is_noticed(market: Market) -> None:
    assignment = market.accept(market.create_hit())
    market.wait(minutes=10)

    assert code_of(lambda: submit(assignment)) == "too_late"


def test_an_expired_hit_still_takes_the_work_of_its_holders(market: Market) -> None:
    assignment = market.accept(market.create_hit(LifetimeInSeconds=60))
    market.wait(minutes=5)

    assert submit(assignment).state == "submitted"


def test_abandoned_work_frees_its_slot(market: Market) -> None:
    hit = market.create_hit()
    market.accept(hit)
    market.wait(minutes=10)

    assert market.status(hit) == ("Assignable", 1, 0, 0)
    market.accept(hit)


def test_an_unknown_assignment_is_refused(db: None) -> None:
    assert code_of(lambda: lifecycle.submit_assignment("3NONE", [("a", "b")])) == "no_such_assignment"


@pytest.mark.parametrize(
    "fields", [[], [("assignmentId", "3X"), ("workerId", "A1"), ("hitId", "3"), ("turkSubmitTo", "")]]
)
def test_a_page_without_a_field_of_its_own_submits_nothing(
    market: Market, fields: list[tuple[str, str]]
) -> None:
    assignment = market.accept(market.create_hit())

    assert code_of(lambda: lifecycle.submit_assignment(assignment.mturk_id, fields)) == "empty"
    assignment.refresh_from_db()
    assert assignment.state == "accepted"


# Answers as XML


def read(document: str) -> list[tuple[str, str]]:
    root = etree.fromstring(document.encode())
    assert root.tag == f"{NAMESPACE}QuestionFormAnswers"
    return [(answer[0].text or "", answer[1].text or "") for answer in root]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([("a", "1"), ("b", "2")], [("a", "1"), ("b", "2")]),
        ([("b", "1"), ("a", "2"), ("b", "3")], [("b", "1|3"), ("a", "2")]),
        ([("a", "")], [("a", "")]),
        ([("a", " two\r\nlines\t ")], [("a", " two\r\nlines\t ")]),
        ([("größe", "<b>&amp;</b> ]]> 🙂")], [("größe", "<b>&amp;</b> ]]> 🙂")]),
        ([("a", "nul \0, half \ud83d, not \uffff")], [("a", "nul \ufffd, half \ufffd, not \ufffd")]),
        (
            [("taskAnswers", '[{"x":{"label":"Positive"}}]')],
            [("taskAnswers", '[{"x":{"label":"Positive"}}]')],
        ),
        ([("assignmentId", "3X"), ("a", "1")], [("a", "1")]),
    ],
)
def test_each_field_becomes_one_answer_exactly_as_sent(
    sent: list[tuple[str, str]], kept: list[tuple[str, str]]
) -> None:
    document = answer_document(sent)

    assert document.isascii()
    assert read(document) == kept
