"""What was answered to a request that carried an Idempotency-Key, so that a repeat gets the same."""

from django.db import models

from mturkhub.accounts.models import ApiToken


class KeptAnswer(models.Model):
    """One request that succeeded; written in its own transaction, so that it exists exactly when the request happened."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    # SHA-256 over method, address and body: the same key with another body is a mistake.
    fingerprint = models.CharField(max_length=64)
    # Empty only within the transaction that fills it.
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token", "key"], name="kept_answer_once"),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="kept_answer_oldest"),
        ]

    def __str__(self) -> str:
        return self.key
