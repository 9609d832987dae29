"""One pass over a Connection's HITs: what it saw, what it fetched, and whether it got to the end."""

from datetime import timedelta

from django.db import models

from mturkhub.accounts.models import Connection, Environment

# Between two sweeps of a Connection with open work.
INTERVALS = {Environment.LOCAL.value: timedelta(seconds=10)}
INTERVAL = timedelta(seconds=60)


def sweep_interval(connection: Connection) -> timedelta:
    """How long answers to open work may lie before they are looked for."""
    return INTERVALS.get(connection.environment, INTERVAL)


class Sweep(models.Model):
    """Begun when ListHITs was first asked; complete only when the last page was empty."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="sweeps")
    begun_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    is_complete = models.BooleanField(default=False)
    # Everything open was asked for, whatever the counters said.
    is_full = models.BooleanField(default=False)
    pages = models.PositiveIntegerField(default=0)
    hits_listed = models.PositiveIntegerField(default=0)
    hits_fetched = models.PositiveIntegerField(default=0)
    answers_new = models.PositiveIntegerField(default=0)
    # Annotated by another installation, by another team here, or by nobody: counted, never touched.
    hits_elsewhere = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["connection", "-begun_at"], name="sweep_newest"),
        ]

    def __str__(self) -> str:
        return f"sweep of {self.begun_at:%Y-%m-%d %H:%M:%S}"
