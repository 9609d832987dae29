from django.db import models

from marketplace.models.requester import Requester
from marketplace.models.worker import Worker


class Message(models.Model):
    """What a requester wrote to a Worker; it is read on the worker site."""

    requester = models.ForeignKey(Requester, models.PROTECT, related_name="messages")
    worker = models.ForeignKey(Worker, models.PROTECT, related_name="messages", db_index=False)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    sent_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["worker", "-id"], name="messages_newest_first"),
            models.Index(fields=["worker"], condition=models.Q(read_at=None), name="messages_unread"),
        ]

    def __str__(self) -> str:
        return self.subject
