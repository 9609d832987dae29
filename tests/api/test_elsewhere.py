"""HITs made elsewhere, by script: listed, looked for, adopted, and a whole history imported."""

import uuid
from datetime import datetime

import pytest

from mturkhub.accounts.credentials import gateway_for
from mturkhub.accounts.permissions import Permission
from mturkhub.common import clock
from mturkhub.common.models import Installation
from mturkhub.intentions.models import Job
from projects.adopting import run_chunk
from projects.models import HIT, Assignment, Batch, ForeignHIT, Project
from tests.api.conftest import script_of
from tests.factories import AccountGrantFactory, BatchFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk
from tests.projects.test_made_elsewhere import SITE, annotated, fill_account, look, make_elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture
def market():
    return FakeMTurk()


@pytest.fixture
def address(connection):
    return f"connections/{connection.public_id}"


def listed(script, address, query=""):
    told = script.get(f"{address}/hits-elsewhere{query}")
    assert told.status_code == 200, told.json()
    return told.json()["results"]


def run(told, gateway):
    """The Job of an answer, as far as it goes by itself."""
    assert told.status_code == 202, told.json()
    job = Job.objects.get(public_id=told.json()["id"])
    while run_chunk(job, gateway=gateway):
        job.refresh_from_db()
    job.refresh_from_db()
    return job


# A story at a market that really runs -------------------------------------------------------------


def test_a_script_looks_lists_adopts_and_is_led_to_the_batch(as_olive, marketplace_connection):
    address = f"connections/{marketplace_connection.public_id}"
    gateway = gateway_for(marketplace_connection)
    title = f"Rate a tweet {uuid.uuid4()}"
    hit_ids = [make_elsewhere(gateway, title=title) for _ in range(2)]

    assert as_olive.post(f"{address}/look").json()["is_looking"]
    look(marketplace_connection, gateway)
    assert as_olive.get(f"{address}/look").json()["looked_at"]
    found = listed(as_olive, address, f"?text={title}")
    assert {each["hit_id"] for each in found} == set(hit_ids)
    told = as_olive.post(f"{address}/adopt", {"hit_ids": hit_ids})
    run(told, gateway)

    job = as_olive.get(f"jobs/{told.json()['id']}").json()
    assert (job["state"], job["done"], job["passed_over"]) == ("done", 2, [])
    assert job["outcome"].startswith("2 HITs adopted.")
    [batch] = job["batches"]
    assert {
        each["hits"][0]["hit_id"] for each in as_olive.get(f"batches/{batch['id']}/rows").json()["results"]
    } == {*hit_ids}
    assert listed(as_olive, address, f"?text={title}") == []


# The list -----------------------------------------------------------------------------------------


def test_each_is_told_as_the_page_shows_it(as_olive, address, connection, market):
    hit_id = make_elsewhere(market)
    market.submit(hit_id, "AWANDA")
    market.approve_assignment(market.submit(hit_id, "AWILL"))
    look(connection, market)

    [told] = listed(as_olive, address)

    row = ForeignHIT.objects.get()
    assert datetimes(told) == {
        "creation_time": row.mturk_created_at,
        "expiration": row.expires_at,
        "first_seen_at": row.first_seen_at,
        "changed_at": row.changed_at,
    }
    assert told == {
        "hit_id": hit_id,
        "hit_type_id": row.hit_type_id,
        "hit_group_id": row.hit_group_id,
        "title": "Rate a tweet",
        "hit_status": "Assignable",
        "reward": "0.05",
        "max_assignments": 3,
        "number_of_assignments_available": 1,
        "number_of_assignments_pending": 0,
        "number_of_assignments_completed": 1,
        "waiting": 1,
        # Two places at 0.05 and a fee of a cent.
        "bound": "0.12",
        "requester_annotation": SITE,
        "maker": None,
        "gone_at": None,
    }


def datetimes(told):
    """The times of it, taken out."""
    names = ("creation_time", "expiration", "first_seen_at", "changed_at")
    return {name: datetime.fromisoformat(told.pop(name)) for name in names}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"Zeppelins", "Tweets"}),
        ("?text=zeppelin", {"Zeppelins"}),
        ("?show=waiting", {"Tweets"}),
        ("?show=Reviewable", set()),
        ("?show=gone", {"Gone"}),
    ],
)
def test_it_is_filtered_as_on_the_page(as_olive, address, connection, market, query, found):
    make_elsewhere(market, title="Zeppelins")
    market.submit(make_elsewhere(market, title="Tweets"), "AWANDA")
    gone = make_elsewhere(market, title="Gone")
    look(connection, market)
    ForeignHIT.objects.filter(mturk_id=gone).update(gone_at=clock.now())

    assert {each["title"] for each in listed(as_olive, address, query)} == found


def test_one_type_is_listed_by_its_id(as_olive, address, connection, market):
    make_elsewhere(market, title="Zeppelins")
    make_elsewhere(market, title="Tweets")
    look(connection, market)
    wanted = ForeignHIT.objects.get(title="Tweets")

    found = listed(as_olive, address, f"?hit_type_id={wanted.hit_type_id}")

    assert [each["hit_id"] for each in found] == [wanted.mturk_id]


def test_its_pages_hold_each_once(as_olive, address, connection):
    fill_account(connection, 25)
    seen, following = [], f"{address}/hits-elsewhere?page_size=10"

    while following:
        told = as_olive.get(following).json()
        seen += [each["hit_id"] for each in told["results"]]
        following = told["next"]

    assert len(seen) == len(set(seen)) == 25
    assert as_olive.get(f"{address}/hits-elsewhere?at=nowhere").status_code == 400


def test_those_of_another_installation_are_listed_to_who_says_to_know(as_olive, address, connection, market):
    other = uuid.uuid4()
    make_elsewhere(market, annotation=annotated(other), title="Theirs")
    make_elsewhere(market, annotation=annotated(Installation.current_id()), title="After the backup")
    look(connection, market)

    assert [each["title"] for each in listed(as_olive, address)] == ["After the backup"]
    refused = as_olive.get(f"{address}/hits-elsewhere?maker={other}")
    assert refused.status_code == 400
    assert "may still work with its HITs. Send confirmed=true" in refused.json()["errors"]["confirmed"][0]
    [theirs] = listed(as_olive, address, f"?maker={other}&confirmed=true")
    assert (theirs["title"], theirs["maker"]) == ("Theirs", str(other))


# Looking ------------------------------------------------------------------------------------------


def test_a_look_says_when_and_who_has_made_what(as_olive, address, connection, market):
    assert as_olive.get(f"{address}/look").json() == {"looked_at": None, "is_looking": False, "makers": []}
    other = uuid.uuid4()
    make_elsewhere(market, annotation=annotated(other))
    for _ in range(2):
        market.submit(make_elsewhere(market), "AWANDA")

    asked = as_olive.post(f"{address}/look")

    assert (asked.status_code, asked.json()["is_looking"]) == (200, True)
    connection.refresh_from_db()
    assert connection.sweep_wanted_at
    look(connection, market)
    assert as_olive.get(f"{address}/look").json()["makers"] == [
        {"maker": None, "is_other": False, "hits": 2, "waiting": 2},
        {"maker": str(other), "is_other": True, "hits": 1, "waiting": 0},
    ]


# Adopting -----------------------------------------------------------------------------------------


def test_all_that_match_are_adopted_into_the_project(as_olive, olive, address, connection, market):
    project = ProjectFactory(team=olive.team, created_by=olive.user)
    make_elsewhere(market, title="Zeppelins")
    wanted = make_elsewhere(market, title="Tweets")
    look(connection, market)

    told = as_olive.post(f"{address}/adopt", {"text": "tweet", "project": str(project.public_id)})
    run(told, market)

    assert HIT.objects.get().mturk_id == wanted
    assert Batch.objects.get().project == project


def test_all_are_adopted_where_nothing_is_said(as_olive, address, connection, market):
    for title in ("Zeppelins", "Tweets"):
        make_elsewhere(market, title=title)
    make_elsewhere(market, annotation=annotated(uuid.uuid4()), title="Theirs")
    look(connection, market)

    told = as_olive.post(f"{address}/adopt")
    run(told, market)

    assert set(Project.objects.values_list("name", flat=True)) == {"Zeppelins", "Tweets"}
    assert len(as_olive.get(f"jobs/{told.json()['id']}").json()["batches"]) == 2


def test_those_of_another_installation_are_adopted_only_by_name(as_olive, address, connection, market):
    other = uuid.uuid4()
    hit_id = make_elsewhere(market, annotation=annotated(other))
    look(connection, market)

    refused = as_olive.post(f"{address}/adopt", {"hit_ids": [hit_id]})
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        f"Some of these HITs were made by the installation {other}, which may still work with them. Confirm that you "
        "know, then adopt them. Nothing was changed.",
    )
    named = {"hit_ids": [hit_id], "maker": str(other)}
    assert as_olive.post(f"{address}/adopt", named).status_code == 400
    assert not Job.objects.exists()

    run(as_olive.post(f"{address}/adopt", {**named, "confirmed": True}), market)

    assert HIT.objects.get().mturk_id == hit_id


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"hit_ids": ["3NOSUCH"]},
            "1 of these are not listed as made elsewhere on Local: 3NOSUCH. Nothing was",
        ),
        ({"hit_ids": ["3NOSUCH"], "text": "tweet"}, "hit_ids: Send these or a filter, not both."),
        ({"confirmed": True}, "maker: Say whose HITs these are"),
        ({"project": str(uuid.uuid4())}, "project: The team has no project"),
        ({"show": "gone"}, "show: "),
        ({"hits": []}, "hits: There is no such field. Did you mean hit_ids?"),
    ],
)
def test_what_cannot_be_adopted_is_refused_in_words(as_olive, address, connection, market, body, sentence):
    make_elsewhere(market)
    look(connection, market)

    refused = as_olive.post(f"{address}/adopt", body)

    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(sentence)
    assert not Job.objects.exists()


def test_nothing_to_adopt_is_said(as_olive, address):
    refused = as_olive.post(f"{address}/adopt")

    assert (refused.status_code, "None of these HITs is there" in refused.json()["detail"]) == (409, True)


def test_a_job_names_why_some_were_passed_over(as_olive, address, connection, market):
    hit_id = make_elsewhere(market)
    look(connection, market)
    told = as_olive.post(f"{address}/adopt")
    BatchFactory(connection=connection, published=True, rows=1)
    HIT.objects.update(mturk_id=hit_id)

    run(told, market)

    job = as_olive.get(f"jobs/{told.json()['id']}").json()
    assert job["passed_over"] == ["It is a row here already; not touched."]
    assert (job["outcome"].split(" Their")[0], job["batches"]) == ("0 HITs adopted, 1 passed over.", [])


def test_asking_twice_with_one_key_makes_one_job(as_olive, address, connection, market):
    make_elsewhere(market)
    look(connection, market)

    first, second = (as_olive.post(f"{address}/adopt", {}, Idempotency_Key="a") for _ in range(2))

    assert (second.json(), second["Idempotent-Replayed"]) == (first.json(), "true")
    assert Job.objects.count() == 1


# The history --------------------------------------------------------------------------------------


def test_the_whole_history_is_imported(as_olive, address, connection, market):
    hit_id = make_elsewhere(market)
    market.submit(hit_id, "AWANDA")

    told = as_olive.post(f"{address}/import-history")
    assert as_olive.post(f"{address}/import-history").json()["id"] == told.json()["id"]
    look(connection, market)
    run(told, market)
    look(connection, market)
    run(told, market)

    job = as_olive.get(f"jobs/{told.json()['id']}").json()
    assert (job["state"], job["outcome"]) == ("done", "1 HIT adopted. They have 1 answers.")
    assert [each["name"] for each in job["batches"]] == [str(Batch.objects.get())]
    assert Assignment.objects.count() == 1


# Who may ------------------------------------------------------------------------------------------


ADDRESSES = [
    ("get", "hits-elsewhere"),
    ("get", "look"),
    ("post", "look"),
    ("post", "adopt"),
    ("post", "import-history"),
]


@pytest.mark.parametrize(("method", "verb"), ADDRESSES)
def test_a_token_without_the_right_in_its_scope_is_told_so(olive, address, method, verb):
    script = script_of(olive, Permission.BATCH_CREATE)

    refused = script.ask(method, f"{address}/{verb}")

    assert refused.status_code == 403
    assert "may not see or adopt what was made elsewhere on the account" in refused.json()["detail"]


@pytest.mark.parametrize(("method", "verb"), ADDRESSES)
def test_a_team_to_which_the_account_is_lent_sees_nothing_of_it(stan, connection, address, method, verb):
    AccountGrantFactory(account=connection.account, team=stan.team)

    assert script_of(stan).ask(method, f"{address}/{verb}").status_code == 403


def test_a_project_of_another_team_is_none(as_olive, address, stan, connection, market):
    make_elsewhere(market)
    look(connection, market)
    theirs = ProjectFactory(team=stan.team)

    refused = as_olive.post(f"{address}/adopt", {"project": str(theirs.public_id)})

    assert (refused.status_code, "The team has no project" in refused.json()["detail"]) == (400, True)
