"""Tables that know nothing of MTurk: files in chunks, the test clock, this installation's identity."""

import uuid

from django.db import models

from mturkhub.common.public_ids import new_public_id


class StoredFile(models.Model):
    """An upload or export, kept in Postgres so that every host sees it."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    # A plain number: this room lies below the one that knows teams.
    team_id = models.BigIntegerField(db_index=True)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class StoredFileChunk(models.Model):
    """Up to 1 MB of a StoredFile, in order of `number`."""

    file = models.ForeignKey(StoredFile, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="stored_file_chunk_once"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id}/{self.number}"


class ClockOffset(models.Model):
    """How far the test clock runs ahead; at most one row, none in production."""

    only = models.BooleanField(default=True, unique=True)
    offset = models.DurationField()

    def __str__(self) -> str:
        return str(self.offset)


class Installation(models.Model):
    """Which installation this is; written into every HIT's RequesterAnnotation."""

    only = models.BooleanField(default=True, unique=True)
    public_id = models.UUIDField(default=uuid.uuid4, editable=False)

    def __str__(self) -> str:
        return str(self.public_id)

    @classmethod
    def current_id(cls) -> uuid.UUID:
        """This installation's id, made on first use."""
        row, _ = cls.objects.get_or_create(only=True)
        return row.public_id
