"""Adopting HITs made elsewhere: they become rows, once; MTurk is read and never written to."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from mturkhub.accounts.models import Event, Membership
from mturkhub.accounts.sentences import sentence
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.models import Job
from projects import adopting
from projects.actions.batches import republish
from projects.actions.budgets import set_budget
from projects.actions.elsewhere import adopt_hits, import_history
from projects.actions.hits import expire_early, extend_answers
from projects.actions.reviews import approve_assignment
from projects.adopting import plan_adoption, run_chunk
from projects.collecting import sweep
from projects.models import (
    HIT,
    Assignment,
    Batch,
    BudgetPeriod,
    BudgetSpend,
    ForeignHIT,
    LedgerEntry,
    Project,
    Sweep,
)
from projects.operating import send_operations
from projects.sending import send_decisions
from tests.factories import ConnectionFactory, HITTemplateFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk, insufficient_funds, unreachable
from tests.projects.pages import get, post, words
from tests.projects.test_ledger import check_adds_up
from tests.projects.test_made_elsewhere import annotated, look, make_elsewhere

pytestmark = pytest.mark.django_db


def chosen(connection):
    return ForeignHIT.objects.filter(connection=connection)


def adopt(person, connection, **more):
    return adopt_hits(connection, chosen(connection), by=person.actor, **more)


def run(job, market):
    """The Job's chunks, until it wants to wait."""
    while run_chunk(job, gateway=market):
        job.refresh_from_db()
    job.refresh_from_db()
    return job


# What becomes of them -----------------------------------------------------------------------------


def test_each_becomes_a_row_with_its_hit_in_a_live_batch_of_a_new_project(olive, connection, market):
    hit_id = make_elsewhere(market, html="<p>How positive is it?</p>")
    look(connection, market)

    run(adopt(olive, connection), market)

    batch = Batch.objects.get()
    assert (batch.state, batch.project.name, batch.title, batch.reward) == (
        "live",
        "Rate a tweet",
        "Rate a tweet",
        Decimal("0.05"),
    )
    assert (batch.description, batch.assignment_duration) == ("Read one tweet.", timedelta(minutes=10))
    assert batch.template.html == "<p>How positive is it?</p>"
    assert (batch.rows_total, batch.rows_no_answer, batch.rows_not_published) == (1, 1, 0)
    hit = HIT.objects.get()
    assert (hit.mturk_id, hit.publish_state, hit.hit_status, hit.max_assignments) == (
        hit_id,
        "published",
        "Assignable",
        3,
    )
    assert hit.row.input["hit_id"] == hit_id
    assert hit.row.input["requester_annotation"] == "BatchId:412;OriginalHitTemplateId:98;"
    assert ForeignHIT.objects.get().adopted == hit


def test_nothing_is_written_to_mturk_and_one_hit_of_a_batch_is_read(olive, connection, market):
    for _ in range(4):
        make_elsewhere(market)
    look(connection, market)
    before = market.calls.copy()

    run(adopt(olive, connection), market)

    assert market.calls - before == {"GetHIT": 1}


def test_hits_of_one_type_and_origin_become_one_batch(olive, connection, market):
    for origin in (1, 1, 2):
        make_elsewhere(market, annotation=f"BatchId:{origin};OriginalHitTemplateId:98;")
    make_elsewhere(market, annotation="row 17 of my script", title="Other")
    make_elsewhere(market, annotation="row 18 of my script", title="Other")
    look(connection, market)

    run(adopt(olive, connection), market)

    assert sorted(Batch.objects.values_list("title", "rows_total")) == [
        ("Other", 2),
        ("Rate a tweet", 1),
        ("Rate a tweet", 2),
    ]
    assert Project.objects.count() == 2


def test_their_answers_are_collected_whoever_decided_them(olive, connection, market):
    hit_id = make_elsewhere(market)
    first, second, third = (market.submit(hit_id, worker) for worker in ("AWANDA", "AWILL", "AWU"))
    market.approve_assignment(first)
    market.reject_assignment(second, feedback="Empty")
    look(connection, market)
    run(adopt(olive, connection), market)

    look(connection, market)

    found = {each.mturk_id: each for each in Assignment.objects.all()}
    assert {key: each.status for key, each in found.items()} == {
        first: "Approved",
        second: "Rejected",
        third: "Submitted",
    }
    assert found[first].approved_at
    assert found[second].feedback == "Empty"
    batch = Batch.objects.get()
    assert (batch.answers_approved, batch.answers_rejected, batch.answers_submitted) == (1, 1, 1)
    assert ForeignHIT.objects.listed().count() == 0


def test_from_then_on_they_are_decided_extended_and_expired_as_any_others(
    olive, connection, market, no_grace
):
    hit_id = make_elsewhere(market)
    market.submit(hit_id, "AWANDA")
    look(connection, market)
    run(adopt(olive, connection), market)
    look(connection, market)
    batch = Batch.objects.get()

    approve_assignment(Assignment.objects.get(), by=olive.actor)
    send_decisions(connection, gateway=market)
    extend_answers(batch, by=olive.actor, answers=2)
    send_operations(connection, gateway=market)
    expire_early(batch, by=olive.actor)
    send_operations(connection, gateway=market)

    assert Assignment.objects.get().status == "Approved"
    shown = market.get_hit(hit_id)
    assert (shown.max_assignments, shown.hit_status) == (5, "Reviewable")


def test_no_new_hits_are_made_for_rows_whose_input_nobody_knows(olive, connection, market):
    make_elsewhere(market, slots=9)
    look(connection, market)
    run(adopt(olive, connection), market)
    batch = Batch.objects.get()

    with pytest.raises(ActionRefused, match="nobody here knows what each of them"):
        republish(batch, by=olive.actor)
    with pytest.raises(ActionRefused, match="unless nine would become ten"):
        extend_answers(batch, by=olive.actor, answers=1)


def test_a_chosen_project_keeps_its_own_question_for_new_batches(olive, connection, market, team):
    project = ProjectFactory(team=team)
    own = HITTemplateFactory(project=project)
    make_elsewhere(market, html="<p>Theirs</p>")
    look(connection, market)

    run(adopt(olive, connection, project=project), market)

    assert Batch.objects.get().project == project
    assert Batch.objects.get().template.html == "<p>Theirs</p>"
    assert project.templates.first() == own


def test_a_question_that_is_no_page_is_quoted(olive, connection, market):
    hit_id = make_elsewhere(market)
    market.hits[
        hit_id
    ].question = "<ExternalQuestion><ExternalURL>https://example.org</ExternalURL></ExternalQuestion>"
    look(connection, market)

    run(adopt(olive, connection), market)

    assert "&lt;ExternalURL&gt;https://example.org" in Batch.objects.get().template.html


# Money --------------------------------------------------------------------------------------------


def test_what_is_bound_is_reserved_and_what_is_over_counts_nothing(olive, connection, market, team):
    set_budget(team, by=olive.actor, target=None, limit=Decimal(10), period=BudgetPeriod.NONE)
    open_hit = make_elsewhere(market, slots=3)
    over = make_elsewhere(market, slots=1, title="Over")
    market.approve_assignment(market.submit(over, "AWANDA"))
    look(connection, market)

    plan = plan_adoption(connection, chosen(connection))
    run(adopt(olive, connection), market)
    look(connection, market)

    assert (plan.hits, plan.places, plan.bound, plan.counted) == (2, 3, Decimal("0.18"), Decimal("0.18"))
    spend = BudgetSpend.objects.get()
    assert (spend.committed, spend.paid) == (Decimal("0.18"), Decimal("0.00"))
    assert HIT.objects.get(mturk_id=open_hit).committed == Decimal("0.18")
    assert HIT.objects.get(mturk_id=over).reserved_on is None


def test_answers_approved_after_the_adoption_are_paid_out_of_the_budget(olive, connection, market, team):
    set_budget(team, by=olive.actor, target=None, limit=Decimal(10), period=BudgetPeriod.NONE)
    hit_id = make_elsewhere(market, slots=3)
    look(connection, market)
    run(adopt(olive, connection), market)
    market.approve_assignment(market.submit(hit_id, "AWANDA"))

    look(connection, market)

    spend = BudgetSpend.objects.get()
    assert (spend.committed, spend.paid) == (Decimal("0.12"), Decimal("0.06"))
    check_adds_up()
    [held, paid] = LedgerEntry.objects.order_by("pk")
    assert (held.kind, held.amount, held.reason, held.by) == ("held", Decimal("0.18"), "adopted", olive.user)
    assert (paid.kind, paid.amount) == ("paid", Decimal("0.06"))


def test_a_budget_without_room_refuses_in_a_sentence(olive, connection, market, team):
    set_budget(team, by=olive.actor, target=None, limit=Decimal("0.10"), period=BudgetPeriod.NONE)
    make_elsewhere(market)
    look(connection, market)

    with pytest.raises(
        ActionRefused, match=r"This costs \$0.18 and the budget of the whole team has \$0.10 left"
    ):
        adopt(olive, connection)

    assert Job.objects.count() == 0


def test_a_budget_that_filled_meanwhile_passes_them_over(olive, connection, market, team):
    make_elsewhere(market)
    look(connection, market)
    job = adopt(olive, connection)
    set_budget(team, by=olive.actor, target=None, limit=Decimal("0.10"), period=BudgetPeriod.NONE)

    run(job, market)

    assert (job.state, job.outcome[:32]) == ("done", "0 HITs adopted, 1 passed over. T")
    assert "the budget of the whole team has $0.10 left" in job.items.get().outcome
    assert (Batch.objects.count(), HIT.objects.count(), Project.objects.count()) == (0, 0, 0)


def test_a_hit_that_was_over_counts_once_it_opens_again(olive, connection, market, team):
    set_budget(team, by=olive.actor, target=None, limit=Decimal(10), period=BudgetPeriod.NONE)
    hit_id = make_elsewhere(market, slots=1)
    market.approve_assignment(market.submit(hit_id, "AWANDA"))
    look(connection, market)
    run(adopt(olive, connection), market)
    look(connection, market)

    extend_answers(Batch.objects.get(), by=olive.actor, answers=1)

    assert BudgetSpend.objects.get().committed == Decimal("0.06")


# Once, whatever happens ---------------------------------------------------------------------------


def test_adopting_twice_makes_each_row_once(olive, connection, market):
    for _ in range(3):
        make_elsewhere(market)
    look(connection, market)
    first, second = adopt(olive, connection), adopt(olive, connection)

    run(second, market)
    run(first, market)

    assert HIT.objects.count() == 3
    assert Batch.objects.count() == 1
    assert set(first.items.values_list("outcome", flat=True)) == {adopting.ADOPTED_MEANWHILE}


def test_two_connections_to_one_account_adopt_a_hit_once(olive, connection, market, team):
    other = ConnectionFactory(account__team=team, name="The same", endpoint=connection.endpoint)
    make_elsewhere(market)
    look(connection, market)
    look(other, market)
    first, second = adopt(olive, connection), adopt(olive, other)

    run(first, market)
    run(second, market)

    assert HIT.objects.get().connection == connection
    assert second.items.get().outcome == adopting.KNOWN


def test_a_job_that_was_cut_off_goes_on_where_it_was(olive, connection, market, monkeypatch):
    monkeypatch.setattr(adopting, "CHUNK", 2)
    for _ in range(5):
        make_elsewhere(market)
    look(connection, market)
    job = adopt(olive, connection)
    assert run_chunk(job, gateway=market)
    assert HIT.objects.count() == 2

    run(Job.objects.get(), market)

    assert (HIT.objects.count(), Batch.objects.count(), Batch.objects.get().rows_total) == (5, 1, 5)
    assert list(Batch.objects.get().rows.order_by("number").values_list("number", flat=True)) == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_a_chunk_that_dies_leaves_nothing_behind(olive, connection, market, monkeypatch):
    make_elsewhere(market)
    look(connection, market)
    job = adopt(olive, connection)

    def dies(*_: object, **__: object):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(adopting, "recount", dies)
        with pytest.raises(RuntimeError):
            run_chunk(job, gateway=market)
    assert (HIT.objects.count(), Batch.objects.count()) == (0, 0)

    run(Job.objects.get(), market)
    assert (HIT.objects.count(), Batch.objects.count()) == (1, 1)


def test_one_that_is_deleted_meanwhile_is_passed_over(olive, connection, market):
    # The newest is listed first, and its terms are read for all.
    kept, gone = make_elsewhere(market), make_elsewhere(market)
    look(connection, market)
    job = adopt(olive, connection)
    del market.hits[gone]

    run(job, market)

    assert job.items.get(target_id=ForeignHIT.objects.get(mturk_id=gone).pk).outcome == adopting.GONE
    assert HIT.objects.get().mturk_id == kept


def test_an_mturk_that_cannot_be_reached_is_asked_again_later(olive, connection, market):
    make_elsewhere(market)
    look(connection, market)
    job = adopt(olive, connection)
    market.fail("GetHIT", unreachable)

    run(job, market)
    assert job.state == "running"
    run(job, market)

    assert job.state == "done"


def test_an_mturk_that_refuses_stops_the_job_in_a_sentence(olive, connection, market):
    make_elsewhere(market)
    look(connection, market)
    job = adopt(olive, connection)
    market.fail("GetHIT", insufficient_funds)

    run(job, market)

    assert job.state == "stopped"
    assert job.outcome.startswith("Stopped: ")


def test_who_is_no_longer_an_owner_stops_the_job(olive, connection, market):
    make_elsewhere(market)
    look(connection, market)
    job = adopt(olive, connection)
    Membership.objects.filter(pk=olive.membership.pk).update(role="manager")

    run(job, market)

    assert (job.state, HIT.objects.count()) == ("stopped", 0)


def test_only_owners_of_the_account_adopt(mina, connection, market):
    make_elsewhere(market)
    look(connection, market)

    with pytest.raises(ActionRefused, match="Managers may not see or adopt"):
        adopt(mina, connection)


def test_those_of_another_installation_are_adopted_only_by_name(olive, connection, market):
    other = uuid.uuid4()
    make_elsewhere(market, annotation=annotated(other))
    look(connection, market)

    with pytest.raises(ActionRefused, match=f"were made by the installation {other}"):
        adopt(olive, connection)
    run(adopt(olive, connection, confirmed=[other]), market)

    assert HIT.objects.count() == 1
    event = Event.objects.get(verb="connection.adopting")
    assert sentence(event).endswith(f", by the installation {other}")


def test_a_project_of_another_team_is_refused(olive, stan, connection, market):
    make_elsewhere(market)
    look(connection, market)

    with pytest.raises(ActionRefused, match="belongs to another team"):
        adopt(olive, connection, project=ProjectFactory(team=stan.team))


# The whole history --------------------------------------------------------------------------------


def test_importing_the_history_looks_adopts_and_fetches_everything_not_foreign(olive, connection):
    market = FakeMTurk(page_size=2)
    hits = [make_elsewhere(market, slots=3) for _ in range(5)]
    make_elsewhere(market, annotation=annotated(uuid.uuid4()), title="Of another installation")
    for hit_id in hits:
        market.approve_assignment(market.submit(hit_id, "AWANDA"))
        market.reject_assignment(market.submit(hit_id, "AWILL"), feedback="Empty")
        market.submit(hit_id, "AWU")
    job = import_history(connection, by=olive.actor)

    run(job, market)
    assert (job.state, HIT.objects.count()) == ("running", 0)
    look(connection, market)
    run(job, market)
    assert (job.state, HIT.objects.count(), Assignment.objects.count()) == ("running", 5, 0)
    look(connection, market)
    run(job, market)

    assert (job.state, job.outcome) == ("done", "5 HITs adopted. They have 15 answers.")
    statuses = list(Assignment.objects.values_list("status", flat=True))
    assert sorted(set(statuses)) == ["Approved", "Rejected", "Submitted"]
    assert ForeignHIT.objects.listed().get().title == "Of another installation"


def test_importing_twice_is_one_job(olive, connection):
    assert import_history(connection, by=olive.actor) == import_history(connection, by=olive.actor)


def test_an_import_asks_for_a_sweep_again_when_its_wish_was_taken(olive, connection, market):
    job = import_history(connection, by=olive.actor)
    connection.refresh_from_db()
    type(connection).objects.update(sweep_wanted_at=None)

    run(job, market)

    connection.refresh_from_db()
    assert connection.sweep_wanted_at


def test_a_sweep_that_fails_stops_the_import_in_a_sentence(olive, connection, market):
    job = import_history(connection, by=olive.actor)
    market.fail("ListHITs", unreachable)
    sweep(connection, gateway=market)

    run(job, market)

    assert job.state == "stopped"
    assert Sweep.objects.get().problem.split("\n")[0] in job.outcome
    assert "press “Import all” again" in job.outcome


# The pages ----------------------------------------------------------------------------------------


def test_the_page_says_how_many_hits_answers_and_dollars_before_anything_is_adopted(
    olive, connection, market
):
    market.submit(make_elsewhere(market), "AWANDA")
    look(connection, market)

    said = words(get(olive, "adopt", connection))

    assert "Adopt 1 HIT" in said
    assert "Answers that wait for a decision 1" in said
    assert "reward and fee of 3 places that may still have to be paid $0.18" in said
    assert HIT.objects.count() == 0


def test_ticked_hits_are_adopted_and_no_others(olive, connection, market):
    ticked, left = make_elsewhere(market), make_elsewhere(market)
    look(connection, market)
    keys = [str(ForeignHIT.objects.get(mturk_id=ticked).public_id)]

    answer = post(olive, "adopt", connection, {"hit": keys, "project": ""})
    job = Job.objects.get()
    run(job, market)

    assert answer["Location"] == reverse("projects:job", args=[job.public_id])
    assert HIT.objects.get().mturk_id == ticked
    assert list(ForeignHIT.objects.listed().values_list("mturk_id", flat=True)) == [left]
    assert "Rate a tweet, BatchId:412" in words(get(olive, "job", job))


def test_nothing_is_adopted_where_ticked_ones_were_asked_for_and_none_was_ticked(olive, connection, market):
    make_elsewhere(market)
    look(connection, market)

    text = words(get(olive, "adopt", connection, query="?ticked=1"))

    assert "Adopt 0 HITs" in text
    assert "Tick some first." in text
    assert 'name="ticked" value="1"' in get(olive, "made_elsewhere", connection)


def test_what_is_listed_after_the_page_was_made_is_not_adopted_with_it(olive, connection, market):
    make_elsewhere(market)
    look(connection, market)
    last = plan_adoption(connection, chosen(connection)).last
    make_elsewhere(market)
    look(connection, market)

    post(olive, "adopt", connection, {"last": last})

    assert Job.objects.get().total == 1


def test_a_refusal_comes_back_on_the_page_with_what_was_chosen(olive, connection, market, team):
    set_budget(team, by=olive.actor, target=None, limit=Decimal("0.10"), period=BudgetPeriod.NONE)
    project = ProjectFactory(team=team)
    make_elsewhere(market)
    look(connection, market)

    answer = post(olive, "adopt", connection, {"project": str(project.public_id)})

    assert answer.status_code == 409
    html = answer.content.decode()
    assert "the budget of the whole team has $0.10 left" in html
    assert f'value="{project.public_id}" selected' in html


def test_the_batch_says_that_it_was_made_elsewhere(olive, vera, connection, market):
    make_elsewhere(market)
    look(connection, market)
    run(adopt(olive, connection), market)

    assert "Made elsewhere." in words(get(vera, "batch", Batch.objects.get()))
    activity = olive.client.get(reverse("projects:activity")).content.decode()
    assert "began to adopt 1 HIT made elsewhere on" in words(activity)


def test_import_is_asked_for_on_its_own_page(olive, connection):
    assert "The whole account is looked through" in words(get(olive, "import_history", connection))

    answer = post(olive, "import_history", connection, {"project": ""})

    assert answer["Location"] == reverse("projects:job", args=[Job.objects.get().public_id])
