"""Requesters' keys and people's second factors: encrypted at rest, read only here; keys turned into gateways."""

import json
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction

from mturkhub.accounts.models import Connection, NotificationQueue, RequesterAccount, Team
from mturkhub.accounts.rules.connections import check_queue_url
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.event_queue import EventQueue
from mturkhub.gateway.rate_budget import Lane, Pace, rate_budget


@dataclass(frozen=True)
class Keys:
    """An access key; the secret stays out of reprs, and so out of logs."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def encrypt(keys: Keys) -> bytes:
    """One Fernet token that holds both."""
    return seal(json.dumps([keys.access_key_id, keys.secret_access_key])).encode()


def decrypt(connection: Connection) -> Keys:
    """The Connection's keys; refuses in a sentence when no encryption key here opens them."""
    try:
        plain = unseal(bytes(connection.credentials).decode())
    except InvalidToken:
        # The cause would only say "InvalidToken", and a chained traceback ends in logs.
        raise ActionRefused(
            f"The keys of {connection.name} cannot be read with the encryption keys of this server. "
            "Put the old key back into MTURKHUB_ENCRYPTION_KEYS, or enter the access key again."
        ) from None
    access_key_id, secret_access_key = json.loads(plain)
    return Keys(access_key_id, secret_access_key)


def seal(plain: str) -> str:
    """A text encrypted with the first key."""
    return _fernet().encrypt(plain.encode()).decode()


def unseal(sealed: str) -> str:
    """What was sealed with any of the keys; raises InvalidToken when none opens it."""
    return _fernet().decrypt(sealed).decode()


def _fernet() -> MultiFernet:
    """The first key encrypts, every one decrypts."""
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])


def encrypt_anew(connection: Connection) -> bool:
    """Store the Connection's keys under the first encryption key; False where they are under it already."""
    if connection.uses_own_identity:
        return False
    first = Fernet(settings.ENCRYPTION_KEYS[0])
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=connection.pk)
        try:
            first.decrypt(bytes(connection.credentials))
        except InvalidToken:
            connection.credentials = encrypt(decrypt(connection))
            connection.save(update_fields=["credentials"])
            return True
    return False


def own_identity_names(team: Team) -> list[str]:
    """What the operator lets the team call a Connection that is this server itself to AWS."""
    own = f"{team.public_id}/"
    return [
        name.removeprefix(own) for name in settings.AMBIENT_AWS if name.startswith(own) or "/" not in name
    ]


def may_use_own_identity(account: RequesterAccount, name: str) -> bool:
    """Whether the operator lets the account's Connection of this name be this server itself to AWS."""
    return name in own_identity_names(account.team)


def gateway_for(connection: Connection, lane: Lane = Lane.DECIDING) -> MTurkGateway:
    """The way to MTurk with this Connection's keys, its calls paced in the lane; cheap, since clients are kept."""
    if not connection.uses_own_identity:
        return gateway_with(connection, decrypt(connection), lane)
    _check_own_identity(connection)
    try:
        return MTurkGateway.with_own_identity(connection.endpoint, pace=_pace(connection, lane))
    except MTurkError as error:
        raise ActionRefused(error.sentence) from None


def queue_for(queue: NotificationQueue) -> EventQueue:
    """The way to a Connection's queue, with the Connection's own keys or identity; refuses addresses no longer listed."""
    address, connection = check_queue_url(queue.url), queue.connection
    if not connection.uses_own_identity:
        keys = decrypt(connection)
        return EventQueue(address, keys.access_key_id, keys.secret_access_key)
    _check_own_identity(connection)
    try:
        return EventQueue(address, None, None)
    except MTurkError as error:
        raise ActionRefused(error.sentence) from None


def _check_own_identity(connection: Connection) -> None:
    if not may_use_own_identity(connection.account, connection.name):
        raise ActionRefused(
            f"{connection.name} has no keys of its own, and may not use this server's AWS identity any more. Enter "
            "keys, or ask whoever runs the server to name it in MTURKHUB_AMBIENT_AWS."
        )


def gateway_with(connection: Connection, keys: Keys, lane: Lane = Lane.ASKING) -> MTurkGateway:
    """The way to the same endpoint with keys that are not stored yet, or with those that are."""
    pace = _pace(connection, lane)
    return MTurkGateway(connection.endpoint, keys.access_key_id, keys.secret_access_key, pace=pace)


def _pace(connection: Connection, lane: Lane) -> Pace:
    return Pace(rate_budget(), str(connection.public_id), lane)
