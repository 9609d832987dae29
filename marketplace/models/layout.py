from django.db import models

from marketplace.identifiers import new_entity_id
from marketplace.models.requester import Requester


class HITLayout(models.Model):
    """A requester's HTML with `${names}` that each HIT fills in. MTurk has no operation to make one."""

    mturk_id = models.CharField(max_length=64, default=new_entity_id)
    requester = models.ForeignKey(Requester, models.PROTECT, related_name="layouts")
    html = models.TextField()
    # Pixels; 0 grows with the content.
    frame_height = models.IntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mturk_id"], name="layout_mturk_id"),
            models.CheckConstraint(
                condition=models.Q(frame_height__gte=0), name="layout_height_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.mturk_id
