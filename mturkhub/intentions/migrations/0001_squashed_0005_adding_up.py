"""All tables at once, for a new database: as all that it replaces leaves them."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import mturkhub.common.public_ids


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("intentions", "0001_initial"),
        ("intentions", "0002_passed_over_items"),
        ("intentions", "0003_operation"),
        ("intentions", "0004_next_operation"),
        ("intentions", "0005_adding_up"),
    ]

    dependencies = [("accounts", "0011_notifications")]

    operations = [
        migrations.CreateModel(
            name="Operation",
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
                ("kind", models.CharField(max_length=40)),
                ("family", models.CharField(max_length=40)),
                ("target_id", models.BigIntegerField()),
                ("subject_id", models.BigIntegerField()),
                ("values", models.JSONField(default=dict)),
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
                ("is_next", models.BooleanField(db_default=False, default=False)),
                ("adds_up", models.BooleanField(db_default=False, default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_next", True), ("state", "queued")),
                        fields=["connection"],
                        name="operation_next",
                    ),
                    models.Index(
                        condition=models.Q(("state", "queued")),
                        fields=["connection", "due_at", "id"],
                        name="operation_to_send",
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ["sending", "unknown"])),
                        fields=["connection", "id"],
                        name="operation_unsettled",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("state__in", ["waiting", "queued", "sending", "unknown", "failed"])
                        ),
                        fields=["subject_id", "family", "state"],
                        name="operation_unfinished",
                    ),
                    models.Index(fields=["target_id", "family", "-id"], name="operation_of_target"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("is_next", False), ("state__in", ["waiting", "queued", "sending", "unknown"])
                        ),
                        fields=("family", "target_id"),
                        name="one_open_operation",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("adds_up", False),
                            ("is_next", True),
                            ("state__in", ["waiting", "queued", "sending", "unknown"]),
                        ),
                        fields=("family", "target_id"),
                        name="one_next_operation",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Job",
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
                        on_delete=django.db.models.deletion.PROTECT, related_name="jobs", to="accounts.team"
                    ),
                ),
                ("kind", models.CharField(max_length=60)),
                ("arguments", models.JSONField(blank=True, default=dict)),
                ("subject", models.CharField(blank=True, max_length=100)),
                ("title", models.CharField(max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done"), ("stopped", "Stopped")],
                        default="running",
                        max_length=20,
                    ),
                ),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("outcome", models.TextField(blank=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "running")), fields=["id"], name="job_unfinished"
                    )
                ],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="JobItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="items", to="intentions.job"
                    ),
                ),
                ("target_id", models.BigIntegerField()),
                ("outcome", models.TextField(blank=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("outcome", "")), fields=["job", "id"], name="job_item_waiting"
                    ),
                    models.Index(
                        condition=models.Q(("outcome__in", ["", "done"]), _negated=True),
                        fields=["job", "outcome"],
                        name="job_item_passed_over",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("job", "target_id"), name="job_item_once")],
            },
        ),
    ]
