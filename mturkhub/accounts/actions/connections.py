"""What a person can ask for: ways to a market, and whether they work."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.balances import refresh_balance
from mturkhub.accounts.credentials import Keys, encrypt, gateway_for, gateway_with, may_use_own_identity
from mturkhub.accounts.models import Connection, Environment, FeeSchedule, RequesterAccount
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.rate_budget import Lane

# The room that keeps HITs says which one of a Connection new keys must be able to see; empty for none yet.
_known_hit: list[Callable[[Connection], str]] = []


def register_known_hit(find: Callable[[Connection], str]) -> None:
    """Let `find` name a HIT of a Connection, as MTurk knows it, for `replace_keys` to look at."""
    _known_hit[:] = [find]


def create_connection(
    account: RequesterAccount,
    *,
    by: Actor,
    name: str,
    environment: str,
    endpoint: str,
    access_key_id: str = "",
    secret_access_key: str = "",
    fee_schedule: str = FeeSchedule.MTURK.value,
    uses_own_identity: bool = False,
) -> Connection:
    """A new way to a market, with keys or as this server itself; nothing is asked of the market yet."""
    check_can(by, Permission.CONNECTION_MANAGE, account.team_id)
    _check_endpoint(environment, endpoint)
    name = name.strip()
    if uses_own_identity:
        _check_own_identity(account, name)
        stored = b""
    else:
        stored = encrypt(_keys(access_key_id, secret_access_key))
    if not name:
        raise ActionRefused(
            "The connection has no name. Give it one that says whose account it is.", status=400
        )
    is_listed = endpoint == settings.MTURK_ENDPOINTS[environment]
    with transaction.atomic():
        # Two people at once would otherwise both find the name free.
        RequesterAccount.objects.select_for_update().get(pk=account.pk)
        if account.connections.filter(name=name).exists():
            raise ActionRefused(
                f"There is a connection called {name} already. Take another name.", status=400
            )
        connection = Connection.objects.create(
            account=account,
            name=name,
            environment=environment,
            endpoint=endpoint,
            # Another marketplace has its worker site at its own address.
            worker_site_url=settings.WORKER_SITES[environment] if is_listed else endpoint,
            fee_schedule=fee_schedule,
            credentials=stored,
            uses_own_identity=uses_own_identity,
        )
        record(by, "connection.made", connection, team_id=account.team_id, endpoint=endpoint)
    return connection


def replace_keys(
    connection: Connection,
    *,
    by: Actor,
    access_key_id: str,
    secret_access_key: str,
    gateway: MTurkGateway | None = None,
) -> Connection:
    """The Connection with new keys, once these have seen one of its HITs: it stays the same requester."""
    check_can(by, Permission.CONNECTION_MANAGE, connection.account.team_id)
    keys = _keys(access_key_id, secret_access_key)
    if hit_id := next((find(connection) for find in _known_hit), ""):
        _check_same_requester(gateway or gateway_with(connection, keys), hit_id)
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=connection.pk)
        connection.credentials, connection.uses_own_identity = encrypt(keys), False
        connection.tested_at = None
        connection.problem = connection.missing = ""
        connection.save(update_fields=["credentials", "uses_own_identity", "tested_at", "problem", "missing"])
        record(by, "connection.keys_replaced", connection, team_id=connection.account.team_id)
    return connection


def try_connection(connection: Connection, *, by: Actor, gateway: MTurkGateway | None = None) -> Connection:
    """Ask the market for the balance now. The Connection comes back with it, or with its `problem`."""
    team_id = connection.account.team_id
    check_can(by, Permission.CONNECTION_MANAGE, team_id)
    try:
        balance = refresh_balance(connection, gateway=gateway or gateway_for(connection, Lane.ASKING))
        record(by, "connection.tested", connection, team_id=team_id, balance=str(balance.available))
    except MTurkError as error:
        record(by, "connection.test_failed", connection, team_id=team_id, problem=error.sentence)
    return connection


def resume_connection(connection: Connection, *, by: Actor) -> Connection:
    """Let the Connection send again what waits; nothing changes when it was not paused."""
    team_id = connection.account.team_id
    check_can(by, Permission.CONNECTION_MANAGE, team_id)
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=connection.pk)
        if connection.paused_at:
            connection.paused_at, connection.paused_reason = None, ""
            connection.save(update_fields=["paused_at", "paused_reason"])
            record(by, "connection.resumed", connection, team_id=team_id)
    return connection


def _keys(access_key_id: str, secret_access_key: str) -> Keys:
    """The keys without the white space that copying brings along."""
    keys = Keys(access_key_id.strip(), secret_access_key.strip())
    if not keys.access_key_id or not keys.secret_access_key:
        raise ActionRefused("Enter both the access key id and the secret access key.", status=400)
    return keys


def _check_own_identity(account: RequesterAccount, name: str) -> None:
    """Refuse this server's AWS identity to every Connection that the operator has not named."""
    if not may_use_own_identity(account, name):
        raise ActionRefused(
            f"A connection called {name} may not use this server's AWS identity. Enter keys, or ask whoever runs "
            "the server to name it in MTURKHUB_AMBIENT_AWS.",
            status=400,
        )


def _check_endpoint(environment: str, endpoint: str) -> None:
    """Refuse addresses nobody listed, so that no one can make this server call a neighbour."""
    if environment not in Environment.values:
        raise ActionRefused(f"There is no environment {environment}.", status=400)
    if endpoint not in settings.MTURK_ALLOWED_ENDPOINTS:
        raise ActionRefused(
            f"{endpoint} is not among the endpoints this server may call. Whoever runs the server can add it "
            "to MTURKHUB_ALLOWED_ENDPOINTS.",
            status=400,
        )
    # The environment's colour tells people whether money is at stake: it must not lie about Amazon.
    host = urlsplit(endpoint).hostname or ""
    if host.endswith(".amazonaws.com"):
        true_environment = Environment.SANDBOX if "sandbox" in host else Environment.PRODUCTION
        if environment != true_environment:
            raise ActionRefused(
                f"{endpoint} is MTurk's {true_environment.label.lower()}. Choose that.", status=400
            )


def _check_same_requester(gateway: MTurkGateway, hit_id: str) -> None:
    try:
        gateway.get_hit(hit_id)
    except MTurkError as error:
        if error.is_gone:
            raise ActionRefused(
                f"These keys do not see the HIT {hit_id} of this connection: they belong to another "
                "requester. The old keys stay. Make a new connection for the new requester."
            ) from None
        raise ActionRefused(
            f"The old keys stay, since the new ones could not be tried. {error.sentence}"
        ) from None
