"""What a person can ask for: a token for their scripts, shown once, and its end."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import ApiToken, Membership
from mturkhub.accounts.permissions import ROLE_PERMISSIONS, Permission, Role
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused

# So that those who look for leaked keys know one when they see it.
PREFIX = "mturkhub_"
LONGEST = timedelta(days=366)
# Nobody can tell more of them apart.
MOST = 50
# When it was last used is kept to the minute: a script that asks often writes no row each time.
_USE_NOTED = timedelta(minutes=1)


@dataclass(frozen=True)
class NewToken:
    """A token with its text, which nobody can be shown again."""

    token: ApiToken
    text: str = field(repr=False)


def make_token(
    membership: Membership, *, by: Actor, name: str, scope: Collection[str], lives: timedelta
) -> NewToken:
    """A token that acts as this membership, within the scope and for so long; each member makes their own."""
    _check_may_make(membership, by)
    name = name.strip()
    if not name or len(name) > 100:
        raise ActionRefused("A token's name has 1 to 100 characters. Enter another one.", status=400)
    if not timedelta(0) < lives <= LONGEST:
        raise ActionRefused("A token lives for up to a year. Choose a shorter time.", status=400)
    role = Role(membership.role)  # type: ignore[call-arg]  # by value
    allowed = [each for each in Permission if each in scope and each in ROLE_PERMISSIONS[role]]
    if surplus := set(scope) - set(allowed):
        raise ActionRefused(
            f"A token of yours may not do more than you: {', '.join(sorted(surplus))}. Leave it out.",
            status=400,
        )
    text = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        # Two clicks at once must not both find room.
        Membership.objects.select_for_update(no_key=True).get(pk=membership.pk)
        living = membership.api_tokens.unrevoked().filter(Q(expires_at=None) | Q(expires_at__gt=clock.now()))
        if living.count() >= MOST:
            raise ActionRefused(f"You have {MOST} tokens in this team. Revoke one you do not need.")
        if living.filter(name=name).exists():
            raise ActionRefused(f"You have a token called {name} already. Take another name.", status=400)
        token = ApiToken.objects.create(
            membership=membership,
            name=name,
            token_hash=hash_of(text),
            scope=[each.value for each in allowed],
            expires_at=clock.now() + lives,
        )
        may = [each.words for each in allowed] or ["only read"]
        record(by, "token.made", token, team_id=membership.team_id, may=may)
    return NewToken(token, text)


def revoke_token(token: ApiToken, *, by: Actor) -> None:
    """End a token at once; its maker may, and owners of the team. Ended already, nothing changes."""
    with transaction.atomic():
        seen = ApiToken.objects.for_actor(by).filter(pk=token.pk)
        current = seen.select_for_update(of=("self",)).select_related("membership__user").first()
        if current is None:
            raise ActionRefused("Only its maker and owners of the team can revoke a token.", status=403)
        if current.revoked_at is not None:
            return
        current.revoked_at, current.revoked_by = clock.now(), by.somebody
        current.save(update_fields=["revoked_at", "revoked_by"])
        of = current.membership
        record(by, "token.revoked", current, team_id=of.team_id, owner=str(of.user))


def find_token(text: str) -> ApiToken | None:
    """The token with this text, if it still opens anything; notes that it was used."""
    tokens = ApiToken.objects.select_related("membership__user", "membership__team")
    token = tokens.filter(token_hash=hash_of(text), revoked_at=None, membership__user__is_active=True).first()
    now = clock.now()
    if token is None or token.is_expired(now):
        return None
    if token.last_used_at is None or token.last_used_at < now - _USE_NOTED:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def hash_of(text: str) -> str:
    """A token is 256 random bits, so a plain hash cannot be guessed backwards."""
    return hashlib.sha256(text.encode()).hexdigest()


def _check_may_make(membership: Membership, by: Actor) -> None:
    if by.somebody.pk != membership.user_id:
        raise ActionRefused("Only the person themselves can make a token of theirs.", status=403)
    if by.scope is not None:
        raise ActionRefused("A token cannot make another one. Sign in, then make it.", status=403)
