"""Links that sign one person in once: for the first start, and for whoever lost their password or second factor."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.crypto import salted_hmac

from mturkhub.accounts.models import User
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused

LIFETIME = timedelta(hours=24)
_SALT = "mturkhub.accounts.sign_in_links"


def new_sign_in_link(user: User) -> str:
    """The full address that signs this person in; it works once, for 24 hours."""
    until = clock.now() + LIFETIME
    token = signing.dumps([user.public_id.hex, until.isoformat(), _fingerprint(user)], salt=_SALT)
    return settings.MTURKHUB_URL.rstrip("/") + reverse("accounts:sign_in_link", args=[token])


def find_user(token: str, *, lock: bool = False) -> User:
    """The person a link was made for; refuses in a sentence when it is used up, too old or not ours.

    With `lock`, inside a transaction, so that two clicks cannot both use it.
    """
    try:
        public_id, until, fingerprint = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        raise _refusal("This is not a sign-in link of this server, or a part of it is missing.") from None
    if datetime.fromisoformat(until) < clock.now():
        raise _refusal("This sign-in link is older than 24 hours.")
    users = User.objects.select_for_update() if lock else User.objects.all()
    user = users.filter(public_id=uuid.UUID(public_id), is_active=True).first()
    if user is None:
        raise _refusal("The person this sign-in link was made for can no longer sign in.")
    if fingerprint != _fingerprint(user):
        raise _refusal("This sign-in link has been used, or the person has signed in since it was made.")
    return user


def _fingerprint(user: User) -> str:
    """Changes with every sign-in and with the password, which is what makes a link work only once."""
    return salted_hmac(_SALT, f"{user.pk}:{user.password}:{user.last_login}:{user.email}").hexdigest()


def _refusal(what: str) -> ActionRefused:
    return ActionRefused(
        f"{what} Ask whoever runs this server for a new one: mturkhub sign-in-link EMAIL.", status=403
    )
