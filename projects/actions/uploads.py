"""From a file to a draft batch: upload and check, drop bad lines, make the batch."""

import io
import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection as database
from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection, User
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import check_can_use
from mturkhub.common import clock
from mturkhub.common.encodings import ENCODINGS
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import StoredFile
from mturkhub.common.public_ids import new_public_id
from mturkhub.common.stored_files import open_file, store_file
from mturkhub.common.tabular import Row, Table, read_table
from mturkhub.intentions.claiming import ring
from projects import rules, tasks
from projects.actions.projects import check_fields
from projects.batch_reading import BatchReport, Checked, checked
from projects.checking import check_now, is_small, latest_template, report_of, want_check
from projects.counting import begin_counting
from projects.models import Batch, BatchUpload, HITTemplate, Project
from projects.models.project import HITProperties

# A file of which nobody makes a batch.
UNUSED_LIVES = timedelta(days=7)
_PROPERTIES = [field.name for field in HITProperties._meta.get_fields()]


def upload_file(project: Project, *, by: Actor, name: str, chunks: Iterable[bytes]) -> BatchUpload:
    """Store and check a file; its report says what is wrong with it. Nothing of it costs anything."""
    _check_can_upload(project, by)
    with transaction.atomic():
        return take_file(project, by=by, file=store_file(project.team_id, name, chunks))


def take_file(project: Project, *, by: Actor, file: StoredFile, at_once: bool = False) -> BatchUpload:
    """Check a file that is stored already: a small one at once, a large one in the background unless told otherwise."""
    user, template = _check_can_upload(project, by)
    with transaction.atomic():
        file.expires_at = clock.now() + UNUSED_LIVES
        file.save(update_fields=["expires_at"])
        upload = BatchUpload.objects.create(
            team_id=project.team_id, project=project, file=file, created_by=user
        )
        if at_once:
            check_now(upload, template)
        else:
            _check(upload, template)
        record(by, "upload.made", upload, team_id=project.team_id, bytes=file.size)
    return upload


def _check_can_upload(project: Project, by: Actor) -> tuple[User, HITTemplate]:
    check_can(by, Permission.BATCH_CREATE, project.team_id)
    if by.user is None:
        raise ActionRefused("An upload belongs to a person. Sign in, then upload.", status=403)
    return by.user, latest_template(project)


def check_again(upload: BatchUpload) -> BatchReport | None:
    """The report against the project's latest template, read again only if that has changed.

    None while a large file is being checked in the background.
    """
    template = latest_template(upload.project)
    return report_of(upload, template) or _check(upload, template)


def _check(upload: BatchUpload, template: HITTemplate) -> BatchReport | None:
    if is_small(upload):
        return check_now(upload, template)
    if upload.check_wanted_at is None:
        want_check(upload)
        ring(tasks.check_upload, upload.pk)
    return None


def choose_encoding(upload: BatchUpload, *, by: Actor, encoding: str) -> BatchUpload:
    """Read the file as the person says it is written, and check it again; the batch will say who chose that."""
    check_can(by, Permission.BATCH_CREATE, upload.team_id)
    if encoding not in ENCODINGS:
        raise ActionRefused("Choose one of the encodings that are offered.", status=400)
    with transaction.atomic():
        upload = _locked(upload)
        upload.encoding, upload.encoding_by, upload.encoding_at = encoding, by.user, clock.now()
        upload.check_wanted_at = None
        upload.save(update_fields=["encoding", "encoding_by", "encoding_at", "check_wanted_at"])
        check_again(upload)
        record(by, "upload.encoding_chosen", upload, team_id=upload.team_id, encoding=encoding)
    return upload


def drop_bad_lines(upload: BatchUpload, *, by: Actor) -> BatchUpload:
    """Go on without the lines the report names; the batch will say who chose that."""
    check_can(by, Permission.BATCH_CREATE, upload.team_id)
    with transaction.atomic():
        upload = _locked(upload)
        if upload.check_wanted_at:
            raise ActionRefused(_BEING_CHECKED)
        upload.lines_dropped_by, upload.lines_dropped_at = by.user, clock.now()
        upload.save(update_fields=["lines_dropped_by", "lines_dropped_at"])
        record(by, "upload.lines_dropped", upload, team_id=upload.team_id, lines=upload.report["bad_lines"])
    return upload


def create_batch(upload: BatchUpload, *, by: Actor, connection: Connection, name: str = "") -> Batch:
    """A draft batch with a row per good line; refused while anything stops it or bad lines are not dropped."""
    check_can(by, Permission.BATCH_CREATE, upload.team_id)
    if by.user is None:
        raise ActionRefused("A batch belongs to a person. Sign in, then make it.", status=403)
    check_can_use(connection, upload.team_id)
    with transaction.atomic():
        upload = _locked(upload)
        project = upload.project
        template = latest_template(project)
        report = check_again(upload)
        if report is None:
            raise ActionRefused(_BEING_CHECKED)
        _check_is_clean(upload, report)
        batch = Batch.objects.create(
            team_id=upload.team_id,
            project=project,
            connection=connection,
            template=template,
            upload=upload,
            name=(name.strip() or _next_name(project))[:100],
            columns=report.columns,
            lines_dropped=report.bad_lines,
            created_by=by.user,
            **{field: getattr(project, field) for field in _PROPERTIES},
        )
        rows = _import_rows(batch, upload, report)
        StoredFile.objects.filter(pk=upload.file_id).update(expires_at=None)
        batch.rows_total = batch.rows_not_published = rows
        batch.save(update_fields=["rows_total", "rows_not_published"])
        record(by, "batch.created", batch, team_id=batch.team_id, rows=rows, dropped=report.bad_lines)
    return batch


_BEING_CHECKED = "The file is still being checked. Go on when its report is there."


def _locked(upload: BatchUpload) -> BatchUpload:
    locked = BatchUpload.objects.select_for_update(no_key=True, of=("self",))
    found = locked.select_related("project", "file").filter(pk=upload.pk).first()
    if found is None:
        raise ActionRefused("This upload has expired. Upload the file again.")
    return found


def _check_is_clean(upload: BatchUpload, report: BatchReport) -> None:
    if report.stops:
        raise ActionRefused(report.stops[0], status=400)
    if report.bad_lines and upload.lines_dropped_at is None:
        count = report.bad_lines
        lines = "line" if count == 1 else "lines"
        raise ActionRefused(
            f"{count:,} {lines} cannot be used. Mend the file and upload it again, or drop the {lines}.",
            status=400,
        )


def _next_name(project: Project) -> str:
    return f"{project.name} {project.batches.count() + 1}"


def change_batch(batch: Batch, *, by: Actor, **changes: Any) -> Batch:
    """Change the settings of a draft; after publishing they are frozen."""
    check_can(by, Permission.BATCH_CREATE, batch.team_id)
    with transaction.atomic():
        batch = Batch.objects.select_for_update(no_key=True, of=("self",)).get(pk=batch.pk)
        rules.check_can_change(batch)
        for field, value in changes.items():
            setattr(batch, field, value)
        check_fields(batch, only=changes)
        if "connection" in changes:
            check_can_use(batch.connection, batch.team_id)
        batch.save()
        record(by, "batch.changed", batch, team_id=batch.team_id, fields=sorted(changes))
    return batch


# Rows by COPY -------------------------------------------------------------------------------------

# Bytes in memory at a time.
PORTION = 1024 * 1024
_COPY = "copy projects_batchrow (public_id, team_id, batch_id, number, input) from stdin"


def _import_rows(batch: Batch, upload: BatchUpload, report: BatchReport) -> int:
    """Copy the file's good lines into BatchRow, with a RowResult each; returns how many."""
    with open_file(upload.file) as stream, database.cursor() as cursor:
        rows = _good_rows(read_table(stream, upload.file.name, upload.encoding), batch, report)
        # In portions: the file itself is read over this connection, which COPY keeps busy.
        for portion in _portions(_copy_lines(rows, batch)):
            cursor.cursor.copy_expert(_COPY, io.BytesIO(portion))
    return begin_counting(batch)


def _good_rows(table: Table, batch: Batch, report: BatchReport) -> Iterator[Row]:
    """The rows the report counts. Where it names no bad line, none has to be looked for again."""
    if not report.bad_lines:
        return (record for record in table.records if isinstance(record, Row))
    records = checked(table, batch.template.html, batch.frame_height)
    return (record.row for record in records if isinstance(record, Checked))


def _copy_lines(rows: Iterable[Row], batch: Batch) -> Iterator[bytes]:
    """In COPY's text format; JSON has no tab or line break of its own left to escape."""
    for number, row in enumerate(rows, 1):
        head = f"{new_public_id()}\t{batch.team_id}\t{batch.pk}\t{number}\t".encode()
        yield b"%b%b\n" % (head, _as_json(row.values).replace(b"\\", rb"\\"))


def _as_json(values: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(values)
    except TypeError:
        # A whole number beyond 64 bits, which JSON Lines may hold and Postgres takes.
        return json.dumps(values, ensure_ascii=False).encode()


def _portions(lines: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for line in lines:
        held += line
        if len(held) >= PORTION:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
