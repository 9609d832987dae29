"""What stands before anybody has signed in: one owner, one team, and the marketplace connected as `local`."""

from django.conf import settings
from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.credentials import Keys, decrypt, encrypt
from mturkhub.accounts.models import Connection, Environment, Membership, RequesterAccount, Team, User
from mturkhub.accounts.permissions import Role
from mturkhub.common.errors import ActionRefused

DEFAULT_EMAIL = "owner@localhost"
BY = Actor.system("first start")


@transaction.atomic
def ensure_first_team(*, email: str, password: str, keys: Keys | None) -> User:
    """The first team's owner. Makes what is missing; never changes a password or a team that exists.

    `keys` are those of the marketplace's first requester; None leaves the Connection alone.
    """
    membership = (
        Membership.objects.filter(role=Role.OWNER).select_related("team", "user").order_by("pk").first()
    )
    if membership is None:
        membership = _make_owner(email or DEFAULT_EMAIL, password)
    accounts = RequesterAccount.objects.filter(team=membership.team).order_by("pk")
    account = accounts.first() or RequesterAccount.objects.create(team=membership.team, name="Main account")
    if keys:
        _connect_marketplace(account, keys)
    return membership.user


def _make_owner(email: str, password: str) -> Membership:
    user = User.objects.filter(email__iexact=email).first()
    user = user or User.objects.create_user(email, password or None)
    team = Team.objects.create(name="My team")
    membership = Membership.objects.create(team=team, user=user, role=Role.OWNER.value)
    record(BY, "team.made", team, team_id=team.pk)
    return membership


def _connect_marketplace(account: RequesterAccount, keys: Keys) -> None:
    """Make the `local` Connection, or follow it: the same requester at another port is the same market."""
    local = account.connections.filter(environment=Environment.LOCAL).order_by("pk").first()
    if local is None:
        local = Connection.objects.create(
            account=account,
            name="Local",
            environment=Environment.LOCAL,
            endpoint=settings.MTURK_ENDPOINTS["local"],
            worker_site_url=settings.WORKER_SITES["local"],
            fee_schedule=settings.LOCAL_FEE_SCHEDULE,
            credentials=encrypt(keys),
        )
        record(BY, "connection.made", local, team_id=account.team_id)
    elif not local.uses_own_identity and _access_key_id(local) == keys.access_key_id:
        local.endpoint = settings.MTURK_ENDPOINTS["local"]
        local.worker_site_url = settings.WORKER_SITES["local"]
        local.credentials = encrypt(keys)
        local.save(update_fields=["endpoint", "worker_site_url", "credentials"])


def _access_key_id(connection: Connection) -> str:
    """Empty when the keys cannot be read, as after a restore without them: its page says what to do."""
    try:
        return decrypt(connection).access_key_id
    except ActionRefused:
        return ""
