"""The people who answer: as one Connection knows them, and as one team knows them."""

from django.db import models

from mturkhub.accounts.models import Connection, Team
from mturkhub.accounts.querysets import TeamQuerySet


class Worker(models.Model):
    """A person on a market, as one Connection knows them."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="workers")
    mturk_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "mturk_id"], name="worker_once"),
        ]

    def __str__(self) -> str:
        return f"Worker {self.pk}"


class TeamWorker(models.Model):
    """What one team knows of a Worker; people without WORKER_IDENTIFY see the pseudonym alone."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="team_workers")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="team_workers")
    # "W-3H8T5K": random, so that it says nothing about the id behind it.
    pseudonym = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet["TeamWorker"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "worker"], name="team_worker_once"),
            models.UniqueConstraint(fields=["team", "pseudonym"], name="pseudonym_once"),
        ]

    def __str__(self) -> str:
        return self.pseudonym
