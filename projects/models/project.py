"""One kind of work: what Workers are told and paid, and the HTML they see."""

from datetime import timedelta
from decimal import Decimal

from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models

from mturkhub.accounts.models import Team, User
from mturkhub.accounts.querysets import TeamQuerySet
from mturkhub.common.public_ids import new_public_id

# Limits of CreateHITType and CreateHITWithHITType.
TITLE_MAX = 128
DESCRIPTION_MAX = 2000
KEYWORDS_MAX = 1000
DURATION_MIN = timedelta(seconds=30)
DURATION_MAX = timedelta(days=365)
AUTO_APPROVAL_MAX = timedelta(days=30)
QUESTION_MAX_BYTES = 65_535


class HITProperties(models.Model):
    """What MTurk wants to know of a HIT. A Project holds the wish, a Batch the copy frozen at publishing."""

    title = models.CharField(max_length=TITLE_MAX)
    description = models.TextField(validators=[MaxLengthValidator(DESCRIPTION_MAX)])
    keywords = models.CharField(max_length=KEYWORDS_MAX, blank=True)
    # Dollars for one Assignment, fee not included.
    reward = models.DecimalField(
        max_digits=8, decimal_places=2, validators=[MinValueValidator(Decimal("0.00"))]
    )
    max_assignments = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(1_000_000_000)]
    )
    assignment_duration = models.DurationField(
        default=timedelta(hours=1),
        validators=[MinValueValidator(DURATION_MIN), MaxValueValidator(DURATION_MAX)],
    )
    lifetime = models.DurationField(
        default=timedelta(days=7),
        validators=[MinValueValidator(DURATION_MIN), MaxValueValidator(DURATION_MAX)],
    )
    # Three days: people are paid soon, and there is time to look.
    auto_approval_delay = models.DurationField(
        default=timedelta(days=3),
        validators=[MinValueValidator(timedelta(0)), MaxValueValidator(AUTO_APPROVAL_MAX)],
    )
    # Pixels; 0 lets the frame grow with its content.
    frame_height = models.PositiveIntegerField(default=0, validators=[MaxValueValidator(10_000)])
    # How long one answer is expected to take, for the hourly wage before anything was measured.
    estimated_duration = models.DurationField(
        null=True, blank=True, validators=[MinValueValidator(timedelta(seconds=1))]
    )
    # As CreateHITType takes them; the builder comes with the qualifications.
    qualification_requirements = models.JSONField(default=list, blank=True)

    class Meta:
        abstract = True


class Approval(models.TextChoices):
    """Who approves what nobody has looked at before MTurk does."""

    BY_HAND = "by_hand", "People decide; MTurk approves what is left"
    AT_ONCE = "at_once", "Approve each answer as it is collected"


class Project(HITProperties):
    """One kind of work of a team."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=100)
    approval = models.CharField(max_length=20, choices=Approval.choices, default=Approval.BY_HAND.value)
    # The answer field whose numbers are averaged; empty takes the only one, or the first by name.
    main_field = models.CharField(max_length=200, blank=True)
    # Licence and attribution of the data shown to Workers.
    data_note = models.TextField(blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet["Project"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="project_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class HITTemplate(models.Model):
    """One version of a Project's HTML with `${placeholders}`; never changed once saved."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="templates")
    version = models.PositiveIntegerField()
    html = models.TextField()
    # Read off HITs that were made elsewhere: new batches take it only where nobody has written a version here.
    is_adopted = models.BooleanField(default=False, db_default=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet["HITTemplate"].as_manager()

    class Meta:
        ordering = ["is_adopted", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["project", "version"], name="template_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.project} version {self.version}"
