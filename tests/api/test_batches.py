"""Batches by script: a file becomes a draft, is published within a cost, watched, and taken away."""

import csv
import io
import json
import re
import uuid
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from mturkhub.accounts.models import Event
from mturkhub.accounts.permissions import Loan, Permission
from mturkhub.common import clock
from mturkhub.common.models import StoredFile
from mturkhub.intentions.models import Operation
from projects.counting import recount
from projects.models import HIT, Batch, BatchUpload
from tests.api.conftest import Script, script_of
from tests.factories import (
    AccountGrantFactory,
    AssignmentFactory,
    BatchFactory,
    ConnectionFactory,
    HITTemplateFactory,
    ProjectFactory,
)

pytestmark = pytest.mark.django_db

TWEETS = b"text,id\nhello,1\nworld,2\n"


@pytest.fixture
def project(mina):
    project = ProjectFactory(team=mina.team, created_by=mina.user, max_assignments=5)
    HITTemplateFactory(project=project, created_by=mina.user)
    return project


def upload(script: Script, project, content=TWEETS, name="tweets.csv", **more):
    files = {"file": SimpleUploadedFile(name, content)}
    headers = {key: more.pop(key) for key in list(more) if key[0].isupper()}
    return script.ask("post", f"projects/{project.public_id}/batches", more, files=files, **headers)


# From a file to a draft --------------------------------------------------------------------------


def test_a_file_becomes_a_draft_with_its_settings(as_mina, project, connection):
    made = upload(
        as_mina, project, name="x.csv", reward="0.07", max_assignments=3, lifetime=7200, environment="local"
    )

    assert made.status_code == 201
    told = made.json()
    assert (told["state"], told["columns"], told["reward"]) == ("draft", ["text", "id"], "0.07")
    assert (told["max_assignments"], told["lifetime"], told["title"]) == (3, 7200, project.title)
    assert told["connection"] == {"id": str(connection.public_id), "name": "Local", "environment": "local"}
    assert told["rows"]["total"] == told["rows"]["not_published"] == 2
    assert told["assignments"]["expected"] == 6
    # 0.07 and a fee of 20 %, which is 0.014 and so a cent; six times.
    assert told["cost"] == {
        "assignments": 6,
        "reward": "0.42",
        "fee": "0.06",
        "total": "0.48",
        "paid": "0.00",
        "held": "0.00",
    }
    batch = Batch.objects.get()
    assert [row.input for row in batch.rows.order_by("number")] == [
        {"text": "hello", "id": "1"},
        {"text": "world", "id": "2"},
    ]
    assert as_mina.get(f"batches/{batch.public_id}").json() == told


def test_nothing_but_the_file_is_needed(as_mina, project, connection):
    told = upload(as_mina, project).json()

    assert (told["name"], told["reward"]) == (f"{project.name} 1", str(project.reward))
    assert Event.objects.filter(verb="batch.changed").count() == 0


def test_json_lines_and_tabs_are_told_by_the_name(as_mina, project, connection):
    lines = b'{"text": "hello", "more": {"a": [1]}}\n'

    assert upload(as_mina, project, lines, "rows.jsonl").json()["columns"] == ["text", "more"]
    assert upload(as_mina, project, b"text\tid\nhello\t1\n", "rows.tsv").json()["columns"] == ["text", "id"]


def test_bad_lines_are_named_and_nothing_is_kept(as_mina, project, connection):
    refused = upload(as_mina, project, b"text,id\nhello,1\na,b,c\nan \xf0\x9f\x98\x80,2\n")

    assert refused.status_code == 400
    told = refused.json()
    assert told["bad_lines_total"] == 2
    assert [each["line"] for each in told["bad_lines"]] == [3, 4]
    assert "Line 4, column “text”" in told["bad_lines"][1]["sentence"]
    assert "2 lines of the file cannot be used" in told["detail"]
    assert not Batch.objects.exists()
    assert not BatchUpload.objects.exists()
    # Its bytes expire by themselves.
    assert StoredFile.objects.filter(expires_at=None).count() == 0


def test_bad_lines_are_dropped_when_the_script_says_so(as_mina, project, connection):
    told = upload(as_mina, project, b"text,id\nhello,1\na,b,c\n", drop_bad_lines="true").json()

    assert (told["rows"]["total"], told["lines_dropped"]) == (1, 1)
    assert Event.objects.filter(verb="upload.lines_dropped").exists()


@pytest.mark.parametrize(
    ("content", "more", "sentence"),
    [
        (b"other\nhello\n", {}, "The template asks for ${text}, and the file has no such column."),
        (b"text\n", {}, "The file has a header and no rows."),
        (b"", {}, "The submitted file is empty."),
        (b"text\n\xff\xfe\xff\n", {}, "UTF-8"),
        (TWEETS, {"reward": "0.001"}, "reward: "),
        (TWEETS, {"max_assignments": "0"}, "max_assignments: Each row needs at least one answer."),
        (TWEETS, {"title": "Another"}, "title: There is no such field."),
        (TWEETS, {"connection": "not-an-id"}, "connection: Must be a valid UUID."),
        (TWEETS, {"environment": "moon"}, "environment: "),
    ],
)
def test_what_cannot_become_a_batch_is_refused_in_words(
    as_mina, project, connection, content, more, sentence
):
    refused = upload(as_mina, project, content, **more)

    assert refused.status_code == 400
    assert sentence in refused.json()["detail"]
    assert not Batch.objects.exists()


def test_a_large_file_is_checked_while_the_script_waits(as_mina, project, connection):
    lines = b"text,id\n" + b"".join(b"%s,%d\n" % (b"x" * 200, number) for number in range(8000))

    told = upload(as_mina, project, lines).json()

    assert told["rows"]["total"] == 8000


def test_a_body_that_is_no_form_is_refused(as_mina, project, connection):
    refused = as_mina.post(f"projects/{project.public_id}/batches", {"file": "x"})

    assert refused.status_code == 415
    assert "multipart/form-data" in refused.json()["detail"]


def test_whoever_may_not_upload_has_nothing_stored(ravi, project, connection):
    refused = upload(script_of(ravi), project)

    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "Reviewers may not upload batches. Ask an owner of the team.",
    )
    assert not StoredFile.objects.exists()


# Which connection --------------------------------------------------------------------------------


def test_of_several_connections_one_has_to_be_named(as_mina, project, connection):
    second = ConnectionFactory(account=connection.account, name="Second")

    refused = upload(as_mina, project)

    assert refused.status_code == 409
    told = refused.json()
    assert "2 connections of environment local: Local, Second" in told["detail"]
    assert [each["id"] for each in told["connections"]] == [str(connection.public_id), str(second.public_id)]
    named = upload(as_mina, project, connection=str(second.public_id))
    assert named.json()["connection"]["name"] == "Second"


def test_an_environment_without_a_connection_names_the_others(as_mina, project, connection):
    refused = upload(as_mina, project, environment="sandbox")

    assert refused.status_code == 409
    assert "no connection of environment sandbox" in refused.json()["detail"]
    assert [each["name"] for each in refused.json()["connections"]] == ["Local"]


def test_a_connection_that_is_not_the_teams_is_none(as_mina, project, connection, stan):
    foreign = ConnectionFactory(account__team=stan.team)
    for wanted in (foreign.public_id, uuid.uuid4()):
        refused = upload(as_mina, project, connection=str(wanted))
        assert refused.status_code == 400
        assert "has no connection" in refused.json()["detail"]

    AccountGrantFactory(account=foreign.account, team=project.team, permissions=[Loan.PUBLISH])
    assert upload(as_mina, project, connection=str(foreign.public_id)).status_code == 201


def test_an_untested_connection_to_amazon_is_refused_as_on_the_page(as_mina, project, connection):
    ConnectionFactory(account=connection.account, name="Amazon", environment="production")

    refused = upload(as_mina, project, environment="production")

    assert refused.status_code == 409
    assert "has not passed its test" in refused.json()["detail"]


# Drafts and publishing ---------------------------------------------------------------------------


@pytest.fixture
def draft(project, connection):
    return BatchFactory(project=project, connection=connection, rows=4, max_assignments=5)


def test_a_draft_is_changed_until_it_is_published(as_mina, draft, connection):
    other = ConnectionFactory(
        account=connection.account, name="Other", environment="sandbox", tested_at="2026-01-01T00:00Z"
    )

    told = as_mina.patch(
        f"batches/{draft.public_id}", {"reward": "0.20", "name": "Second", "environment": "sandbox"}
    ).json()

    assert (told["reward"], told["name"], told["connection"]["id"]) == (
        "0.20",
        "Second",
        str(other.public_id),
    )
    as_mina.post(f"batches/{draft.public_id}/publish")
    refused = as_mina.patch(f"batches/{draft.public_id}", {"reward": "0.30"})
    assert (refused.status_code, "is published, so its settings stay" in refused.json()["detail"]) == (
        409,
        True,
    )


def test_publishing_queues_a_hit_for_every_row(as_mina, draft):
    told = as_mina.post(f"batches/{draft.public_id}/publish", {"max_cost": "1.20"})

    assert told.status_code == 200
    assert (told.json()["state"], told.json()["cost"]["total"]) == ("publishing", "1.20")
    assert HIT.objects.filter(batch=draft, publish_state="queued").count() == 4
    again = as_mina.post(f"batches/{draft.public_id}/publish")
    assert (again.status_code, "published already" in again.json()["detail"]) == (409, True)


@pytest.mark.parametrize("most", ["1.19", 1, 0])
def test_publishing_stays_within_max_cost(as_mina, draft, most):
    refused = as_mina.post(f"batches/{draft.public_id}/publish", {"max_cost": most})

    assert refused.status_code == 409
    assert refused.json()["detail"].startswith(
        f"This costs $1.20 by now, more than the ${Decimal(most):.2f} agreed to."
    )
    assert not HIT.objects.exists()


def test_the_balance_has_to_cover_it(as_mina, draft, connection):
    connection.balance = Decimal("1.00")
    connection.save()

    refused = as_mina.post(f"batches/{draft.public_id}/publish")

    assert (refused.status_code, "$0.20 is missing" in refused.json()["detail"]) == (409, True)


def test_a_batch_is_paused_resumed_retried_and_collected(as_mina, draft, connection):
    address = f"batches/{draft.public_id}"
    as_mina.post(f"{address}/publish")
    assert as_mina.post(f"{address}/pause").json()["state"] == "paused"
    assert as_mina.post(f"{address}/pause").status_code == 409
    assert as_mina.post(f"{address}/resume").json()["state"] == "publishing"
    HIT.objects.filter(row__number__lte=2).update(publish_state="failed")
    Batch.objects.update(rows_failed=2)
    assert as_mina.post(f"{address}/retry", {"rows": [1]}).status_code == 200
    assert HIT.objects.filter(publish_state="failed").count() == 1
    assert as_mina.post(f"{address}/collect").status_code == 200
    connection.refresh_from_db()
    assert connection.sweep_wanted_at


def test_fields_may_come_as_a_form(as_mina, draft):
    kind = "application/x-www-form-urlencoded"
    bearer = {"Authorization": f"Bearer {as_mina.token}"}
    address = f"/api/v1/batches/{draft.public_id}/publish"

    for body, status in (("max_cost=1.19", 409), ("", 200)):
        assert as_mina.client.post(address, body, content_type=kind, headers=bearer).status_code == status


def test_a_field_that_is_not_asked_for_is_refused(as_mina, draft):
    refused = as_mina.post(f"batches/{draft.public_id}/publish", {"maxcost": "1.20"})

    assert refused.json()["errors"] == {"maxcost": ["There is no such field. Did you mean max_cost?"]}
    assert not HIT.objects.exists()


def test_batches_are_listed_by_project_and_state(as_mina, draft, project, mina):
    live = BatchFactory(project__team=mina.team, connection=draft.connection, published=True, rows=1)

    def names(address):
        return [each["name"] for each in as_mina.get(address).json()["results"]]

    assert names("batches") == [live.name, draft.name]
    assert names("batches?state=draft") == [draft.name]
    assert names(f"projects/{project.public_id}/batches") == [draft.name]


def test_a_list_of_batches_asks_the_database_as_often_for_many(as_mina, draft, django_assert_max_num_queries):
    for _ in range(8):
        BatchFactory(project=draft.project, connection=draft.connection, template=draft.template, rows=1)
    as_mina.get("batches")

    with django_assert_max_num_queries(6):
        as_mina.get("batches")


# Rows and results --------------------------------------------------------------------------------


@pytest.fixture
def live(project, connection):
    rows = [{"text": "first", "id": "=1+1"}, {"text": "<b>second</b>", "id": "2"}]
    batch = BatchFactory(
        project=project,
        connection=connection,
        columns=["text", "id"],
        rows=rows,
        published=True,
        answer_fields=["sentiment"],
    )
    for number, hit in enumerate(batch.hits.order_by("row__number")):
        AssignmentFactory(
            hit=hit, worker__mturk_id=f"AWORKER{number}", answer__fields={"sentiment": [str(number)]}
        )
    return batch


def test_rows_come_with_their_hits(as_mina, live):
    told = as_mina.get(f"batches/{live.public_id}/rows?page_size=1").json()

    [row] = told["results"]
    assert (row["number"], row["input"]) == (1, {"text": "first", "id": "=1+1"})
    assert [(hit["hit_id"], hit["hit_status"], hit["publish_state"]) for hit in row["hits"]] == [
        (live.hits.get(row__number=1).mturk_id, "Assignable", "published")
    ]
    following = as_mina.get(told["next"]).json()
    assert [each["number"] for each in following["results"]] == [2]
    assert following["next"] is None
    assert as_mina.get(f"batches/{live.public_id}/rows?progress=failed").json()["results"] == []


def test_results_are_the_files_of_the_page(as_mina, mina, live):
    for form, name in (("csv", "results.csv"), ("jsonl", "results.jsonl"), ("json", "results.json")):
        told = as_mina.get(f"batches/{live.public_id}/results?format={form}", Accept="text/plain")
        page = mina.client.get(f"/batches/{live.public_id}/{name}")
        assert told.streaming
        assert told.getvalue() == page.getvalue()
        assert told["Content-Type"] == page["Content-Type"]
        assert (told["X-Content-Type-Options"], told["Cache-Control"]) == ("nosniff", "no-store")
        assert told["Content-Disposition"].startswith("attachment")
    table = as_mina.get(f"batches/{live.public_id}/results").getvalue().decode()
    assert [row["Answer.sentiment"] for row in csv.DictReader(io.StringIO(table))] == ["0", "1"]
    safe = as_mina.get(f"batches/{live.public_id}/results?spreadsheet=true").getvalue().decode()
    assert '"\'=1+1"' in safe
    refused = as_mina.get(f"batches/{live.public_id}/results?format=xml")
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["format"])


def test_workers_are_pseudonyms_unless_the_token_may_see_them(olive, live):
    seen = script_of(olive, Permission.RESULTS_EXPORT, Permission.WORKER_IDENTIFY)
    unseen = script_of(olive, Permission.RESULTS_EXPORT)
    paths = [
        f"batches/{live.public_id}/{name}" for name in ("assignments", "results", "results?format=jsonl")
    ]

    for path in paths:
        told, hidden = (
            (each.getvalue() if each.streaming else each.content).decode()
            for each in (seen.get(path), unseen.get(path))
        )
        assert "AWORKER0" in told
        assert "AWORKER" not in hidden


def test_a_token_without_that_scope_takes_no_results_away(olive, live):
    refused = script_of(olive, Permission.BATCH_PUBLISH).get(f"batches/{live.public_id}/results")

    assert (refused.status_code, "may not download results" in refused.json()["detail"]) == (403, True)


def test_hostile_text_stays_data(as_mina, live):
    told = as_mina.get(f"batches/{live.public_id}/assignments")

    assert told["Content-Type"] == "application/json"
    assert told["X-Content-Type-Options"] == "nosniff"
    assert json.loads(told.content)["results"][1]["input"]["text"] == "<b>second</b>"


# Money -------------------------------------------------------------------------------------------


def test_the_balance_of_each_connection_is_as_its_market_last_said(as_mina, connection, stan):
    connection.balance, connection.balance_at = Decimal("9998.80"), connection.created_at
    connection.save()
    lent = ConnectionFactory(
        account__team=stan.team, name="Lent", environment="sandbox", balance=Decimal("5.00")
    )
    AccountGrantFactory(account=lent.account, team=connection.account.team, permissions=[Loan.PUBLISH])
    ConnectionFactory(
        account=connection.account, name="Amazon", environment="production", balance=Decimal("7.00")
    )

    told = as_mina.get("balance").json()["results"]

    assert [(each["connection"]["name"], each["available"], each["is_real_money"]) for each in told] == [
        ("Local", "9998.80", False),
        ("Amazon", "7.00", True),
        ("Lent", None, False),
    ]
    assert as_mina.get("balance?environment=sandbox").json()["results"] == told[2:]


def test_what_is_paid_and_held_follows_the_answers(as_mina, live):
    AssignmentFactory(hit=live.hits.first(), status="Approved")
    recount(live.rows.values_list("pk", flat=True))

    cost = as_mina.get(f"batches/{live.public_id}").json()["cost"]

    assert (cost["total"], cost["paid"], cost["held"]) == ("0.36", "0.06", "0.30")


@pytest.mark.django_db(transaction=True)
def test_the_link_of_a_results_file_leads_to_what_is_collected_later(as_mina, live):
    def take(address):
        told = as_mina.get(address)
        [following] = re.findall(r'^<(.*)>; rel="next"$', told["Link"])
        return len(told.getvalue().splitlines()), following

    count, following = take(f"batches/{live.public_id}/results?format=jsonl&rejected=false")
    assert count == 2
    assert "format=jsonl&rejected=false&since=" in following
    count, following = take(following)
    assert count == 0
    AssignmentFactory(hit=HIT.objects.filter(batch=live).order_by("pk")[0])

    assert take(following)[0] == 1


def test_one_item_per_row_cannot_be_asked_for_since_a_time(as_mina, live):
    refused = as_mina.get(f"batches/{live.public_id}/results?format=json&since=2026-01-01T00:00:00Z")

    assert refused.status_code == 400
    assert (
        refused.json()["detail"] == "since: One item per row counts all of its answers. Ask for csv or jsonl."
    )


def test_a_trial_at_a_pace_and_a_time_is_scheduled_and_taken_back(as_mina, draft):
    address, later = f"batches/{draft.public_id}", clock.now() + timedelta(hours=3)
    wish = {"first_rows": 2, "rows_per_hour": 60, "at": later.isoformat(), "max_cost": "0.60"}

    told = as_mina.post(f"{address}/publish", wish).json()

    assert (told["state"], told["first_rows"], told["rows_per_hour"]) == ("scheduled", 2, 60)
    assert datetime.fromisoformat(told["publish_at"]) == later
    assert as_mina.post(f"{address}/unschedule").json()["state"] == "draft"
    assert as_mina.post(f"{address}/unschedule").status_code == 409


def test_a_trial_larger_than_the_batch_is_refused_in_the_pages_words(as_mina, draft):
    refused = as_mina.post(f"batches/{draft.public_id}/publish", {"first_rows": 5_000})

    assert refused.status_code == 400
    assert "5,000" in refused.json()["detail"]


def test_the_answers_of_one_row_come_with_their_xml(as_mina, live):
    [line] = as_mina.get(f"batches/{live.public_id}/rows/2/answers").getvalue().splitlines()
    missing = as_mina.get(f"batches/{live.public_id}/rows/3/answers")

    assert json.loads(line)["output"] == {"sentiment": "1"}
    assert "<QuestionFormAnswers" in json.loads(line)["raw_xml"]
    assert (missing.status_code, missing.json()["detail"]) == (404, "The batch has no row 3; it has 2.")


def test_changes_that_were_refused_are_sent_again_or_dropped(as_mina, live):
    as_mina.post(f"batches/{live.public_id}/expire")
    Operation.objects.update(state="failed")

    assert as_mina.post(f"batches/{live.public_id}/retry-changes").status_code == 200
    assert set(Operation.objects.values_list("state", flat=True)) == {"queued"}
    Operation.objects.update(state="failed")
    assert as_mina.post(f"batches/{live.public_id}/drop-changes").status_code == 200
    assert set(Operation.objects.values_list("state", flat=True)) == {"cancelled"}
