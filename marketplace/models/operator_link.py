from django.db import models


class OperatorLink(models.Model):
    """The one link that opens the operator's page; used up or replaced, it opens nothing."""

    only = models.BooleanField(primary_key=True, default=True)
    # SHA-256 of what the link ends with.
    digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="operator_link_is_one_row")]

    def __str__(self) -> str:
        return f"until {self.expires_at}"
