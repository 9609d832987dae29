"""Who did what, when: one row per action, written in the action's transaction, never changed."""

from django.db import models
from django.db.models import F
from django.db.models.fields.json import KeyTransform

from mturkhub.accounts.models.team import Team
from mturkhub.accounts.models.user import User
from mturkhub.accounts.querysets import TeamQuerySet


class Event(models.Model):
    """One action, by a person or by a rule of the system."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_rule = models.CharField(max_length=100, blank=True)
    # Noun and past verb: "batch.published".
    verb = models.CharField(max_length=60)
    target_type = models.CharField(max_length=60)
    target_id = models.BigIntegerField()
    target_label = models.CharField(max_length=300, blank=True)
    details = models.JSONField(default=dict, blank=True)

    objects = TeamQuerySet["Event"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["team", "-id"], name="event_newest"),
            models.Index(fields=["target_type", "target_id", "-id"], name="event_of_target"),
            models.Index(fields=["team", "by", "-id"], name="event_of_person"),
            models.Index(fields=["team", "verb", "-id"], name="event_of_verb"),
            # Events of a batch's answers name the batch in their details.
            models.Index("team", KeyTransform("batch", "details"), F("id").desc(), name="event_of_batch"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(by__isnull=False) | ~models.Q(by_rule=""), name="event_has_an_actor"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.target_label}"
