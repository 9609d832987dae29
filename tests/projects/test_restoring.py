"""A restored database is older than the market: what was open is looked up before anything is sent again."""

import uuid
from datetime import timedelta

import pytest

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.common.models import Installation
from mturkhub.intentions.settling import settle_connection
from mturkhub.management.commands.after_restore import take_up
from projects.actions.batches import publish_batch
from projects.actions.reviews import approve_assignment, reject_assignment
from projects.models import HIT, Batch, Decision, HITType
from projects.publishing import publish_chunk
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.projects.live import Live

pytestmark = pytest.mark.django_db
BEFORE = {
    "publish_state": "queued",
    "mturk_id": None,
    "hit_status": "",
    "hit_type": None,
    "first_sent_at": None,
    "last_sent_at": None,
}


@pytest.fixture
def queued(mina: Person, connection: Connection) -> Batch:
    """Two rows that nobody has sent."""
    project = ProjectFactory(team=mina.team, created_by=mina.user)
    return publish_batch(BatchFactory(project=project, connection=connection, rows=2), by=mina.actor)


def publish(batch: Batch, live: Live) -> bool:
    return publish_chunk(Batch.objects.get(pk=batch.pk), gateway=live.market)


def states(batch: Batch) -> list[str]:
    return list(HIT.objects.filter(batch=batch).order_by("pk").values_list("publish_state", flat=True))


def test_hits_made_after_the_backup_are_found_by_their_annotation_and_not_sent_again(
    live: Live, queued: Batch
) -> None:
    publish(queued, live)
    known = set(HIT.objects.filter(batch=queued).values_list("mturk_id", flat=True))
    created = live.market.calls["CreateHITWithHITType"]
    HIT.objects.filter(batch=queued).update(**BEFORE)
    HITType.objects.exclude(hits__batch=live.batch).delete()
    Batch.objects.filter(pk=queued.pk).update(state="publishing")

    take_up(clock.now(), replace=True)
    settle_connection(live.connection, live.market)
    assert states(queued) == ["unknown", "unknown"]
    publish(queued, live)
    live.collect()

    assert states(queued) == ["published", "published"]
    assert set(HIT.objects.filter(batch=queued).values_list("mturk_id", flat=True)) == known
    assert live.market.calls["CreateHITWithHITType"] == created
    assert not HIT.objects.filter(hit_type=None).exists()
    queued.refresh_from_db()
    assert (queued.state, queued.rows_no_answer) == ("live", 2)


def test_what_two_sweeps_do_not_show_is_sent_then_and_not_before(live: Live, queued: Batch) -> None:
    take_up(clock.now(), replace=True)
    live.collect()
    live.later(minutes=3)

    live.collect()
    publish(queued, live)
    assert states(queued) == ["unknown", "unknown"]

    live.collect()
    publish(queued, live)
    assert states(queued) == ["published", "published"]


def test_a_decision_sent_after_the_backup_is_found_done_and_an_unsent_one_is_sent(
    live: Live, mina: Person, no_grace: None
) -> None:
    first, second = live.submit(["AWANDA", "AWILMA"])
    live.collect()
    for assignment in live.answers:
        approve_assignment(assignment, by=mina.actor)
    # Sent by the installation that is gone now.
    live.market.approve_assignment(first)

    take_up(clock.now(), replace=True)
    live.send()
    assert live.market.calls["ApproveAssignment"] == 1
    settle_connection(live.connection, live.market)
    live.send()

    assert live.market.calls["ApproveAssignment"] == 2
    assert live.market.get_assignment(second).status == "Approved"
    assert set(Decision.objects.values_list("state", flat=True)) == {"done"}
    assert {answer.status for answer in live.answers} == {"Approved"}


def test_a_decision_that_went_the_other_way_after_the_backup_is_overtaken(
    live: Live, mina: Person, no_grace: None
) -> None:
    answer = live.collect_one()
    reject_assignment(answer, by=mina.actor, feedback="Empty.")
    live.market.approve_assignment(answer.mturk_id)

    take_up(clock.now(), replace=True)
    settle_connection(live.connection, live.market)

    assert Decision.objects.get().state == "overtaken"
    answer.refresh_from_db()
    assert (answer.status, answer.pending_verdict) == ("Approved", "")


def test_what_waits_for_a_second_person_goes_on_waiting_and_is_looked_up_before_it_is_sent(
    live: Live, mina: Person
) -> None:
    answer = live.collect_one()
    reject_assignment(answer, by=mina.actor, feedback="Empty.")
    Decision.objects.update(state="waiting")

    take_up(clock.now(), replace=True)

    decision = Decision.objects.get()
    assert decision.state == "waiting"
    assert decision.first_sent_at is not None


def test_no_send_is_taken_to_be_younger_than_the_backup(live: Live, queued: Batch) -> None:
    old, young = clock.now() - timedelta(days=9), clock.now()
    first, second = HIT.objects.filter(batch=queued).order_by("pk")
    HIT.objects.filter(pk=second.pk).update(publish_state="sending", first_sent_at=old - timedelta(hours=1))

    take_up(old, replace=True)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.first_sent_at, second.first_sent_at) == (old, old - timedelta(hours=1))
    assert first.last_sent_at
    assert first.last_sent_at >= young


def test_ends_are_not_doubted(live: Live, mina: Person, no_grace: None) -> None:
    approve_assignment(live.collect_one(), by=mina.actor)
    live.send()
    before = list(HIT.objects.order_by("pk").values()), list(Decision.objects.values())

    assert take_up(clock.now(), replace=True)["doubted"] == 0
    # Only the bonuses paid since are not known; `test_paying.py` tells of them.
    HIT.objects.update(bonuses_unread=False)

    assert (list(HIT.objects.order_by("pk").values()), list(Decision.objects.values())) == before


def test_what_takes_the_place_of_the_old_one_keeps_its_identity_and_goes_on(live: Live) -> None:
    identity = Installation.current_id()

    take_up(clock.now(), replace=True)

    assert Installation.current_id() == identity
    live.connection.refresh_from_db()
    assert live.connection.paused_at is None


def test_a_copy_is_another_installation_and_sends_nothing(
    live: Live, queued: Batch, mina: Person, no_grace: None
) -> None:
    identity = Installation.current_id()
    approve_assignment(live.collect_one(), by=mina.actor)
    writes = ("CreateHITType", "CreateHITWithHITType", "ApproveAssignment")
    before = {name: live.market.calls[name] for name in writes}

    take_up(clock.now(), replace=False)
    settle_connection(live.connection, live.market)
    publish(queued, live)
    live.send()

    assert Installation.current_id() not in (identity, uuid.UUID(int=0))
    live.connection.refresh_from_db()
    assert "restored copy" in live.connection.paused_reason
    assert {name: live.market.calls[name] for name in writes} == before
    assert Decision.objects.get().state == "queued"


def test_a_copy_does_not_take_the_originals_hits_for_its_own(live: Live, queued: Batch) -> None:
    publish(queued, live)
    HIT.objects.filter(batch=queued).update(**BEFORE)

    take_up(clock.now(), replace=False)
    done = live.collect()

    assert done.hits_elsewhere == 2
    assert states(queued) == ["unknown", "unknown"]


def test_an_owner_resumes_a_copy(live: Live, queued: Batch, olive: Person) -> None:
    take_up(clock.now(), replace=False)
    HIT.objects.filter(batch=queued).update(publish_state="queued", due_at=clock.now(), first_sent_at=None)
    address = f"/connections/{live.connection.public_id}/"
    assert "Nothing is sent from here" in olive.client.get(address).text

    olive.client.post(f"{address}resume/")
    publish(queued, live)

    assert states(queued) == ["published", "published"]
    page = olive.client.get(address).text
    assert "Nothing is sent from here" not in page
    assert "it sends again what waits" in page
