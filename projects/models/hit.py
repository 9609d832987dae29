"""The shared terms of a HIT, and the HIT: first our intention to create it, then what MTurk says of it."""

from django.db import models
from django.db.models import Q

from mturkhub.accounts.models import Connection, Team
from mturkhub.common.public_ids import new_public_id
from mturkhub.intentions.models import Intention, IntentionState
from projects.models.batch import Batch, BatchRow
from projects.querysets import CHANGED_ELSEWHERE, HITQuerySet
from projects.states import HITStatus


class ChangedElsewhere(models.TextChoices):
    """What somebody did to a HIT without us."""

    EXPIRED = "expired", "Expired elsewhere"
    REOPENED = "reopened", "Given more time elsewhere"
    DELETED = "deleted", "Deleted elsewhere"


class HITType(models.Model):
    """Terms that equal batches of a Connection share; it belongs to no team."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="hit_types")
    # SHA-256 of the properties as they go to CreateHITType.
    digest = models.CharField(max_length=64)
    properties = models.JSONField()
    mturk_id = models.CharField(max_length=64, blank=True)
    # The queue that MTurk sends its events to, as far as we told it; when to tell it again after it refused.
    notified_queue = models.CharField(max_length=300, blank=True, default="", db_default="")
    notify_due_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "digest"], name="hit_type_once"),
        ]

    def __str__(self) -> str:
        return self.mturk_id or "HIT type not made yet"


class HIT(Intention):
    """One HIT for one row. `publish_state` is ours, `hit_status` is MTurk's."""

    STATE_FIELD = "publish_state"
    DONE_STATE = IntentionState.PUBLISHED

    # Also the HIT's name in RequesterAnnotation, by which it is found again after an unknown outcome.
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="hits")
    row = models.ForeignKey(BatchRow, on_delete=models.PROTECT, related_name="hits")
    # Which set of nine answers, and which go at the row; both 0 until there are more.
    group = models.PositiveSmallIntegerField(default=0)
    round = models.PositiveSmallIntegerField(default=0)
    hit_type = models.ForeignKey(
        HITType, on_delete=models.PROTECT, null=True, blank=True, related_name="hits"
    )
    max_assignments = models.PositiveIntegerField()
    publish_state = models.CharField(
        max_length=20, choices=IntentionState.choices, default=IntentionState.QUEUED.value
    )

    # Reward and fee of one answer, and what of it counts against budgets, in dollars; kept by `projects.spending`.
    price_each = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    committed = models.DecimalField(max_digits=14, decimal_places=2, default=0, db_default=0)
    paid = models.DecimalField(max_digits=14, decimal_places=2, default=0, db_default=0)
    # The first day of the month in which it counts.
    reserved_on = models.DateField(null=True, blank=True)

    # As MTurk says.
    mturk_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - unique where known
    hit_status = models.CharField(max_length=20, choices=HITStatus.choices, blank=True)
    mturk_created_at = models.DateTimeField(null=True, blank=True)
    # RequesterAnnotation of a HIT that was made elsewhere; of our own it follows from the row.
    annotation = models.TextField(blank=True, default="", db_default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    # Slots of a HIT that is over or gone which nobody has used.
    unusable = models.PositiveIntegerField(default=0, db_default=0)

    # The last change of it that was not ours; see `projects.differences`.
    changed_elsewhere = models.CharField(
        max_length=10, choices=ChangedElsewhere.choices, blank=True, default="", db_default=""
    )

    # The counters ListHITs showed before the last fetch that held everything they promised.
    listed_status = models.CharField(max_length=20, blank=True)
    listed_max = models.PositiveIntegerField(null=True, blank=True)
    listed_available = models.PositiveIntegerField(null=True, blank=True)
    listed_pending = models.PositiveIntegerField(null=True, blank=True)
    listed_completed = models.PositiveIntegerField(null=True, blank=True)
    # Sweeps that fetch it whatever the counters say.
    refetches_left = models.PositiveSmallIntegerField(default=0)
    fetch_wanted_at = models.DateTimeField(null=True, blank=True)
    last_fetched_at = models.DateTimeField(null=True, blank=True)
    # Fetched for an event since it was last listed, so its listed counters are older than what is held.
    fetched_unlisted = models.BooleanField(default=False, db_default=False)
    # Complete sweeps since the last send in which it was looked for and not found.
    sweeps_without = models.PositiveSmallIntegerField(default=0)
    missing_since = models.DateTimeField(null=True, blank=True)
    # Bonuses may have been paid that are not known here, for the database was restored; see `projects.paying`.
    bonuses_unread = models.BooleanField(default=False, db_default=False)

    objects = HITQuerySet["HIT"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["row", "group", "round"], name="hit_once_per_round"),
            models.UniqueConstraint(fields=["connection", "mturk_id"], name="hit_mturk_id_once"),
            models.UniqueConstraint(fields=["token"], name="hit_token_once"),
            models.CheckConstraint(
                condition=~Q(publish_state=IntentionState.PUBLISHED.value) | Q(mturk_id__isnull=False),
                name="published_hit_has_mturk_id",
            ),
        ]
        indexes = [
            models.Index(fields=["batch", "publish_state", "id"], name="hit_by_publish_state"),
            models.Index(fields=["batch", "hit_status", "id"], name="hit_by_status"),
            models.Index(
                fields=["connection", "due_at", "id"], name="hit_to_send", condition=Q(publish_state="queued")
            ),
            models.Index(
                fields=["batch", "due_at", "id"], name="hit_to_create", condition=Q(publish_state="queued")
            ),
            models.Index(
                fields=["connection", "id"],
                name="hit_unsettled",
                condition=Q(publish_state__in=["sending", "unknown"]),
            ),
            models.Index(
                fields=["connection", "id"], name="hit_bonuses_unread", condition=Q(bonuses_unread=True)
            ),
            models.Index(fields=["batch"], name="hit_changed_elsewhere", condition=CHANGED_ELSEWHERE),
            models.Index(
                fields=["connection", "fetch_wanted_at"],
                name="hit_fetch_wanted",
                condition=Q(fetch_wanted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.mturk_id or f"HIT of {self.row_id}"

    @classmethod
    def newest_known(cls, connection: Connection) -> str:
        """MTurk's id of the newest HIT of a Connection that was not deleted; empty when there is none."""
        known = cls.objects.filter(connection=connection, mturk_id__isnull=False)
        known = known.exclude(hit_status=HITStatus.DISPOSED)
        return known.order_by("-pk").values_list("mturk_id", flat=True).first() or ""
