"""Assignments on MTurk become Assignment rows: what changed is fetched once, and nothing is missed."""

from datetime import timedelta
from decimal import Decimal

import pytest

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.workers.models import TeamWorker, Worker
from mturkhub.workers.naming import find_workers, shown_ids
from projects.actions.batches import collect_now
from projects.actions.reviews import approve_assignment, reject_assignment
from projects.collecting import _Sweeper, sweep
from projects.models import HIT, Assignment, AssignmentAnswer, Decision
from tests.conftest import Person
from tests.factories.projects import answer_xml
from tests.fakes.mturk import FakeMTurk, lost_answer, refusal, unreachable
from tests.projects.live import Live, make_live

pytestmark = pytest.mark.django_db


def status(live: Live) -> list[str]:
    return [answer.status for answer in live.answers]


# What is fetched ---------------------------------------------------------------------------------


def test_an_answer_becomes_a_row_with_its_times_worker_and_fields(live: Live) -> None:
    answer = live.collect_one(sentiment="7", why="so")

    remote = live.market.assignments[answer.mturk_id]
    assert (answer.status, answer.worker.mturk_id) == ("Submitted", "AWANDA")
    assert answer.submitted_at == remote.submitted_at
    assert answer.work_time == remote.submitted_at - remote.accepted_at
    assert answer.answer.fields == {"sentiment": ["7"], "why": ["so"]}
    assert answer.answer.raw_xml == remote.answer
    live.batch.refresh_from_db()
    assert live.batch.answer_fields == ["sentiment", "why"]


def test_collecting_twice_changes_nothing_and_fetches_nothing(live: Live) -> None:
    live.submit(["A1", "A2"])
    first = live.collect()
    second = live.collect()

    assert (first.answers_new, first.hits_fetched) == (2, 1)
    assert (second.answers_new, second.hits_fetched) == (0, 0)
    assert Assignment.objects.count() == AssignmentAnswer.objects.count() == 2
    assert live.fetches() == 1


def test_hits_nobody_has_answered_are_never_fetched(live: Live) -> None:
    live.market.accept(live.hit_id(), "AWANDA")

    live.collect()

    assert live.fetches() == 0


def test_each_new_answer_costs_one_fetch_of_its_hit(live: Live) -> None:
    for worker in ("A1", "A2", "A3"):
        live.submit([worker])
        live.collect()

    assert live.fetches() == 3
    assert len(live.answers) == 3


def test_all_pages_of_a_hit_and_of_the_list_are_read(mina: Person, connection: Connection) -> None:
    live = make_live(mina, connection, FakeMTurk(page_size=2), rows=5, max_assignments=9)
    live.submit([f"A{number}" for number in range(9)], row=5)

    done = live.collect()

    assert done.hits_listed == 5
    assert done.answers_new == 9


def test_an_answer_that_the_list_promised_and_the_fetch_did_not_show_is_fetched_again(live: Live) -> None:
    [assignment_id] = live.submit()
    # MTurk's lists lag: the counter is there, the Assignment not yet.
    hidden = live.market.assignments[assignment_id].hit.assignments
    shown = list(hidden)
    original = live.market.list_assignments_for_hit
    live.market.list_assignments_for_hit = lambda hit_id: []  # type: ignore[method-assign,assignment]
    live.collect()
    assert live.answers == []
    live.market.list_assignments_for_hit = original  # type: ignore[method-assign]

    live.collect()

    assert len(live.answers) == len(shown) == 1


def test_a_decision_of_our_own_causes_no_fetch(live: Live, mina: Person, no_grace: None) -> None:
    live.submit(["A1", "A2", "A3"])
    live.collect()
    for answer in live.answers:
        approve_assignment(answer, by=mina.actor)
    live.send()

    live.collect()

    assert live.fetches() == 1
    assert status(live) == ["Approved"] * 3


# What others did ---------------------------------------------------------------------------------


def test_what_was_decided_elsewhere_is_noticed(live: Live) -> None:
    approved, rejected = live.submit(["A1", "A2"])
    live.collect()
    live.market.approve_assignment(approved, feedback="thanks")
    live.market.reject_assignment(rejected, feedback="empty")

    live.collect()

    assert status(live) == ["Approved", "Rejected"]
    assert [answer.feedback for answer in live.answers] == ["thanks", "empty"]
    live.batch.refresh_from_db()
    assert (live.batch.answers_approved, live.batch.answers_rejected) == (1, 1)


def test_auto_approval_is_noticed_and_overtakes_a_decision_that_still_waited(
    live: Live, mina: Person
) -> None:
    answer = live.collect_one()
    reject_assignment(answer, by=mina.actor, feedback="empty")
    Decision.objects.update(due_at=clock.now() + timedelta(days=10))

    live.later(days=3, seconds=1)
    live.collect()

    assert status(live) == ["Approved"]
    decision = Decision.objects.get()
    assert decision.state == "overtaken"
    assert live.answers[0].pending_verdict == ""


def test_a_decision_that_mturk_carried_out_after_it_was_taken_for_lost_is_ours(
    live: Live, mina: Person
) -> None:
    answer = live.collect_one()
    approve_assignment(answer, by=mina.actor)
    # Sent once, looked up while MTurk had not come to it, and queued again; then MTurk came to it.
    Decision.objects.update(due_at=clock.now() + timedelta(minutes=1), attempts=1, first_sent_at=None)
    live.market.approve_assignment(answer.mturk_id)

    live.collect()

    [stored] = live.answers
    assert (stored.status, stored.pending_verdict, stored.decided_elsewhere) == ("Approved", "", "")
    assert Decision.objects.get().state == "done"


def test_a_decision_that_was_sent_before_and_contradicts_mturk_is_overtaken(live: Live, mina: Person) -> None:
    answer = live.collect_one()
    reject_assignment(answer, by=mina.actor, feedback="empty")
    Decision.objects.update(due_at=clock.now() + timedelta(minutes=1), attempts=1, first_sent_at=None)
    live.market.approve_assignment(answer.mturk_id)

    live.collect()

    assert live.answers[0].decided_elsewhere == "elsewhere"
    assert Decision.objects.get().state == "overtaken"


def test_a_rejection_overturned_elsewhere_is_found_within_a_day(live: Live) -> None:
    [assignment_id] = live.submit()
    live.market.reject_assignment(assignment_id, feedback="empty")
    live.collect()
    assert status(live) == ["Rejected"]
    live.market.approve_assignment(assignment_id, override_rejection=True)

    live.collect()
    assert status(live) == ["Rejected"], "no counter shows it"
    live.later(hours=24, seconds=1)
    live.collect()

    assert status(live) == ["Approved"]


def test_the_status_of_a_hit_follows_mturks(live: Live) -> None:
    for worker in ("A1", "A2"):
        live.submit([worker])
    live.market.accept(live.hit_id(), "A3")

    live.collect()
    assert [hit.hit_status for hit in live.hits] == ["Unassignable", "Assignable"]

    live.submit(["A3"])
    live.collect()
    assert [hit.hit_status for hit in live.hits] == ["Reviewable", "Assignable"]


def test_a_hit_that_left_the_list_is_missing_only_when_gethit_says_so(live: Live) -> None:
    live.collect()
    live.later(minutes=3)
    gone = live.hit_id(1)
    del live.market.hits[gone]

    live.collect()

    assert [hit.missing_since is not None for hit in live.hits] == [True, False]
    assert live.market.calls["GetHIT"] == 1


def test_foreign_hits_are_counted_and_never_touched(live: Live) -> None:
    hit_type = next(iter(live.market.hit_types))
    for number, annotation in enumerate(
        ["", "BatchId:1;OriginalHitTemplateId:1;", "BatchId:1;OriginalHitTemplateId:1;Mturkhub:x/y;"]
    ):
        live.market.create_hit_with_hit_type(
            hit_type_id=hit_type,
            question=live.market.hits[live.hit_id()].question,
            lifetime=timedelta(days=1),
            max_assignments=1,
            requester_annotation=annotation,
            unique_request_token=f"foreign {number}",
        )
    foreign = [hit_id for hit_id, hit in live.market.hits.items() if hit.max_assignments == 1]
    live.market.submit(foreign[0], "AWANDA", {"sentiment": "1"})

    done = live.collect()

    assert done.hits_elsewhere == 3
    assert live.answers == []
    assert live.fetches() == 0


# Answers -----------------------------------------------------------------------------------------


def test_white_space_markup_and_several_values_come_through_unchanged(live: Live) -> None:
    text = "  two  spaces\n\tand a tab <b>&amp;</b> ]]> é 日本 "
    [assignment_id] = live.submit(comment=text, colours="red|blue", empty="")
    live.collect()

    answer = Assignment.objects.get(mturk_id=assignment_id).answer
    assert answer.fields["comment"] == [text]
    assert answer.fields["empty"] == [""]
    assert not answer.is_damaged


@pytest.mark.parametrize("xml", ["", "<not xml", answer_xml({"a": ["b"]}).replace("</Answer>", "", 1)])
def test_an_answer_that_cannot_be_read_is_kept_as_it_came_and_flagged(live: Live, xml: str) -> None:
    assignment_id = live.market.submit(live.hit_id(), "AWANDA", xml=xml)

    live.collect()

    answer = Assignment.objects.get(mturk_id=assignment_id).answer
    assert answer.raw_xml == xml
    assert answer.is_damaged or xml == ""


def test_what_a_test_worker_answers_is_left_out(live: Live) -> None:
    live.submit(["ATEST123456789", "AWANDA"])

    live.collect()

    assert [(a.worker.mturk_id, a.left_out_at is not None) for a in live.answers] == [
        ("ATEST123456789", True),
        ("AWANDA", False),
    ]


def test_a_worker_is_one_person_for_the_team_with_one_pseudonym(
    live: Live, mina: Person, vera: Person, olive: Person
) -> None:
    live.submit(["AWANDA"], row=1)
    live.submit(["AWANDA"], row=2)
    live.collect()

    worker = Worker.objects.get()
    name = TeamWorker.objects.get().pseudonym
    assert name.startswith("W-")
    assert shown_ids(vera.team.pk, [worker.pk], vera.actor) == {worker.pk: name}
    assert shown_ids(olive.team.pk, [worker.pk], olive.actor) == {worker.pk: "AWANDA"}
    assert find_workers(mina.team.pk, name.lower()) == find_workers(mina.team.pk, "AWANDA") == [worker]


def test_a_project_that_approves_at_once_pays_without_a_click(
    mina: Person, connection: Connection, market: FakeMTurk
) -> None:
    live = make_live(mina, connection, market, approval="at_once")
    live.collect_one()
    live.send()

    decision = Decision.objects.get()
    assert (decision.state, decision.by, decision.by_rule) == ("done", None, "approve at once")
    assert status(live) == ["Approved"]
    assert market.paid == Decimal("0.06")


# When a sweep fails ------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["ListHITs", "ListAssignmentsForHIT"])
@pytest.mark.parametrize("error", [lost_answer, unreachable])
def test_a_sweep_that_is_cut_off_says_why_and_the_next_one_catches_up(
    live: Live, operation: str, error: object
) -> None:
    live.submit(["A1"], row=1)
    live.submit(["A2"], row=2)
    live.market.fail(operation, error)  # type: ignore[arg-type]

    cut_off = sweep(live.connection, gateway=live.market)

    assert cut_off is not None
    assert not cut_off.is_complete
    assert cut_off.problem
    live.collect()
    assert len(live.answers) == 2


def test_a_hit_deleted_between_list_and_fetch_does_not_stop_the_sweep(live: Live) -> None:
    live.submit(["A1"], row=1)
    live.submit(["A2"], row=2)
    live.market.fail(
        "ListAssignmentsForHIT",
        lambda operation: refusal(operation, "HITDoesNotExist", "Hit 3X does not exist."),
    )

    live.collect()

    assert len(live.answers) == 1


def test_two_sweeps_of_one_connection_never_run_at_once(live: Live) -> None:
    Connection.objects.filter(pk=live.connection.pk).update(
        sweep_lease_until=clock.real_now() + timedelta(seconds=60)
    )

    assert sweep(live.connection, gateway=live.market) is None
    assert live.market.calls["ListHITs"] == 0


def test_the_page_can_tell_when_it_was_collected_and_when_it_will_be(live: Live) -> None:
    live.collect()

    live.connection.refresh_from_db()
    assert live.connection.last_sweep_at is not None
    assert live.connection.next_sweep_at is not None
    wait = live.connection.next_sweep_at - live.connection.last_sweep_at
    assert wait == timedelta(seconds=10)


def test_a_hit_that_its_sender_stores_while_its_page_is_looked_up_gets_no_second_round(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_rows = _Sweeper._hits
    looked = []

    def late(self):  # type: ignore[no-untyped-def]
        """The first look finds nothing: the sender commits right after it."""
        looked.append(None)
        return known_rows(self).none() if len(looked) == 1 else known_rows(self)

    monkeypatch.setattr(_Sweeper, "_hits", late)

    record = live.collect()

    assert (len(live.hits), record.hits_elsewhere) == (2, 0)


def test_what_could_be_fetched_is_kept_when_another_fetch_fails(live: Live) -> None:
    for row in (1, 2):
        live.submit(row=row)
    live.market.fail("ListAssignmentsForHIT", lost_answer)

    done = sweep(live.connection, gateway=live.market)

    assert done is not None
    assert (done.is_complete, done.answers_new) == (False, 1)
    live.collect()
    assert len(live.answers) == 2


# Long histories -----------------------------------------------------------------------------------


@pytest.fixture
def with_history(live: Live) -> Live:
    """On the account stand a thousand HITs of old that are none of ours; it has been listed once."""
    question = live.market.hits[live.hit_id()].question
    hit_type = next(iter(live.market.hit_types))
    for number in range(1_000):
        live.market.create_hit_with_hit_type(
            hit_type_id=hit_type,
            question=question,
            lifetime=timedelta(hours=1),
            max_assignments=1,
            requester_annotation="",
            unique_request_token=f"old {number}",
        )
    live.collect()
    live.market.calls.clear()
    return live


def test_where_the_list_is_longer_than_the_open_hits_these_are_asked_for_instead(with_history: Live) -> None:
    live = with_history
    live.submit(["A1"])

    done = live.collect()

    assert live.market.calls == {"GetHIT": 2, "ListAssignmentsForHIT": 1}
    assert (done.pages, done.answers_new) == (0, 1)


def test_such_an_account_is_listed_again_after_an_hour_and_when_a_person_asks(
    with_history: Live, mina: Person
) -> None:
    live = with_history
    live.later(minutes=61)
    live.collect()
    assert live.market.calls["ListHITs"] > 10
    live.market.calls.clear()
    live.collect()
    assert live.market.calls["ListHITs"] == 0

    collect_now(live.batch, by=mina.actor)
    live.connection.refresh_from_db()
    live.collect()

    assert live.market.calls["ListHITs"] > 10


def test_what_nobody_knows_the_outcome_of_is_looked_for_in_the_list(with_history: Live) -> None:
    HIT.objects.filter(pk=with_history.hits[0].pk).update(publish_state="unknown", mturk_id=None)

    with_history.collect()

    assert with_history.market.calls["ListHITs"] > 10
    assert with_history.hits[0].publish_state == "published"


def test_a_hit_that_is_gone_is_missing_without_the_list_as_well(with_history: Live) -> None:
    del with_history.market.hits[with_history.hit_id(1)]

    with_history.collect()

    assert [hit.missing_since is not None for hit in with_history.hits] == [True, False]
    assert with_history.market.calls["ListHITs"] == 0


def test_a_hit_that_was_deleted_elsewhere_is_named_so_without_the_list_as_well(with_history: Live) -> None:
    live = with_history
    live.market.hits[live.hit_id(1)].disposed_at = live.market.now

    live.collect()

    assert live.market.calls["ListHITs"] == 0
    assert (live.hits[0].hit_status, live.hits[0].changed_elsewhere) == ("Disposed", "deleted")


def test_a_few_fetches_that_fail_are_made_up_for_by_the_next_sweep(
    mina: Person, connection: Connection
) -> None:
    live = make_live(mina, connection, FakeMTurk(), rows=5)
    for row in range(1, 6):
        live.submit(row=row)
    live.market.fail("ListAssignmentsForHIT", lost_answer)

    first = live.collect()
    second = live.collect()

    assert (first.answers_new, second.answers_new) == (4, 1)
    assert live.market.calls["ListAssignmentsForHIT"] == 6


def test_hits_whose_answers_wait_are_asked_for_as_well(with_history: Live) -> None:
    live = with_history
    [answer, *_] = [live.submit([worker])[0] for worker in ("A1", "A2", "A3")]
    live.collect()
    assert live.hits[0].hit_status == "Reviewable"
    live.market.approve_assignment(answer)

    live.collect()

    assert live.market.calls["ListHITs"] == 0
    assert Assignment.objects.get(mturk_id=answer).status == "Approved"
