import secrets

from django.db import models

from marketplace.models.requester import Requester


def new_document_id() -> str:
    """An EventDocId; whoever gets a document twice knows it by this."""
    return secrets.token_hex(20)


class Notification(models.Model):
    """An event that its requester has not been told of yet; the row goes when the endpoint has taken it."""

    document_id = models.CharField(max_length=40, default=new_document_id)
    requester = models.ForeignKey(Requester, models.PROTECT, related_name="notifications")
    transport = models.CharField(max_length=5)
    destination = models.TextField()
    # EventType, EventTimestamp and ids, as the document shows them.
    event = models.JSONField()
    created_at = models.DateTimeField()
    # When it is tried (again); while somebody tries, when that one counts as dead.
    due_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="notification_due")]

    def __str__(self) -> str:
        return f"{self.event.get('EventType')} to {self.destination}"
