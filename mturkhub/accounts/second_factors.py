"""Second factors, which allauth keeps: whether a person has one, and a record of each change."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from allauth.mfa.utils import is_mfa_enabled
from django.dispatch import receiver

from mturkhub.accounts.activity import record_in_teams
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import User


def has_second_factor(user: User) -> bool:
    """Whether a password alone does not let the person in."""
    types = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return bool(is_mfa_enabled(user, types))


# allauth's pages call nothing of ours, so its signals are the only place to hear of them.


@receiver(authenticator_added)
def _added(user: User, authenticator: Authenticator, **_details: Any) -> None:
    _record("added", user, authenticator)


@receiver(authenticator_removed)
def _removed(user: User, authenticator: Authenticator, **_details: Any) -> None:
    _record("removed", user, authenticator)


@receiver(authenticator_reset)
def _reset(user: User, authenticator: Authenticator, **_details: Any) -> None:
    _record("replaced", user, authenticator)


def _record(verb: str, user: User, authenticator: Authenticator) -> None:
    record_in_teams(Actor(user=user), f"second_factor.{verb}", user, kind=str(authenticator.type))
