"""A cancelled or closing batch comes to its end by itself, and nothing at the market is lost on the way."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from mturkhub.accounts.models import Connection, Event
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.models import Operation
from mturkhub.intentions.settling import settle_connection
from projects.actions.batches import cancel_batch, close_batch, publish_batch, retry_failed_hits
from projects.actions.hits import extend_time, retry_failed_operations
from projects.actions.reviews import approve_assignment, reject_assignment
from projects.models import HIT, Batch
from projects.publishing import publish_chunk
from projects.states import BatchState
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk, lost_answer, refusal, throttled
from tests.projects.live import Live

pytestmark = pytest.mark.django_db
CREATE, EXPIRE, DELETE = "CreateHITWithHITType", "UpdateExpirationForHIT", "DeleteHIT"


@pytest.fixture
def publishing(mina: Person, connection: Connection, market: FakeMTurk) -> Live:
    """Three rows that wait to be created."""
    project = ProjectFactory(team=mina.team, created_by=mina.user)
    batch = publish_batch(BatchFactory(project=project, connection=connection, rows=3), by=mina.actor)
    return Live(batch, connection, market)


def states(live: Live) -> list[str]:
    return [hit.publish_state for hit in live.hits]


def nobody_can_accept(live: Live) -> bool:
    return not any(hit.status(live.market.now) == "Assignable" for hit in live.market.hits.values())


def decide(live: Live, act: Callable[..., object], by: Person, **words: str) -> None:
    for answer in live.answers:
        act(answer, by=by.actor, **words)
    live.send()


# Cancelling --------------------------------------------------------------------------------------


def test_what_waits_is_cancelled_and_what_is_live_expires(publishing: Live, mina: Person) -> None:
    publishing.market.fail(CREATE, throttled)
    publish_chunk(publishing.batch, gateway=publishing.market)
    HIT.objects.filter(publish_state="queued").update(first_sent_at=None)

    cancel_batch(publishing.batch, by=mina.actor)
    publish_chunk(publishing.batch, gateway=publishing.market)
    publishing.step()
    publishing.step()

    assert sorted(states(publishing)) == ["cancelled", "published", "published"]
    assert nobody_can_accept(publishing)
    assert publishing.market.calls[CREATE] == 3
    assert (publishing.batch.state, publishing.batch.ended_at is None) == ("cancelled", False)


def test_a_cancelled_batch_that_was_never_sent_is_over_at_once(publishing: Live, mina: Person) -> None:
    batch = cancel_batch(publishing.batch, by=mina.actor)

    assert states(publishing) == ["cancelled"] * 3
    assert batch.ended_at
    assert Event.objects.get(verb="batch.cancelled").details == {"waiting": 3}


@pytest.mark.parametrize("happens", [True, False])
def test_a_row_nobody_knows_about_is_looked_for_and_never_sent_again(
    publishing: Live, mina: Person, happens: bool
) -> None:
    live = publishing
    live.market.fail(CREATE, lost_answer, happens=happens, times=3)
    publish_chunk(live.batch, gateway=live.market)
    cancel_batch(live.batch, by=mina.actor)

    for _ in range(3):
        settle_connection(live.connection, live.market)
        publish_chunk(Batch.objects.get(pk=live.batch.pk), gateway=live.market)
        live.later(minutes=3)
        live.step()
    live.step()

    assert states(live) == (["published"] * 3 if happens else ["cancelled"] * 3)
    assert live.market.calls[CREATE] == 3
    assert nobody_can_accept(live)
    assert live.batch.ended_at


def test_a_row_queued_again_after_a_lost_answer_is_looked_for_too(publishing: Live, mina: Person) -> None:
    live = publishing
    live.market.fail(CREATE, lost_answer, happens=True, times=3)
    publish_chunk(live.batch, gateway=live.market)
    settle_connection(live.connection, live.market)
    assert states(live) == ["queued"] * 3

    cancel_batch(live.batch, by=mina.actor)
    assert states(live) == ["unknown"] * 3
    live.step()
    live.step()

    assert states(live) == ["published"] * 3
    assert nobody_can_accept(live)


def test_an_answer_that_comes_while_it_is_cancelled_still_expires(publishing: Live, mina: Person) -> None:
    live = publishing
    publish_chunk(live.batch, gateway=live.market)
    # One was on its way when it was cancelled, and its answer is stored after that.
    HIT.objects.filter(pk=live.hits[0].pk).update(publish_state="sending")
    Batch.objects.update(state="publishing")
    cancel_batch(live.batch, by=mina.actor)
    live.step()
    live.batch.refresh_from_db()
    assert live.batch.ended_at is None
    HIT.objects.filter(pk=live.hits[0].pk).update(publish_state="published")

    live.step()
    live.step()

    assert nobody_can_accept(live)
    assert live.batch.ended_at


def test_answers_of_a_cancelled_batch_are_collected_and_decided(
    live: Live, mina: Person, no_grace: None
) -> None:
    live.market.accept(live.hit_id(), "AHOLDER")
    cancel_batch(live.batch, by=mina.actor)
    live.step()
    live.batch.refresh_from_db()
    assert live.batch.ended_at is None, "somebody still works on it"

    live.market.submit(live.hit_id(), "AHOLDER", {"sentiment": "2"})
    live.step()
    live.step()
    decide(live, approve_assignment, mina)

    assert [answer.status for answer in live.answers] == ["Approved"]
    assert live.batch.ended_at


def test_cancelling_replaces_more_time_nobody_has_sent(live: Live, mina: Person) -> None:
    extend_time(live.batch, by=mina.actor, open_for=timedelta(days=30))

    cancel_batch(live.batch, by=mina.actor)
    live.step()

    assert live.market.calls[EXPIRE] == 2
    assert nobody_can_accept(live)


def test_a_paused_connection_makes_no_second_wish(live: Live, mina: Person) -> None:
    live.connection.paused_at = clock.now()
    live.connection.save()
    cancel_batch(live.batch, by=mina.actor)

    live.step()
    live.step()

    assert Operation.objects.count() == 2


def test_nothing_of_a_cancelled_batch_is_tried_again(publishing: Live, mina: Person) -> None:
    cancel_batch(publishing.batch, by=mina.actor)

    with pytest.raises(ActionRefused, match="is cancelled, so nothing of it is sent"):
        retry_failed_hits(publishing.batch, by=mina.actor)
    with pytest.raises(ActionRefused, match="there is nothing to cancel"):
        cancel_batch(publishing.batch, by=mina.actor)


def test_deleting_meanwhile_keeps_a_sweep_from_proving_anything(publishing: Live, mina: Person) -> None:
    live = publishing
    live.market.fail(CREATE, lost_answer, times=3)
    publish_chunk(live.batch, gateway=live.market)
    live.later(minutes=3)
    live.collect()
    Operation.objects.create(
        team=live.batch.team,
        connection=live.connection,
        kind="delete_hit",
        family="hit_expiration",
        target_id=1,
        subject_id=1,
        state="done",
        due_at=clock.now(),
        last_sent_at=clock.now() + timedelta(minutes=1),
    )

    live.collect()

    assert states(live) == ["unknown"] * 3
    assert not HIT.objects.filter(sweeps_without__gt=0).exists()


# Closing -----------------------------------------------------------------------------------------


def test_closing_expires_waits_for_decisions_and_keeps_everything(
    live: Live, mina: Person, no_grace: None
) -> None:
    live.submit()
    live.collect()
    close_batch(live.batch, by=mina.actor)
    live.step()
    assert nobody_can_accept(live)
    live.step()
    assert live.batch.state == BatchState.CLOSING
    assert live.batch.state_reason == "1 answer to decide, or to be approved by time."

    decide(live, approve_assignment, mina)
    live.step()

    assert live.batch.state == BatchState.CLOSED
    assert live.market.calls[DELETE] == 0
    assert len(live.answers) == 1
    assert Event.objects.get(verb="batch.closed").by_rule == "ending a batch"


def test_closing_with_deletion_deletes_what_is_decided_and_stored(
    live: Live, mina: Person, no_grace: None
) -> None:
    live.submit(["AONE", "ATWO"])
    live.collect()
    decide(live, approve_assignment, mina)

    close_batch(live.batch, by=mina.actor, delete=True)
    for _ in range(4):
        live.step()

    assert live.batch.state == BatchState.CLOSED
    assert [hit.hit_status for hit in live.hits] == ["Disposed", "Disposed"]
    assert live.market.calls[DELETE] == 2
    assert len(live.answers) == 2


def test_an_answer_that_waits_keeps_every_hit(live: Live, mina: Person) -> None:
    live.submit(row=2)
    live.collect()
    close_batch(live.batch, by=mina.actor, delete=True)

    for _ in range(4):
        live.step()

    assert live.market.calls[DELETE] == 0
    assert live.batch.state == BatchState.CLOSING


def test_an_answer_that_comes_last_is_collected_before_deletion(
    live: Live, mina: Person, no_grace: None
) -> None:
    live.market.accept(live.hit_id(), "AHOLDER")
    close_batch(live.batch, by=mina.actor, delete=True)
    live.step()
    live.step()
    assert live.market.calls[DELETE] == 0

    live.market.submit(live.hit_id(), "AHOLDER", {"sentiment": "2"})
    live.step()
    decide(live, approve_assignment, mina)
    for _ in range(3):
        live.step()

    assert len(live.answers) == 1
    assert live.batch.state == BatchState.CLOSED


def test_a_young_rejection_keeps_its_hit_until_it_cannot_be_overturned(
    live: Live, mina: Person, no_grace: None
) -> None:
    live.submit()
    live.collect()
    decide(live, reject_assignment, mina, feedback="Empty.")
    close_batch(live.batch, by=mina.actor, delete=True)

    for _ in range(4):
        live.step()
    assert [hit.hit_status for hit in live.hits] == ["Reviewable", "Disposed"]
    assert live.batch.state == BatchState.CLOSING
    assert "1 HIT at MTurk until" in live.batch.state_reason
    assert "their rejections can be overturned" in live.batch.state_reason

    live.later(days=31)
    for _ in range(3):
        live.step()
    assert live.batch.state == BatchState.CLOSED
    assert [hit.hit_status for hit in live.hits] == ["Disposed", "Disposed"]


def test_an_owner_may_give_up_overturning_and_a_manager_may_not(
    live: Live, mina: Person, olive: Person, no_grace: None
) -> None:
    live.submit()
    live.collect()
    decide(live, reject_assignment, mina, feedback="Empty.")
    with pytest.raises(ActionRefused, match="Managers may not delete HITs whose rejections"):
        close_batch(live.batch, by=mina.actor, delete=True, give_up_overturning=True)

    close_batch(live.batch, by=olive.actor, delete=True, give_up_overturning=True)
    for _ in range(4):
        live.step()

    assert live.batch.state == BatchState.CLOSED
    assert live.market.calls[DELETE] == 2


def test_a_refused_change_waits_for_a_person(live: Live, mina: Person) -> None:
    live.market.fail(EXPIRE, lambda name: refusal(name, "InvalidParameterValue", "No."))
    close_batch(live.batch, by=mina.actor)
    live.step()
    live.step()
    assert live.batch.state_reason == "1 change of its HITs failed: try again, or let it be."

    retry_failed_operations(live.batch, by=mina.actor)
    for _ in range(3):
        live.step()

    assert live.batch.state == BatchState.CLOSED


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("publishing", "rows of it wait to be created"),
        ("paused", "rows of it wait to be created"),
        ("closing", "is closing already"),
        ("closed", "is closed already"),
        ("draft", "there is nothing to close"),
    ],
)
def test_only_what_is_live_or_cancelled_can_be_closed(
    live: Live, mina: Person, state: str, sentence: str
) -> None:
    live.batch.state = state
    live.batch.save()

    with pytest.raises(ActionRefused, match=sentence):
        close_batch(live.batch, by=mina.actor)


def test_a_cancelled_batch_can_be_closed_with_its_hits_deleted(live: Live, mina: Person) -> None:
    cancel_batch(live.batch, by=mina.actor)
    live.step()
    live.step()

    close_batch(live.batch, by=mina.actor, delete=True)
    live.step()
    live.step()

    assert live.batch.state == BatchState.CLOSED
    assert live.market.calls[DELETE] == 2
