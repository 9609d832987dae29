"""Large files are checked in the background; files in other encodings are read as a person says."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from mturkhub.accounts.models import Event
from mturkhub.command.settings import beside, dashboard
from mturkhub.common import clock, stored_files
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import StoredFile, StoredFileChunk
from projects import checking
from projects.actions.projects import save_template
from projects.actions.uploads import choose_encoding, create_batch, drop_bad_lines, take_file, upload_file
from projects.checking import delete_expired_uploads, run_check, uploads_to_check
from projects.models import Batch, BatchUpload
from tests.factories import HITTemplateFactory, ProjectFactory

pytestmark = pytest.mark.django_db

CAFE = "text,note\ncafé,1\n".encode("cp1252")


@pytest.fixture
def project(team, olive):
    project = ProjectFactory(team=team, created_by=olive.user, name="Sentiment")
    HITTemplateFactory(project=project, version=1, html="<p>${text}</p><input name=a>")
    return project


@pytest.fixture
def upload(project, mina):
    def upload(data, name="texts.csv"):
        data = data if isinstance(data, bytes) else data.encode()
        return upload_file(project, by=mina.actor, name=name, chunks=[data])

    return upload


@pytest.fixture
def large(monkeypatch):
    """Every file is a large one, and each line is noted."""
    monkeypatch.setattr(checking, "AT_ONCE", 0)
    monkeypatch.setattr(checking, "NOTES", 0.0)


def page(client, upload, **headers):
    return client.get(reverse("projects:check_upload", args=[upload.public_id]), **headers)


def fresh(upload):
    return BatchUpload.objects.select_related("project", "file").get(pk=upload.pk)


# In the background --------------------------------------------------------------------------------


@pytest.mark.usefixtures("large")
def test_a_large_file_waits_for_its_check_and_the_page_says_how_far_it_is(
    upload, connection, mina, bells, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        made = upload("text\nhello\n")
    BatchUpload.objects.update(lines_read=12_345, bytes_read=5)

    html = unescape(page(mina.client, made).content.decode())

    assert bells == ["projects.tasks.check_upload"]
    assert made.report == {}
    assert "12,345 lines read" in html
    assert "You may leave" in html
    assert 'hx-trigger="live"' in html
    for action, more in [(create_batch, {"connection": connection}), (drop_bad_lines, {})]:
        with pytest.raises(ActionRefused, match="still being checked"):
            action(fresh(made), by=mina.actor, **more)


@pytest.mark.usefixtures("large")
def test_once_it_is_checked_the_page_comes_anew_with_the_report(upload, connection, mina):
    made = upload("text\nhello\nworld\n")
    assert "<html" not in page(mina.client, made, HTTP_HX_REQUEST="true").content.decode()

    run_check(made.pk)

    assert page(mina.client, made, HTTP_HX_REQUEST="true")["HX-Refresh"] == "true"
    assert "All 2 rows can be used." in page(mina.client, made).content.decode()
    assert uploads_to_check() == []
    assert create_batch(fresh(made), by=mina.actor, connection=connection).rows_total == 2


@pytest.mark.usefixtures("large")
def test_whoever_left_finds_the_file_on_the_projects_page(project, upload, connection, mina):
    made = upload("text\nhello\n")
    address = reverse("projects:project", args=[project.public_id])

    assert "being checked" in mina.client.get(address).content.decode()
    run_check(made.pk)
    html = mina.client.get(address).content.decode()
    assert reverse("projects:check_upload", args=[made.public_id]) in html
    assert "being checked" not in html
    create_batch(fresh(made), by=mina.actor, connection=connection)
    assert "Files without a batch" not in mina.client.get(address).content.decode()


@pytest.mark.usefixtures("large")
def test_the_check_notes_lines_and_bytes_and_keeps_its_lease(upload, monkeypatch):
    made, seen = upload("text\n" + "hello\n" * 20), []
    note = checking._Progress._note

    def noted(progress):
        note(progress)
        seen.append(BatchUpload.objects.values_list("bytes_read", "lines_read", "lease_until").get())

    monkeypatch.setattr(checking._Progress, "_note", noted)

    run_check(made.pk)

    assert [lines for _, lines, _ in seen] == [0, *range(2, 22)]
    assert {size for size, _, _ in seen} == {made.file.size}
    assert seen[-1][2] > seen[0][2]


@pytest.mark.usefixtures("large")
def test_a_file_that_somebody_is_checking_is_left_to_them_until_their_lease_is_over(upload):
    made = upload("text\nhello\n")
    BatchUpload.objects.update(lease_until=clock.real_now() + timedelta(seconds=30))

    run_check(made.pk)
    assert uploads_to_check() == []
    assert fresh(made).report == {}

    BatchUpload.objects.update(lease_until=clock.real_now() - timedelta(seconds=1))
    assert uploads_to_check() == [made.pk]
    run_check(made.pk)
    assert fresh(made).report["rows"] == 1


@pytest.mark.usefixtures("large")
def test_a_checker_whose_file_is_to_be_read_in_another_way_stops_and_keeps_nothing(upload, mina, monkeypatch):
    made = upload(CAFE)
    check_file = checking.check_file

    def meanwhile(*arguments):
        monkeypatch.setattr(checking, "check_file", check_file)
        choose_encoding(fresh(made), by=mina.actor, encoding="cp1252")
        return check_file(*arguments)

    monkeypatch.setattr(checking, "check_file", meanwhile)

    run_check(made.pk)

    assert fresh(made).report == {}
    assert uploads_to_check() == [made.pk]
    run_check(made.pk)
    assert fresh(made).report["rows"] == 1


@pytest.mark.usefixtures("large")
def test_a_file_that_ends_its_checkers_is_given_up_with_a_sentence(upload):
    made = upload("text\nhello\n")
    BatchUpload.objects.update(check_attempts=checking.MOST_ATTEMPTS)

    run_check(made.pk)

    assert fresh(made).report["refusal"].startswith("The check of this file was broken off 5 times")
    assert uploads_to_check() == []


@pytest.mark.usefixtures("large")
def test_a_newer_template_has_a_large_file_checked_anew(project, upload, mina):
    made = upload("text\nhello\n")
    run_check(made.pk)
    save_template(project, "${text}${url}", by=mina.actor)

    assert "Waits for its turn" in page(mina.client, made).content.decode()
    run_check(made.pk)
    assert "${url}" in page(mina.client, made).content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_check_killed_half_way_is_taken_up_again(project, mina, monkeypatch):
    monkeypatch.setattr(checking, "AT_ONCE", 0)
    made = upload_file(project, by=mina.actor, name="x.csv", chunks=[b"text\n", b"hello\n" * 200_000])
    program = (
        "import django; django.setup()\nfrom projects import checking\nchecking.NOTES = 0.01\n"
        f"checking.run_check({made.pk})\n"
    )
    env = dashboard(os.environ) | {
        "DATABASE_URL": beside(os.environ["DATABASE_URL"], str(database.settings_dict["NAME"]))
    }
    process = subprocess.Popen([sys.executable, "-c", program], env=env)
    try:
        while process.poll() is None and not BatchUpload.objects.filter(lines_read__gt=10).exists():
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()

    half = fresh(made)
    assert half.report == {}
    assert half.lines_read < 200_001
    assert uploads_to_check() == []
    BatchUpload.objects.update(lease_until=clock.real_now() - timedelta(seconds=1))
    assert uploads_to_check() == [made.pk]
    run_check(made.pk)
    assert fresh(made).report["rows"] == 200_000


# Encodings ----------------------------------------------------------------------------------------


def test_another_encoding_is_offered_with_decoded_lines_and_read_as_the_person_chooses(
    upload, connection, mina
):
    made = upload(CAFE)

    html = unescape(page(mina.client, made).content.decode())
    assert "Line 2 is not UTF-8 text" in html
    assert "Read as Windows-1252 (Western Europe)" in html
    assert "<code>café,1</code>" in html
    assert "Read as Mac Roman" in html
    assert "<code>cafÈ,1</code>" in html

    address = reverse("projects:choose_upload_encoding", args=[made.public_id])
    html = unescape(mina.client.post(address, {"encoding": "cp1252"}, follow=True).content.decode())
    assert "All 1 row can be used." in html
    assert f"Read as Windows-1252 (Western Europe), chosen by {mina.user}." in html
    batch = create_batch(fresh(made), by=mina.actor, connection=connection)
    assert batch.rows.get().input == {"text": "café", "note": "1"}
    cost = mina.client.get(reverse("projects:cost", args=[batch.public_id])).content.decode()
    assert f"Read as Windows-1252 (Western Europe), chosen by {mina.user}." in cost
    assert Event.objects.get(verb="upload.encoding_chosen").details == {"encoding": "cp1252"}


def test_a_choice_can_be_made_again(upload, mina):
    made = choose_encoding(upload(CAFE), by=mina.actor, encoding="mac_roman")
    assert "Choose again" in page(mina.client, made).content.decode()

    made = choose_encoding(made, by=mina.actor, encoding="utf-8")

    html = page(mina.client, made).content.decode()
    assert "Read as Windows-1252" in html
    assert "Choose again" not in html


@pytest.mark.parametrize("encoding", ["", "utf-7", "rot13", "idna"])
def test_only_an_encoding_of_the_list_is_taken(upload, mina, encoding):
    made = upload(CAFE)

    with pytest.raises(ActionRefused, match="Choose one of the encodings"):
        choose_encoding(made, by=mina.actor, encoding=encoding)

    assert fresh(made).encoding == "utf-8"


def test_the_download_of_bad_lines_reads_the_file_as_was_chosen(upload, mina):
    made = choose_encoding(upload(CAFE + b"caf\xe9\n"), by=mina.actor, encoding="cp1252")

    answer = mina.client.get(reverse("projects:bad_lines", args=[made.public_id]))

    assert "3,,café," in b"".join(answer.streaming_content).decode()


# Arriving over HTTP -------------------------------------------------------------------------------


def test_a_file_goes_into_its_chunks_as_it_arrives(project, mina):
    data = b"text\n" + b"hello\n" * 400_000
    address = reverse("projects:upload_batch", args=[project.public_id])

    mina.client.post(address, {"file": SimpleUploadedFile("texts.csv", data)})

    stored = StoredFile.objects.get()
    assert (stored.name, stored.size) == ("texts.csv", len(data))
    sizes = [len(chunk.data) for chunk in StoredFileChunk.objects.order_by("number")]
    assert sizes == [1024 * 1024, 1024 * 1024, len(data) - 2 * 1024 * 1024]
    assert BatchUpload.objects.get().check_wanted_at


def test_a_request_larger_than_a_file_may_be_is_refused_before_it_is_read(project, mina, monkeypatch):
    monkeypatch.setattr(stored_files, "MAX_BYTES", 1024 * 1024)
    monkeypatch.setattr(stored_files, "FORM_BYTES", 0)
    address = reverse("projects:upload_batch", args=[project.public_id])

    answer = mina.client.post(address, {"file": SimpleUploadedFile("x.csv", b"x" * 1024 * 1024)})

    assert answer.status_code == 400
    assert "The file is larger than 1 MB. Split it into several files." in answer.content.decode()
    assert not StoredFile.objects.exists()


def test_a_file_larger_than_a_file_may_be_is_refused_although_the_request_was_not(project, mina, monkeypatch):
    monkeypatch.setattr(stored_files, "MAX_BYTES", 1024 * 1024)
    address = reverse("projects:upload_batch", args=[project.public_id])

    answer = mina.client.post(address, {"file": SimpleUploadedFile("x.csv", b"x" * 1024 * 1025)})

    assert answer.status_code == 400
    assert "“x.csv” is larger than 1 MB." in answer.content.decode()
    assert not BatchUpload.objects.exists()


def test_an_upload_without_the_forms_token_is_refused(project, mina):
    client = Client(enforce_csrf_checks=True)
    client.force_login(mina.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    address = reverse("projects:upload_batch", args=[project.public_id])

    answer = client.post(address, {"file": SimpleUploadedFile("x.csv", b"text\nhello\n")})

    assert answer.status_code == 403
    assert not BatchUpload.objects.exists()


@pytest.mark.parametrize("who", ["ravi", "stan"])
def test_nothing_is_stored_of_a_file_from_somebody_who_may_not_upload(request, project, who):
    address = reverse("projects:upload_batch", args=[project.public_id])

    answer = request.getfixturevalue(who).client.post(
        address, {"file": SimpleUploadedFile("x.csv", b"text\nhello\n")}
    )

    assert answer.status_code in {403, 404}
    assert not StoredFile.objects.exists()


def test_a_browser_is_told_the_limit(project, mina):
    html = mina.client.get(reverse("projects:upload_batch", args=[project.public_id])).content.decode()

    assert f'data-most-bytes="{200 * 1024 * 1024}"' in html


# When time is over --------------------------------------------------------------------------------


def test_uploads_nobody_made_a_batch_of_expire_with_their_files_and_others_stay(
    project, upload, connection, mina
):
    for name in ("unused.csv", "used.csv", "fresh.csv"):
        upload("text\nhello\n", name)
    create_batch(BatchUpload.objects.get(file__name="used.csv"), by=mina.actor, connection=connection)
    old = StoredFile.objects.filter(name="unused.csv")
    old.update(expires_at=clock.now() - timedelta(seconds=1))

    assert delete_expired_uploads() == 1

    assert set(BatchUpload.objects.values_list("file__name", flat=True)) == {"used.csv", "fresh.csv"}
    assert StoredFile.objects.get(name="used.csv").expires_at is None
    assert StoredFileChunk.objects.count() == 2
    assert Batch.objects.get().upload.file.name == "used.csv"


def test_a_batch_of_an_upload_that_has_just_expired_is_refused_in_words(upload, connection, mina):
    made = upload("text\nhello\n")
    StoredFile.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    delete_expired_uploads()

    with pytest.raises(ActionRefused, match="This upload has expired"):
        create_batch(made, by=mina.actor, connection=connection)


def test_a_file_nobody_took_expires_within_the_hour(project, mina, monkeypatch):
    address = reverse("projects:upload_batch", args=[project.public_id])
    file = SimpleUploadedFile("x.csv", b"text\nhello\n")

    mina.client.post(address, {"file": file, "pasted": "text\nboth\n"})

    assert StoredFile.objects.get().expires_at < clock.now() + timedelta(hours=1)
    assert not BatchUpload.objects.exists()


def test_a_taken_file_lives_for_a_week(project, mina):
    file = stored_files.store_file(project.team_id, "x.csv", [b"text\nhello\n"], lives=timedelta(hours=1))

    take_file(project, by=mina.actor, file=file)

    assert StoredFile.objects.get().expires_at > clock.now() + timedelta(days=6)
