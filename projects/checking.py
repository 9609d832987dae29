"""Checks uploaded files: a small one while the person waits, a large one in the background.

What is wanted and how far it has come stands on the upload. A checker that dies leaves a lease that runs out, and
the next one begins again; one whose file is to be read in another way meanwhile stops.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from mturkhub.common import clock
from mturkhub.common.encodings import not_text, offered_encodings
from mturkhub.common.errors import ActionRefused
from mturkhub.common.stored_files import CHUNK_BYTES, delete_expired_files, open_file
from projects.batch_reading import BatchReport, check_file
from projects.models import BatchUpload, HITTemplate, Project

log = logging.getLogger(__name__)

# Up to this many bytes a file is checked in the request that asks for it.
AT_ONCE = CHUNK_BYTES
LEASE = timedelta(seconds=60)
# Seconds between two notes of how far it has come.
NOTES = 1.0
# A file that has killed so many checkers is not given to another one.
MOST_ATTEMPTS = 5


def latest_template(project: Project) -> HITTemplate:
    """The version new batches take; raises ActionRefused when nothing has been saved yet."""
    template = project.templates.order_by("is_adopted", "-version").first()
    if template is None:
        raise ActionRefused(f"“{project}” has no template yet. Write the question first, then upload.")
    return template


def report_of(upload: BatchUpload, template: HITTemplate) -> BatchReport | None:
    """The stored report, if it is about this template, frame height and encoding."""
    if upload.check_wanted_at or not upload.report:
        return None
    report = BatchReport.from_json(upload.report)
    return report if report.checked_with == _checked_with(upload, template) else None


def _checked_with(upload: BatchUpload, template: HITTemplate) -> str:
    return f"version {template.version}, height {upload.project.frame_height}, {upload.encoding}"


def is_small(upload: BatchUpload) -> bool:
    return upload.file.size <= AT_ONCE


def check_now(upload: BatchUpload, template: HITTemplate) -> BatchReport:
    """Check the file and store the report."""
    report = _check(upload, template, None)
    _store(upload, report)
    return report


def _check(upload: BatchUpload, template: HITTemplate, progress: "_Progress | None") -> BatchReport:
    file, watch = upload.file, progress.saw if progress else None
    at_line = [progress.at_line] if progress else []
    with open_file(file, watch=watch) as stream:
        report = check_file(
            stream, file.name, template.html, upload.project.frame_height, upload.encoding, *at_line
        )
    report.checked_with = _checked_with(upload, template)
    if report.is_other_encoding:
        with open_file(file, watch=watch) as stream:
            report.encodings = offered_encodings(stream)
        if not report.encodings:
            report.refusal = not_text()
    return report


def _store(upload: BatchUpload, report: BatchReport) -> None:
    """Keep the report. Who dropped lines saw those of the one before: when others are bad now, none are dropped."""
    before = BatchReport.from_json(upload.report) if upload.report else None
    upload.report = report.as_json()
    upload.check_wanted_at = upload.lease_until = None
    if before and (report.bad_lines, report.issues) != (before.bad_lines, before.issues):
        upload.lines_dropped_by = upload.lines_dropped_at = None
    upload.save(
        update_fields=["report", "check_wanted_at", "lease_until", "lines_dropped_by", "lines_dropped_at"]
    )


# In the background --------------------------------------------------------------------------------


def want_check(upload: BatchUpload) -> None:
    """Note that the file is to be checked, from its beginning and by nobody yet; whoever is at it stops."""
    upload.check_wanted_at, upload.lease_until = clock.real_now(), None
    upload.check_attempts = upload.bytes_read = upload.lines_read = 0
    upload.save(
        update_fields=["check_wanted_at", "check_attempts", "lease_until", "bytes_read", "lines_read"]
    )


def uploads_to_check() -> list[int]:
    """Keys of the uploads whose check is wanted and in nobody's hands."""
    return list(_free().values_list("pk", flat=True))


def run_check(upload_id: int) -> None:
    """Check one upload if that is wanted and nobody is at it."""
    lease = clock.real_now() + LEASE
    taken = (
        _free()
        .filter(pk=upload_id)
        .update(lease_until=lease, bytes_read=0, lines_read=0, check_attempts=F("check_attempts") + 1)
    )
    if not taken:
        return
    upload = BatchUpload.objects.select_related("project", "file").get(pk=upload_id)
    template = latest_template(upload.project)
    progress = _Progress(upload, lease)
    if upload.check_attempts > MOST_ATTEMPTS:
        report = BatchReport(refusal=_BROKEN_OFF, checked_with=_checked_with(upload, template))
    else:
        try:
            report = _check(upload, template, progress)
        except _TakenOver:
            log.info("The check of upload %s is in other hands", upload_id)
            return
    with transaction.atomic():
        locked = BatchUpload.objects.select_for_update(no_key=True, of=("self",))
        mine = locked.filter(pk=upload_id, lease_until=progress.lease).first()
        if mine:
            _store(mine, report)


_BROKEN_OFF = (
    f"The check of this file was broken off {MOST_ATTEMPTS} times, so it is not tried again. "
    "Upload the file in smaller parts, and tell whoever runs this server."
)


def _free() -> QuerySet[BatchUpload]:
    nobody = Q(lease_until__isnull=True) | Q(lease_until__lt=clock.real_now())
    return BatchUpload.objects.filter(nobody, check_wanted_at__isnull=False)


class _TakenOver(Exception):
    """The lease is somebody else's, or nobody's because the file is to be read in another way."""


class _Progress:
    """Notes once a second how far a check has come, and keeps its lease."""

    def __init__(self, upload: BatchUpload, lease: datetime) -> None:
        self.lease = lease
        self._upload = upload
        self._bytes = self._lines = 0
        self._noted = time.monotonic()

    def saw(self, size: int) -> None:
        self._bytes += size
        self._note()

    def at_line(self, line: int) -> None:
        self._lines = line
        self._note()

    def _note(self) -> None:
        if time.monotonic() < self._noted + NOTES:
            return
        self._noted = time.monotonic()
        lease = clock.real_now() + LEASE
        # A second reading, for the encodings, does not fill the bar anew.
        read = min(self._bytes, self._upload.file.size)
        ours = BatchUpload.objects.filter(pk=self._upload.pk, lease_until=self.lease)
        if not ours.update(lease_until=lease, bytes_read=read, lines_read=self._lines):
            raise _TakenOver
        self.lease = lease


# When time is over --------------------------------------------------------------------------------


def delete_expired_uploads() -> int:
    """Delete the files whose time is over, with the uploads nobody made a batch of; returns how many files."""
    expired = BatchUpload.objects.filter(file__expires_at__lt=clock.now(), batches__isnull=True)
    with transaction.atomic():
        locked = expired.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)
        # Asked anew under the lock: a batch may have been made of one meanwhile.
        expired.filter(pk__in=list(locked)).delete()
        return delete_expired_files()
