"""Two teams share one account, and cannot see or touch each other's batches, HITs, answers or exports.

Olive's Lab owns the account, Stan's team borrows it. `world` is everything a page can be about, all of Olive's team.
"""

import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.urls import reverse

from mturkhub.accounts.actions.sharing import lend_account, take_account_back
from mturkhub.accounts.credentials import gateway_for
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Loan
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions import claiming
from mturkhub.workers.naming import find_workers
from projects.actions import batches, hits, payments, reviews
from projects.actions.projects import create_project, save_template
from projects.actions.uploads import create_batch, upload_file
from projects.collecting import sweep
from projects.exporting import results_json, results_jsonl
from projects.models import Assignment, Batch, HITType
from projects.publishing import publish_chunk
from projects.results_table import results_csv
from projects.sending import send_decisions
from projects.states import Verdict
from tests.api.conftest import script_of
from tests.api.test_permission_matrix import ask as ask_with
from tests.api.test_permission_matrix import everything
from tests.conftest import Person
from tests.factories import AccountGrantFactory, ConnectionFactory, TeamWorkerFactory
from tests.permissions import api
from tests.servers import MarketplaceServer
from tests.test_permission_matrix import TABLE, world  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

HTML = "<p>${text}</p><form><input name=answer><button>Submit</button></form>"
EVERYTHING = [each.value for each in Loan]


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Celery listens here: tests call the background functions themselves."""
    monkeypatch.setattr(claiming, "_ring_now", lambda task, keys, at: None)


# Pages and actions --------------------------------------------------------------------------------


@pytest.fixture(params=["the borrower asks", "the lender asks"])
def direction(request) -> str:
    return request.param


@pytest.fixture
def connection(team, stan, direction) -> Connection:
    """The shared one. Olive's world is on it and Stan asks: for what the borrower may see, or the lender."""
    lender, borrower = (team, stan.team) if direction == "the borrower asks" else (stan.team, team)
    shared = ConnectionFactory(account__team=lender, name="Shared")
    AccountGrantFactory(account=shared.account, team=borrower)
    return shared


# What is not 404 for Stan, because it is the account's and not the other team's.
SHARED = {
    "the borrower asks": {
        ("accounts:connection", "get"): 200,
        ("accounts:test_connection", "post"): 403,
        ("accounts:resume_connection", "post"): 403,
        ("accounts:replace_keys", "get"): 403,
        ("accounts:replace_keys", "post"): 403,
        ("accounts:set_queue", "get"): 403,
        ("accounts:set_queue", "post"): 403,
        ("accounts:send_test_event", "post"): 403,
        ("accounts:switch_queue_off", "post"): 403,
        ("projects:made_elsewhere", "get"): 403,
        ("projects:elsewhere_count", "get"): 403,
        ("projects:look_elsewhere", "post"): 403,
        ("projects:adopt", "get"): 403,
        ("projects:adopt", "post"): 403,
        ("projects:import_history", "get"): 403,
        ("projects:import_history", "post"): 403,
    },
    "the lender asks": {
        ("accounts:connection", "get"): 200,
        ("accounts:test_connection", "post"): 302,
        ("accounts:resume_connection", "post"): 302,
        ("accounts:replace_keys", "get"): 200,
        ("accounts:replace_keys", "post"): 400,
        ("accounts:set_queue", "get"): 200,
        ("accounts:set_queue", "post"): 400,
        ("accounts:send_test_event", "post"): 409,
        ("accounts:switch_queue_off", "post"): 302,
        ("accounts:account", "get"): 200,
        ("accounts:lend_account", "post"): 302,
        ("accounts:take_account_back", "post"): 302,
        ("projects:made_elsewhere", "get"): 200,
        ("projects:elsewhere_count", "get"): 200,
        ("projects:look_elsewhere", "post"): 302,
        ("projects:adopt", "get"): 200,
        ("projects:adopt", "post"): 409,
        ("projects:import_history", "get"): 200,
        ("projects:import_history", "post"): 302,
    },
}


def test_nothing_of_one_team_exists_for_the_other(stan, world, direction):  # noqa: F811
    # Signed in before what is asked for is undone again.
    client, wrong = stan.client, {}
    for name, row in TABLE.items():
        for method in ("get", "post"):
            if row.statuses(method)["stan"] != 404:
                continue
            with transaction.atomic():
                address = reverse(name, kwargs=row.arguments(world))
                status = getattr(client, method)(address, row.posted(world)).status_code
                transaction.set_rollback(True)
            if status != SHARED[direction].get((name, method), 404):
                wrong[name, method] = status

    assert wrong == {}


def test_no_list_of_one_team_names_anything_of_the_other(stan, world):  # noqa: F811
    things = [world.project, world.batch, world.draft, world.upload, world.assignment, world.decided]
    marks = [str(thing.public_id) for thing in things]
    marks += [world.project.name, world.batch.name, world.draft.name]
    told = {}
    for name, row in TABLE.items():
        if row.statuses("get")["stan"] != 200:
            continue
        page = stan.client.get(reverse(name, kwargs=row.arguments(world)))
        html = (page.getvalue() if page.streaming else page.content).decode()
        if found := [mark for mark in marks if mark in html]:
            told[name] = found

    assert told == {}


# By script as well, the account's own is not the other team's.
OF_THE_ACCOUNT = {"hits_elsewhere", "look", "adopt", "import_history"}


def test_nothing_of_one_team_exists_for_the_scripts_of_the_other(stan, world):  # noqa: F811
    script = script_of(stan)
    script.get("projects")
    asked_for = [
        each for each in api.TABLE if each.expected()["stan"] == 404 and each.name not in OF_THE_ACCOUNT
    ]
    before, wrong = everything(), {}
    for asked in asked_for:
        with transaction.atomic():
            status = ask_with(script, asked, world).status_code
            if status != 404 or everything() != before:
                wrong[asked.name, asked.method] = status
            transaction.set_rollback(True)

    assert len(asked_for) > 20
    assert wrong == {}
    # MTurk's own ids open nothing either.
    assert script.post(f"assignments/{world.assignment.mturk_id}/approve").status_code == 404


def test_by_script_too_an_account_is_looked_into_by_its_own_team_alone(stan, world, direction):  # noqa: F811
    script = script_of(stan)
    script.get("projects")
    before, wrong = everything(), {}
    for asked in [each for each in api.TABLE if each.name in OF_THE_ACCOUNT]:
        expected = 403 if direction == "the borrower asks" else asked.expected()["olive"]
        with transaction.atomic():
            status = ask_with(script, asked, world).status_code
            if status != expected or (status >= 400 and everything() != before):
                wrong[asked.name, asked.method] = status
            transaction.set_rollback(True)

    assert wrong == {}


def test_no_list_by_script_names_anything_of_the_other(stan, world):  # noqa: F811
    things = [world.project, world.batch, world.draft, world.assignment, world.decided, world.job]
    marks = [str(thing.public_id) for thing in things] + [world.project.name, world.batch.name]
    script = script_of(stan)

    for path in ("projects", "batches", "balance"):
        told = script.get(path).content.decode()
        assert not [mark for mark in marks if mark in told]


@pytest.mark.parametrize(
    "act",
    [
        lambda of, by: batches.publish_batch(of.draft, by=by),
        lambda of, by: batches.pause_batch(of.batch, by=by),
        lambda of, by: batches.resume_batch(of.batch, by=by),
        lambda of, by: batches.retry_failed_hits(of.batch, by=by),
        lambda of, by: batches.collect_now(of.batch, by=by),
        lambda of, by: reviews.approve_assignment(of.assignment, by=by),
        lambda of, by: reviews.reject_assignment(of.assignment, by=by, feedback="No."),
        lambda of, by: reviews.leave_out(of.assignment, by=by),
        lambda of, by: reviews.undo_decision(of.decided, by=by),
        lambda of, by: reviews.decide_many(
            of.batch, Assignment.objects.all(), by=by, verdict=Verdict.APPROVE
        ),
        lambda of, by: hits.extend_answers(of.batch, by=by, answers=1),
        lambda of, by: hits.extend_time(of.batch, by=by, open_for=timedelta(days=60)),
        lambda of, by: hits.expire_early(of.batch, by=by),
        lambda of, by: hits.retry_failed_operations(of.batch, by=by),
        lambda of, by: hits.drop_failed_operations(of.batch, by=by),
        lambda of, by: batches.publish_rest(of.trial, by=by),
        lambda of, by: batches.republish(of.batch, by=by),
        lambda of, by: batches.unschedule_batch(of.draft, by=by),
        lambda of, by: reviews.overturn_rejection(of.rejected, by=by),
        lambda of, by: batches.cancel_batch(of.batch, by=by),
        lambda of, by: batches.close_batch(of.batch, by=by),
        lambda of, by: payments.send_bonus(of.assignment, by=by, amount=Decimal("0.50"), reason="Good"),
        lambda of, by: payments.retry_bonus(of.refused_bonus, by=by),
        lambda of, by: create_batch(of.upload, by=by, connection=of.connection),
        lambda of, by: list(results_csv(of.batch, by=by)),
        lambda of, by: list(results_jsonl(of.batch, by=by)),
        lambda of, by: list(results_json(of.batch, by=by)),
    ],
)
def test_no_action_of_one_team_touches_the_other(stan, world, act):  # noqa: F811
    with pytest.raises(ActionRefused) as refused:
        act(world, stan.actor)

    assert refused.value.status == 403


# On a market --------------------------------------------------------------------------------------


@dataclass
class Side:
    """One of the two teams, with a batch whose every text holds the team's mark."""

    person: Person
    mark: str
    batch: Batch

    @property
    def hit_ids(self) -> list[str]:
        return [str(hit.mturk_id) for hit in self.batch.hits.order_by("row__number")]

    @property
    def answers(self) -> list[Assignment]:
        return list(Assignment.objects.for_actor(self.person.actor).select_related("answer", "worker"))

    def exports(self) -> list[str]:
        by = self.person.actor
        return [
            b"".join(export(self.batch, by=by)).decode("utf-8-sig")
            for export in (results_csv, results_jsonl, results_json)
        ]


def draft(person: Person, connection: Connection, mark: str) -> Batch:
    """Equal terms whoever makes it; the mark is in the names and in the rows."""
    by = person.actor
    project = create_project(
        person.team, by=by, name=f"{mark} project", title="Answer", description="A word.", reward="0.05"
    )
    save_template(project, HTML, by=by)
    upload = upload_file(project, by=by, name="rows.csv", chunks=[f"text\n{mark} one\n{mark} two\n".encode()])
    return create_batch(upload, by=by, connection=connection)


def publish(person: Person, connection: Connection, mark: str) -> Side:
    batch = batches.publish_batch(draft(person, connection, mark), by=person.actor)
    publish_chunk(batch, gateway=gateway_for(connection))
    batch.refresh_from_db()
    return Side(person, mark, batch)


def work(server: MarketplaceServer, *answers: tuple[str, str, str]) -> None:
    """So many times: a Worker accepts this HIT at the marketplace and answers this."""
    lines = [json.dumps([hit_id, worker, {"answer": text}]) for hit_id, worker, text in answers]
    subprocess.run(
        [sys.executable, "-m", "tests.journeys.acting"],
        input="\n".join(lines),
        env=server.env,
        text=True,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def lent(marketplace_connection: Connection, olive: Person, stan: Person) -> Connection:
    """Olive's Connection to the marketplace that really runs, lent to Stan's team."""
    lend_account(
        marketplace_connection.account,
        by=olive.actor,
        share_code=str(stan.team.public_id),
        permissions=EVERYTHING,
    )
    return marketplace_connection


@pytest.fixture
def sides(lent: Connection, olive: Person, stan: Person) -> tuple[Side, Side]:
    return publish(olive, lent, "amber"), publish(stan, lent, "violet")


def test_two_teams_share_an_account_from_publishing_to_export(sides, lent, marketplace_server):
    ours, theirs = sides
    # The same Worker answers both teams.
    work(
        marketplace_server,
        *((hit_id, "ABOTHTEAMS", f"{side.mark} answer") for side in sides for hit_id in side.hit_ids),
    )

    done = sweep(lent, gateway=gateway_for(lent))

    assert done is not None
    assert done.is_complete, done.problem
    # Equal batches share the HITType, and each answer is where its HIT is.
    assert {hit.hit_type for side in sides for hit in side.batch.hits.all()} == {HITType.objects.get()}
    for side, other in (sides, sides[::-1]):
        assert [each.answer.fields for each in side.answers] == [{"answer": [f"{side.mark} answer"]}] * 2
        assert {each.batch for each in side.answers} == {side.batch}
        for text in side.exports():
            assert side.mark in text
            assert other.mark not in text
            assert not any(hit_id in text for hit_id in other.hit_ids)
        table = list(csv.DictReader(io.StringIO(side.exports()[0])))
        assert [row["Input.text"] for row in table] == [f"{side.mark} one", f"{side.mark} two"]
    # What one team decides changes nothing for the other.
    ours.person.team.grace_time *= 0
    ours.person.team.save()
    for answer in ours.answers:
        reviews.approve_assignment(answer, by=ours.person.actor)
    send_decisions(lent, gateway=gateway_for(lent))
    sweep(lent, gateway=gateway_for(lent))
    assert {each.status for each in ours.answers} == {"Approved"}
    assert {each.status for each in theirs.answers} == {"Submitted"}


def test_a_worker_of_both_teams_has_a_name_and_notes_in_each(sides, lent, marketplace_server):
    ours, theirs = sides
    work(marketplace_server, *((side.hit_ids[0], "ATWONAMES", "word") for side in sides))
    sweep(lent, gateway=gateway_for(lent))

    [here], [there] = ours.answers, theirs.answers

    assert here.worker == there.worker
    names = {each.team: each.pseudonym for each in here.worker.team_workers.all()}
    assert set(names) == {ours.person.team, theirs.person.team}
    assert find_workers(theirs.person.team.pk, names[theirs.person.team]) == [here.worker]
    assert find_workers(theirs.person.team.pk, names[ours.person.team]) == []


def test_a_worker_whom_only_the_other_team_knows_is_not_found(lent, olive, stan):
    known = TeamWorkerFactory(team=olive.team, worker__connection=lent)

    assert find_workers(stan.team.pk, known.worker.mturk_id) == []


def test_a_hit_of_the_other_team_on_a_connection_of_ones_own_is_only_counted(
    sides, lent, stan, marketplace_server
):
    """The same requester connected twice: each Connection leaves alone what the other has made."""
    ours, theirs = sides
    work(marketplace_server, (ours.hit_ids[0], "AELSEWHERE", "word"))
    own = ConnectionFactory(
        account__team=stan.team, name="Own", endpoint=lent.endpoint, credentials=lent.credentials
    )

    done = sweep(own, gateway=gateway_for(own))

    assert done is not None
    assert done.is_complete, done.problem
    assert done.hits_elsewhere == done.hits_listed >= len(ours.hit_ids) + len(theirs.hit_ids)
    assert not Assignment.objects.exists()


# Taking it back -----------------------------------------------------------------------------------


def take_back(lent: Connection, olive: Person) -> None:
    take_account_back(lent.account.grants.get(), by=olive.actor)


def test_taking_it_back_stops_new_publishing_with_a_sentence(sides, lent, olive, stan):
    theirs = sides[1]
    waiting = draft(stan, lent, "later")
    take_back(lent, olive)

    for ask in (
        lambda: batches.publish_batch(waiting, by=stan.actor),
        lambda: batches.retry_failed_hits(failed(theirs.batch), by=stan.actor),
        lambda: create_batch(waiting.upload, by=stan.actor, connection=lent),
    ):
        with pytest.raises(ActionRefused, match="has taken it back"):
            ask()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.hits.count()) == ("draft", 0)


def failed(batch: Batch) -> Batch:
    batch.rows_failed = 1
    batch.save(update_fields=["rows_failed"])
    return batch


def test_taking_it_back_stops_a_batch_that_is_being_published(lent, olive, stan):
    batch = batches.publish_batch(draft(stan, lent, "violet"), by=stan.actor)
    take_back(lent, olive)

    publish_chunk(batch, gateway=gateway_for(lent))

    batch.refresh_from_db()
    assert batch.state == "paused"
    assert "has taken it back" in batch.state_reason
    assert batch.hits.filter(mturk_id__isnull=True, publish_state="queued").count() == 2
    with pytest.raises(ActionRefused, match="has taken it back"):
        batches.resume_batch(batch, by=stan.actor)
    # Lent again, it goes on where it was.
    lend_account(
        lent.account, by=olive.actor, share_code=str(stan.team.public_id), permissions=[Loan.PUBLISH]
    )
    publish_chunk(batches.resume_batch(batch, by=stan.actor), gateway=gateway_for(lent))
    assert batch.hits.published().count() == 2


def test_what_was_published_is_read_collected_and_decided_after_it_was_taken_back(
    sides, lent, olive, stan, marketplace_server
):
    theirs = sides[1]
    take_back(lent, olive)
    work(marketplace_server, (theirs.hit_ids[0], "ALATE", "late"))

    batches.collect_now(theirs.batch, by=stan.actor)
    sweep(lent, gateway=gateway_for(lent))

    [answer] = theirs.answers
    for name in ("batch", "batch_rows", "review_batch", "batch_export", "batch_activity"):
        page = stan.client.get(reverse(f"projects:{name}", args=[theirs.batch.public_id]))
        assert page.status_code == 200
    reviews.approve_assignment(answer, by=stan.actor)
    assert "late" in theirs.exports()[0]
    connection = reverse("accounts:connection", args=[lent.public_id])
    assert stan.client.get(connection).status_code == 404
