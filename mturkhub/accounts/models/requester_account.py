"""What a team shares, and the ways from it to a market."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from mturkhub.accounts.models.team import Team
from mturkhub.accounts.models.user import User
from mturkhub.accounts.permissions import Loan
from mturkhub.accounts.querysets import ConnectionQuerySet, TeamQuerySet
from mturkhub.common.public_ids import new_public_id


class Environment(models.TextChoices):
    LOCAL = "local", "Local"
    SANDBOX = "sandbox", "Sandbox"
    PRODUCTION = "production", "Production"


class FeeSchedule(models.TextChoices):
    """How a market charges for the work done on it."""

    MTURK = "mturk", "20 %, as MTurk"
    NONE = "none", "No fee"


class RequesterAccount(models.Model):
    """What a team shares; the owners of its home team own it."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="requester_accounts", db_column="home_team_id"
    )
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet["RequesterAccount"].as_manager()

    def __str__(self) -> str:
        return self.name


class AccountGrant(models.Model):
    """An account lent to another team, until its owners take it back; then the row goes and the Events stay."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    account = models.ForeignKey(RequesterAccount, on_delete=models.PROTECT, related_name="grants")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="borrowed_accounts")
    # Values of Loan.
    permissions = ArrayField(models.CharField(max_length=20))
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet["AccountGrant"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "team"], name="account_grant_once"),
            models.CheckConstraint(condition=~models.Q(permissions=[]), name="account_grant_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.account} for {self.team}"

    @property
    def words(self) -> list[str]:
        """What the team may do with the account."""
        return [each.words for each in Loan if each in self.permissions]


class Connection(models.Model):
    """One way to reach a market: where it is, with which keys, and what it charges."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    account = models.ForeignKey(RequesterAccount, on_delete=models.PROTECT, related_name="connections")
    name = models.CharField(max_length=100)
    environment = models.CharField(max_length=20, choices=Environment.choices)
    endpoint = models.URLField(max_length=300)
    worker_site_url = models.URLField(max_length=300)
    fee_schedule = models.CharField(
        max_length=20, choices=FeeSchedule.choices, default=FeeSchedule.MTURK.value
    )
    # Access key id and secret as one Fernet token; only `credentials` reads it.
    credentials = models.BinaryField()
    # Instead of keys: this server's own AWS identity, where the operator allows it.
    uses_own_identity = models.BooleanField(default=False)

    # The last balance the market told us, in dollars.
    balance = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    balance_at = models.DateTimeField(null=True, blank=True)
    # When the test last went through; why it did not, in a sentence.
    tested_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)
    # Which step of the set-up that problem names: a value of gateway.errors.Missing, or empty.
    missing = models.CharField(max_length=20, blank=True)

    # Nothing is created while this stands: funds ran out, or the account cannot be used.
    creation_paused_at = models.DateTimeField(null=True, blank=True)
    creation_paused_reason = models.TextField(blank=True)

    # Nothing at all is sent while this stands, and only an owner lifts it: a restored copy does not know what
    # the original still does.
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_reason = models.TextField(blank=True)

    # Collecting: one sweep at a time.
    sweep_wanted_at = models.DateTimeField(null=True, blank=True)
    sweep_lease_until = models.DateTimeField(null=True, blank=True)
    last_sweep_at = models.DateTimeField(null=True, blank=True)
    next_sweep_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)

    objects = ConnectionQuerySet["Connection"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="connection_name_once"),
            models.CheckConstraint(
                condition=models.Q(uses_own_identity=True) ^ ~models.Q(credentials=b""),
                name="connection_has_keys_or_identity",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_being_swept(self) -> bool:
        """Or about to be."""
        return bool(self.sweep_wanted_at or self.sweep_lease_until)

    @property
    def has_balance(self) -> bool:
        """Whether what is spent here goes off a balance; the sandbox always says 10,000 dollars."""
        return self.environment != Environment.SANDBOX
