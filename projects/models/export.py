"""What has been taken away, so that the next download can begin where the last one ended."""

from django.db import models

from mturkhub.accounts.models import Team, User
from mturkhub.accounts.querysets import TeamQuerySet
from projects.models.batch import Batch


class Export(models.Model):
    """A download of a batch's answers that reached its end: those collected from `since` on and before `until`."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="exports")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    # Empty: from the first answer on.
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField()
    answers = models.PositiveIntegerField()
    # With the answers of the batches that continue it.
    continued = models.BooleanField(default=False, db_default=False)

    objects = TeamQuerySet["Export"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["batch", "by", "-id"], name="export_newest")]

    def __str__(self) -> str:
        return f"{self.answers:,} answers of {self.batch}"
