"""Connections without stored keys: the operator names those that may use the server's own AWS identity."""

import os

import boto3.session
import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.urls import reverse

from mturkhub.accounts.actions import connections as actions
from mturkhub.accounts.credentials import Keys, decrypt, encrypt, gateway_for
from mturkhub.accounts.models import Connection
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway import client
from mturkhub.gateway.errors import MTurkError
from projects import tasks
from tests.factories import ConnectionFactory, RequesterAccountFactory


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """A server that is nobody to AWS; each test may give it an identity."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(client, "_own_sessions", {})
    monkeypatch.setattr(client, "_clients", {})


@pytest.fixture
def identity(monkeypatch, marketplace_server):
    """The server is the marketplace's first requester."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", marketplace_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", marketplace_server.secret_key)


@pytest.fixture
def account(team):
    return RequesterAccountFactory(team=team)


@pytest.fixture
def named(settings):
    settings.AMBIENT_AWS = ["Server"]


def make(account, olive, server, **changes):
    values = {"name": "Server", "environment": "local", "endpoint": server.url, "uses_own_identity": True}
    return actions.create_connection(account, by=olive.actor, **values | changes)


@pytest.mark.usefixtures("named", "identity")
def test_a_named_connection_is_the_server_itself_and_stores_no_keys(olive, account, marketplace_server):
    connection = make(account, olive, marketplace_server)

    actions.try_connection(connection, by=olive.actor)

    assert (connection.problem, connection.balance is not None) == ("", True)
    assert (connection.uses_own_identity, bytes(connection.credentials)) == (True, b"")


@pytest.mark.parametrize(
    "names", [[], ["Other"], ["SERVER"], ["018f0000-0000-7000-8000-000000000000/Server"]]
)
def test_a_connection_the_operator_has_not_named_may_not(olive, account, marketplace_server, settings, names):
    settings.AMBIENT_AWS = names

    with pytest.raises(ActionRefused, match="MTURKHUB_AMBIENT_AWS"):
        make(account, olive, marketplace_server)

    assert not Connection.objects.exists()


def test_with_a_share_code_the_name_is_one_teams_alone(olive, stan, account, marketplace_server, settings):
    settings.AMBIENT_AWS = [f"{olive.team.public_id}/Server"]

    with pytest.raises(ActionRefused):
        make(RequesterAccountFactory(team=stan.team), stan, marketplace_server)

    assert make(account, olive, marketplace_server).uses_own_identity


@pytest.mark.usefixtures("named", "identity")
def test_a_name_the_operator_takes_away_stops_it_at_once(olive, account, marketplace_server, settings):
    connection = make(account, olive, marketplace_server)
    settings.AMBIENT_AWS = []

    with pytest.raises(ActionRefused, match="any more"):
        gateway_for(connection)


@pytest.mark.usefixtures("identity")
def test_keys_that_are_stored_are_never_mixed_with_the_servers_own(connection, marketplace_server):
    connection.endpoint = marketplace_server.url
    connection.credentials = encrypt(Keys("AKIANOBODY", "wrong"))

    with pytest.raises(MTurkError, match="does not know this access key"):
        gateway_for(connection).get_account_balance()


@pytest.mark.usefixtures("named")
def test_a_server_that_is_nobody_says_so(olive, account, marketplace_server):
    connection = actions.try_connection(make(account, olive, marketplace_server), by=olive.actor)

    assert "has no AWS identity of its own" in connection.problem
    assert connection.missing == "identity"


@pytest.mark.usefixtures("named")
def test_a_profile_that_is_not_there_is_a_sentence(olive, account, marketplace_server, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nowhere")

    with pytest.raises(ActionRefused, match="has no AWS identity of its own"):
        gateway_for(make(account, olive, marketplace_server))


@pytest.mark.usefixtures("named")
def test_an_error_quotes_no_key_of_the_server(olive, account, marketplace_server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHESERVER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-server")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-the-server")
    gateway = gateway_for(make(account, olive, marketplace_server))

    explained = gateway._explain(
        RuntimeError("AKIAOFTHESERVER secret-of-the-server token-of-the-server"), "GetAccountBalance"
    )

    assert "the-server" not in explained.details
    assert "OFTHESERVER" not in explained.details
    assert "server" not in repr(gateway)


@pytest.mark.usefixtures("named", "identity")
def test_keys_can_take_the_place_of_the_identity(olive, account, marketplace_server):
    connection = make(account, olive, marketplace_server)

    replaced = actions.replace_keys(
        connection, by=olive.actor, access_key_id="AKIANEW", secret_access_key="new"
    )

    assert not replaced.uses_own_identity
    assert decrypt(replaced) == Keys("AKIANEW", "new")


@pytest.mark.django_db
def test_no_connection_has_both_or_neither():
    for broken in ({"uses_own_identity": True}, {"credentials": b""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ConnectionFactory(**broken)


@pytest.mark.usefixtures("named")
def test_rotating_the_encryption_key_passes_over_it(olive, account, marketplace_server, capsys):
    make(account, olive, marketplace_server)

    call_command("rotate_encryption_key")

    assert capsys.readouterr().out.startswith("0 of 1 connections were encrypted anew")


@pytest.mark.usefixtures("identity")
def test_one_connection_that_cannot_be_opened_keeps_no_other_from_its_balance(team, marketplace_server):
    keys = encrypt(Keys(marketplace_server.access_key, marketplace_server.secret_key))
    ConnectionFactory(account__team=team, credentials=b"", uses_own_identity=True)
    good = ConnectionFactory(account__team=team, endpoint=marketplace_server.url, credentials=keys)

    tasks.refresh_balances()

    good.refresh_from_db()
    assert good.balance is not None


# The form ----------------------------------------------------------------------------------------


def test_the_form_offers_it_only_where_the_operator_has_named_a_connection(olive, stan, account, settings):
    page = reverse("accounts:create_connection")
    assert "own AWS identity" not in olive.client.get(page).content.decode()

    settings.AMBIENT_AWS = [f"{olive.team.public_id}/Server", "Any"]

    html = olive.client.get(page).content.decode()
    assert "only for a connection called Server, Any." in html
    theirs = stan.client.get(page).content.decode()
    assert "only for a connection called Any." in theirs
    assert str(olive.team.public_id) not in theirs


@pytest.mark.usefixtures("named", "identity")
def test_making_one_by_page(olive, account, marketplace_server):
    typed = {
        "name": "Server",
        "environment": "local",
        "endpoint": marketplace_server.url,
        "fee_schedule": "mturk",
        "uses_own_identity": "on",
    }
    address = reverse("accounts:create_connection")

    refused = olive.client.post(address, typed | {"name": "Other"})
    made = olive.client.post(address, typed, follow=True).content.decode()
    without = olive.client.post(address, typed | {"name": "Third", "uses_own_identity": ""})

    assert refused.status_code == 400
    assert "MTURKHUB_AMBIENT_AWS" in refused.content.decode()
    assert "Server works: $" in made
    assert "None stored: this server’s own AWS identity is used." in made
    assert "Enter both the access key id and the secret access key." in without.content.decode()


def test_the_usual_session_reads_nothing_of_the_servers_own(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    monkeypatch.setattr(client, "_sessions", {})

    assert isinstance(client._session(), boto3.session.Session)
