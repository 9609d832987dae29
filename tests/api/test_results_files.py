"""Results files of the requester site, by script: sent, checked, refused line by line, or imported by a Job."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from mturkhub.accounts.models import Event
from mturkhub.common.models import StoredFile
from mturkhub.intentions.models import Job
from projects import importing
from projects.models import Assignment, Batch, ResultsUpload
from tests.api.conftest import script_of
from tests.factories import BatchFactory, ConnectionFactory, ProjectFactory
from tests.projects.test_importing_results import TWO, results

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(team, olive):
    return ProjectFactory(team=team, created_by=olive.user)


@pytest.fixture
def send(as_mina, project, connection):
    def ask(content, *, script=None, name="Batch_1_batch_results.csv", **more):
        sent = content if isinstance(content, bytes) else content.encode()
        files = {"file": SimpleUploadedFile(name, sent)}
        headers = {key: more.pop(key) for key in list(more) if key[0].isupper()}
        address = f"projects/{project.public_id}/results-files"
        return (script or as_mina).ask("post", address, more, files=files, **headers)

    return ask


def run(told):
    """The Job of an answer."""
    assert told.status_code == 202, told.json()
    importing.run(Job.objects.get(public_id=told.json()["id"]))


def nothing_is_kept():
    # Its bytes expire by themselves within the hour.
    return not (
        Job.objects.exists()
        or ResultsUpload.objects.exists()
        or StoredFile.objects.filter(expires_at=None).exists()
    )


def test_a_file_becomes_a_closed_batch_by_a_job_that_leads_to_it(as_mina, send, project, connection):
    told = send(results(*TWO))

    assert (told.status_code, told.json()["state"], told.json()["total"]) == (202, "running", 3)
    assert told.json()["batches"] == []
    run(told)
    job = as_mina.get(f"jobs/{told.json()['id']}").json()
    assert (job["state"], job["outcome"]) == ("done", "3 answers imported.")
    [batch] = job["batches"]
    shown = as_mina.get(f"batches/{batch['id']}").json()
    assert (shown["state"], shown["name"], shown["reward"]) == ("closed", "Batch_1_batch_results.csv", "0.02")
    assert shown["connection"]["id"] == str(connection.public_id)
    assert shown["assignments"]["collected"] == 3
    assert shown["project"]["id"] == str(project.public_id)


def test_the_connection_is_named_or_the_only_one_of_its_environment(send, connection):
    amazon = ConnectionFactory(account=connection.account, name="Amazon", environment="production")

    run(send(results({}), environment="production"))

    assert Batch.objects.get().connection == amazon
    refused = send(results({}), connection=str(BatchFactory().connection.public_id))
    assert (refused.status_code, len(refused.json()["connections"])) == (400, 2)


def test_bad_lines_are_named_with_their_columns_and_nothing_is_kept(send):
    refused = send(results({}, {"AssignmentId": "3OTHER", "SubmitTime": "20.11.2019 21:04"}))

    told = refused.json()
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")
    assert told["detail"].startswith("1 line of the file cannot be imported; bad_lines names them.")
    [line] = told["bad_lines"]
    assert (line["line"], line["column"], line["found"]) == (3, "SubmitTime", "20.11.2019 21:04")
    assert line["sentence"].startswith("Line 3, column “SubmitTime”: “20.11.2019 21:04” is no time like")
    assert told["bad_lines_total"] == 1
    assert nothing_is_kept()


def test_bad_lines_are_left_out_when_the_script_says_so(send):
    run(send(results({}, {"AssignmentId": "3OTHER", "SubmitTime": "?"}), drop_bad_lines="true"))

    assert Batch.objects.get().lines_dropped == 1
    assert Assignment.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "more", "sentence"),
    [
        ("", {}, "The submitted file is empty."),
        (
            "text\nhello\n",
            {},
            "The file has no column “HITId”, so it is no results file of the requester site.",
        ),
        (results({}).splitlines()[0] + "\n", {}, "The file has a header and no answers."),
        (results({"SubmitTime": "?"}), {"drop_bad_lines": "true"}, "No line of the file can be imported"),
        (results({}), {"encoding": "klingon"}, "encoding: "),
        (results({}), {"environment": "moon"}, "environment: "),
        (results({}), {"reward": "0.05"}, "reward: There is no such field."),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words(send, content, more, sentence):
    refused = send(content, **more)

    assert refused.status_code == 400
    assert sentence in refused.json()["detail"]
    assert nothing_is_kept()


def test_another_encoding_is_offered_and_taken(send):
    content = results({}).encode("cp1252")

    refused = send(content).json()
    assert "is not UTF-8 text" in refused["detail"]
    assert {"encoding": "cp1252", "name": "Windows-1252 (Western Europe)"} in refused["encodings"]
    assert nothing_is_kept()
    run(send(content, encoding="cp1252"))

    assert Batch.objects.get().rows.get().input == {"text": "Häuser"}
    assert Event.objects.filter(verb="upload.encoding_chosen").count() == 1


def test_the_same_file_twice_is_refused_naming_the_batch_that_has_it(send):
    run(send(results(*TWO)))

    refused = send(results(*TWO)).json()

    assert refused["bad_lines_total"] == 3
    assert f"this HIT is in the batch “{Batch.objects.get()}” already" in refused["bad_lines"][0]["sentence"]


def test_sent_again_with_its_key_it_is_imported_once(send):
    first, second = (send(results(*TWO), Idempotency_Key="r") for _ in range(2))

    assert (second.json(), second["Idempotent-Replayed"]) == (first.json(), "true")
    assert Job.objects.count() == 1
    other = send(results({}), Idempotency_Key="r")
    assert other.status_code == 422


def test_a_reviewer_imports_nothing_and_no_file_is_stored(send, ravi):
    refused = send(results(*TWO), script=script_of(ravi))

    assert (refused.status_code, "may not upload batches" in refused.json()["detail"]) == (403, True)
    assert not StoredFile.objects.exists()
