from django.db import models


class ClockOffset(models.Model):
    """How far the test clock is ahead of Postgres' own; no row means not at all."""

    only = models.BooleanField(primary_key=True, default=True)
    offset = models.DurationField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="clock_offset_is_one_row")]

    def __str__(self) -> str:
        return str(self.offset)
