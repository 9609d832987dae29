"""Who acts: a person with the memberships in force, or the system with the name of its rule."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from structlog.contextvars import bind_contextvars

from mturkhub.accounts.models import ApiToken, Membership, Team, User
from mturkhub.accounts.permissions import ROLE_PERMISSIONS, Permission, Role
from mturkhub.common.errors import ActionRefused


@dataclass(frozen=True)
class Actor:
    """Handed to every read as `for_actor(actor)` and to every action as `by=actor`."""

    user: User | None = None
    # team key → role, for the memberships in force (on a page, the switcher's team alone).
    roles: dict[int, Role] = field(default_factory=dict)
    rule: str = ""
    # For who comes with a token: what of the role it allows, and its name for the Events.
    scope: frozenset[Permission] | None = None
    token_name: str = ""

    @classmethod
    def person(cls, membership: Membership) -> "Actor":
        """The person acting within one team."""
        return cls(user=membership.user, roles={membership.team_id: Role(membership.role)})  # type: ignore[call-arg]  # by value

    @classmethod
    def token(cls, token: ApiToken) -> "Actor":
        """Whoever made the token, in its team and within its scope."""
        of = token.membership
        roles = {of.team_id: Role(of.role)}  # type: ignore[call-arg]  # by value
        return cls(user=of.user, roles=roles, scope=token.permissions, token_name=token.name)

    @classmethod
    def system(cls, rule: str) -> "Actor":
        """The system itself, with the name of the rule by which it acts."""
        return cls(rule=rule)

    @property
    def is_system(self) -> bool:
        return self.user is None and bool(self.rule)

    @property
    def somebody(self) -> User:
        """The person who acts, where only a person can."""
        if self.user is None:
            raise ActionRefused("Only a person who has signed in can do that.", status=403)
        return self.user

    @property
    def team_ids(self) -> list[int]:
        return list(self.roles)

    def role_in(self, team_id: int) -> Role | None:
        return self.roles.get(team_id)

    def permissions_in(self, team_id: int) -> frozenset[Permission]:
        role = self.role_in(team_id)
        allowed = ROLE_PERMISSIONS[role] if role else frozenset()
        return allowed if self.scope is None else allowed & self.scope

    def __str__(self) -> str:
        return str(self.user) if self.user else self.rule


NOBODY = Actor()


class TeamRequest(HttpRequest):
    """A request that has passed ActorMiddleware."""

    actor: Actor
    team: Team | None
    # Every team of the person, for the switcher.
    memberships: list[Membership]
    user: User
    htmx: Any


# In the session: which of a person's teams they work in.
_CHOSEN = "team_id"


def choose_team(request: HttpRequest, team: Team) -> None:
    """Work in that team from the next page on."""
    request.session[_CHOSEN] = team.pk


ViewT = TypeVar("ViewT", bound=Callable[..., Any])


def team_not_required(view: ViewT) -> ViewT:
    """Mark a page that makes sense for somebody who is in no team."""
    view.team_required = False  # type: ignore[attr-defined]
    return view


class ActorMiddleware:
    """Sets `request.actor` and `request.team` from the chosen membership, or the first; who has none is told so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        memberships: list[Membership] = []
        if request.user.is_authenticated:
            rows = Membership.objects.filter(user_id=request.user.pk).select_related("team", "user")
            memberships = list(rows.order_by("pk"))
        chosen = request.session.get(_CHOSEN)
        # Somebody may have been taken out of the team they had chosen.
        membership = next(
            (each for each in memberships if each.team_id == chosen), memberships[0] if memberships else None
        )
        request.memberships = memberships  # type: ignore[attr-defined]
        request.actor = Actor.person(membership) if membership else NOBODY  # type: ignore[attr-defined]
        request.team = membership.team if membership else None  # type: ignore[attr-defined]
        if membership:
            bind_contextvars(user=str(membership.user.public_id), team=str(membership.team.public_id))
        return self.get_response(request)

    def process_view(
        self, request: TeamRequest, view: Callable[..., Any], _arguments: Any, _keywords: Any
    ) -> HttpResponse | None:
        """Show a page of its own to somebody without a team, in place of pages that are about one."""
        match = request.resolver_match
        is_ours = match is not None and bool(match.namespaces)
        if request.team or not request.user.is_authenticated or not is_ours:
            return None
        if not getattr(view, "team_required", True):
            return None
        return render(request, "accounts/no_team.html", status=403)
