from django.db import models

from marketplace.models.requester import Requester


class WorkerBlock(models.Model):
    """A Worker whose work a requester does not want; named by WorkerId, for one may be blocked before they come."""

    requester = models.ForeignKey(Requester, models.PROTECT, related_name="blocks", db_index=False)
    worker_mturk_id = models.CharField(max_length=64)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # The WorkerId first: the worker site asks who blocks somebody.
            models.UniqueConstraint(
                fields=["worker_mturk_id", "requester"], name="a_requester_blocks_a_worker_once"
            )
        ]
        indexes = [models.Index(fields=["requester", "id"], name="block_list")]

    def __str__(self) -> str:
        return self.worker_mturk_id
