"""Idempotency-Key: a request sent again happens once and gets the same answer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.db import transaction

from mturkhub.api import repeating
from mturkhub.api.models import KeptAnswer
from projects.models import HIT, Batch, Decision, Project
from tests.api.conftest import script_of
from tests.factories import AssignmentFactory, BatchFactory, HITTemplateFactory, ProjectFactory

pytestmark = pytest.mark.django_db
PROJECT = {"title": "Rate a text", "reward": "0.05"}


def test_the_same_request_again_gets_the_same_answer(as_mina):
    first, second = (as_mina.post("projects", PROJECT, Idempotency_Key="a-1") for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert Project.objects.count() == 1
    assert as_mina.post("projects", PROJECT, Idempotency_Key="a-2").json()["name"] == "Rate a text 2"


def test_the_same_key_with_another_body_or_address_is_refused(as_mina, mina, connection):
    draft = BatchFactory(project__team=mina.team, connection=connection, rows=1)
    as_mina.post("projects", PROJECT, Idempotency_Key="a")

    for address, body in (
        ("projects", {**PROJECT, "reward": "0.06"}),
        (f"batches/{draft.public_id}/publish", {}),
    ):
        refused = as_mina.post(address, body, Idempotency_Key="a")
        assert (refused.status_code, "belongs to another request" in refused.json()["detail"]) == (422, True)
    assert Project.objects.count() == 2
    assert not HIT.objects.exists()


def test_another_token_has_keys_of_its_own(as_mina, as_olive):
    as_mina.post("projects", PROJECT, Idempotency_Key="a")

    assert as_olive.post("projects", PROJECT, Idempotency_Key="a").json()["name"] == "Rate a text 2"


def test_what_was_refused_may_be_tried_again_with_the_key(as_mina, mina, connection):
    draft = BatchFactory(project__team=mina.team, connection=connection, rows=2, max_assignments=5)
    connection.balance = 0
    connection.save()
    address = f"batches/{draft.public_id}/publish"
    assert as_mina.post(address, {}, Idempotency_Key="p").status_code == 409
    assert not KeptAnswer.objects.exists()
    connection.balance = 100
    connection.save()

    published, again = (as_mina.post(address, {}, Idempotency_Key="p") for _ in range(2))

    assert (published.status_code, again.json()) == (200, published.json())
    assert HIT.objects.count() == 2


def test_a_file_is_part_of_the_request(as_mina, mina, connection):
    project = ProjectFactory(team=mina.team, created_by=mina.user)
    HITTemplateFactory(project=project)

    def upload(content):
        files = {"file": SimpleUploadedFile("x.csv", content)}
        return as_mina.ask(
            "post", f"projects/{project.public_id}/batches", {}, files=files, Idempotency_Key="u"
        )

    first, second = upload(b"text\nhello\n"), upload(b"text\nhello\n")
    other = upload(b"text\nHELLO\n")

    assert second.json() == first.json()
    assert other.status_code == 422
    assert Batch.objects.count() == 1


def test_decisions_by_script_happen_once(as_mina, mina, connection):
    batch = BatchFactory(project__team=mina.team, connection=connection, published=True, rows=1)
    answer = AssignmentFactory(hit=batch.hits.get())

    told = [as_mina.post(f"assignments/{answer.mturk_id}/approve", {}, Idempotency_Key="d") for _ in range(2)]

    assert [each.status_code for each in told] == [200, 200]
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("key", ["with space", "ü", "x" * 256])
def test_a_key_that_is_none_is_refused(as_mina, key):
    refused = as_mina.post("projects", PROJECT, Idempotency_Key=key)

    assert (refused.status_code, Project.objects.count()) == (400, 0)


def test_answers_are_forgotten_after_two_days(as_mina):
    as_mina.post("projects", PROJECT, Idempotency_Key="a")
    KeptAnswer.objects.update(created_at=repeating.clock.now() - timedelta(hours=47))
    assert repeating.forget_old_answers() == 0

    KeptAnswer.objects.update(created_at=repeating.clock.now() - timedelta(hours=49))

    assert repeating.forget_old_answers() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_happens(mina):
    script = script_of(mina)

    def ask(_number):
        try:
            return script_like(script).post("projects", PROJECT, Idempotency_Key="at-once")
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))

    assert [each.status_code for each in answers] == [201] * 4
    assert len({each.content for each in answers}) == 1
    assert Project.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_second_that_waits_too_long_is_told_so(mina, monkeypatch):
    monkeypatch.setattr(repeating, "PATIENCE", "50ms")
    script = script_of(mina)

    def hold(_nothing):
        try:
            return script_like(script).post("projects", PROJECT, Idempotency_Key="held")
        finally:
            database.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        KeptAnswer.objects.create(token=mina.membership.api_tokens.get(), key="held", fingerprint="")
        refused = next(iter(pool.map(hold, [None])))

    assert (refused.status_code, "still being answered" in refused.json()["detail"]) == (409, True)
    assert not Project.objects.exists()


def script_like(script):
    """The same token in a browser of this thread's own."""
    return type(script)(script.token)
