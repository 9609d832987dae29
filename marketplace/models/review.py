from django.db import models

from marketplace.identifiers import new_entity_id
from marketplace.models.hit import HIT


class PolicyLevel(models.TextChoices):
    """What a review policy looks at: one answer, or all answers to a HIT."""

    ASSIGNMENT = "Assignment"
    HIT = "HIT"


class ReviewAction(models.Model):
    """What a review policy did to a HIT or Assignment, or tried to."""

    mturk_id = models.CharField(max_length=64, default=new_entity_id)
    hit = models.ForeignKey(HIT, models.PROTECT, related_name="review_actions", db_index=False)
    level = models.CharField(max_length=10, choices=PolicyLevel.choices)
    # review, approve, reject or extend.
    name = models.CharField(max_length=10)
    target_id = models.CharField(max_length=64)
    target_type = models.CharField(max_length=10)
    # A TurkErrorCode when it failed, else empty.
    error_code = models.CharField(max_length=64, blank=True)
    result = models.TextField()
    completed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mturk_id"], name="review_action_mturk_id")]
        indexes = [models.Index(fields=["hit", "id"], name="review_actions_of_a_hit")]

    def __str__(self) -> str:
        return f"{self.name} {self.target_id}"


class ReviewResult(models.Model):
    """A figure that a review policy found, in MTurk's own keys."""

    hit = models.ForeignKey(HIT, models.PROTECT, related_name="review_results", db_index=False)
    level = models.CharField(max_length=10, choices=PolicyLevel.choices)
    action = models.ForeignKey(ReviewAction, models.PROTECT, related_name="results", db_index=False)
    subject_id = models.CharField(max_length=64)
    subject_type = models.CharField(max_length=10)
    # Empty where it is about all questions.
    question_id = models.TextField(blank=True)
    key = models.CharField(max_length=30)
    value = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["hit", "id"], name="review_results_of_a_hit")]

    def __str__(self) -> str:
        return f"{self.key} {self.value}"
