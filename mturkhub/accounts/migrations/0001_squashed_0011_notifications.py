"""All tables at once, for a new database: as all that it replaces leaves them."""

import datetime
from decimal import Decimal

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.fields.json
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import mturkhub.common.public_ids

# TRUNCATE stays possible: it takes the table's owner, and empties a test database between tests.
_FORBID = """
    create function accounts_event_stays() returns trigger language plpgsql as $$
    begin
        raise exception 'Events are never changed or deleted: write a new one.';
    end $$;
    create trigger event_is_append_only before update or delete on accounts_event
        for each row execute function accounts_event_stays();
"""
_ALLOW = """
    drop trigger event_is_append_only on accounts_event;
    drop function accounts_event_stays();
"""


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("accounts", "0001_initial"),
        ("accounts", "0002_events_append_only"),
        ("accounts", "0003_account_grant"),
        ("accounts", "0004_event_indexes"),
        ("accounts", "0005_connection_missing"),
        ("accounts", "0006_own_aws_identity"),
        ("accounts", "0007_invitation"),
        ("accounts", "0008_addresses_in_lower_case"),
        ("accounts", "0009_connection_paused"),
        ("accounts", "0010_api_token"),
        ("accounts", "0011_notifications"),
    ]

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "public_id",
                    models.UUIDField(
                        default=mturkhub.common.public_ids.new_public_id, editable=False, unique=True
                    ),
                ),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("name", models.CharField(blank=True, max_length=150)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"), name="user_email_once"
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Team",
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
                ("name", models.CharField(max_length=100)),
                ("time_zone", models.CharField(default="UTC", max_length=64)),
                ("grace_time", models.DurationField(default=datetime.timedelta(seconds=10))),
                (
                    "target_hourly_wage",
                    models.DecimalField(decimal_places=2, default=Decimal("12.00"), max_digits=8),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Membership",
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
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="accounts.team",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "owner"),
                            ("manager", "manager"),
                            ("reviewer", "reviewer"),
                            ("viewer", "viewer"),
                        ],
                        max_length=20,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("team", "user"), name="membership_once")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ApiToken",
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
                    "membership",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to="accounts.membership",
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("token_hash", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "scope",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), blank=True, default=list, size=None
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "revoked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["membership", "-id"], name="api_token_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("revoked_at", None), ("revoked_by", None)),
                            models.Q(("revoked_at__isnull", False), ("revoked_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="api_token_revoked_by_somebody",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
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
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="accounts.team"
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
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
                ("verb", models.CharField(max_length=60)),
                ("target_type", models.CharField(max_length=60)),
                ("target_id", models.BigIntegerField()),
                ("target_label", models.CharField(blank=True, max_length=300)),
                ("details", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["team", "-id"], name="event_newest"),
                    models.Index(fields=["target_type", "target_id", "-id"], name="event_of_target"),
                    models.Index(fields=["team", "by", "-id"], name="event_of_person"),
                    models.Index(fields=["team", "verb", "-id"], name="event_of_verb"),
                    models.Index(
                        models.F("team"),
                        django.db.models.fields.json.KeyTransform("batch", "details"),
                        models.OrderBy(models.F("id"), descending=True),
                        name="event_of_batch",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("by__isnull", False), models.Q(("by_rule", ""), _negated=True), _connector="OR"
                        ),
                        name="event_has_an_actor",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
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
                        related_name="invitations",
                        to="accounts.team",
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "owner"),
                            ("manager", "manager"),
                            ("reviewer", "reviewer"),
                            ("viewer", "viewer"),
                        ],
                        max_length=20,
                    ),
                ),
                ("token_hash", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "accepted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "revoked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("team"),
                        django.db.models.functions.text.Lower("email"),
                        condition=models.Q(("accepted_at", None), ("revoked_at", None)),
                        name="invitation_open_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("accepted_at", None), ("accepted_by", None)),
                            models.Q(("accepted_at__isnull", False), ("accepted_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="invitation_accepted_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("revoked_at", None), ("revoked_by", None)),
                            models.Q(("revoked_at__isnull", False), ("revoked_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="invitation_revoked_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("accepted_at", None), ("revoked_at", None), _connector="OR"),
                        name="invitation_accepted_or_revoked",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="RequesterAccount",
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
                        db_column="home_team_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requester_accounts",
                        to="accounts.team",
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="AccountGrant",
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
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to="accounts.requesteraccount",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="borrowed_accounts",
                        to="accounts.team",
                    ),
                ),
                (
                    "permissions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), size=None
                    ),
                ),
                (
                    "granted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("granted_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "team"), name="account_grant_once"),
                    models.CheckConstraint(
                        condition=models.Q(("permissions", []), _negated=True),
                        name="account_grant_of_something",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Connection",
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
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="connections",
                        to="accounts.requesteraccount",
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "environment",
                    models.CharField(
                        choices=[("local", "Local"), ("sandbox", "Sandbox"), ("production", "Production")],
                        max_length=20,
                    ),
                ),
                ("endpoint", models.URLField(max_length=300)),
                ("worker_site_url", models.URLField(max_length=300)),
                (
                    "fee_schedule",
                    models.CharField(
                        choices=[("mturk", "20 %, as MTurk"), ("none", "No fee")],
                        default="mturk",
                        max_length=20,
                    ),
                ),
                ("credentials", models.BinaryField()),
                ("uses_own_identity", models.BooleanField(default=False)),
                ("balance", models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True)),
                ("balance_at", models.DateTimeField(blank=True, null=True)),
                ("tested_at", models.DateTimeField(blank=True, null=True)),
                ("problem", models.TextField(blank=True)),
                ("missing", models.CharField(blank=True, max_length=20)),
                ("creation_paused_at", models.DateTimeField(blank=True, null=True)),
                ("creation_paused_reason", models.TextField(blank=True)),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                ("paused_reason", models.TextField(blank=True)),
                ("sweep_wanted_at", models.DateTimeField(blank=True, null=True)),
                ("sweep_lease_until", models.DateTimeField(blank=True, null=True)),
                ("last_sweep_at", models.DateTimeField(blank=True, null=True)),
                ("next_sweep_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "name"), name="connection_name_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("uses_own_identity", True),
                            models.Q(("credentials", b""), _negated=True),
                            _connector="XOR",
                        ),
                        name="connection_has_keys_or_identity",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="NotificationQueue",
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
                        related_name="queue",
                        to="accounts.connection",
                    ),
                ),
                ("url", models.URLField(max_length=300)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("test_sent_at", models.DateTimeField(blank=True, null=True)),
                ("test_arrived_at", models.DateTimeField(blank=True, null=True)),
                ("last_event", models.CharField(blank=True, max_length=64)),
                ("last_event_at", models.DateTimeField(blank=True, null=True)),
                ("ignored", models.PositiveBigIntegerField(default=0)),
                ("ignored_last", models.TextField(blank=True)),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                ("problem", models.TextField(blank=True)),
                ("problem_at", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.RunSQL(_FORBID, _ALLOW),
    ]
