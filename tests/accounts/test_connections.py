from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from mturkhub.accounts.actions import connections as actions
from mturkhub.accounts.balances import refresh_balance
from mturkhub.accounts.credentials import Keys, decrypt
from mturkhub.accounts.models import Connection, Event
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.errors import MTurkError
from tests.factories import BatchFactory, HITFactory, RequesterAccountFactory
from tests.fakes.mturk import FakeMTurk, refusal, unreachable
from tests.projects.pages import words

SANDBOX = "https://mturk-requester-sandbox.us-east-1.amazonaws.com"
PRODUCTION = "https://mturk-requester.us-east-1.amazonaws.com"


@pytest.fixture
def account(team):
    return RequesterAccountFactory(team=team)


def values(**changes):
    return {
        "name": "Pilot",
        "environment": "sandbox",
        "endpoint": SANDBOX,
        "access_key_id": "AKIANEW",
        "secret_access_key": "new-secret",
        **changes,
    }


# Making one --------------------------------------------------------------------------------------


def test_a_new_connection_stores_its_keys_and_says_who_made_it(olive, account):
    connection = actions.create_connection(
        account, by=olive.actor, **values(access_key_id=" AKIANEW\n", secret_access_key="\tnew-secret ")
    )

    assert decrypt(connection) == Keys("AKIANEW", "new-secret")
    assert connection.worker_site_url == "https://workersandbox.mturk.com"
    event = Event.objects.get(verb="connection.made")
    assert (event.by, event.target_id, event.team) == (olive.user, connection.pk, olive.team)
    assert "secret" not in str(event.details)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"endpoint": "http://169.254.169.254/"}, "MTURKHUB_ALLOWED_ENDPOINTS"),
        ({"endpoint": "http://127.0.0.1:5432"}, "MTURKHUB_ALLOWED_ENDPOINTS"),
        ({"environment": "moon"}, "There is no environment moon"),
        ({"access_key_id": "  "}, "Enter both"),
        ({"secret_access_key": ""}, "Enter both"),
        ({"name": " "}, "no name"),
        ({"name": "Taken"}, "There is a connection called Taken already"),
        # The colour of the environment says whether money is at stake.
        ({"environment": "sandbox", "endpoint": PRODUCTION}, "is MTurk's production"),
        ({"environment": "local", "endpoint": PRODUCTION}, "is MTurk's production"),
        ({"environment": "production"}, "is MTurk's sandbox"),
    ],
)
def test_a_connection_that_cannot_be_is_refused_in_words(olive, account, changes, words):
    actions.create_connection(account, by=olive.actor, **values(name="Taken"))

    with pytest.raises(ActionRefused) as refused:
        actions.create_connection(account, by=olive.actor, **values(**changes))

    assert words in refused.value.sentence
    assert Connection.objects.count() == 1


def test_another_marketplace_has_its_worker_site_at_its_own_address(olive, account, settings):
    settings.MTURK_ALLOWED_ENDPOINTS = ["https://crowd.example.org"]

    connection = actions.create_connection(
        account, by=olive.actor, **values(environment="local", endpoint="https://crowd.example.org")
    )

    assert connection.worker_site_url == "https://crowd.example.org"


@pytest.mark.parametrize("who", ["mina", "ravi", "vera", "stan"])
def test_only_owners_make_test_and_re_key_connections(request, account, connection, who):
    person = request.getfixturevalue(who)
    before = bytes(connection.credentials)
    for ask in (
        lambda: actions.create_connection(account, by=person.actor, **values()),
        lambda: actions.try_connection(connection, by=person.actor, gateway=FakeMTurk()),
        lambda: actions.replace_keys(
            connection, by=person.actor, access_key_id="AKIANEW", secret_access_key="new"
        ),
    ):
        with pytest.raises(ActionRefused) as refused:
            ask()
        assert refused.value.status == 403
    connection.refresh_from_db()
    assert bytes(connection.credentials) == before
    assert Connection.objects.count() == 1


# Testing it --------------------------------------------------------------------------------------


def test_a_test_stores_the_balance(olive, connection):
    connection.problem = "It did not answer."
    connection.save()

    actions.try_connection(connection, by=olive.actor, gateway=FakeMTurk(balance="123.45"))

    connection.refresh_from_db()
    assert connection.balance == Decimal("123.45")
    assert connection.problem == ""
    assert connection.tested_at == connection.balance_at
    assert Event.objects.get().verb == "connection.tested"


def test_a_test_that_fails_stores_the_sentence_and_keeps_the_last_balance(olive, connection):
    actions.try_connection(connection, by=olive.actor, gateway=FakeMTurk(balance="123.45"))
    tested_at = connection.tested_at
    gateway = FakeMTurk()
    gateway.fail("GetAccountBalance", unreachable)

    actions.try_connection(connection, by=olive.actor, gateway=gateway)

    connection.refresh_from_db()
    assert connection.problem == "FakeMTurk cannot be reached."
    assert (connection.balance, connection.tested_at) == (Decimal("123.45"), tested_at)
    assert Event.objects.latest("pk").verb == "connection.test_failed"


def test_refreshing_a_balance_says_what_went_wrong(connection):
    gateway = FakeMTurk()
    gateway.fail("GetAccountBalance", lambda operation: refusal(operation, "", "", "AccessDeniedException"))

    with pytest.raises(MTurkError):
        refresh_balance(connection, gateway=gateway)

    connection.refresh_from_db()
    assert "mechanicalturk:GetAccountBalance" in connection.problem


def test_the_marketplace_passes_the_test(olive, marketplace_connection):
    actions.try_connection(marketplace_connection, by=olive.actor)

    assert marketplace_connection.problem == ""
    assert marketplace_connection.balance is not None


def test_a_wrong_secret_is_named_by_the_marketplace(olive, marketplace_connection):
    keys = decrypt(marketplace_connection)
    actions.replace_keys(
        marketplace_connection,
        by=olive.actor,
        access_key_id=keys.access_key_id,
        secret_access_key="wrong",
    )

    connection = actions.try_connection(Connection.objects.get(), by=olive.actor)

    assert "did not accept the signature" in connection.problem


def test_an_unknown_key_is_named_by_the_marketplace(olive, marketplace_connection):
    actions.replace_keys(
        marketplace_connection, by=olive.actor, access_key_id="AKIANOBODY", secret_access_key="any"
    )

    connection = actions.try_connection(Connection.objects.get(), by=olive.actor)

    assert "does not know this access key" in connection.problem


# Replacing keys ----------------------------------------------------------------------------------


@pytest.fixture
def published(monkeypatch):
    """A market with one HIT of ours, which new keys must be able to see."""
    market = FakeMTurk()
    hit_type_id = market.create_hit_type(
        title="t",
        description="d",
        keywords="",
        reward=Decimal("0.05"),
        assignment_duration=timedelta(hours=1),
        auto_approval_delay=timedelta(days=3),
    )
    hit = market.create_hit_with_hit_type(
        hit_type_id=hit_type_id,
        question="q",
        lifetime=timedelta(days=1),
        max_assignments=1,
        requester_annotation="",
        unique_request_token="t",
    )
    monkeypatch.setattr(actions, "_known_hit", [lambda connection: hit.hit_id])
    return market


def replace(connection, olive, gateway=None):
    return actions.replace_keys(
        connection, by=olive.actor, access_key_id="AKIANEW", secret_access_key="new", gateway=gateway
    )


def test_keys_of_the_same_requester_take_effect(olive, connection, published):
    replaced = replace(connection, olive, published)

    assert decrypt(replaced) == Keys("AKIANEW", "new")
    assert replaced.tested_at is None
    assert Event.objects.get().verb == "connection.keys_replaced"


@pytest.mark.usefixtures("published")
def test_keys_of_another_requester_are_refused_and_the_old_ones_stay(olive, connection):
    before = decrypt(connection)

    with pytest.raises(ActionRefused) as refused:
        replace(connection, olive, FakeMTurk())

    connection.refresh_from_db()
    assert "another requester" in refused.value.sentence
    assert decrypt(connection) == before
    assert not Event.objects.exists()


def test_keys_that_could_not_be_tried_do_not_take_effect(olive, connection, published):
    before = decrypt(connection)
    published.fail("GetHIT", unreachable)

    with pytest.raises(ActionRefused) as refused:
        replace(connection, olive, published)

    connection.refresh_from_db()
    assert "The old keys stay" in refused.value.sentence
    assert decrypt(connection) == before


def test_a_connection_without_hits_takes_any_keys(olive, connection):
    assert decrypt(replace(connection, olive)) == Keys("AKIANEW", "new")


# Pages -------------------------------------------------------------------------------------------


def test_everybody_in_the_team_sees_connections_and_strangers_see_none(vera, stan, connection):
    page = reverse("accounts:connection", args=[connection.public_id])
    assert page in vera.client.get(reverse("accounts:connections")).content.decode()
    assert page not in stan.client.get(reverse("accounts:connections")).content.decode()
    assert vera.client.get(page).status_code == 200
    assert stan.client.get(page).status_code == 404


def test_the_connection_page_shows_no_key(olive, connection):
    keys = decrypt(connection)
    for name in ("accounts:connection", "accounts:replace_keys"):
        page = olive.client.get(reverse(name, args=[connection.public_id])).content.decode()
        assert keys.access_key_id not in page
        assert keys.secret_access_key not in page


def test_a_form_that_is_refused_does_not_send_the_secret_back(olive, account):
    typed = values(environment="production", fee_schedule="mturk", secret_access_key="typed-secret")

    page = olive.client.post(reverse("accounts:create_connection"), typed)

    assert page.status_code == 400
    assert "is MTurk&#x27;s sandbox" in page.content.decode()
    assert "typed-secret" not in page.content.decode()


def test_making_a_connection_tests_it_at_once(olive, account, marketplace_server):
    page = olive.client.post(
        reverse("accounts:create_connection"),
        {
            "name": "Second",
            "environment": "local",
            "endpoint": marketplace_server.url,
            "fee_schedule": "none",
            "access_key_id": marketplace_server.access_key,
            "secret_access_key": marketplace_server.secret_key,
        },
        follow=True,
    )

    made = Connection.objects.get(name="Second")
    assert made.balance is not None
    assert made.fee_schedule == "none"
    assert "Second works: $" in page.content.decode()


def test_testing_from_the_page_says_what_is_wrong(olive, connection, settings):
    # Nobody listens there.
    connection.endpoint = "http://127.0.0.1:9"
    connection.save()

    page = olive.client.post(
        reverse("accounts:test_connection", args=[connection.public_id]), follow=True
    ).content.decode()

    assert "127.0.0.1:9 cannot be reached." in page
    assert "Olive tested Local, without success: 127.0.0.1:9" in words(page)


def test_a_viewer_who_tests_is_refused_in_words(vera, connection):
    page = vera.client.post(reverse("accounts:test_connection", args=[connection.public_id]))

    assert page.status_code == 403
    assert "Viewers may not change keys and connections." in page.content.decode()


def test_the_hit_that_new_keys_must_see_is_the_newest_published_one(olive, connection):
    batch = BatchFactory(project__team=olive.team, connection=connection, published=True, rows=2)
    HITFactory(row=batch.rows.first(), round=1)

    with pytest.raises(ActionRefused) as refused:
        replace(connection, olive, FakeMTurk())

    assert batch.hits.published().latest("pk").mturk_id in refused.value.sentence
