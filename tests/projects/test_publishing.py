"""A HIT row becomes a HIT on MTurk, once, whatever goes wrong on the way."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection as database

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import Installation
from mturkhub.intentions.claiming import clear_stale
from mturkhub.intentions.settling import settle_connection
from projects.actions.batches import pause_batch, publish_batch, resume_batch, retry_failed_hits
from projects.balances import refresh_balance
from projects.collecting import sweep
from projects.models import HIT, Batch, Project
from projects.publishing import publish_chunk
from tests.conftest import Person
from tests.factories import BatchFactory, HITTemplateFactory, ProjectFactory
from tests.fakes.mturk import (
    FakeMTurk,
    insufficient_funds,
    lost_answer,
    refusal,
    throttled,
    unreachable,
)

pytestmark = pytest.mark.django_db
CREATE = "CreateHITWithHITType"


@pytest.fixture
def project(mina: Person) -> Project:
    return ProjectFactory(team=mina.team, created_by=mina.user)


@pytest.fixture
def batch(project: Project, connection: Connection, mina: Person) -> Batch:
    """Three rows of three answers, published; nothing is sent yet."""
    return publish_batch(BatchFactory(project=project, connection=connection, rows=3), by=mina.actor)


def states(batch: Batch) -> list[str]:
    return list(HIT.objects.filter(batch=batch).order_by("pk").values_list("publish_state", flat=True))


def outcomes(batch: Batch) -> str:
    return "\n".join(HIT.objects.filter(batch=batch).order_by("pk").values_list("outcome", flat=True))


def be_due(batch: Batch) -> None:
    """Let the waiting time between two attempts pass."""
    HIT.objects.filter(batch=batch, publish_state="queued").update(due_at=clock.now())


def later(market: FakeMTurk, **duration: float) -> None:
    """Time passes here and at MTurk."""
    clock.advance(timedelta(**duration))
    market.advance(timedelta(**duration))


# When nothing goes wrong -------------------------------------------------------------------------


def test_one_hit_type_and_one_call_a_row_make_the_batch_live(batch: Batch, market: FakeMTurk) -> None:
    publish_chunk(batch, gateway=market)

    batch.refresh_from_db()
    assert market.calls == {"CreateHITType": 1, CREATE: 3}
    assert states(batch) == ["published"] * 3
    assert (batch.state, batch.rows_no_answer, batch.rows_not_published) == ("live", 3, 0)
    assert {hit.mturk_id for hit in HIT.objects.all()} == set(market.hits)


def test_what_mturk_is_told_is_what_the_person_saw(batch: Batch, market: FakeMTurk) -> None:
    publish_chunk(batch, gateway=market)

    [hit_type] = market.hit_types.values()
    assert hit_type["reward"] == Decimal("0.05")
    assert hit_type["title"] == batch.title
    for hit in HIT.objects.select_related("row"):
        remote = market.hits[str(hit.mturk_id)]
        assert f"<blockquote>{hit.row.input['text']}</blockquote>" in remote.question
        assert remote.max_assignments == 3
        assert remote.expires_at - remote.created_at == timedelta(days=7)


def test_the_annotation_is_the_wire_contract_to_the_letter(batch: Batch, market: FakeMTurk) -> None:
    publish_chunk(batch, gateway=market)

    hit = HIT.objects.order_by("pk")[0]
    assert market.hits[str(hit.mturk_id)].annotation == (
        f"BatchId:{batch.pk};OriginalHitTemplateId:{batch.project_id};"
        f"Mturkhub:{Installation.current_id()}/{hit.public_id};"
    )


def test_a_started_batch_keeps_its_version_of_the_template(batch: Batch, market: FakeMTurk) -> None:
    HITTemplateFactory(project=batch.project, html="<p>Newer: ${text}</p>")

    publish_chunk(batch, gateway=market)

    assert not any("Newer" in hit.question for hit in market.hits.values())


def test_batches_with_equal_terms_share_a_hit_type(batch: Batch, mina: Person, market: FakeMTurk) -> None:
    twin = publish_batch(
        BatchFactory(project=batch.project, connection=batch.connection, rows=1), by=mina.actor
    )
    dearer = publish_batch(
        BatchFactory(project=batch.project, connection=batch.connection, rows=1, reward=Decimal("0.06")),
        by=mina.actor,
    )

    for each in (batch, twin, dearer):
        publish_chunk(each, gateway=market)

    assert market.calls["CreateHITType"] == 2
    assert len({hit.hit_type_id for hit in market.hits.values()}) == 2


def test_a_second_publish_task_finds_nothing_to_do(batch: Batch, market: FakeMTurk) -> None:
    publish_chunk(batch, gateway=market)
    publish_chunk(batch, gateway=market)

    assert market.calls[CREATE] == 3


# When the call fails -----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [throttled, unreachable])
def test_a_call_that_did_not_happen_is_queued_again_and_waits_a_while(
    batch: Batch, market: FakeMTurk, error: Callable[..., object]
) -> None:
    market.fail(CREATE, error, times=2)

    assert publish_chunk(batch, gateway=market) is False

    assert sorted(states(batch)) == ["published", "queued", "queued"]
    publish_chunk(batch, gateway=market)
    assert market.calls[CREATE] == 3, "sent again without waiting"
    be_due(batch)
    publish_chunk(batch, gateway=market)
    assert states(batch) == ["published"] * 3
    assert len(market.hits) == 3


@pytest.mark.parametrize("happens", [True, False])
def test_after_a_lost_answer_the_same_token_makes_exactly_one_hit(
    batch: Batch, market: FakeMTurk, happens: bool
) -> None:
    market.fail(CREATE, lost_answer, happens=happens)

    publish_chunk(batch, gateway=market)
    assert sorted(states(batch)) == ["published", "published", "unknown"]
    batch.refresh_from_db()
    assert batch.state == "publishing"
    tokens = set(HIT.objects.values_list("token", flat=True))

    assert settle_connection(batch.connection, market) == 1
    publish_chunk(batch, gateway=market)

    assert states(batch) == ["published"] * 3
    assert len(market.hits) == 3
    assert set(HIT.objects.values_list("token", flat=True)) == tokens
    batch.refresh_from_db()
    assert batch.state == "live"


def test_a_hit_that_exists_and_cannot_be_read_stays_unknown(batch: Batch, market: FakeMTurk) -> None:
    market.fail(CREATE, lost_answer, happens=True)
    publish_chunk(batch, gateway=market)
    settle_connection(batch.connection, market)
    market.fail("GetHIT", lost_answer)

    publish_chunk(batch, gateway=market)

    assert sorted(states(batch)) == ["published", "published", "unknown"]
    assert len(market.hits) == 3


def test_a_token_another_installation_has_used_fails_in_words(batch: Batch, market: FakeMTurk) -> None:
    publish_chunk(batch, gateway=market)
    theirs = HIT.objects.order_by("pk")[0]
    market.hits[str(theirs.mturk_id)].annotation = "BatchId:1;OriginalHitTemplateId:1;Mturkhub:other/other;"
    HIT.objects.filter(pk=theirs.pk).update(publish_state="queued", mturk_id=None)
    Batch.objects.update(state="publishing")

    publish_chunk(batch, gateway=market)

    assert states(batch)[0] == "failed"
    assert "token belongs to another installation" in outcomes(batch)


def test_mturks_own_no_fails_the_row_with_its_words_and_leaves_the_others_alone(
    batch: Batch, mina: Person, market: FakeMTurk
) -> None:
    market.fail(
        CREATE,
        lambda operation: refusal(operation, "InvalidParameterValue", "The question is not valid XHTML."),
    )

    publish_chunk(batch, gateway=market)

    batch.refresh_from_db()
    assert sorted(states(batch)) == ["failed", "published", "published"]
    assert "The question is not valid XHTML." in outcomes(batch)
    assert (batch.state, batch.rows_failed) == ("live", 1)


def test_a_failed_row_is_tried_again_alone_with_the_same_token(
    batch: Batch, mina: Person, market: FakeMTurk
) -> None:
    for _ in range(3):
        market.fail(CREATE, lambda operation: refusal(operation, "InvalidParameterValue", "No."))
    publish_chunk(batch, gateway=market)
    tokens = list(HIT.objects.order_by("pk").values_list("token", flat=True))
    assert states(batch) == ["failed"] * 3

    retry_failed_hits(batch, by=mina.actor, rows=[2])
    assert states(batch) == ["failed", "queued", "failed"]
    publish_chunk(batch, gateway=market)
    assert states(batch) == ["failed", "published", "failed"]

    retry_failed_hits(batch, by=mina.actor)
    publish_chunk(batch, gateway=market)
    assert states(batch) == ["published"] * 3
    assert list(HIT.objects.order_by("pk").values_list("token", flat=True)) == tokens
    batch.refresh_from_db()
    assert (batch.state, batch.rows_failed) == ("live", 0)


def test_a_row_whose_question_mturk_would_refuse_is_never_sent(
    project: Project, connection: Connection, mina: Person, market: FakeMTurk
) -> None:
    rows = [{"text": "fits"}, {"text": "x" * 70_000}]
    batch = publish_batch(BatchFactory(project=project, connection=connection, rows=rows), by=mina.actor)

    publish_chunk(batch, gateway=market)

    assert states(batch) == ["published", "failed"]
    assert "65,535" in outcomes(batch)
    assert market.calls[CREATE] == 1


def test_terms_mturk_refuses_pause_the_batch_with_the_reason(batch: Batch, market: FakeMTurk) -> None:
    market.fail(
        "CreateHITType", lambda operation: refusal(operation, "InvalidParameterValue", "Title is too rude.")
    )

    publish_chunk(batch, gateway=market)

    batch.refresh_from_db()
    assert batch.state == "paused"
    assert "Title is too rude." in batch.state_reason
    assert states(batch) == ["queued"] * 3
    assert market.calls[CREATE] == 0


# Money -------------------------------------------------------------------------------------------


def test_too_little_money_pauses_the_connection_and_more_of_it_goes_on(
    batch: Batch, market: FakeMTurk
) -> None:
    # A HIT of three answers at $0.05 costs $0.18.
    market.deposited = Decimal("0.40")

    publish_chunk(batch, gateway=market)

    batch.connection.refresh_from_db()
    assert sorted(states(batch)) == ["published", "published", "queued"]
    assert batch.connection.creation_paused_at is not None
    assert "funds" in batch.connection.creation_paused_reason.lower()
    assert publish_chunk(batch, gateway=market) is False
    assert market.calls[CREATE] == 3, "sent although creating is paused"

    refresh_balance(batch.connection, gateway=market)
    batch.connection.refresh_from_db()
    assert batch.connection.creation_paused_at is not None, "$0.04 do not cover a HIT"

    market.deposited = Decimal("1.00")
    refresh_balance(batch.connection, gateway=market)
    publish_chunk(batch, gateway=market)
    assert states(batch) == ["published"] * 3


def test_an_insufficient_balance_known_beforehand_is_refused_at_the_click(
    project: Project, connection: Connection, mina: Person
) -> None:
    connection.balance = Decimal("0.53")
    connection.save()
    batch = BatchFactory(project=project, connection=connection, rows=3)

    with pytest.raises(ActionRefused, match=r"\$0\.01"):
        publish_batch(batch, by=mina.actor)

    assert not HIT.objects.exists()


def test_several_refusals_for_money_fail_no_row(batch: Batch, market: FakeMTurk) -> None:
    market.fail(CREATE, insufficient_funds, times=3)

    publish_chunk(batch, gateway=market)

    assert states(batch) == ["queued"] * 3


# Pausing -----------------------------------------------------------------------------------------


def test_a_paused_batch_creates_nothing_and_goes_on_where_it_stopped(
    batch: Batch, mina: Person, market: FakeMTurk
) -> None:
    pause_batch(batch, by=mina.actor)
    publish_chunk(batch, gateway=market)
    assert not market.hits
    assert not HIT.objects.filter(lease_until__isnull=False).exists()

    resume_batch(batch, by=mina.actor)
    publish_chunk(batch, gateway=market)

    assert len(market.hits) == 3


# After a crash -----------------------------------------------------------------------------------


def leave_in_sending(batch: Batch) -> None:
    """A row whose sender died between the call and its answer."""
    hit = HIT.objects.filter(batch=batch).order_by("pk")[0]
    HIT.objects.filter(pk=hit.pk).update(
        publish_state="sending",
        first_sent_at=clock.now(),
        last_sent_at=clock.now(),
        lease_until=clock.real_now() - timedelta(seconds=1),
        attempts=1,
    )


def test_a_row_whose_sender_died_is_looked_up_and_never_simply_sent(batch: Batch, market: FakeMTurk) -> None:
    leave_in_sending(batch)

    publish_chunk(batch, gateway=market)
    assert states(batch) == ["sending", "published", "published"]
    assert clear_stale(HIT) == 1
    assert states(batch)[0] == "unknown"


def test_after_23_hours_a_row_is_sent_again_only_when_two_sweeps_have_not_seen_it(
    batch: Batch, market: FakeMTurk
) -> None:
    publish_chunk(batch, gateway=market)
    hit = HIT.objects.order_by("pk")[0]
    # It was never created, as far as MTurk is concerned.
    del market.hits[str(hit.mturk_id)]
    HIT.objects.filter(pk=hit.pk).update(mturk_id=None, publish_state="queued")
    leave_in_sending(batch)
    Batch.objects.update(state="publishing")
    clear_stale(HIT)
    later(market, hours=25)

    assert settle_connection(batch.connection, market) == 0
    for expected in ("unknown", "queued"):
        sweep(batch.connection, gateway=market)
        assert states(batch)[0] == expected
    publish_chunk(batch, gateway=market)

    assert states(batch) == ["published"] * 3
    assert len(market.hits) == 3


def test_a_queued_row_first_sent_yesterday_is_looked_up_first(batch: Batch, market: FakeMTurk) -> None:
    HIT.objects.filter(batch=batch).update(first_sent_at=clock.now() - timedelta(hours=23, minutes=1))

    publish_chunk(batch, gateway=market)

    assert states(batch) == ["unknown"] * 3
    assert market.calls[CREATE] == 0


def test_a_sweep_finds_an_unknown_row_by_its_annotation(batch: Batch, market: FakeMTurk) -> None:
    market.fail(CREATE, lost_answer, happens=True, times=3)
    publish_chunk(batch, gateway=market)
    assert states(batch) == ["unknown"] * 3

    sweep(batch.connection, gateway=market)

    batch.refresh_from_db()
    assert states(batch) == ["published"] * 3
    assert batch.state == "live"
    assert market.calls[CREATE] == 3


def test_two_hits_of_one_row_are_both_kept_as_rounds(batch: Batch, market: FakeMTurk) -> None:
    publish_chunk(batch, gateway=market)
    hit = HIT.objects.order_by("pk")[0]
    twin = market.create_hit_with_hit_type(
        hit_type_id=next(iter(market.hit_types)),
        question=market.hits[str(hit.mturk_id)].question,
        lifetime=timedelta(days=7),
        max_assignments=3,
        requester_annotation=market.hits[str(hit.mturk_id)].annotation,
        unique_request_token=str(uuid.uuid4()),
    )
    market.submit(twin.hit_id, "AWORKER", {"sentiment": "3"})

    for _ in range(2):
        sweep(batch.connection, gateway=market)

    rounds = list(HIT.objects.filter(row=hit.row_id).order_by("round").values_list("round", "mturk_id"))
    assert rounds == [(0, hit.mturk_id), (1, twin.hit_id)]
    batch.refresh_from_db()
    assert batch.answers == 1


@pytest.mark.django_db(transaction=True)
def test_two_senders_share_a_batch_without_sending_a_row_twice(
    connection: Connection, mina: Person, project: Project, market: FakeMTurk
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    batch = publish_batch(BatchFactory(project=project, connection=connection, rows=120), by=mina.actor)

    def send(_: int) -> None:
        try:
            while HIT.objects.filter(batch=batch, publish_state="queued").exists():
                publish_chunk(Batch.objects.get(pk=batch.pk), gateway=market)
        finally:
            database.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(send, range(3)))

    assert states(batch) == ["published"] * 120
    assert market.calls[CREATE] == len(market.hits) == 120


def test_the_first_hits_of_an_idle_connection_bring_its_next_sweep_near(
    batch: Batch, connection: Connection, market: FakeMTurk
) -> None:
    sweep(connection, gateway=market)
    connection.refresh_from_db()
    assert connection.next_sweep_at
    assert connection.next_sweep_at > clock.now() + timedelta(minutes=2)

    publish_chunk(batch, gateway=market)

    connection.refresh_from_db()
    assert connection.next_sweep_at < clock.now() + timedelta(minutes=1)
