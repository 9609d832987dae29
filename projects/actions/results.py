"""What a person can ask of a results file of the requester site: have it checked, and import it."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Loan, Permission, check_can
from mturkhub.accounts.rules.connections import allows
from mturkhub.common import clock
from mturkhub.common.encodings import ENCODINGS, not_text, offered_encodings
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import StoredFile
from mturkhub.common.stored_files import open_file, store_file
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import Job, JobState
from projects import tasks
from projects.importing import IMPORT_RESULTS
from projects.models import Project, ResultsUpload
from projects.results_reading import ResultsReport, check_results

# A file nobody imports.
UNUSED_LIVES = timedelta(days=7)


def upload_results(
    project: Project, *, by: Actor, connection: Connection, name: str, chunks: Iterable[bytes]
) -> ResultsUpload:
    """Store and check a results file of the account this Connection leads to."""
    check_can(by, Permission.BATCH_CREATE, project.team_id)
    return take_results(project, by=by, connection=connection, file=store_file(project.team_id, name, chunks))


def take_results(project: Project, *, by: Actor, connection: Connection, file: StoredFile) -> ResultsUpload:
    """Check a file that is stored already."""
    check_can(by, Permission.BATCH_CREATE, project.team_id)
    if not allows(connection, Loan.PUBLISH, project.team_id):
        raise ActionRefused(f"Your team may not use {connection}. Choose another connection.", status=400)
    with transaction.atomic():
        file.expires_at = clock.now() + UNUSED_LIVES
        file.save(update_fields=["expires_at"])
        upload = ResultsUpload.objects.create(
            team_id=project.team_id, project=project, connection=connection, file=file, created_by=by.somebody
        )
        _check(upload)
        record(by, "upload.results", upload, team_id=project.team_id)
    return upload


def read_results_as(upload: ResultsUpload, *, by: Actor, encoding: str) -> ResultsUpload:
    """Read the file as the person says it is written, and check it again."""
    check_can(by, Permission.BATCH_CREATE, upload.team_id)
    if encoding not in ENCODINGS:
        raise ActionRefused("Choose one of the encodings that are offered.", status=400)
    with transaction.atomic():
        upload.encoding = encoding
        upload.save(update_fields=["encoding"])
        _check(upload)
        record(by, "upload.encoding_chosen", upload, team_id=upload.team_id, encoding=encoding)
    return upload


def _check(upload: ResultsUpload) -> None:
    with open_file(upload.file) as stream:
        report = check_results(
            stream, upload.file.name, upload.encoding, connection=upload.connection, team_id=upload.team_id
        )
    if report.is_other_encoding:
        with open_file(upload.file) as stream:
            report.encodings = [[offer.encoding, offer.name] for offer in offered_encodings(stream)]
        if not report.encodings:
            report.refusal = not_text()
    upload.report = report.as_json()
    upload.save(update_fields=["report"])


def import_results(upload: ResultsUpload, *, by: Actor, drop_bad_lines: bool = False) -> Job:
    """Make a closed batch of the file's good lines, by a Job; refused while there are bad ones nobody has dropped."""
    check_can(by, Permission.BATCH_CREATE, upload.team_id)
    with transaction.atomic():
        upload = (
            ResultsUpload.objects.select_for_update(of=("self",))
            .select_related("batch", "file")
            .get(pk=upload.pk)
        )
        report = ResultsReport.from_json(upload.report)
        if upload.batch:
            raise ActionRefused(
                f"This file is the batch “{upload.batch}” already. Nothing was imported twice."
            )
        if report.refusal:
            raise ActionRefused(report.refusal, status=400)
        if report.bad_lines and not drop_bad_lines:
            lines = "line" if report.bad_lines == 1 else "lines"
            raise ActionRefused(
                f"{report.bad_lines:,} {lines} cannot be imported. Mend the file and upload it again, or leave the {lines} out.",
                status=400,
            )
        running = Job.objects.filter(kind=IMPORT_RESULTS, state=JobState.RUNNING, team_id=upload.team_id)
        if found := running.filter(arguments__upload=upload.pk).first():
            return found
        job = Job.objects.create(
            team_id=upload.team_id,
            kind=IMPORT_RESULTS,
            arguments={"upload": upload.pk, "rows": report.rows},
            title=f"Import {report.rows:,} answers of {upload}"[:200],
            total=report.rows,
            by=by.somebody,
        )
        ring(tasks.run_job, job.pk)
    return job
