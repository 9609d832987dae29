"""Teams and who is in them."""

from datetime import timedelta
from decimal import Decimal

from django.db import models

from mturkhub.accounts.models.user import User
from mturkhub.accounts.permissions import Role
from mturkhub.accounts.querysets import MembershipQuerySet
from mturkhub.common.public_ids import new_public_id


class Team(models.Model):
    """People who work together and share a requester account."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    name = models.CharField(max_length=100)
    time_zone = models.CharField(max_length=64, default="UTC")
    # How long a decision waits before it may be sent, so that Undo works.
    grace_time = models.DurationField(default=timedelta(seconds=10))
    target_hourly_wage = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal("12.00"))
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person's role in one team."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=[(role.value, role.value) for role in Role])
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet["Membership"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"
