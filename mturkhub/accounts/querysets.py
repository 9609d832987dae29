"""What exists for whom: `for_actor` decides it for every table that carries a team."""

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.apps import apps
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, When

from mturkhub.accounts.permissions import Loan, Permission, can

if TYPE_CHECKING:
    from mturkhub.accounts.actors import Actor

ModelT = TypeVar("ModelT", bound=models.Model, covariant=True)


class TeamQuerySet(models.QuerySet[ModelT]):
    """Rows with a `team_id`."""

    def for_actor(self, actor: "Actor") -> Self:
        """The rows that exist for this actor; all of them for the system, none for a stranger."""
        if actor.is_system:
            return self.all()
        return self.filter(team_id__in=actor.team_ids)


class ConnectionQuerySet(models.QuerySet[ModelT]):
    """Connections belong to an account, the account to its home team, whose owners may lend it to others."""

    def for_actor(self, actor: "Actor") -> Self:
        """The Connections of this actor's teams, and those of accounts lent to them."""
        if actor.is_system:
            return self.all()
        teams = actor.team_ids
        return self.filter(Q(account__team_id__in=teams) | Q(Exists(_loans().filter(team_id__in=teams))))

    def allowing(self, loan: Loan, team_id: int) -> Self:
        """The team's own Connections, and those lent to it with this permission."""
        lent = _loans().filter(team_id=team_id, permissions__contains=[loan])
        return self.filter(Q(account__team_id=team_id) | Q(Exists(lent)))

    def working(self) -> Self:
        """Those a batch can be made for: local ones, and Amazon's that have passed their test."""
        return self.filter(Q(environment="local") | Q(tested_at__isnull=False, problem=""))

    def with_balance_seen(self, actor: "Actor") -> Self:
        """Each with `balance_seen`: the balance for whoever may see it, else None."""
        teams = actor.team_ids
        lent = _loans().filter(team_id__in=teams, permissions__contains=[Loan.SEE_BALANCE])
        seen = When(Q(account__team_id__in=teams) | Q(Exists(lent)), then=F("balance"))
        return self.annotate(balance_seen=Case(seen, default=None))


class ApiTokenQuerySet(models.QuerySet[ModelT]):
    """Tokens belong to a membership, and so to its team."""

    def for_actor(self, actor: "Actor") -> Self:
        """The actor's own, and for those who may change the team everybody's in it."""
        if actor.is_system:
            return self.all()
        own = Q(membership__user=actor.user, membership__team_id__in=actor.team_ids)
        managed = [team for team in actor.team_ids if can(actor, Permission.MEMBER_MANAGE, team)]
        return self.filter(own | Q(membership__team_id__in=managed))

    def unrevoked(self) -> Self:
        """Those nobody has revoked; their time may be over."""
        return self.filter(revoked_at=None)


class InvitationQuerySet(TeamQuerySet[ModelT]):
    """Offers to join a team."""

    def open(self) -> Self:
        """Those nobody has accepted or taken back; their time may be over."""
        return self.filter(accepted_at=None, revoked_at=None)


class MembershipQuerySet(TeamQuerySet[ModelT]):
    """Who is in a team."""

    def owners(self) -> Self:
        """The owners who can sign in: a team needs one."""
        return self.filter(role="owner", user__is_active=True)


def _loans() -> models.QuerySet[Any]:
    """The grants of the account of the Connection outside."""
    # By name: the models import this module.
    return apps.get_model("accounts", "AccountGrant")._default_manager.filter(account=OuterRef("account"))
