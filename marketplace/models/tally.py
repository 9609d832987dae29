from django.db import models


class Tally(models.Model):
    """How often an operation was answered with a status, over all processes; for `/metrics` alone."""

    operation = models.CharField(max_length=60)
    status = models.PositiveSmallIntegerField()
    calls = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["operation", "status"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.operation} {self.status}"
