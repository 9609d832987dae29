"""What the state of a team allows now: each `check_…` raises the sentence a person reads."""

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Membership, Team, User
from mturkhub.accounts.permissions import Role
from mturkhub.common.errors import ActionRefused


def locked_team(team_id: int, *, by: Actor) -> Team:
    """The team, locked for an actor whose role in it is still the one they were let in with."""
    team = lock_team(team_id)
    check_role_still_stands(team, by=by)
    return team


def lock_team(team_id: int) -> Team:
    """The team, locked until the transaction ends against other changes of who is what in it."""
    # Without the key: rows of HITs and Decisions that name the team need not wait.
    return Team.objects.select_for_update(no_key=True).get(pk=team_id)


def check_role_still_stands(team: Team, *, by: Actor) -> None:
    """Ask under the lock: two owners may be taking each other's role at this moment."""
    if by.user is not None and _role_of(by.user, team) != by.role_in(team.pk):
        raise ActionRefused(
            f"Your role in {team} has just been changed. Nothing was done; load the page again.", status=403
        )


def check_role(role: str) -> None:
    if role not in set(Role):
        raise ActionRefused(f"There is no role “{role}”. Choose one of the list.", status=400)


def check_team_keeps_an_owner(team: Team, *, without: User, what: str) -> None:
    """Ask under the team's lock: would somebody who can sign in still own it?"""
    owners = set(team.memberships.owners().values_list("user_id", flat=True))
    if owners and owners <= {without.pk}:
        raise ActionRefused(
            f"{without} is the last owner of {team} and cannot {what}. Make somebody else an owner first."
        )


def check_can_be_handed_a_team(membership: Membership, *, by: Actor) -> None:
    """To somebody else, who can sign in."""
    if membership.user_id == by.somebody.pk:
        raise ActionRefused(f"{membership.team} is yours already. Choose another member.")
    if not membership.user.is_active:
        raise ActionRefused(
            f"{membership.user} cannot sign in, so {membership.team} would have nobody to look after it. "
            "Let them sign in again first, or choose another member."
        )


def check_can_make_a_team(by: Actor) -> None:
    """Teams are made by people who own one."""
    if not Membership.objects.owners().filter(user=by.somebody).exists():
        raise ActionRefused("Only owners of a team may make another one. Ask one of yours.", status=403)


def can_make_a_team(by: Actor) -> bool:
    try:
        check_can_make_a_team(by)
    except ActionRefused:
        return False
    return True


def check_owns_every_team_of(user: User, *, by: Actor) -> None:
    """Whether somebody may sign in concerns every team they are in."""
    for membership in Membership.objects.filter(user=user).select_related("team"):
        if _role_of(by.somebody, membership.team) != Role.OWNER:
            # The name of a team one is not in is nobody's business.
            raise ActionRefused(
                f"{user} is also in a team that you do not own, which this would concern too. Remove them "
                "from your team instead.",
                status=403,
            )


def check_can_deactivate(user: User, *, by: Actor) -> None:
    """Ask under the locks of the person and of their teams: each of these keeps an owner."""
    check_owns_every_team_of(user, by=by)
    for membership in Membership.objects.filter(user=user).select_related("team"):
        check_team_keeps_an_owner(membership.team, without=user, what="be deactivated")


def _role_of(user: User, team: Team) -> str | None:
    return team.memberships.filter(user=user).values_list("role", flat=True).first()
