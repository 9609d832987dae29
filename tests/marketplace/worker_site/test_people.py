"""Worker accounts: made, signed in to, and the fresh test Worker behind a link."""

import pytest
from django.test import Client

from marketplace.models import HIT, Worker


@pytest.mark.django_db
def test_a_worker_makes_an_account_and_is_signed_in(client: Client) -> None:
    answer = client.post(
        "/sign-up?next=/earnings",
        {"email": "New@Example.org", "name": "", "password": "a good long one", "next": "/earnings"},
    )

    assert answer.headers["Location"] == "/earnings"
    worker = Worker.objects.get(email="new@example.org")
    assert worker.mturk_id.startswith("A")
    assert not worker.is_test
    assert client.get("/earnings").status_code == 200


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            {"email": "wanda@example.org", "password": "a good long one"},
            "There is an account with this e-mail",
        ),
        ({"email": "new@example.org", "password": "tiny"}, "at least 10 characters"),
        ({"email": "new@example.org", "password": "password123"}, "too common"),
        ({"email": "nobody", "password": "a good long one"}, "valid email address"),
    ],
)
def test_an_account_that_cannot_be_made_says_why_and_keeps_what_was_typed(
    wanda: Worker, client: Client, told: dict[str, str], sentence: str
) -> None:
    answer = client.post("/sign-up", told | {"name": "Nina"})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert sentence in page
    assert 'value="Nina"' in page
    assert told["password"] not in page
    assert Worker.objects.count() == 1


@pytest.mark.parametrize(
    "told",
    [
        {"email": "wanda@example.org", "password": "wrong password"},
        {"email": "nobody@example.org", "password": "colours and numbers"},
    ],
)
def test_a_wrong_sign_in_does_not_tell_who_has_an_account(
    wanda: Worker, client: Client, told: dict[str, str]
) -> None:
    answer = client.post("/sign-in", told)

    assert answer.status_code == 400
    assert "E-mail address and password do not belong together." in answer.content.decode()


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_never_leads_elsewhere(wanda: Worker, client: Client, address: str) -> None:
    answer = client.post(
        "/sign-in", {"email": "wanda@example.org", "password": "colours and numbers", "next": address}
    )

    assert answer.headers["Location"] == "/"


def test_signing_out_ends_the_session(wandas: Client) -> None:
    wandas.post("/sign-out")

    assert wandas.get("/earnings").status_code == 302


def test_the_link_from_the_dashboard_signs_a_fresh_test_worker_in(hit: HIT, client: Client) -> None:
    for _ in range(2):
        answer = client.get("/test-worker", {"group": hit.hit_type.mturk_id}, follow=True)
        page = answer.content.decode()
        assert "Test Worker" in page
        assert "Accept for $0.50" in page
    ids = list(Worker.objects.filter(is_test=True).values_list("mturk_id", flat=True))
    assert len(ids) == 2
    assert all(worker_id.startswith("ATEST") for worker_id in ids)


def test_where_test_workers_are_switched_off_the_link_leads_nowhere(
    hit: HIT, client: Client, settings: object
) -> None:
    settings.TEST_WORKERS = False  # type: ignore[attr-defined]

    assert client.get("/test-worker", {"group": hit.hit_type.mturk_id}).status_code == 404
    assert not Worker.objects.filter(is_test=True).exists()
