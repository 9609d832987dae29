"""A HIT of a Connection that was not made from here: listed, and touched by nobody until it is adopted."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest

from mturkhub.accounts.models import Connection
from mturkhub.common.models import Installation
from mturkhub.common.public_ids import new_public_id
from projects.models.hit import HIT
from projects.states import HITStatus

_LISTED = Q(gone_at__isnull=True, adopted__isnull=True)
_WAITS = Q(max_assignments__gt=F("available") + F("pending") + F("completed"))
_OVER = [HITStatus.REVIEWABLE.value, HITStatus.REVIEWING.value]


class ForeignHITQuerySet(models.QuerySet["ForeignHIT"]):
    def listed(self) -> "ForeignHITQuerySet":
        """Those MTurk still lists and nobody has adopted."""
        return self.filter(_LISTED)

    def of_nobody_else(self) -> "ForeignHITQuerySet":
        """Those no other installation has made: by a script, on the requester site, or here before a restore."""
        return self.filter(Q(installation=None) | Q(installation=Installation.current_id()))

    def of_others(self) -> "ForeignHITQuerySet":
        return self.exclude(installation=None).exclude(installation=Installation.current_id())

    def awaiting_review(self) -> "ForeignHITQuerySet":
        """Those with answers that nobody has decided."""
        return self.filter(_WAITS)

    def with_answers_waiting(self) -> "ForeignHITQuerySet":
        """Each with `waiting`: answers nobody has decided, as far as the counters tell."""
        waiting = F("max_assignments") - F("available") - F("pending") - F("completed")
        return self.annotate(waiting=Greatest(waiting, 0))


class ForeignHIT(models.Model):
    """As the last sweep that noticed a change has listed it; written by `projects.elsewhere` alone."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="foreign_hits")
    mturk_id = models.CharField(max_length=64)
    hit_type_id = models.CharField(max_length=64)
    hit_group_id = models.CharField(max_length=64, blank=True)
    title = models.TextField(blank=True)
    reward = models.DecimalField(max_digits=8, decimal_places=2)
    max_assignments = models.PositiveIntegerField()
    available = models.PositiveIntegerField()
    pending = models.PositiveIntegerField()
    completed = models.PositiveIntegerField()
    hit_status = models.CharField(max_length=20, choices=HITStatus.choices)
    mturk_created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    annotation = models.TextField(blank=True)
    # Whose it is, by its annotation: an installation of this product, or nobody's.
    installation = models.UUIDField(null=True, blank=True)
    # Which batch it belonged to where it was made, by its annotation; HITs of one type and origin become one Batch.
    origin = models.CharField(max_length=64, blank=True)

    first_seen_at = models.DateTimeField()
    # When something of it was last seen to have changed. Until it is gone every complete sweep has seen it.
    changed_at = models.DateTimeField()
    # MTurk no longer listed it.
    gone_at = models.DateTimeField(null=True, blank=True)
    adopted = models.OneToOneField(
        HIT, on_delete=models.PROTECT, null=True, blank=True, related_name="foreign"
    )

    objects = ForeignHITQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "mturk_id"], name="foreign_hit_once"),
        ]
        indexes = [
            models.Index(fields=["connection", "-id"], name="foreign_hit_newest", condition=_LISTED),
            models.Index(
                fields=["connection", "hit_status", "-id"], name="foreign_hit_by_status", condition=_LISTED
            ),
            models.Index(
                fields=["connection", "hit_type_id", "-id"], name="foreign_hit_by_type", condition=_LISTED
            ),
            models.Index(
                fields=["connection", "-id"], name="foreign_hit_waiting", condition=_LISTED & _WAITS
            ),
            models.Index(
                fields=["connection", "installation"], name="foreign_hit_by_maker", condition=_LISTED
            ),
        ]

    def __str__(self) -> str:
        return self.mturk_id

    @property
    def is_over(self) -> bool:
        """Nobody can accept it any more, and nobody works on it."""
        return self.hit_status in _OVER

    @property
    def places(self) -> int:
        """Slots that are used or can still be used."""
        return self.max_assignments - (self.available if self.is_over else 0)

    @property
    def bound(self) -> int:
        """Slots that may still have to be paid."""
        return max(0, self.places - self.completed)
