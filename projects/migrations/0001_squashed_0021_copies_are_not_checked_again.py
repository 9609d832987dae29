"""All tables at once, for a new database: as all that it replaces leaves them."""

import datetime
import uuid
from decimal import Decimal

import django.contrib.postgres.functions
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import mturkhub.common.public_ids

# TRUNCATE stays possible: it takes the table's owner, and empties a test database between tests.
_FORBID = """
    create function projects_ledger_stays() returns trigger language plpgsql as $$
    begin
        raise exception 'Ledger entries are never changed or deleted: write a further one.';
    end $$;
    create trigger ledger_is_append_only before update or delete on projects_ledgerentry
        for each row execute function projects_ledger_stays();
"""
_ALLOW = """
    drop trigger ledger_is_append_only on projects_ledgerentry;
    drop function projects_ledger_stays();
"""


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("projects", "0001_initial"),
        ("projects", "0002_upload_check"),
        ("projects", "0003_list_indexes"),
        ("projects", "0004_ending_batches"),
        ("projects", "0005_bonuses"),
        ("projects", "0006_overturning_and_publishing"),
        ("projects", "0007_sending_in_turn"),
        ("projects", "0011_budgets"),
        ("projects", "0012_incremental_exports"),
        ("projects", "0013_ledger"),
        ("projects", "0014_open_ledger"),
        ("projects", "0015_reconciliation"),
        ("projects", "0016_made_elsewhere"),
        ("projects", "0017_imported_results"),
        ("projects", "0018_notifications"),
        ("projects", "0019_linked_batches"),
        ("projects", "0020_requeue_rejected"),
        ("projects", "0021_copies_are_not_checked_again"),
    ]

    dependencies = [
        ("accounts", "0011_notifications"),
        ("common", "0001_initial"),
        ("intentions", "0005_adding_up"),
        ("workers", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Project",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=128)),
                (
                    "description",
                    models.TextField(validators=[django.core.validators.MaxLengthValidator(2000)]),
                ),
                ("keywords", models.CharField(blank=True, max_length=1000)),
                (
                    "reward",
                    models.DecimalField(
                        decimal_places=2,
                        max_digits=8,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.00"))],
                    ),
                ),
                (
                    "max_assignments",
                    models.PositiveIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000000),
                        ],
                    ),
                ),
                (
                    "assignment_duration",
                    models.DurationField(
                        default=datetime.timedelta(seconds=3600),
                        validators=[
                            django.core.validators.MinValueValidator(datetime.timedelta(seconds=30)),
                            django.core.validators.MaxValueValidator(datetime.timedelta(days=365)),
                        ],
                    ),
                ),
                (
                    "lifetime",
                    models.DurationField(
                        default=datetime.timedelta(days=7),
                        validators=[
                            django.core.validators.MinValueValidator(datetime.timedelta(seconds=30)),
                            django.core.validators.MaxValueValidator(datetime.timedelta(days=365)),
                        ],
                    ),
                ),
                (
                    "auto_approval_delay",
                    models.DurationField(
                        default=datetime.timedelta(days=3),
                        validators=[
                            django.core.validators.MinValueValidator(datetime.timedelta(0)),
                            django.core.validators.MaxValueValidator(datetime.timedelta(days=30)),
                        ],
                    ),
                ),
                (
                    "frame_height",
                    models.PositiveIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(10000)]
                    ),
                ),
                (
                    "estimated_duration",
                    models.DurationField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=1))],
                    ),
                ),
                ("qualification_requirements", models.JSONField(blank=True, default=list)),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="projects",
                        to="accounts.team",
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "approval",
                    models.CharField(
                        choices=[
                            ("by_hand", "People decide; MTurk approves what is left"),
                            ("at_once", "Approve each answer as it is collected"),
                        ],
                        default="by_hand",
                        max_length=20,
                    ),
                ),
                ("main_field", models.CharField(blank=True, max_length=200)),
                ("data_note", models.TextField(blank=True)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("team", "name"), name="project_name_once")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="HITTemplate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="templates",
                        to="projects.project",
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                ("html", models.TextField()),
                ("is_adopted", models.BooleanField(db_default=False, default=False)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["is_adopted", "-version"],
                "constraints": [
                    models.UniqueConstraint(fields=("project", "version"), name="template_version_once")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="BatchUpload",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uploads",
                        to="projects.project",
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="common.storedfile"
                    ),
                ),
                ("report", models.JSONField(default=dict)),
                ("encoding", models.CharField(default="utf-8", max_length=20)),
                (
                    "encoding_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("encoding_at", models.DateTimeField(blank=True, null=True)),
                ("check_wanted_at", models.DateTimeField(blank=True, null=True)),
                ("check_attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("bytes_read", models.BigIntegerField(default=0)),
                ("lines_read", models.PositiveIntegerField(default=0)),
                (
                    "lines_dropped_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("lines_dropped_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("check_wanted_at__isnull", False)),
                        fields=["id"],
                        name="upload_to_check",
                    )
                ],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=128)),
                (
                    "description",
                    models.TextField(validators=[django.core.validators.MaxLengthValidator(2000)]),
                ),
                ("keywords", models.CharField(blank=True, max_length=1000)),
                (
                    "reward",
                    models.DecimalField(
                        decimal_places=2,
                        max_digits=8,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.00"))],
                    ),
                ),
                (
                    "max_assignments",
                    models.PositiveIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000000),
                        ],
                    ),
                ),
                (
                    "assignment_duration",
                    models.DurationField(
                        default=datetime.timedelta(seconds=3600),
                        validators=[
                            django.core.validators.MinValueValidator(datetime.timedelta(seconds=30)),
                            django.core.validators.MaxValueValidator(datetime.timedelta(days=365)),
                        ],
                    ),
                ),
                (
                    "lifetime",
                    models.DurationField(
                        default=datetime.timedelta(days=7),
                        validators=[
                            django.core.validators.MinValueValidator(datetime.timedelta(seconds=30)),
                            django.core.validators.MaxValueValidator(datetime.timedelta(days=365)),
                        ],
                    ),
                ),
                (
                    "auto_approval_delay",
                    models.DurationField(
                        default=datetime.timedelta(days=3),
                        validators=[
                            django.core.validators.MinValueValidator(datetime.timedelta(0)),
                            django.core.validators.MaxValueValidator(datetime.timedelta(days=30)),
                        ],
                    ),
                ),
                (
                    "frame_height",
                    models.PositiveIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(10000)]
                    ),
                ),
                (
                    "estimated_duration",
                    models.DurationField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=1))],
                    ),
                ),
                ("qualification_requirements", models.JSONField(blank=True, default=list)),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="accounts.team",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="projects.project",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="accounts.connection",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="projects.hittemplate",
                    ),
                ),
                (
                    "upload",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="projects.batchupload",
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("scheduled", "Scheduled"),
                            ("publishing", "Publishing"),
                            ("live", "Live"),
                            ("paused", "Paused"),
                            ("closing", "Closing"),
                            ("closed", "Closed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="draft",
                        max_length=20,
                    ),
                ),
                ("state_reason", models.TextField(blank=True)),
                ("columns", models.JSONField(default=list)),
                ("answer_fields", models.JSONField(default=list)),
                ("lines_dropped", models.PositiveIntegerField(default=0)),
                ("rows_total", models.PositiveIntegerField(default=0)),
                ("rows_not_published", models.PositiveIntegerField(default=0)),
                ("rows_no_answer", models.PositiveIntegerField(default=0)),
                ("rows_some_answers", models.PositiveIntegerField(default=0)),
                ("rows_to_review", models.PositiveIntegerField(default=0)),
                ("rows_decided", models.PositiveIntegerField(default=0)),
                ("rows_failed", models.PositiveIntegerField(default=0)),
                ("answers_submitted", models.PositiveIntegerField(default=0)),
                ("answers_approved", models.PositiveIntegerField(default=0)),
                ("answers_rejected", models.PositiveIntegerField(default=0)),
                ("answers_extra", models.PositiveIntegerField(default=0)),
                (
                    "bonuses_paid",
                    models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=12),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("deletes_hits", models.BooleanField(default=False)),
                ("deletes_rejected", models.BooleanField(default=False)),
                ("committed", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=14)),
                ("paid", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=14)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("adopted_at", models.DateTimeField(blank=True, null=True)),
                ("imported_at", models.DateTimeField(blank=True, null=True)),
                (
                    "continues",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="continued_by",
                        to="projects.batch",
                    ),
                ),
                ("only_missing", models.BooleanField(db_default=False, default=False)),
                ("answers_missing", models.PositiveIntegerField(db_default=0, default=0)),
                ("requeue_most", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "requeue_limit",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True),
                ),
                ("requeued", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "requeued_cost",
                    models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=12),
                ),
                ("requeue_stopped", models.TextField(blank=True, db_default="", default="")),
                ("first_rows", models.PositiveIntegerField(blank=True, null=True)),
                ("rows_per_hour", models.PositiveIntegerField(blank=True, null=True)),
                ("publish_at", models.DateTimeField(blank=True, null=True)),
                (
                    "scheduled_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("published_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["project", "-id"], name="batch_of_project"),
                    models.Index(fields=["team", "-id"], name="batch_newest"),
                    models.Index(
                        condition=models.Q(("state", "publishing")),
                        fields=["connection", "id"],
                        name="batch_publishing",
                    ),
                    models.Index(
                        condition=models.Q(("state", "scheduled")),
                        fields=["publish_at"],
                        name="batch_scheduled",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("ended_at__isnull", True), ("state__in", ["cancelled", "closing"])
                        ),
                        fields=["id"],
                        name="batch_ending",
                    ),
                    models.Index(
                        condition=models.Q(("requeue_most__isnull", False), ("requeue_stopped", "")),
                        fields=["id"],
                        name="batch_requeueing",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("published_at__isnull", True), ("published_by__isnull", True)),
                            models.Q(("published_at__isnull", False), ("published_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="batch_published_by_and_at",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BatchRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.team",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rows",
                        to="projects.batch",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("input", models.JSONField()),
                (
                    "continues",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="continued_by",
                        to="projects.batchrow",
                    ),
                ),
                ("missing", models.PositiveIntegerField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("continues__isnull", False)),
                        fields=["continues"],
                        name="row_continued_by",
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("batch", "number"), name="batch_row_once")],
            },
        ),
        migrations.CreateModel(
            name="RowResult",
            fields=[
                (
                    "row",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="result",
                        serialize=False,
                        to="projects.batchrow",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.team",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="results",
                        to="projects.batch",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "progress",
                    models.CharField(
                        choices=[
                            ("not_published", "not published"),
                            ("no_answer", "no answer yet"),
                            ("some_answers", "some answers"),
                            ("to_review", "to review"),
                            ("decided", "decided"),
                            ("failed", "failed"),
                        ],
                        default="not_published",
                        max_length=20,
                    ),
                ),
                ("submitted", models.PositiveIntegerField(default=0)),
                ("approved", models.PositiveIntegerField(default=0)),
                ("rejected", models.PositiveIntegerField(default=0)),
                ("last_answer_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["batch", "progress", "number"], name="row_result_by_progress"),
                    models.Index(fields=["batch", "-last_answer_at", "-number"], name="row_result_by_answer"),
                    models.Index(
                        fields=["batch", "progress", "-last_answer_at", "-number"],
                        name="row_result_progress_answer",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("batch", "number"), name="row_result_by_number")
                ],
            },
        ),
        migrations.CreateModel(
            name="HITType",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hit_types",
                        to="accounts.connection",
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("properties", models.JSONField()),
                ("mturk_id", models.CharField(blank=True, max_length=64)),
                ("notified_queue", models.CharField(blank=True, db_default="", default="", max_length=300)),
                ("notify_due_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "digest"), name="hit_type_once")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="HIT",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="accounts.connection",
                    ),
                ),
                ("token", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("due_at", models.DateTimeField()),
                ("first_sent_at", models.DateTimeField(blank=True, null=True)),
                ("last_sent_at", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("outcome", models.TextField(blank=True)),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("by_rule", models.CharField(blank=True, max_length=100)),
                ("reason", models.TextField(blank=True)),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="hits", to="projects.batch"
                    ),
                ),
                (
                    "row",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hits",
                        to="projects.batchrow",
                    ),
                ),
                ("group", models.PositiveSmallIntegerField(default=0)),
                ("round", models.PositiveSmallIntegerField(default=0)),
                (
                    "hit_type",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hits",
                        to="projects.hittype",
                    ),
                ),
                ("max_assignments", models.PositiveIntegerField()),
                (
                    "publish_state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("queued", "Queued"),
                            ("sending", "Sending"),
                            ("done", "Done"),
                            ("published", "Published"),
                            ("failed", "Failed"),
                            ("overtaken", "Overtaken"),
                            ("unknown", "Unknown"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=20,
                    ),
                ),
                ("price_each", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=12)),
                ("committed", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=14)),
                ("paid", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=14)),
                ("reserved_on", models.DateField(blank=True, null=True)),
                ("mturk_id", models.CharField(blank=True, max_length=64, null=True)),
                (
                    "hit_status",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("Assignable", "Assignable"),
                            ("Unassignable", "Unassignable"),
                            ("Reviewable", "Reviewable"),
                            ("Reviewing", "Reviewing"),
                            ("Disposed", "Disposed"),
                        ],
                        max_length=20,
                    ),
                ),
                ("mturk_created_at", models.DateTimeField(blank=True, null=True)),
                ("annotation", models.TextField(blank=True, db_default="", default="")),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("unusable", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "changed_elsewhere",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("expired", "Expired elsewhere"),
                            ("reopened", "Given more time elsewhere"),
                            ("deleted", "Deleted elsewhere"),
                        ],
                        db_default="",
                        default="",
                        max_length=10,
                    ),
                ),
                ("listed_status", models.CharField(blank=True, max_length=20)),
                ("listed_max", models.PositiveIntegerField(blank=True, null=True)),
                ("listed_available", models.PositiveIntegerField(blank=True, null=True)),
                ("listed_pending", models.PositiveIntegerField(blank=True, null=True)),
                ("listed_completed", models.PositiveIntegerField(blank=True, null=True)),
                ("refetches_left", models.PositiveSmallIntegerField(default=0)),
                ("fetch_wanted_at", models.DateTimeField(blank=True, null=True)),
                ("last_fetched_at", models.DateTimeField(blank=True, null=True)),
                ("fetched_unlisted", models.BooleanField(db_default=False, default=False)),
                ("sweeps_without", models.PositiveSmallIntegerField(default=0)),
                ("missing_since", models.DateTimeField(blank=True, null=True)),
                ("bonuses_unread", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["batch", "publish_state", "id"], name="hit_by_publish_state"),
                    models.Index(fields=["batch", "hit_status", "id"], name="hit_by_status"),
                    models.Index(
                        condition=models.Q(("publish_state", "queued")),
                        fields=["connection", "due_at", "id"],
                        name="hit_to_send",
                    ),
                    models.Index(
                        condition=models.Q(("publish_state", "queued")),
                        fields=["batch", "due_at", "id"],
                        name="hit_to_create",
                    ),
                    models.Index(
                        condition=models.Q(("publish_state__in", ["sending", "unknown"])),
                        fields=["connection", "id"],
                        name="hit_unsettled",
                    ),
                    models.Index(
                        condition=models.Q(("bonuses_unread", True)),
                        fields=["connection", "id"],
                        name="hit_bonuses_unread",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("changed_elsewhere__gt", ""), ("missing_since__isnull", False), _connector="OR"
                        ),
                        fields=["batch"],
                        name="hit_changed_elsewhere",
                    ),
                    models.Index(
                        condition=models.Q(("fetch_wanted_at__isnull", False)),
                        fields=["connection", "fetch_wanted_at"],
                        name="hit_fetch_wanted",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("row", "group", "round"), name="hit_once_per_round"),
                    models.UniqueConstraint(fields=("connection", "mturk_id"), name="hit_mturk_id_once"),
                    models.UniqueConstraint(fields=("token",), name="hit_token_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("publish_state", "published"), _negated=True),
                            ("mturk_id__isnull", False),
                            _connector="OR",
                        ),
                        name="published_hit_has_mturk_id",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Assignment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.connection",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="projects.batch",
                    ),
                ),
                (
                    "row",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="projects.batchrow",
                    ),
                ),
                (
                    "hit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="projects.hit",
                    ),
                ),
                (
                    "worker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="workers.worker",
                    ),
                ),
                ("mturk_id", models.CharField(max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("Submitted", "Submitted"),
                            ("Approved", "Approved"),
                            ("Rejected", "Rejected"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "pending_verdict",
                    models.CharField(
                        blank=True, choices=[("approve", "Approve"), ("reject", "Reject")], max_length=10
                    ),
                ),
                (
                    "decided_elsewhere",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("auto", "by MTurk itself: its time was up"),
                            ("elsewhere", "elsewhere, not here"),
                        ],
                        db_default="",
                        default="",
                        max_length=10,
                    ),
                ),
                ("accepted_at", models.DateTimeField()),
                ("submitted_at", models.DateTimeField()),
                ("deadline_at", models.DateTimeField(blank=True, null=True)),
                ("auto_approval_at", models.DateTimeField(blank=True, null=True)),
                ("approved_at", models.DateTimeField(blank=True, null=True)),
                ("rejected_at", models.DateTimeField(blank=True, null=True)),
                ("feedback", models.TextField(blank=True)),
                ("work_time", models.DurationField()),
                (
                    "asked_again_in",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.hit",
                    ),
                ),
                ("left_out_at", models.DateTimeField(blank=True, null=True)),
                (
                    "left_out_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("left_out_reason", models.TextField(blank=True)),
                (
                    "collected_at",
                    models.DateTimeField(db_default=django.contrib.postgres.functions.TransactionNow()),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["batch", "submitted_at", "id"], name="assignment_by_time"),
                    models.Index(fields=["batch", "work_time", "id"], name="assignment_by_work_time"),
                    models.Index(
                        fields=["batch", "worker", "submitted_at", "id"], name="assignment_by_worker"
                    ),
                    models.Index(
                        fields=["batch", "status", "pending_verdict", "submitted_at", "id"],
                        name="assignment_status_time",
                    ),
                    models.Index(
                        fields=["batch", "status", "pending_verdict", "work_time", "id"],
                        name="assignment_status_work_time",
                    ),
                    models.Index(
                        fields=["batch", "status", "pending_verdict", "worker", "submitted_at", "id"],
                        name="assignment_status_worker",
                    ),
                    models.Index(
                        condition=models.Q(("pending_verdict", ""), _negated=True),
                        fields=["batch", "submitted_at", "id"],
                        name="assignment_pending",
                    ),
                    models.Index(
                        condition=models.Q(("left_out_at__isnull", False)),
                        fields=["batch", "submitted_at", "id"],
                        name="assignment_left_out_time",
                    ),
                    models.Index(
                        condition=models.Q(("left_out_at__isnull", False)),
                        fields=["batch", "work_time", "id"],
                        name="assignment_left_out_work_time",
                    ),
                    models.Index(
                        condition=models.Q(("left_out_at__isnull", False)),
                        fields=["batch", "worker", "submitted_at", "id"],
                        name="assignment_left_out_worker",
                    ),
                    models.Index(
                        condition=models.Q(("left_out_at__isnull", True)),
                        fields=["batch", "-submitted_at", "-id"],
                        name="assignment_kept_newest",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("asked_again_in__isnull", True), ("pending_verdict", ""), ("status", "Rejected")
                        ),
                        fields=["batch", "-id"],
                        name="assignment_not_asked_again",
                    ),
                    models.Index(fields=["batch", "collected_at"], name="assignment_collected"),
                    models.Index(
                        condition=models.Q(("decided_elsewhere__gt", "")),
                        fields=["batch"],
                        name="assignment_elsewhere",
                    ),
                    models.Index(
                        condition=models.Q(("pending_verdict", ""), ("status", "Submitted")),
                        fields=["batch", "auto_approval_at"],
                        name="assignment_next",
                    ),
                    models.Index(
                        condition=models.Q(("pending_verdict", ""), ("status", "Submitted")),
                        fields=["team", "auto_approval_at"],
                        name="assignment_waiting",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "mturk_id"), name="assignment_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="AssignmentAnswer",
            fields=[
                (
                    "assignment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="answer",
                        serialize=False,
                        to="projects.assignment",
                    ),
                ),
                ("raw_xml", models.TextField()),
                ("fields", models.JSONField(default=dict)),
                ("is_damaged", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Bonus",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="accounts.connection",
                    ),
                ),
                ("token", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("due_at", models.DateTimeField()),
                ("first_sent_at", models.DateTimeField(blank=True, null=True)),
                ("last_sent_at", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("outcome", models.TextField(blank=True)),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("by_rule", models.CharField(blank=True, max_length=100)),
                ("reason", models.TextField(blank=True)),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bonuses",
                        to="projects.batch",
                    ),
                ),
                (
                    "assignment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bonuses",
                        to="projects.assignment",
                    ),
                ),
                (
                    "amount",
                    models.DecimalField(
                        decimal_places=2,
                        max_digits=10,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                    ),
                ),
                ("price", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=12)),
                ("committed", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=12)),
                ("paid", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=12)),
                ("reserved_on", models.DateField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("queued", "Queued"),
                            ("sending", "Sending"),
                            ("done", "Done"),
                            ("published", "Published"),
                            ("failed", "Failed"),
                            ("overtaken", "Overtaken"),
                            ("unknown", "Unknown"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=20,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "verbose_name_plural": "bonuses",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "queued")),
                        fields=["connection", "due_at", "id"],
                        name="bonus_to_send",
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ["sending", "unknown"])),
                        fields=["connection", "id"],
                        name="bonus_unsettled",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("assignment"),
                        models.F("amount"),
                        django.db.models.functions.text.MD5("reason"),
                        condition=models.Q(("state__in", ["waiting", "queued", "sending", "unknown"])),
                        name="one_open_bonus",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="bonus_has_a_reason"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="budgets",
                        to="accounts.team",
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("team", "The whole team"),
                            ("person", "One person"),
                            ("project", "One project"),
                            ("batch", "One batch"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.project",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.batch",
                    ),
                ),
                (
                    "period",
                    models.CharField(
                        choices=[("none", "in all"), ("month", "each calendar month")],
                        default="none",
                        max_length=10,
                    ),
                ),
                ("limit", models.DecimalField(decimal_places=2, max_digits=12)),
                (
                    "set_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("set_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "scope", "person", "project", "batch", "period"),
                        name="budget_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("batch__isnull", True),
                                ("person__isnull", True),
                                ("project__isnull", True),
                                ("scope", "team"),
                            ),
                            models.Q(
                                ("batch__isnull", True),
                                ("person__isnull", False),
                                ("project__isnull", True),
                                ("scope", "person"),
                            ),
                            models.Q(
                                ("batch__isnull", True),
                                ("person__isnull", True),
                                ("project__isnull", False),
                                ("scope", "project"),
                            ),
                            models.Q(
                                ("batch__isnull", False),
                                ("person__isnull", True),
                                ("project__isnull", True),
                                ("scope", "batch"),
                            ),
                            _connector="OR",
                        ),
                        name="budget_names_its_target",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("limit__gte", 0)), name="budget_limit_not_negative"
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="BudgetSpend",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="spends",
                        to="projects.budget",
                    ),
                ),
                ("begins_on", models.DateField()),
                ("committed", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=14)),
                ("paid", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=14)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("budget", "begins_on"), name="budget_spend_once")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="accounts.connection",
                    ),
                ),
                ("token", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("due_at", models.DateTimeField()),
                ("first_sent_at", models.DateTimeField(blank=True, null=True)),
                ("last_sent_at", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("outcome", models.TextField(blank=True)),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("by_rule", models.CharField(blank=True, max_length=100)),
                ("reason", models.TextField(blank=True)),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "assignment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="projects.assignment",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("queued", "Queued"),
                            ("sending", "Sending"),
                            ("done", "Done"),
                            ("published", "Published"),
                            ("failed", "Failed"),
                            ("overtaken", "Overtaken"),
                            ("unknown", "Unknown"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=20,
                    ),
                ),
                (
                    "verdict",
                    models.CharField(choices=[("approve", "Approve"), ("reject", "Reject")], max_length=10),
                ),
                ("is_overturn", models.BooleanField(default=False)),
                ("feedback", models.CharField(blank=True, max_length=1024)),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="intentions.job",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "queued")),
                        fields=["connection", "due_at", "id"],
                        name="decision_to_send",
                    ),
                    models.Index(
                        condition=models.Q(("state", "queued")),
                        fields=["connection", "team", "verdict", "due_at", "id"],
                        name="decision_in_turn",
                    ),
                    models.Index(
                        condition=models.Q(("job__isnull", True), ("state", "queued")),
                        fields=["connection", "team", "verdict", "due_at", "id"],
                        name="decision_clicked",
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ["sending", "unknown"])),
                        fields=["connection", "id"],
                        name="decision_unsettled",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["waiting", "queued", "sending", "unknown"])),
                        fields=("assignment",),
                        name="one_open_decision",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("verdict", "reject"), _negated=True),
                            models.Q(("feedback", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="rejection_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("is_overturn", False), ("verdict", "approve"), _connector="OR"),
                        name="overturning_approves",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exports",
                        to="projects.batch",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("since", models.DateTimeField(blank=True, null=True)),
                ("until", models.DateTimeField()),
                ("answers", models.PositiveIntegerField()),
                ("continued", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "indexes": [models.Index(fields=["batch", "by", "-id"], name="export_newest")],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="ForeignHIT",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="foreign_hits",
                        to="accounts.connection",
                    ),
                ),
                ("mturk_id", models.CharField(max_length=64)),
                ("hit_type_id", models.CharField(max_length=64)),
                ("hit_group_id", models.CharField(blank=True, max_length=64)),
                ("title", models.TextField(blank=True)),
                ("reward", models.DecimalField(decimal_places=2, max_digits=8)),
                ("max_assignments", models.PositiveIntegerField()),
                ("available", models.PositiveIntegerField()),
                ("pending", models.PositiveIntegerField()),
                ("completed", models.PositiveIntegerField()),
                (
                    "hit_status",
                    models.CharField(
                        choices=[
                            ("Assignable", "Assignable"),
                            ("Unassignable", "Unassignable"),
                            ("Reviewable", "Reviewable"),
                            ("Reviewing", "Reviewing"),
                            ("Disposed", "Disposed"),
                        ],
                        max_length=20,
                    ),
                ),
                ("mturk_created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("annotation", models.TextField(blank=True)),
                ("installation", models.UUIDField(blank=True, null=True)),
                ("origin", models.CharField(blank=True, max_length=64)),
                ("first_seen_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("gone_at", models.DateTimeField(blank=True, null=True)),
                (
                    "adopted",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="foreign",
                        to="projects.hit",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("adopted__isnull", True), ("gone_at__isnull", True)),
                        fields=["connection", "-id"],
                        name="foreign_hit_newest",
                    ),
                    models.Index(
                        condition=models.Q(("adopted__isnull", True), ("gone_at__isnull", True)),
                        fields=["connection", "hit_status", "-id"],
                        name="foreign_hit_by_status",
                    ),
                    models.Index(
                        condition=models.Q(("adopted__isnull", True), ("gone_at__isnull", True)),
                        fields=["connection", "hit_type_id", "-id"],
                        name="foreign_hit_by_type",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("adopted__isnull", True),
                            ("gone_at__isnull", True),
                            (
                                "max_assignments__gt",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("available"), "+", models.F("pending")
                                    ),
                                    "+",
                                    models.F("completed"),
                                ),
                            ),
                        ),
                        fields=["connection", "-id"],
                        name="foreign_hit_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("adopted__isnull", True), ("gone_at__isnull", True)),
                        fields=["connection", "installation"],
                        name="foreign_hit_by_maker",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "mturk_id"), name="foreign_hit_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.team",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.connection",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.batch",
                    ),
                ),
                (
                    "hit",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.hit",
                    ),
                ),
                (
                    "assignment",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.assignment",
                    ),
                ),
                (
                    "bonus",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.bonus",
                    ),
                ),
                (
                    "worker",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="workers.worker",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("held", "Held"), ("released", "Released"), ("paid", "Paid")], max_length=10
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=2, max_digits=14)),
                ("fee", models.DecimalField(decimal_places=2, max_digits=14)),
                ("answers", models.IntegerField()),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("published", "published"),
                            ("asked_again", "asked again for missing answers"),
                            ("more_answers", "more answers asked for"),
                            ("opened_again", "opened again"),
                            ("tried_again", "tried again"),
                            ("found", "the market has more places"),
                            ("adopted", "made elsewhere, and adopted"),
                            ("overturned", "rejection overturned"),
                            ("refused", "refused by the market"),
                            ("cancelled", "cancelled before it was sent"),
                            ("unused", "over, and nobody answered"),
                            ("change_refused", "the change did not happen"),
                            ("rejected", "answer rejected"),
                            ("not_overturned", "rejection stands"),
                            ("approved", "answer approved"),
                            ("approved_by_time", "approved by time"),
                            ("decided_elsewhere", "decided elsewhere"),
                            ("bonus", "bonus"),
                        ],
                        max_length=20,
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("by_rule", models.CharField(blank=True, max_length=100)),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "indexes": [
                    models.Index(fields=["team", "-at", "-id"], name="ledger_newest"),
                    models.Index(fields=["batch", "-at", "-id"], name="ledger_of_batch"),
                    models.Index(fields=["connection", "team", "-at", "-id"], name="ledger_of_connection"),
                    models.Index(fields=["team", "kind", "-at", "-id"], name="ledger_of_kind"),
                    models.Index(fields=["team", "by", "-at", "-id"], name="ledger_of_person"),
                    models.Index(
                        condition=models.Q(("assignment__isnull", False), ("bonus__isnull", True)),
                        fields=["assignment"],
                        name="ledger_of_answer",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount__gt", 0), models.Q(("amount__lt", 0), ("kind", "paid")), _connector="OR"
                        ),
                        name="ledger_amount_has_its_sign",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("by__isnull", False), models.Q(("by_rule", ""), _negated=True), _connector="OR"
                        ),
                        name="ledger_entry_has_an_actor",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reconciliation",
                        to="accounts.connection",
                    ),
                ),
                ("opening", models.DecimalField(decimal_places=2, max_digits=14)),
                ("opened_at", models.DateTimeField()),
                ("balance", models.DecimalField(decimal_places=2, max_digits=14)),
                ("read_at", models.DateTimeField()),
                ("held", models.DecimalField(decimal_places=2, max_digits=14)),
                ("paid", models.DecimalField(decimal_places=2, max_digits=14)),
                ("on_its_way", models.DecimalField(decimal_places=2, max_digits=14)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="ResultsUpload",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="results_uploads",
                        to="projects.project",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.connection",
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="common.storedfile"
                    ),
                ),
                ("encoding", models.CharField(default="utf-8", max_length=20)),
                ("report", models.JSONField(default=dict)),
                (
                    "batch",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="results_upload",
                        to="projects.batch",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Sweep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sweeps",
                        to="accounts.connection",
                    ),
                ),
                ("begun_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("is_complete", models.BooleanField(default=False)),
                ("is_full", models.BooleanField(default=False)),
                ("pages", models.PositiveIntegerField(default=0)),
                ("hits_listed", models.PositiveIntegerField(default=0)),
                ("hits_fetched", models.PositiveIntegerField(default=0)),
                ("answers_new", models.PositiveIntegerField(default=0)),
                ("hits_elsewhere", models.PositiveIntegerField(default=0)),
                ("problem", models.TextField(blank=True)),
            ],
            options={
                "indexes": [models.Index(fields=["connection", "-begun_at"], name="sweep_newest")],
                "constraints": [],
            },
        ),
        migrations.RunSQL(_FORBID, _ALLOW),
    ]
