"""A results file of the requester site on its way to becoming a Batch, for reading alone."""

from django.db import models

from mturkhub.accounts.models import Connection, Team, User
from mturkhub.accounts.querysets import TeamQuerySet
from mturkhub.common.encodings import UTF_8
from mturkhub.common.models import StoredFile
from mturkhub.common.public_ids import new_public_id
from projects.models.batch import Batch
from projects.models.project import Project


class ResultsUpload(models.Model):
    """The file, whose account it came from, what its check found, and the Batch it became."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="results_uploads")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    # A file whose time is over takes its upload with it; what became a Batch is kept.
    file = models.ForeignKey(StoredFile, on_delete=models.CASCADE, related_name="+")
    encoding = models.CharField(max_length=20, default=UTF_8)
    # `ResultsReport.as_json()` of results_reading.
    report = models.JSONField(default=dict)
    batch = models.OneToOneField(
        Batch, on_delete=models.PROTECT, null=True, blank=True, related_name="results_upload"
    )
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet["ResultsUpload"].as_manager()

    def __str__(self) -> str:
        return self.file.name
