"""Makes and finds requesters, makes and revokes their keys, and puts money into their accounts."""

import secrets
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from marketplace import clock, ledger
from marketplace.identifiers import new_access_key_id
from marketplace.ledger import Move
from marketplace.models import AccessKey, Balance, Requester
from marketplace.models.ledger import Account


@dataclass(frozen=True, slots=True)
class Keys:
    """A key pair as a requester's programs are given it."""

    key_id: str
    secret: str


@transaction.atomic
def ensure_requester(name: str, *, keys: Keys | None = None) -> tuple[Requester, Keys]:
    """The requester of this name and a key pair of theirs; a new one starts with the opening balance.

    Given keys replace the secret of that key id; without any, the newest key is used, or one is made.
    """
    requester, made = Requester.objects.select_for_update().get_or_create(
        name=name, defaults={"created_at": clock.now()}
    )
    if made:
        Balance.objects.create(requester=requester)
        deposit(requester, settings.OPENING_BALANCE)
    return requester, _store(requester, keys) if keys else _newest_keys(requester)


class NoSuchRequester(Exception):
    """No requester is called so; the text says it."""


class NoSuchKey(Exception):
    """No such access key is in force; the text says it."""


def find_requester(who: str) -> Requester:
    """The requester with this id (A…) or name."""
    requester = Requester.objects.filter(mturk_id=who).first() or Requester.objects.filter(name=who).first()
    if requester is None:
        raise NoSuchRequester(f"There is no requester with the id or name “{who}”.")
    return requester


def add_key(requester: Requester) -> Keys:
    """One more key pair; the secret is handed out this once."""
    return _store(requester, Keys(new_access_key_id(), secrets.token_urlsafe(30)))


@transaction.atomic
def revoke_key(key_id: str) -> AccessKey:
    """Put a key out of force from now on."""
    keys = AccessKey.objects.select_related("requester").select_for_update(of=("self",))
    key = keys.filter(key_id=key_id, revoked_at=None).first()
    if key is None:
        raise NoSuchKey(f"There is no access key “{key_id}” in force.")
    key.revoked_at = clock.now()
    key.save(update_fields=["revoked_at"])
    return key


@transaction.atomic
def rotate_key(key_id: str) -> Keys:
    """Revoke a key and hand out another of the same requester."""
    return add_key(revoke_key(key_id).requester)


def deposit(requester: Requester, amount: Decimal) -> None:
    """Put dollars from outside into the requester's available balance."""
    now = clock.now()
    with transaction.atomic():
        ledger.post(requester.pk, [Move(Account.OUTSIDE, Account.AVAILABLE, amount)], now=now)


def _newest_keys(requester: Requester) -> Keys:
    key = requester.access_keys.filter(revoked_at=None).order_by("-id").first()
    if key:
        return Keys(key.key_id, key.secret)
    return add_key(requester)


def _store(requester: Requester, keys: Keys) -> Keys:
    key = AccessKey.objects.filter(key_id=keys.key_id).first()
    if key is None:
        key = AccessKey(requester=requester, key_id=keys.key_id, created_at=clock.now())
    elif key.requester_id != requester.pk:
        raise ValueError(f"The access key {keys.key_id} belongs to another requester.")
    elif key.secret == keys.secret and key.revoked_at is None:
        return keys
    key.secret = keys.secret
    key.revoked_at = None
    key.save()
    return keys
