import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from mturkhub.accounts.credentials import Keys, decrypt, encrypt, gateway_for
from mturkhub.accounts.models import Connection
from mturkhub.common.errors import ActionRefused
from tests.factories import ConnectionFactory

KEYS = Keys("AKIASECRETS", "the/secret+part")


def test_what_is_stored_shows_neither_key(connection):
    connection.credentials = encrypt(KEYS)
    connection.save()
    connection.refresh_from_db()

    stored = bytes(connection.credentials)

    assert b"AKIASECRETS" not in stored
    assert b"secret+part" not in stored
    assert decrypt(connection) == KEYS


def test_the_same_keys_never_look_the_same_twice():
    assert encrypt(KEYS) != encrypt(KEYS)


def test_a_new_encryption_key_in_front_still_opens_old_ones(connection, settings):
    connection.credentials = encrypt(KEYS)

    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]

    assert decrypt(connection) == KEYS


def test_without_the_right_encryption_key_the_refusal_says_what_to_do(connection, settings):
    connection.credentials = encrypt(KEYS)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(ActionRefused) as refused:
        gateway_for(connection)

    assert "MTURKHUB_ENCRYPTION_KEYS" in refused.value.sentence
    assert refused.value.__cause__ is None


def test_the_secret_is_in_no_repr():
    assert "the/secret+part" not in repr(KEYS)


def test_a_gateway_goes_to_the_connections_endpoint(connection):
    assert gateway_for(connection).endpoint == connection.endpoint


# A new encryption key ----------------------------------------------------------------------------


@pytest.fixture
def new_key(settings):
    """A new key in front of the old one."""
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]


def rotate(capsys):
    call_command("rotate_encryption_key")
    return capsys.readouterr().out


def test_rotating_lets_the_old_key_go(db, settings, capsys):
    ours, theirs = ConnectionFactory(credentials=encrypt(KEYS)), ConnectionFactory()
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]

    said = rotate(capsys)

    assert said.startswith("2 of 2 connections were encrypted anew")
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    ours.refresh_from_db()
    theirs.refresh_from_db()
    assert decrypt(ours) == KEYS
    assert decrypt(theirs).access_key_id == "AKIATEST"


@pytest.mark.usefixtures("new_key")
def test_rotating_twice_changes_nothing_the_second_time(connection, capsys):
    rotate(capsys)
    stored = bytes(Connection.objects.get().credentials)

    said = rotate(capsys)

    assert said == "0 of 1 connections were encrypted anew; 1 stood under the first key already.\n"
    assert bytes(Connection.objects.get().credentials) == stored


def test_rotating_names_what_no_key_opens_and_does_the_rest(db, settings, capsys):
    lost = ConnectionFactory(name="Lost", credentials=Fernet(Fernet.generate_key()).encrypt(b"[]"))
    ours = ConnectionFactory(credentials=encrypt(KEYS))
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    before = bytes(lost.credentials)

    with pytest.raises(CommandError, match="The keys of Lost cannot be read") as refused:
        rotate(capsys)

    assert refused.value.__cause__ is None
    assert capsys.readouterr().out.startswith("1 of 2 connections were encrypted anew; 0 stood")
    lost.refresh_from_db()
    ours.refresh_from_db()
    assert bytes(lost.credentials) == before
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert decrypt(ours) == KEYS
