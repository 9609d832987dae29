"""What is left of a batch is asked for by a further batch with other settings: each item once, in whichever batch."""

from dataclasses import replace
from decimal import Decimal

import pytest

from mturkhub.accounts.models import Event
from mturkhub.common.errors import ActionRefused
from projects.actions.batches import cancel_batch, close_batch, publish_batch, publish_rest, republish
from projects.actions.continuing import continue_batch
from projects.actions.hits import extend_answers
from projects.actions.uploads import change_batch
from projects.models import HIT, Batch, BatchRow, LedgerEntry
from projects.publishing import publish_chunk
from projects.queueing import cost_of, missing_answers
from tests.conftest import Person
from tests.factories import HITTemplateFactory
from tests.projects.live import Live

pytestmark = pytest.mark.django_db


@pytest.fixture
def left(live: Live) -> Live:
    """Two rows of three places each; one answer to the first came before they were over."""
    HITTemplateFactory(project=live.batch.project, team=live.batch.team)
    live.submit(["AWANDA"])
    live.later(days=8)
    live.collect()
    live.batch.refresh_from_db()
    return live


def sizes(batch: Batch) -> list[int]:
    return list(
        HIT.objects.filter(batch=batch).order_by("row__number").values_list("max_assignments", flat=True)
    )


def published(live: Live, draft: Batch, by: Person) -> Live:
    """The draft at the market."""
    publish_batch(draft, by=by.actor)
    publish_chunk(draft, gateway=live.market)
    draft.refresh_from_db()
    return replace(live, batch=draft)


def missing(batch: Batch) -> int:
    batch.refresh_from_db()
    return sum(size * rows for size, rows in missing_answers(batch).items())


def test_a_row_for_each_row_that_lacks_something_asks_for_exactly_that(left: Live, mina: Person) -> None:
    draft = continue_batch(left.batch, by=mina.actor)

    assert (draft.state, draft.continues, draft.rows_total, draft.answers_expected) == (
        "draft",
        left.batch,
        2,
        5,
    )
    rows = draft.rows.order_by("number").values_list("number", "input", "continues__number", "missing")
    assert list(rows) == [(1, {"text": "sentence 1"}, 1, 2), (2, {"text": "sentence 2"}, 2, 3)]
    assert cost_of(draft).total == Decimal("0.30")

    published(left, draft, mina)

    assert sizes(draft) == [2, 3]
    assert draft.committed == Decimal("0.30")
    assert len(left.market.hits) == 4


def test_other_settings_are_taken_and_the_projects_newest_words(left: Live, mina: Person) -> None:
    project = left.batch.project
    project.title = "How cheerful is it?"
    project.save()
    newest = HITTemplateFactory(project=project, team=project.team, version=1_000_000)

    draft = continue_batch(left.batch, by=mina.actor)
    change_batch(draft, by=mina.actor, reward=Decimal("0.10"), only_missing=False, max_assignments=10)
    draft.refresh_from_db()
    published(left, draft, mina)

    assert (draft.title, draft.template) == ("How cheerful is it?", newest)
    assert sizes(draft) == [10, 10]
    draft.refresh_from_db()
    assert draft.committed == Decimal("2.80")
    assert draft.answers_expected == 20


def test_what_a_further_batch_asks_for_is_asked_for_nowhere_else(left: Live, mina: Person) -> None:
    draft = continue_batch(left.batch, by=mina.actor)

    assert missing(left.batch) == 0
    with pytest.raises(ActionRefused, match=f"or is asked for in “{draft}”"):
        continue_batch(left.batch, by=mina.actor)
    with pytest.raises(ActionRefused, match="is asked for in"):
        republish(left.batch, by=mina.actor)
    assert Batch.objects.count() == 2

    linked = published(left, draft, mina)
    assert missing(left.batch) == 0
    linked.submit(["AXEL"])
    linked.collect()
    assert missing(left.batch) == 0


def test_a_cancelled_draft_gives_back_what_it_would_have_asked_for(left: Live, mina: Person) -> None:
    draft = continue_batch(left.batch, by=mina.actor)

    cancelled = cancel_batch(draft, by=mina.actor)

    assert cancelled.state == "cancelled"
    assert cancelled.ended_at
    assert missing(left.batch) == 5
    with pytest.raises(ActionRefused, match="is cancelled"):
        publish_batch(draft, by=mina.actor)
    with pytest.raises(ActionRefused, match="is cancelled"):
        change_batch(draft, by=mina.actor, reward=Decimal("0.10"))


def test_what_the_further_batch_did_not_bring_is_missing_in_both_and_asked_for_once(
    left: Live, mina: Person
) -> None:
    linked = published(left, continue_batch(left.batch, by=mina.actor), mina)
    linked.submit(["AXEL"])
    linked.later(days=8)
    linked.collect()
    assert (missing(left.batch), missing(linked.batch)) == (4, 4)

    republish(linked.batch, by=mina.actor)

    assert (missing(left.batch), missing(linked.batch)) == (0, 0)
    with pytest.raises(ActionRefused):
        republish(left.batch, by=mina.actor)


def test_asking_again_in_the_first_batch_leaves_nothing_to_ask_for_in_the_further_one(
    left: Live, mina: Person
) -> None:
    linked = published(left, continue_batch(left.batch, by=mina.actor), mina)
    linked.later(days=8)
    linked.collect()

    republish(left.batch, by=mina.actor)

    with pytest.raises(ActionRefused, match="may still come"):
        republish(linked.batch, by=mina.actor)


def test_a_third_batch_names_the_first_batchs_rows(left: Live, mina: Person) -> None:
    linked = published(left, continue_batch(left.batch, by=mina.actor), mina)
    linked.submit(["AXEL"])
    linked.later(days=8)
    linked.collect()

    third = continue_batch(linked.batch, by=mina.actor)

    assert third.continues == left.batch
    assert set(third.rows.values_list("continues__batch", flat=True)) == {left.batch.pk}
    assert list(third.rows.order_by("number").values_list("missing", flat=True)) == [1, 3]
    assert (missing(left.batch), missing(linked.batch)) == (0, 0)


def test_answers_wanted_on_top_stay_wanted_and_do_not_make_up_for_other_rows(
    left: Live, mina: Person
) -> None:
    draft = continue_batch(left.batch, by=mina.actor)
    change_batch(draft, by=mina.actor, only_missing=False, max_assignments=5)
    linked = published(left, draft, mina)
    linked.submit(["AXEL", "AYLA"])
    linked.later(days=8)
    linked.collect()

    # Five were wanted of each of the two rows, and two came; of the item no more than what it lacked itself.
    assert missing(linked.batch) == 8
    assert missing(left.batch) == 5


def test_a_rejected_answer_of_the_further_batch_is_missing_again(left: Live, mina: Person) -> None:
    linked = published(left, continue_batch(left.batch, by=mina.actor), mina)
    linked.submit(["AXEL", "AYLA"])
    linked.collect()
    linked.answers[0].__class__.objects.filter(pk=linked.answers[0].pk).update(status="Rejected")

    assert (missing(left.batch), missing(linked.batch)) == (1, 1)


def test_rows_of_a_cancelled_batch_that_were_never_asked_for_are_continued(live: Live, mina: Person) -> None:
    HIT.objects.filter(pk=live.hits[1].pk).update(publish_state="cancelled", mturk_id=None)
    with pytest.raises(ActionRefused, match="No answer of"):
        continue_batch(live.batch, by=mina.actor)
    cancel_batch(live.batch, by=mina.actor)
    live.operate()
    live.collect()

    draft = continue_batch(live.batch, by=mina.actor)

    assert list(draft.rows.order_by("number").values_list("missing", flat=True)) == [3, 3]


def test_a_trial_of_the_further_batch_holds_the_rest(left: Live, mina: Person) -> None:
    draft = continue_batch(left.batch, by=mina.actor)
    publish_batch(draft, by=mina.actor, first_rows=1)
    publish_chunk(draft, gateway=left.market)
    draft.refresh_from_db()
    assert (sizes(draft), draft.committed, missing(left.batch)) == ([2], Decimal("0.12"), 0)

    publish_rest(draft, by=mina.actor, max_cost=Decimal("0.18"))

    assert sizes(draft) == [2, 3]
    draft.refresh_from_db()
    assert draft.committed == Decimal("0.30")


def test_what_is_over_can_be_continued(left: Live, mina: Person) -> None:
    close_batch(left.batch, by=mina.actor)

    assert continue_batch(left.batch, by=mina.actor).rows_total == 2


@pytest.mark.parametrize("state", ["draft", "scheduled", "publishing", "paused"])
def test_what_is_not_known_yet_is_not_continued(left: Live, mina: Person, state: str) -> None:
    Batch.objects.update(state=state)

    with pytest.raises(ActionRefused, match="once its HITs are live"):
        continue_batch(left.batch, by=mina.actor)


def test_a_template_that_needs_another_column_is_refused(left: Live, mina: Person) -> None:
    HITTemplateFactory(
        project=left.batch.project,
        team=left.batch.team,
        version=1_000_000,
        html="<p>${image}</p>",
    )

    with pytest.raises(ActionRefused, match=r"asks for \$\{image\}, and .* has no such column"):
        continue_batch(left.batch, by=mina.actor)
    assert Batch.objects.count() == 1


@pytest.mark.parametrize("who", ["ravi", "vera", "stan"])
def test_who_may_not_make_batches_continues_none(
    left: Live, who: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ActionRefused) as refused:
        continue_batch(left.batch, by=request.getfixturevalue(who).actor)

    assert refused.value.status == 403
    assert BatchRow.objects.count() == 2


def test_both_batches_tell_what_was_done_and_the_ledger_what_it_held(left: Live, mina: Person) -> None:
    draft = continue_batch(left.batch, by=mina.actor)
    published(left, draft, mina)

    event = Event.objects.get(verb="batch.continued")
    assert event.details["more"] == 5
    held = LedgerEntry.objects.get(batch=draft)
    assert (held.amount, held.answers, held.reason) == (Decimal("0.30"), 5, "published")


def test_more_answers_there_count_on_top(left: Live, mina: Person) -> None:
    linked = published(left, continue_batch(left.batch, by=mina.actor), mina)
    extend_answers(linked.batch, by=mina.actor, answers=1)
    linked.operate()
    linked.submit(["AXEL"])
    linked.later(days=8)
    linked.collect()

    assert missing(linked.batch) == 6
    assert missing(left.batch) == 5
