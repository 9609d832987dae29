"""What each role may do, and the two questions code asks about it.

`check_can` raises the refusal a person reads, `can` answers yes or no. Code asks about permissions, never
about roles.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from mturkhub.common.errors import ActionRefused

if TYPE_CHECKING:
    from mturkhub.accounts.actors import Actor
    from mturkhub.accounts.models import Team


class Permission(StrEnum):
    """One thing a person may be allowed to do, with the words that follow "may not"."""

    PROJECT_EDIT = "project_edit", "make or change projects"
    BATCH_CREATE = "batch_create", "upload batches"
    BATCH_PUBLISH = "batch_publish", "publish"
    BONUS_SEND = "bonus_send", "send bonuses"
    OVERTURNING_GIVE_UP = "overturning_give_up", "delete HITs whose rejections could still be overturned"
    BATCH_COLLECT = "batch_collect", "ask for new answers now"
    ASSIGNMENT_APPROVE = "assignment_approve", "approve answers"
    ASSIGNMENT_REJECT = "assignment_reject", "reject answers"
    ASSIGNMENT_LEAVE_OUT = "assignment_leave_out", "leave answers out"
    RESULTS_EXPORT = "results_export", "download results"
    WORKER_IDENTIFY = "worker_identify", "see real Worker ids"
    HIT_ADOPT = "hit_adopt", "see or adopt what was made elsewhere on the account"
    BUDGET_SET = "budget_set", "set budgets"
    CONNECTION_MANAGE = "connection_manage", "change keys and connections"
    ACCOUNT_LEND = "account_lend", "lend the requester account to other teams"
    MEMBER_MANAGE = "member_manage", "change the team"

    words: str

    def __new__(cls, value: str, words: str) -> "Permission":
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = words
        return member


class Loan(StrEnum):
    """One thing the owners of an account may allow another team, with the words that follow "may".

    Keys, tests and new connections are not among them: these stay with the account's owners.
    """

    PUBLISH = "publish", "publish on its connections, with this account's money"
    SEE_BALANCE = "see_balance", "see what is free to spend"

    words: str

    def __new__(cls, value: str, words: str) -> "Loan":
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = words
        return member


class Role(StrEnum):
    """A named list of permissions, with the sentence the team page prints."""

    OWNER = "owner", "Everything, including keys, members, budgets and real Worker ids."
    MANAGER = (
        "manager",
        "Projects, uploads, publishing, decisions, bonuses and downloads; no keys, no members.",
    )
    REVIEWER = "reviewer", "Approve, reject and leave out answers; no uploads, no publishing."
    VIEWER = "viewer", "Read progress and results, with pseudonyms; change nothing."

    sentence: str

    def __new__(cls, value: str, sentence: str) -> "Role":
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member


_REVIEW = frozenset(
    {
        Permission.ASSIGNMENT_APPROVE,
        Permission.ASSIGNMENT_REJECT,
        Permission.ASSIGNMENT_LEAVE_OUT,
        Permission.BATCH_COLLECT,
        Permission.RESULTS_EXPORT,
    }
)
_MANAGE = _REVIEW | {
    Permission.PROJECT_EDIT,
    Permission.BATCH_CREATE,
    Permission.BATCH_PUBLISH,
    Permission.BONUS_SEND,
}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.MANAGER: _MANAGE,
    Role.REVIEWER: _REVIEW,
    # A viewer reads results, so they may take them away; what is in them is pseudonymous.
    Role.VIEWER: frozenset({Permission.RESULTS_EXPORT}),
}


def can(actor: "Actor", permission: Permission, team: "Team | int") -> bool:
    """Whether this actor has the permission in that team."""
    team_id = team if isinstance(team, int) else team.pk
    return actor.is_system or permission in actor.permissions_in(team_id)


def check_can(actor: "Actor", permission: Permission, team: "Team | int") -> None:
    """Raise ActionRefused (403) in words unless the actor has the permission in that team."""
    if not can(actor, permission, team):
        raise ActionRefused(refusal(actor, permission, team), status=403)


def refusal(actor: "Actor", permission: Permission, team: "Team | int") -> str:
    """The sentence for a missing permission, as greyed-out buttons and 403 pages show it."""
    team_id = team if isinstance(team, int) else team.pk
    role = actor.role_in(team_id)
    if role and actor.scope is not None and permission in ROLE_PERMISSIONS[role]:
        return (
            f"The token “{actor.token_name}” may not {permission.words}: that is outside its scope. Make one that may, "
            "under your name, Tokens."
        )
    who = f"{role.value.capitalize()}s" if role else "People outside the team"
    return f"{who} may not {permission.words}. Ask an owner of the team."
