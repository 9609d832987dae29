"""Who goes first on a Connection, and what the rate budget does to those who send: nobody is lost, nobody is failed."""

from datetime import timedelta

import pytest

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.gateway.rate_budget import Lane
from mturkhub.intentions.claiming import GROUP
from mturkhub.intentions.models import Job
from projects import tasks
from projects.actions.batches import publish_batch
from projects.actions.reviews import approve_assignment, reject_assignment
from projects.models import HIT, Assignment, Batch, Decision
from projects.publishing import ensure_hit_type, publish_chunk
from projects.sending import next_decisions, send_decisions
from tests.conftest import Person
from tests.factories import (
    AssignmentFactory,
    BatchFactory,
    BatchRowFactory,
    DecisionFactory,
    HITFactory,
    ProjectFactory,
    TeamFactory,
)
from tests.fakes.mturk import FakeMTurk, throttled
from tests.gateway.test_rate_budget import nobody
from tests.projects.live import Live

pytestmark = pytest.mark.django_db
CREATE = "CreateHITWithHITType"


@pytest.fixture
def batch(connection: Connection, mina: Person) -> Batch:
    """So many rows that they make several groups, published; nothing is sent yet."""
    project = ProjectFactory(team=mina.team, created_by=mina.user)
    return publish_batch(BatchFactory(project=project, connection=connection, rows=70), by=mina.actor)


def states(batch: Batch) -> set[str]:
    return set(HIT.objects.filter(batch=batch).values_list("publish_state", flat=True))


# Who goes first ----------------------------------------------------------------------------------


def decision(batch: Batch, **of_decision: object) -> int:
    """A queued decision about a new answer of the batch."""
    approval = of_decision.pop("auto_approval", timedelta(days=3))
    row = BatchRowFactory(batch=batch)
    answer = AssignmentFactory(hit=HITFactory(row=row, published=True))
    answer.auto_approval_at = answer.submitted_at + approval
    answer.save()
    return int(DecisionFactory(assignment=answer, team=batch.team, **of_decision).pk)


def test_rejections_go_first_by_the_time_mturk_would_approve_then_clicks_then_bulk_work(live: Live) -> None:
    job = Job.objects.create(team=live.batch.team, kind="decide_many", title="x", by=live.batch.created_by)
    bulk = decision(live.batch, job=job)
    click = decision(live.batch)
    late = decision(live.batch, verdict="reject", feedback="no", auto_approval=timedelta(days=9))
    soon = decision(live.batch, verdict="reject", feedback="no", auto_approval=timedelta(hours=1), job=job)

    assert next_decisions(live.connection) == [soon, late, click, bulk]


def test_teams_that_share_an_account_take_turns(live: Live) -> None:
    theirs = BatchFactory(project__team=TeamFactory(), connection=live.connection, published=True)
    ours = [decision(live.batch) for _ in range(3)]
    one_of_theirs = decision(theirs)

    in_turn = next_decisions(live.connection)

    assert one_of_theirs in in_turn[:2]
    assert sorted(in_turn) == sorted([*ours, one_of_theirs])


def test_what_somebody_holds_or_is_not_due_is_nobodys_next(live: Live) -> None:
    decision(live.batch, due_at=clock.now() + timedelta(minutes=1))
    decision(live.batch, lease_until=clock.real_now() + timedelta(minutes=1))
    stale = decision(live.batch, lease_until=clock.real_now() - timedelta(seconds=1))

    assert next_decisions(live.connection) == [stale]


# Throttled ---------------------------------------------------------------------------------------


def test_throttled_rows_hold_up_no_others_and_never_fail(batch: Batch, market: FakeMTurk) -> None:
    market.fail(CREATE, throttled, times=20)

    publish_chunk(batch, gateway=market)
    assert states(batch) == {"published", "queued"}
    assert len(market.hits) == 50, "the rest of the batch was held up"
    for _ in range(12):
        market.fail(CREATE, throttled, times=20)
        HIT.objects.filter(batch=batch, publish_state="queued").update(due_at=clock.now())
        publish_chunk(batch, gateway=market)
        assert states(batch) == {"published", "queued"}

    # However often it was throttled, a row waits a second or two.
    waiting = HIT.objects.filter(batch=batch, publish_state="queued")
    assert all(hit.due_at <= clock.now() + timedelta(seconds=2) for hit in waiting)
    market._faults.clear()
    HIT.objects.filter(batch=batch, publish_state="queued").update(due_at=clock.now())
    publish_chunk(batch, gateway=market)
    assert states(batch) == {"published"}
    assert len(market.hits) == 70


def test_a_throttled_decision_holds_up_no_other(
    live: Live, ravi: Person, no_grace: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projects.sending.GROUP", 1)
    live.submit(["A1", "A2", "A3"])
    live.collect()
    for answer in live.answers:
        approve_assignment(answer, by=ravi.actor)
    live.market.fail("ApproveAssignment", throttled)

    live.send()

    assert sorted(Decision.objects.values_list("state", flat=True)) == ["done", "done", "queued"]


# The budget --------------------------------------------------------------------------------------


class Narrow(FakeMTurk):
    """A market to which so few calls may be made at a time."""

    room = 3

    def buy_calls(self, wanted: int) -> int:
        return min(wanted, self.room)


def test_only_rows_that_may_be_called_at_once_are_marked_as_being_sent(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from projects import publishing

    marked = []
    mark = publishing.mark_sending

    def note(held, rows):  # type: ignore[no-untyped-def]
        marked.append(len(rows))
        return mark(held, rows)

    monkeypatch.setattr(publishing, "mark_sending", note)

    publish_chunk(batch, gateway=Narrow())
    assert states(batch) == {"published"}
    assert max(marked) == Narrow.room

    HIT.objects.filter(batch=batch).update(publish_state="queued", mturk_id=None)
    Batch.objects.update(state="publishing")
    marked.clear()
    publish_chunk(batch, gateway=FakeMTurk())
    assert max(marked) == GROUP


def test_without_redis_nothing_is_published_or_decided_and_all_rows_stay_queued(
    batch: Batch, live: Live, ravi: Person, no_grace: None
) -> None:
    ensure_hit_type(batch, gateway=live.market)
    reject_assignment(live.collect_one(), by=ravi.actor, feedback="It is empty.")

    assert publish_chunk(batch, gateway=nobody(Lane.CREATING)) is False
    assert send_decisions(live.connection, gateway=nobody(Lane.DECIDING)) is False

    assert states(batch) == {"queued"}
    assert Decision.objects.get().state == "queued"
    assert not HIT.objects.filter(lease_until__isnull=False).exists()
    assert not Decision.objects.filter(lease_until__isnull=False).exists()


# Bells -------------------------------------------------------------------------------------------


def test_a_second_bell_for_what_somebody_is_at_does_nothing(batch: Batch, bells: list[str]) -> None:
    HIT.objects.filter(pk=HIT.objects.filter(batch=batch)[0].pk).update(
        publish_state="sending", last_sent_at=clock.now()
    )
    bells.clear()

    tasks.publish_batch(batch.pk)

    assert HIT.objects.filter(batch=batch, publish_state="queued").count() == 69
    assert bells == []


def test_a_second_bell_for_decisions_that_are_being_sent_does_nothing(
    live: Live, ravi: Person, no_grace: None
) -> None:
    live.submit(["A1", "A2"])
    live.collect()
    for answer in Assignment.objects.all():
        approve_assignment(answer, by=ravi.actor)
    first = Decision.objects.order_by("pk")[0]
    Decision.objects.filter(pk=first.pk).update(state="sending", last_sent_at=clock.now())

    tasks.send_due_decisions(live.connection.pk)

    assert sorted(Decision.objects.values_list("state", flat=True)) == ["queued", "sending"]
