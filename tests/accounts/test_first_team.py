import pytest
from django.core.management import CommandError, call_command

from mturkhub.accounts.actions.tokens import find_token, revoke_token
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.credentials import Keys, decrypt
from mturkhub.accounts.first_team import ensure_first_team
from mturkhub.accounts.models import ApiToken, Connection, Event, Membership, Team, User
from mturkhub.accounts.permissions import Permission
from tests.factories import MembershipFactory, RequesterAccountFactory, TeamFactory

KEYS = Keys("AKIAFIRST", "first-secret")


@pytest.mark.django_db
def test_the_first_start_makes_an_owner_a_team_and_the_local_connection():
    owner = ensure_first_team(email="olive@example.org", password="correct horse battery", keys=KEYS)

    assert owner.check_password("correct horse battery")
    membership = Membership.objects.get()
    assert (membership.user, membership.role) == (owner, "owner")
    connection = Connection.objects.get()
    assert (connection.environment, connection.account.team) == ("local", membership.team)
    assert decrypt(connection) == KEYS


@pytest.mark.django_db
def test_without_a_password_the_owner_signs_in_by_link_alone():
    owner = ensure_first_team(email="", password="", keys=None)

    assert owner.email == "owner@localhost"
    assert not owner.has_usable_password()
    assert not Connection.objects.exists()


@pytest.mark.django_db
def test_every_later_start_changes_nothing_but_a_moved_address(settings):
    ensure_first_team(email="olive@example.org", password="correct horse battery", keys=KEYS)
    settings.MTURK_ENDPOINTS = {**settings.MTURK_ENDPOINTS, "local": "http://127.0.0.1:9001"}

    owner = ensure_first_team(email="other@example.org", password="another one", keys=KEYS)

    assert owner.email == "olive@example.org"
    assert owner.check_password("correct horse battery")
    assert (User.objects.count(), Team.objects.count(), Connection.objects.count()) == (1, 1, 1)
    assert Connection.objects.get().endpoint == "http://127.0.0.1:9001"


@pytest.mark.django_db
def test_a_connection_with_other_keys_is_left_alone(settings):
    ensure_first_team(email="", password="", keys=KEYS)
    before = Connection.objects.get().endpoint
    settings.MTURK_ENDPOINTS = {**settings.MTURK_ENDPOINTS, "local": "http://127.0.0.1:9001"}

    ensure_first_team(email="", password="", keys=Keys("AKIAOTHER", "other"))

    connection = Connection.objects.get()
    assert connection.endpoint == before
    assert decrypt(connection) == KEYS


def test_a_team_that_exists_is_kept(olive):
    MembershipFactory(team=TeamFactory(), role="owner")

    assert ensure_first_team(email="x@example.org", password="", keys=None) == olive.user


def test_the_first_of_several_accounts_is_the_one_that_is_connected(olive):
    first, _ = (RequesterAccountFactory(team=olive.team, name=name) for name in ("Main account", "Another"))

    ensure_first_team(email="", password="", keys=KEYS)

    assert Connection.objects.get().account == first


@pytest.mark.django_db
def test_the_command_reads_the_environment_and_prints_the_address(monkeypatch, capsys):
    monkeypatch.setenv("MTURKHUB_ADMIN_EMAIL", "olive@example.org")

    call_command("ensure_first_team")

    assert capsys.readouterr().out == "olive@example.org\n"
    assert decrypt(Connection.objects.get()).access_key_id


# A token from the environment --------------------------------------------------------------------

TOKEN = "a-token-for-the-first-owner"


@pytest.mark.django_db
def test_the_first_owner_gets_the_token_of_the_environment_once(monkeypatch):
    monkeypatch.setenv("MTURKHUB_API_TOKEN", TOKEN)

    call_command("ensure_first_team")
    call_command("ensure_first_team")

    token = find_token(TOKEN)
    assert token == ApiToken.objects.get()
    assert (token.membership, token.expires_at) == (Membership.objects.get(), None)
    assert token.permissions == set(Permission)
    assert not any(TOKEN in str(row) for row in (*ApiToken.objects.values(), *Event.objects.values()))


@pytest.mark.django_db
def test_once_revoked_it_stays_so(monkeypatch):
    monkeypatch.setenv("MTURKHUB_API_TOKEN", TOKEN)
    call_command("ensure_first_team")
    revoke_token(ApiToken.objects.get(), by=Actor.person(Membership.objects.get()))

    call_command("ensure_first_team")

    assert find_token(TOKEN) is None


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["short", "with spaces in it", "nicht-aus-ascii-ü"])
def test_a_token_that_could_be_guessed_or_not_sent_is_refused(monkeypatch, text):
    monkeypatch.setenv("MTURKHUB_API_TOKEN", text)

    with pytest.raises(CommandError, match="MTURKHUB_API_TOKEN has to be 10 characters or more") as refused:
        call_command("ensure_first_team")

    assert text not in str(refused.value)
    assert not Membership.objects.exists()
