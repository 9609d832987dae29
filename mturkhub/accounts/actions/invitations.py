"""What a person can ask for: somebody in the team, by a link that works once."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.urls import reverse

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Invitation, Membership, Team, User
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules import teams as rules
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused

LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class NewInvitation:
    """An Invitation with its link, which nobody can be shown again."""

    invitation: Invitation
    link: str = field(repr=False)


def invite(team: Team, *, by: Actor, email: str, role: str) -> NewInvitation:
    """Ask an address into the team; a link sent there before stops working."""
    check_can(by, Permission.MEMBER_MANAGE, team)
    email = _address(email)
    rules.check_role(role)
    token = secrets.token_urlsafe(32)
    now = clock.now()
    with transaction.atomic():
        rules.locked_team(team.pk, by=by)
        if team.memberships.filter(user__email__iexact=email).exists():
            raise ActionRefused(f"{email} is in {team} already. Change their role there.")
        for older in team.invitations.open().filter(email__iexact=email):
            _end(older, by)
        invitation = Invitation.objects.create(
            team=team,
            email=email,
            role=role,
            token_hash=_hash(token),
            invited_by=by.somebody,
            expires_at=now + LIFETIME,
        )
        record(by, "invitation.made", invitation, team_id=team.pk, role=role)
    path = reverse("accounts:accept_invitation", args=[token])
    return NewInvitation(invitation, settings.MTURKHUB_URL.rstrip("/") + path)


def revoke_invitation(invitation: Invitation, *, by: Actor) -> None:
    """Take an invitation back: its link stops working."""
    check_can(by, Permission.MEMBER_MANAGE, invitation.team_id)
    with transaction.atomic():
        rules.locked_team(invitation.team_id, by=by)
        current = Invitation.objects.open().filter(pk=invitation.pk).first()
        if current is None:
            raise ActionRefused(
                f"The invitation of {invitation.email} is over already. Load the page again to see how."
            )
        _end(current, by)
        record(by, "invitation.revoked", current, team_id=current.team_id)


def find_invitation(token: str) -> Invitation:
    """The open invitation behind a link; refuses in a sentence when it is used up, taken back, too old or not ours."""
    invitations = Invitation.objects.select_related("team", "invited_by")
    invitation = invitations.filter(token_hash=_hash(token)).first()
    if invitation is None:
        raise ActionRefused(
            "This is not an invitation of this server, or a part of the link is missing. Ask whoever sent it "
            "for the whole link.",
            status=403,
        )
    if invitation.accepted_at is not None:
        raise _refusal(invitation, "has been used")
    if invitation.revoked_at is not None:
        raise _refusal(invitation, "has been taken back")
    if invitation.is_expired(clock.now()):
        raise _refusal(invitation, "is older than 7 days")
    return invitation


def accept_invitation(token: str, *, by: Actor) -> Membership:
    """Join the team as the person who was asked."""
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=by.somebody.pk)
        return _accept(token, user)


def join_as_new_person(token: str, *, name: str, password: str) -> Membership:
    """Join the team as somebody who had no account here; `password` has been validated."""
    name = name.strip()
    if not name or len(name) > 150:
        raise ActionRefused("A name has 1 to 150 characters. Enter another one.", status=400)
    email = find_invitation(token).email
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name)
            return _accept(token, user)
    except IntegrityError:
        raise ActionRefused(
            f"Somebody signs in as {email} already. Sign in first, then open the link again."
        ) from None


def _accept(token: str, user: User) -> Membership:
    team = rules.lock_team(find_invitation(token).team_id)
    # Again, under the lock: two clicks at once let one person in.
    invitation = find_invitation(token)
    if user.email.lower() != invitation.email.lower():
        raise ActionRefused(
            f"This invitation is for {invitation.email}, and you are signed in as {user.email}. Sign out, open "
            f"the link again, and join as {invitation.email}.",
            status=403,
        )
    if team.memberships.filter(user=user).exists():
        raise ActionRefused(f"You are in {team} already. Ask an owner for another role.")
    membership = Membership.objects.create(team=team, user=user, role=invitation.role)
    invitation.accepted_at, invitation.accepted_by = clock.now(), user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    record(Actor.person(membership), "invitation.accepted", user, team_id=team.pk, role=membership.role)
    return membership


def _end(invitation: Invitation, by: Actor) -> None:
    invitation.revoked_at, invitation.revoked_by = clock.now(), by.somebody
    invitation.save(update_fields=["revoked_at", "revoked_by"])


def _address(email: str) -> str:
    email = User.objects.normalize_email(email)
    try:
        validate_email(email)
    except ValidationError:
        raise ActionRefused(f"“{email}” is not an e-mail address. Mend it.", status=400) from None
    return email


def _hash(token: str) -> str:
    """A token is 256 random bits, so a plain hash cannot be guessed backwards."""
    return hashlib.sha256(token.encode()).hexdigest()


def _refusal(invitation: Invitation, what: str) -> ActionRefused:
    return ActionRefused(
        f"This invitation into {invitation.team} {what}. Ask {invitation.invited_by} for a new one.",
        status=403,
    )
