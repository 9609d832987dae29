"""An uploaded file and its lines, and what has become of each."""

from decimal import Decimal

from django.db import models

from mturkhub.accounts.models import Connection, Team, User
from mturkhub.accounts.querysets import TeamQuerySet
from mturkhub.common.encodings import ENCODINGS, UTF_8
from mturkhub.common.models import StoredFile
from mturkhub.common.public_ids import new_public_id
from projects.models.project import HITProperties, HITTemplate, Project
from projects.querysets import BatchQuerySet
from projects.states import BatchState, RowProgress


class BatchUpload(models.Model):
    """A file on its way to becoming a Batch, with the report of its check. Nothing of it costs anything."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="uploads")
    file = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="+")
    # `BatchReport.as_json()` of batch_reading; empty until the file has been checked for the first time.
    report = models.JSONField(default=dict)
    # How the file is read: as UTF-8, unless a person has chosen.
    encoding = models.CharField(max_length=20, default=UTF_8)
    encoding_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    encoding_at = models.DateTimeField(null=True, blank=True)
    # Set while a check in the background is wanted, with how far it has come; see `projects.checking`.
    check_wanted_at = models.DateTimeField(null=True, blank=True)
    check_attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    bytes_read = models.BigIntegerField(default=0)
    lines_read = models.PositiveIntegerField(default=0)
    # Set when the person chose to go on without the named lines.
    lines_dropped_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    lines_dropped_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet["BatchUpload"].as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], name="upload_to_check", condition=models.Q(check_wanted_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.file.name

    @property
    def encoding_name(self) -> str:
        return ENCODINGS[self.encoding]


class Batch(HITProperties):
    """One uploaded file, published with one template version and one frozen set of properties."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="batches")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="batches")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="batches")
    template = models.ForeignKey(HITTemplate, on_delete=models.PROTECT, related_name="batches")
    upload = models.ForeignKey(
        BatchUpload, on_delete=models.PROTECT, null=True, blank=True, related_name="batches"
    )
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=20, choices=BatchState.choices, default=BatchState.DRAFT.value)
    state_reason = models.TextField(blank=True)

    # The file's columns in the order of upload; JSONB would lose it.
    columns = models.JSONField(default=list)
    # Answer fields seen so far, sorted: the `Answer.*` columns of the export.
    answer_fields = models.JSONField(default=list)
    lines_dropped = models.PositiveIntegerField(default=0)

    # Counters, kept by `projects.counting` in the transaction that changes what they count.
    rows_total = models.PositiveIntegerField(default=0)
    rows_not_published = models.PositiveIntegerField(default=0)
    rows_no_answer = models.PositiveIntegerField(default=0)
    rows_some_answers = models.PositiveIntegerField(default=0)
    rows_to_review = models.PositiveIntegerField(default=0)
    rows_decided = models.PositiveIntegerField(default=0)
    rows_failed = models.PositiveIntegerField(default=0)
    answers_submitted = models.PositiveIntegerField(default=0)
    answers_approved = models.PositiveIntegerField(default=0)
    answers_rejected = models.PositiveIntegerField(default=0)
    # Asked for on top of `max_assignments` a row; kept by `projects.operating`.
    answers_extra = models.PositiveIntegerField(default=0)

    # Dollars, with the fee; kept by `projects.paying`.
    bonuses_paid = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal("0.00"))

    # When nothing of a closed or cancelled batch was left to be done at the market; see `projects.ending`.
    ended_at = models.DateTimeField(null=True, blank=True)
    # Closing deletes its HITs at the market, even those whose rejections could still be overturned.
    deletes_hits = models.BooleanField(default=False)
    deletes_rejected = models.BooleanField(default=False)
    # Dollars, fees included: promised to its HITs and bonuses, and paid; kept by `projects.budgets`.
    committed = models.DecimalField(max_digits=14, decimal_places=2, default=0, db_default=0)
    paid = models.DecimalField(max_digits=14, decimal_places=2, default=0, db_default=0)

    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    # When its HITs, which were made elsewhere, were adopted; see `projects.adopting`.
    adopted_at = models.DateTimeField(null=True, blank=True)
    # When it was read from a results file: nothing was and nothing is sent for it; see `projects.importing`.
    imported_at = models.DateTimeField(null=True, blank=True)
    # The first batch of the chain, of whose rows it asks for what was missing; see `projects.continuing`.
    continues = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="continued_by"
    )
    # Each of its rows asks for exactly what is missing, `answers_missing` in all, and not for `max_assignments`.
    only_missing = models.BooleanField(default=False, db_default=False)
    answers_missing = models.PositiveIntegerField(default=0, db_default=0)
    # Rejected answers are asked for again by themselves, at most so many for so many dollars in all; see
    # `projects.requeueing`. Empty is off.
    requeue_most = models.PositiveIntegerField(null=True, blank=True)
    requeue_limit = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    requeued = models.PositiveIntegerField(default=0, db_default=0)
    requeued_cost = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    # Why it has stopped, in a sentence.
    requeue_stopped = models.TextField(blank=True, default="", db_default="")
    # How it is published: only so many rows at first, so many an hour, not before this time. Empty: all, at once, now.
    first_rows = models.PositiveIntegerField(null=True, blank=True)
    rows_per_hour = models.PositiveIntegerField(null=True, blank=True)
    publish_at = models.DateTimeField(null=True, blank=True)
    scheduled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    published_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)

    objects = BatchQuerySet["Batch"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project", "-id"], name="batch_of_project"),
            models.Index(fields=["team", "-id"], name="batch_newest"),
            models.Index(
                fields=["connection", "id"],
                name="batch_publishing",
                condition=models.Q(state=BatchState.PUBLISHING.value),
            ),
            models.Index(
                fields=["publish_at"],
                name="batch_scheduled",
                condition=models.Q(state=BatchState.SCHEDULED.value),
            ),
            models.Index(
                fields=["id"],
                name="batch_ending",
                condition=models.Q(
                    state__in=[BatchState.CANCELLED.value, BatchState.CLOSING.value], ended_at__isnull=True
                ),
            ),
            models.Index(
                fields=["id"],
                name="batch_requeueing",
                condition=models.Q(requeue_most__isnull=False, requeue_stopped=""),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(published_at__isnull=True, published_by__isnull=True)
                | models.Q(published_at__isnull=False, published_by__isnull=False),
                name="batch_published_by_and_at",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_from_elsewhere(self) -> bool:
        """Its HITs were not made from here, so they carry somebody else's annotation."""
        return self.adopted_at is not None or self.imported_at is not None

    @property
    def answers(self) -> int:
        return self.answers_submitted + self.answers_approved + self.answers_rejected

    @property
    def answers_expected(self) -> int:
        asked = self.answers_missing if self.only_missing else self.rows_total * self.max_assignments
        return asked + self.answers_extra


class BatchRow(models.Model):
    """One line of the file, written once."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    # Without an index or a check of its own: it is the batch's team, and looking it up again for each of 100,000 rows takes its time.
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    # The constraint below is its index.
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="rows", db_index=False)
    # 1 for the first line after the header, over the lines that were kept.
    number = models.PositiveIntegerField()
    # Column → value: a string for CSV and TSV, any JSON value for JSON Lines.
    input = models.JSONField()
    # The row whose item it is, in the first batch of the chain, and how many answers were missing of it then.
    continues = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="continued_by", db_index=False
    )
    missing = models.PositiveIntegerField(null=True, blank=True)

    objects = TeamQuerySet["BatchRow"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="batch_row_once"),
        ]
        indexes = [
            models.Index(
                fields=["continues"],
                name="row_continued_by",
                condition=models.Q(continues__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.number}"


class RowResult(models.Model):
    """What has become of one row so far; one to one with it."""

    row = models.OneToOneField(BatchRow, on_delete=models.PROTECT, primary_key=True, related_name="result")
    # Copies of what the row says, which is checked there; so lists filter, sort and page on this table's indexes.
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    batch = models.ForeignKey(
        Batch, on_delete=models.PROTECT, related_name="results", db_index=False, db_constraint=False
    )
    number = models.PositiveIntegerField()
    progress = models.CharField(
        max_length=20, choices=RowProgress.choices, default=RowProgress.NOT_PUBLISHED.value
    )
    submitted = models.PositiveIntegerField(default=0)
    approved = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    last_answer_at = models.DateTimeField(null=True, blank=True)

    objects = TeamQuerySet["RowResult"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="row_result_by_number"),
        ]
        indexes = [
            models.Index(fields=["batch", "progress", "number"], name="row_result_by_progress"),
            # Only of rows with an answer: those of a new batch, 100,000 of them perhaps, are in neither.
            models.Index(
                fields=["batch", "-last_answer_at", "-number"],
                condition=models.Q(last_answer_at__isnull=False),
                name="row_result_by_answer",
            ),
            models.Index(
                fields=["batch", "progress", "-last_answer_at", "-number"],
                condition=models.Q(last_answer_at__isnull=False),
                name="row_result_progress_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.number}: {self.progress}"

    @property
    def answers(self) -> int:
        return self.submitted + self.approved + self.rejected
