"""What a person can ask for: teams, and what each member is in them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Membership, Team
from mturkhub.accounts.permissions import Permission, Role, check_can
from mturkhub.accounts.rules import teams as rules
from mturkhub.common.errors import ActionRefused

# A decision waits this long at most: who has gone home cannot undo it, and the Worker waits for the money.
LONGEST_GRACE = timedelta(minutes=10)


def create_team(name: str, *, by: Actor) -> Membership:
    """A further team, owned by whoever makes it; for people who own one already."""
    rules.check_can_make_a_team(by)
    with transaction.atomic():
        team = Team.objects.create(name=_name(name))
        owner = Membership.objects.create(team=team, user=by.somebody, role=Role.OWNER.value)
        record(by, "team.made", team, team_id=team.pk)
    return owner


def change_team(team: Team, *, by: Actor, **settings: Any) -> Team:
    """The team with other settings: name, time_zone, grace_time, target_hourly_wage."""
    check_can(by, Permission.MEMBER_MANAGE, team)
    wanted = {"name": team.name, **settings}
    wanted["name"] = _name(wanted["name"])
    _check_settings(wanted)
    with transaction.atomic():
        team = rules.locked_team(team.pk, by=by)
        before = {field: getattr(team, field) for field in wanted}
        changed = {field: value for field, value in wanted.items() if before[field] != value}
        if changed:
            for field, value in changed.items():
                setattr(team, field, value)
            team.save(update_fields=list(changed))
            details = {field: [str(before[field]), str(value)] for field, value in changed.items()}
            record(by, "team.changed", team, team_id=team.pk, **details)
    return team


def change_role(membership: Membership, role: str, *, by: Actor) -> Membership:
    """The member with another role; a team keeps an owner."""
    check_can(by, Permission.MEMBER_MANAGE, membership.team_id)
    rules.check_role(role)
    with transaction.atomic():
        team = rules.locked_team(membership.team_id, by=by)
        membership = _current(membership)
        if role != Role.OWNER:
            rules.check_team_keeps_an_owner(team, without=membership.user, what="get another role")
        before, membership.role = membership.role, role
        if before != role:
            membership.save(update_fields=["role"])
            _record(by, "member.role_changed", membership, before=before, role=role)
    return membership


def hand_over(membership: Membership, *, by: Actor) -> Membership:
    """Make the member an owner, and oneself a manager."""
    check_can(by, Permission.MEMBER_MANAGE, membership.team_id)
    with transaction.atomic():
        rules.locked_team(membership.team_id, by=by)
        membership = _current(membership)
        rules.check_can_be_handed_a_team(membership, by=by)
        membership.role = Role.OWNER.value
        membership.save(update_fields=["role"])
        Membership.objects.filter(team_id=membership.team_id, user=by.user).update(role=Role.MANAGER.value)
        _record(by, "team.handed_over", membership)
    return membership


def remove_member(membership: Membership, *, by: Actor) -> None:
    """Take a person out of the team; what they did stays under their name."""
    check_can(by, Permission.MEMBER_MANAGE, membership.team_id)
    _end(membership, by, "member.removed", "be removed")


def leave_team(membership: Membership, *, by: Actor) -> None:
    """Leave a team; nobody else can do that for a person."""
    if by.somebody.pk != membership.user_id:
        raise ActionRefused("Only the person can leave the team. An owner can remove them.", status=403)
    _end(membership, by, "member.left", "leave")


def _end(membership: Membership, by: Actor, verb: str, what: str) -> None:
    with transaction.atomic():
        team = rules.locked_team(membership.team_id, by=by)
        membership = _current(membership)
        rules.check_team_keeps_an_owner(team, without=membership.user, what=what)
        _record(by, verb, membership, role=membership.role)
        membership.delete()


def _current(membership: Membership) -> Membership:
    """The row as it is under the team's lock."""
    rows = Membership.objects.select_related("user", "team")
    current = rows.filter(pk=membership.pk).first()
    if current is None:
        raise ActionRefused(f"{membership.user} is no longer in {membership.team}. Nothing was changed.")
    return current


def _record(by: Actor, verb: str, membership: Membership, **details: Any) -> None:
    record(by, verb, membership.user, team_id=membership.team_id, **details)


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 100:
        raise ActionRefused("A team's name has 1 to 100 characters. Enter another one.", status=400)
    return name


def _check_settings(wanted: dict[str, Any]) -> None:
    if unknown := set(wanted) - {"name", "time_zone", "grace_time", "target_hourly_wage"}:
        raise ActionRefused(f"A team has no setting {', '.join(sorted(unknown))}.", status=400)
    if "time_zone" in wanted and wanted["time_zone"] not in available_timezones():
        raise ActionRefused(
            f"There is no time zone “{wanted['time_zone']}”. Write it like Europe/Berlin.", status=400
        )
    if "grace_time" in wanted and not timedelta(0) <= wanted["grace_time"] <= LONGEST_GRACE:
        raise ActionRefused("Decisions can wait for 0 seconds up to 10 minutes.", status=400)
    if "target_hourly_wage" in wanted and not Decimal(0) <= wanted["target_hourly_wage"] < Decimal(10**6):
        raise ActionRefused("The hourly wage to aim for is between $0.00 and $999,999.99.", status=400)
