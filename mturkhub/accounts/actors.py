"""Who acts: a person with the memberships in force, or the system with the name of its rule."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars

from mturkhub.accounts.models import Membership, Team, User
from mturkhub.accounts.permissions import ROLE_PERMISSIONS, Permission, Role


@dataclass(frozen=True)
class Actor:
    """Handed to every read as `for_actor(actor)` and to every action as `by=actor`."""

    user: User | None = None
    # team key → role, for the memberships in force (on a page, the switcher's team alone).
    roles: dict[int, Role] = field(default_factory=dict)
    rule: str = ""

    @classmethod
    def person(cls, membership: Membership) -> "Actor":
        """The person acting within one team."""
        return cls(user=membership.user, roles={membership.team_id: Role(membership.role)})  # type: ignore[call-arg]  # by value

    @classmethod
    def system(cls, rule: str) -> "Actor":
        """The system itself, with the name of the rule by which it acts."""
        return cls(rule=rule)

    @property
    def is_system(self) -> bool:
        return self.user is None and bool(self.rule)

    @property
    def team_ids(self) -> list[int]:
        return list(self.roles)

    def role_in(self, team_id: int) -> Role | None:
        return self.roles.get(team_id)

    def permissions_in(self, team_id: int) -> frozenset[Permission]:
        role = self.role_in(team_id)
        return ROLE_PERMISSIONS[role] if role else frozenset()

    def __str__(self) -> str:
        return str(self.user) if self.user else self.rule


NOBODY = Actor()


class TeamRequest(HttpRequest):
    """A request that has passed ActorMiddleware."""

    actor: Actor
    team: Team | None
    user: User
    htmx: Any


class ActorMiddleware:
    """Sets `request.actor` and `request.team` from the person's membership.

    One team a person for now: the first membership, until there is a switcher.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        membership = None
        if request.user.is_authenticated:
            membership = (
                Membership.objects.filter(user_id=request.user.pk)
                .select_related("team", "user")
                .order_by("pk")
                .first()
            )
        request.actor = Actor.person(membership) if membership else NOBODY  # type: ignore[attr-defined]
        request.team = membership.team if membership else None  # type: ignore[attr-defined]
        if membership:
            bind_contextvars(user=str(membership.user.public_id), team=str(membership.team.public_id))
        return self.get_response(request)
