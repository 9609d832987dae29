from django.db import models

from marketplace.models.requester import Requester


class TokenFamily(models.TextChoices):
    """Operations that share one space of UniqueRequestTokens."""

    CREATE_HIT = "create_hit"
    ADD_ASSIGNMENTS = "add_assignments"
    SEND_BONUS = "send_bonus"
    # Hidden: made of the HIT and its new expiration.
    UPDATE_EXPIRATION = "update_expiration"


class RequestToken(models.Model):
    """A UniqueRequestToken that acted; it is remembered for 24 hours."""

    requester = models.ForeignKey(Requester, models.PROTECT, related_name="+")
    family = models.CharField(max_length=20, choices=TokenFamily.choices)
    token = models.CharField(max_length=64)
    # The HITId for the HIT operations, the request id for the others.
    outcome = models.CharField(max_length=64)
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["requester", "family", "token"], name="request_token_acts_once")
        ]

    def __str__(self) -> str:
        return self.token
