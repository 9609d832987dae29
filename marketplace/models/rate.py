from django.db import models

from marketplace.models.requester import Requester


class RateBucket(models.Model):
    """How many calls a requester may make at once; it fills with time. Only used where a rate is set."""

    requester = models.OneToOneField(Requester, models.PROTECT, primary_key=True, related_name="+")
    calls = models.FloatField()
    filled_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.calls:.1f}"
