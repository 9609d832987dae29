import pytest
from cryptography.fernet import Fernet

from mturkhub.accounts.credentials import Keys, decrypt, encrypt, gateway_for
from mturkhub.common.errors import ActionRefused

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
