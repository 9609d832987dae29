"""From a file to a draft batch: upload and check, drop bad lines, make the batch."""

import io
import itertools
import json
from collections.abc import Iterable
from typing import Any

from django.db import connection as database
from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.public_ids import UUID7_SQL
from mturkhub.common.stored_files import open_file, store_file
from mturkhub.common.tabular import read_table
from projects import rules
from projects.actions.projects import check_fields
from projects.batch_reading import BatchReport, Checked, check_file, checked
from projects.models import Batch, BatchUpload, HITTemplate, Project
from projects.models.project import HITProperties

_PROPERTIES = [field.name for field in HITProperties._meta.get_fields()]


def latest_template(project: Project) -> HITTemplate:
    """The version new batches take; raises ActionRefused when nothing has been saved yet."""
    template = project.templates.order_by("-version").first()
    if template is None:
        raise ActionRefused(f"“{project}” has no template yet. Write the question first, then upload.")
    return template


def upload_file(project: Project, *, by: Actor, name: str, chunks: Iterable[bytes]) -> BatchUpload:
    """Store and check a file; its report says what is wrong with it. Nothing of it costs anything."""
    check_can(by, Permission.BATCH_CREATE, project.team_id)
    if by.user is None:
        raise ActionRefused("An upload belongs to a person. Sign in, then upload.", status=403)
    template = latest_template(project)
    with transaction.atomic():
        file = store_file(project.team_id, name, chunks)
        upload = BatchUpload.objects.create(
            team_id=project.team_id, project=project, file=file, created_by=by.user
        )
        upload.report = _check(upload, template).as_json()
        upload.save(update_fields=["report"])
        record(by, "upload.made", upload, team_id=project.team_id, rows=upload.report["rows"])
    return upload


def _check(upload: BatchUpload, template: HITTemplate) -> BatchReport:
    with open_file(upload.file) as stream:
        report = check_file(stream, upload.file.name, template.html, upload.project.frame_height)
    report.checked_with = _checked_with(upload, template)
    return report


def _checked_with(upload: BatchUpload, template: HITTemplate) -> str:
    return f"version {template.version}, height {upload.project.frame_height}"


def check_again(upload: BatchUpload) -> BatchReport:
    """The report against the project's latest template; the file is read again only if that has changed.

    Whoever dropped lines has seen those of the report before: when others are bad now, nothing is dropped.
    """
    template = latest_template(upload.project)
    before = BatchReport.from_json(upload.report)
    if before.checked_with == _checked_with(upload, template):
        return before
    report = _check(upload, template)
    upload.report = report.as_json()
    if (report.bad_lines, report.issues) != (before.bad_lines, before.issues):
        upload.lines_dropped_by = upload.lines_dropped_at = None
    upload.save(update_fields=["report", "lines_dropped_by", "lines_dropped_at"])
    return report


def drop_bad_lines(upload: BatchUpload, *, by: Actor) -> BatchUpload:
    """Go on without the lines the report names; the batch will say who chose that."""
    check_can(by, Permission.BATCH_CREATE, upload.team_id)
    with transaction.atomic():
        upload = BatchUpload.objects.select_for_update(no_key=True, of=("self",)).get(pk=upload.pk)
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
        upload = (
            BatchUpload.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project", "file")
            .get(pk=upload.pk)
        )
        project = upload.project
        template = latest_template(project)
        report = check_again(upload)
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
        rows = _import_rows(batch, upload, template)
        batch.rows_total = batch.rows_not_published = rows
        batch.save(update_fields=["rows_total", "rows_not_published"])
        record(by, "batch.created", batch, team_id=batch.team_id, rows=rows, dropped=report.bad_lines)
    return batch


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

ROWS_PER_COPY = 2000
_RESULTS = """
    insert into projects_rowresult (
        row_id, team_id, batch_id, number, progress, submitted, approved, rejected
    )
    select id, team_id, batch_id, number, 'not_published', 0, 0, 0 from projects_batchrow where batch_id = %s
"""


def _import_rows(batch: Batch, upload: BatchUpload, template: HITTemplate) -> int:
    """Copy the file's good lines into BatchRow, with a RowResult each; returns how many."""
    with open_file(upload.file) as stream, database.cursor() as cursor:
        table = read_table(stream, upload.file.name)
        good = (
            record
            for record in checked(table, template.html, upload.project.frame_height)
            if isinstance(record, Checked)
        )
        cursor.execute("create temporary table new_row (number integer, input jsonb) on commit drop")
        lines = (
            f"{number}\t{_copy_text(json.dumps(record.row.values, ensure_ascii=False))}\n"
            for number, record in enumerate(good, 1)
        )
        # In portions: the file itself is read over this connection, which COPY keeps busy.
        while portion := "".join(itertools.islice(lines, ROWS_PER_COPY)):
            copy = "copy new_row (number, input) from stdin"
            cursor.cursor.copy_expert(copy, io.BytesIO(portion.encode()))
        cursor.execute(
            f"""
            insert into projects_batchrow (public_id, team_id, batch_id, number, input)
            select {UUID7_SQL}, %s, %s, number, input from new_row order by number
            """,  # noqa: S608 - a constant of ours
            [batch.team_id, batch.pk],
        )
        rows = int(cursor.rowcount)
        cursor.execute("drop table new_row")
        cursor.execute(_RESULTS, [batch.pk])
    return rows


def _copy_text(text: str) -> str:
    """Escaped for COPY's text format; JSON has no tab or line break of its own left to escape."""
    return text.replace("\\", "\\\\")
