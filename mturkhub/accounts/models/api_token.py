"""What a script shows instead of signing in: it acts as one membership, within a scope, for a time."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models

from mturkhub.accounts.models.team import Membership
from mturkhub.accounts.models.user import User
from mturkhub.accounts.permissions import ROLE_PERMISSIONS, Permission, Role
from mturkhub.accounts.querysets import ApiTokenQuerySet
from mturkhub.common.public_ids import new_public_id


class ApiToken(models.Model):
    """One token; of its text only the hash is kept. It goes with its membership, and the Events about it stay."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    # Values of Permission. What the role allows besides is not allowed to the token.
    scope = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # None: never, as the one from the environment of the first start.
    expires_at = models.DateTimeField(null=True, blank=True)
    # To the minute.
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = ApiTokenQuerySet["ApiToken"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["membership", "-id"], name="api_token_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(revoked_at=None, revoked_by=None)
                | models.Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="api_token_revoked_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def permissions(self) -> frozenset[Permission]:
        """The scope, as far as the maker's role allows it today."""
        role = Role(self.membership.role)  # type: ignore[call-arg]  # by value
        return frozenset(each for each in ROLE_PERMISSIONS[role] if each in self.scope)

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now
