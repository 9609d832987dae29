"""What exists for whom: `for_actor` decides it for every table that carries a team."""

from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models

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
    """Connections belong to an account, and the account to its home team."""

    def for_actor(self, actor: "Actor") -> Self:
        """The Connections this actor's teams may use."""
        if actor.is_system:
            return self.all()
        return self.filter(account__team_id__in=actor.team_ids)


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
