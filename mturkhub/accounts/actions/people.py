"""What a person can ask for: their own name and address, and whether somebody may sign in."""

from django.db import IntegrityError, transaction

from mturkhub.accounts.activity import record_in_teams
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Membership, User
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules import teams as rules
from mturkhub.accounts.sessions import end_sessions
from mturkhub.common.errors import ActionRefused


def change_name(user: User, name: str, *, by: Actor) -> User:
    """The person under another name, here and wherever they have done something."""
    _check_is_oneself(user, by)
    name = name.strip()
    if not name or len(name) > 150:
        raise ActionRefused("A name has 1 to 150 characters. Enter another one.", status=400)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        before, user.name = str(user), name
        user.save(update_fields=["name"])
        if before != name:
            record_in_teams(by, "person.renamed", user, before=before)
    return user


def change_email(user: User, email: str, *, by: Actor) -> User:
    """The person signing in with another address."""
    _check_is_oneself(user, by)
    email = User.objects.normalize_email(email)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        before, user.email = user.email, email
        try:
            with transaction.atomic():
                user.save(update_fields=["email"])
        except IntegrityError:
            raise ActionRefused(f"Somebody else signs in as {email}. Enter another address.") from None
        if before != email:
            record_in_teams(by, "person.email_changed", user, before=before, email=email)
    return user


def deactivate_person(membership: Membership, *, by: Actor) -> User:
    """The person no longer able to sign in, their sessions ended; what they did stays."""
    check_can(by, Permission.MEMBER_MANAGE, membership.team_id)
    with transaction.atomic():
        user = _locked_with_teams(membership, by)
        rules.check_can_deactivate(user, by=by)
        user.is_active = False
        user.save(update_fields=["is_active"])
        end_sessions(user)
        record_in_teams(by, "person.deactivated", user)
    return user


def reactivate_person(membership: Membership, *, by: Actor) -> User:
    """The person able to sign in again, with the password and the roles they had."""
    check_can(by, Permission.MEMBER_MANAGE, membership.team_id)
    with transaction.atomic():
        user = _locked_with_teams(membership, by)
        rules.check_owns_every_team_of(user, by=by)
        user.is_active = True
        user.save(update_fields=["is_active"])
        record_in_teams(by, "person.reactivated", user)
    return user


def _locked_with_teams(membership: Membership, by: Actor) -> User:
    """The person, locked first, then every team of theirs: in this order wherever both are locked."""
    user = User.objects.select_for_update(no_key=True).get(pk=membership.user_id)
    team_ids = list(user.memberships.order_by("team_id").values_list("team_id", flat=True))
    if membership.team_id not in team_ids:
        raise ActionRefused(f"{user} is no longer in {membership.team}. Nothing was changed.")
    for team_id in team_ids:
        rules.lock_team(team_id)
    rules.check_role_still_stands(membership.team, by=by)
    return user


def _check_is_oneself(user: User, by: Actor) -> None:
    if by.somebody.pk != user.pk:
        raise ActionRefused("Only the person themselves can change that.", status=403)
