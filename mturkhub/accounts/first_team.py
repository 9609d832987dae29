"""What stands before anybody has signed in: one owner, one team, and the marketplace connected as `local`."""

from django.conf import settings
from django.db import transaction

from mturkhub.accounts.actions.tokens import hash_of
from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.credentials import Keys, decrypt, encrypt
from mturkhub.accounts.models import (
    ApiToken,
    Connection,
    Environment,
    Membership,
    RequesterAccount,
    Team,
    User,
)
from mturkhub.accounts.permissions import Permission, Role
from mturkhub.common.errors import ActionRefused

DEFAULT_EMAIL = "owner@localhost"
# The same as of a password; the ones we make have 43 random ones.
SHORTEST_TOKEN = 10
BY = Actor.system("first start")


@transaction.atomic
def ensure_first_team(*, email: str, password: str, keys: Keys | None, api_token: str = "") -> User:
    """The first team's owner. Makes what is missing; never changes a password or a team that exists.

    `keys` are those of the marketplace's first requester; None leaves the Connection alone. `api_token` is a token
    the owner gets, with everything in its scope and no end, unless there is one of this text, revoked or not.
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
    if api_token:
        _give_token(membership, api_token)
    return membership.user


def _give_token(membership: Membership, text: str) -> None:
    if len(text) < SHORTEST_TOKEN or not (text.isascii() and text.isprintable()) or " " in text:
        raise ActionRefused(
            f"MTURKHUB_API_TOKEN has to be {SHORTEST_TOKEN} characters or more, letters and digits: whoever guesses it "
            "owns the team. `openssl rand -hex 32` makes one."
        )
    token, is_new = ApiToken.objects.get_or_create(
        token_hash=hash_of(text),
        defaults={
            "membership": membership,
            "name": "From the first start",
            "scope": [each.value for each in Permission],
        },
    )
    if is_new:
        may = [each.words for each in Permission]
        record(BY, "token.made", token, team_id=membership.team_id, may=may)


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
