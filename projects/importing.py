"""A results file of the requester site becomes a closed Batch, in one transaction: read, counted and exported like any
other, and never sent anything for."""

import hashlib

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection, Membership
from mturkhub.accounts.permissions import Permission, can
from mturkhub.common import clock
from mturkhub.common.models import StoredFile
from mturkhub.common.stored_files import open_file
from mturkhub.intentions.models import IntentionState, Job, JobState
from mturkhub.workers.models import Worker
from mturkhub.workers.naming import ensure_team_workers
from projects.bulk_deciding import end_job
from projects.counting import recount
from projects.models import (
    HIT,
    Assignment,
    AssignmentAnswer,
    Batch,
    BatchRow,
    HITTemplate,
    HITType,
    Project,
    ResultsUpload,
    RowResult,
)
from projects.queueing import price_each
from projects.results_reading import (
    ANSWER,
    INPUT,
    ResultLine,
    Terms,
    named,
    portions,
    result_lines,
    results_table,
    terms_of,
)
from projects.states import BatchState, HITStatus

IMPORT_RESULTS = "import_results"
CHUNK = 1000
UNKNOWN_QUESTION = "<p>What these HITs asked is not in the file their results were imported from.</p>"


def run(job: Job) -> bool:
    """Import the Job's file, all of it or nothing; returns False, for there is nothing more to do."""
    with transaction.atomic():
        locked = Job.objects.select_for_update(skip_locked=True, of=("self",)).select_related("by")
        running = locked.filter(pk=job.pk, state=JobState.RUNNING).first()
        if running is None:
            return False
        upload = (
            ResultsUpload.objects.select_for_update(of=("self",))
            .select_related("file", "project", "connection", "team")
            .filter(pk=running.arguments["upload"])
            .first()
        )
        if upload is None:
            end_job(running, JobState.STOPPED, "Stopped: the file has expired. Upload it again.")
            return False
        membership = (
            Membership.objects.filter(team_id=job.team_id, user_id=job.by_id).select_related("user").first()
        )
        if membership is None or not can(Actor.person(membership), Permission.BATCH_CREATE, job.team_id):
            end_job(
                running, JobState.STOPPED, f"Stopped: {running.by} may no longer make batches in this team."
            )
            return False
        # Nobody else imports into this Connection meanwhile, so that no HIT comes twice.
        Connection.objects.select_for_update(no_key=True, of=("self",)).get(pk=upload.connection_id)
        _import(running, upload, by=Actor.person(membership))
    return False


def _import(job: Job, upload: ResultsUpload, *, by: Actor) -> None:
    with open_file(upload.file) as stream:
        table = results_table(stream, upload.file.name, upload.encoding)
        every = list(result_lines(table, connection=upload.connection, team_id=upload.team_id))
        lines = [each for each in every if isinstance(each, ResultLine)]
        inputs, answers = named(table, INPUT), sorted(named(table, ANSWER))
    if upload.batch_id or not lines or len(lines) != job.arguments["rows"]:
        end_job(
            job,
            JobState.STOPPED,
            "Stopped: since the file was checked, some of its HITs have come here another way. Nothing was imported; "
            "upload it again to see which.",
        )
        return
    batch = _make_batch(upload, lines, inputs, answers, dropped=len(every) - len(lines), job=job)
    _make_rows(batch, lines, by_id=job.by_id)
    StoredFile.objects.filter(pk=upload.file_id).update(expires_at=None)
    upload.batch = batch
    upload.save(update_fields=["batch"])
    record(by, "batch.imported", batch, team_id=batch.team_id, answers=len(lines), file=upload.file.name)
    job.arguments["batches"] = {"imported": batch.pk}
    job.done = job.total
    job.save(update_fields=["arguments", "done"])
    end_job(job, JobState.DONE, f"{len(lines):,} answers imported.")


def _make_batch(
    upload: ResultsUpload,
    lines: list[ResultLine],
    inputs: list[str],
    answers: list[str],
    *,
    dropped: int,
    job: Job,
) -> Batch:
    project, terms, now = upload.project, terms_of(lines[0]), clock.now()
    sizes = _sizes(lines)
    least = min(sizes.values())
    return Batch.objects.create(
        team_id=upload.team_id,
        project=project,
        connection=upload.connection,
        template=_template_of(project, by_id=job.by_id),
        name=upload.file.name[:100],
        state=BatchState.CLOSED,
        state_reason="",
        columns=inputs,
        answer_fields=answers,
        lines_dropped=dropped,
        max_assignments=least,
        answers_extra=sum(sizes.values()) - least * len(sizes),
        rows_total=len(sizes),
        rows_not_published=len(sizes),
        ended_at=now,
        imported_at=now,
        created_by=job.by,
        published_at=now,
        published_by=job.by,
        **_properties(terms, project),
    )


def _properties(terms: Terms, project: Project) -> dict[str, object]:
    """As the file says; what it leaves out is the project's."""
    return {
        "title": terms.title[:128],
        "description": terms.description,
        "keywords": terms.keywords[:1000],
        "reward": terms.reward,
        "assignment_duration": (
            project.assignment_duration if terms.assignment_duration is None else terms.assignment_duration
        ),
        "auto_approval_delay": (
            project.auto_approval_delay if terms.auto_approval_delay is None else terms.auto_approval_delay
        ),
    }


def _sizes(lines: list[ResultLine]) -> dict[str, int]:
    """HITId → places; where the file does not say, as many as there are answers."""
    given: dict[str, int] = {}
    told: dict[str, int] = {}
    for each in lines:
        given[each.hit_id] = given.get(each.hit_id, 0) + 1
        if each.max_assignments:
            told[each.hit_id] = each.max_assignments
    return {hit_id: told.get(hit_id, number) for hit_id, number in given.items()}


def _template_of(project: Project, *, by_id: int) -> HITTemplate:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    versions = HITTemplate.objects.filter(project=project)
    if same := versions.filter(html=UNKNOWN_QUESTION).first():
        return same
    newest = versions.order_by("-version").values_list("version", flat=True).first() or 0
    return HITTemplate.objects.create(
        team_id=project.team_id,
        project=project,
        version=newest + 1,
        html=UNKNOWN_QUESTION,
        is_adopted=True,
        created_by_id=by_id,
    )


def _make_rows(batch: Batch, lines: list[ResultLine], *, by_id: int) -> None:
    """A row and a HIT for each HITId in the order of the file, and its answers."""
    sizes, types = _sizes(lines), _types(batch, lines)
    first: dict[str, ResultLine] = {}
    for each in lines:
        first.setdefault(each.hit_id, each)
    hits: dict[str, HIT] = {}
    number = 0
    for some in portions(first.values(), CHUNK):
        rows = BatchRow.objects.bulk_create(
            [
                BatchRow(team_id=batch.team_id, batch=batch, number=place, input=line.input)
                for place, line in enumerate(some, number + 1)
            ]
        )
        number += len(rows)
        RowResult.objects.bulk_create(
            [RowResult(row=row, team_id=batch.team_id, batch=batch, number=row.number) for row in rows]
        )
        made = HIT.objects.bulk_create(
            [
                _hit(
                    batch,
                    row,
                    line,
                    size=sizes[line.hit_id],
                    of_type=types.get(line.hit_type_id),
                    by_id=by_id,
                )
                for row, line in zip(rows, some, strict=True)
            ]
        )
        hits.update({str(hit.mturk_id): hit for hit in made})
    workers = _workers(batch, lines)
    for some in portions(lines, CHUNK):
        answers = Assignment.objects.bulk_create(
            [_assignment(batch, hits[line.hit_id], line, workers[line.worker_id]) for line in some]
        )
        AssignmentAnswer.objects.bulk_create(
            [
                # MTurk's XML is not in the file.
                AssignmentAnswer(assignment=answer, raw_xml="", fields=line.answer)
                for answer, line in zip(answers, some, strict=True)
            ]
        )
    for few in portions([hit.row_id for hit in hits.values()], CHUNK):
        recount(few)


def _types(batch: Batch, lines: list[ResultLine]) -> dict[str, HITType]:
    wanted = {each.hit_type_id for each in lines if each.hit_type_id}
    HITType.objects.bulk_create(
        [
            HITType(
                connection_id=batch.connection_id,
                mturk_id=mturk_id,
                digest=hashlib.sha256(f"adopted {mturk_id}".encode()).hexdigest(),
                properties={"title": batch.title},
            )
            for mturk_id in sorted(wanted)
            if not HITType.objects.filter(connection_id=batch.connection_id, mturk_id=mturk_id).exists()
        ],
        ignore_conflicts=True,
    )
    found = HITType.objects.filter(connection_id=batch.connection_id, mturk_id__in=wanted)
    return {each.mturk_id: each for each in found}


def _hit(
    batch: Batch, row: BatchRow, line: ResultLine, *, size: int, of_type: HITType | None, by_id: int
) -> HIT:
    """Over, and out of reach of sweeps; `reserved_on` stays empty, so that no budget counts it."""
    return HIT(
        team_id=batch.team_id,
        connection_id=batch.connection_id,
        batch=batch,
        row=row,
        hit_type=of_type,
        max_assignments=size,
        price_each=price_each(batch, size),
        publish_state=IntentionState.PUBLISHED,
        mturk_id=line.hit_id,
        hit_status=HITStatus.DISPOSED,
        annotation=line.annotation,
        mturk_created_at=line.created_at,
        expires_at=line.expires_at,
        due_at=batch.published_at or clock.now(),
        by_id=by_id,
        reason="imported",
        outcome="Imported from a results file.",
    )


def _workers(batch: Batch, lines: list[ResultLine]) -> dict[str, Worker]:
    ids = {each.worker_id for each in lines}
    Worker.objects.bulk_create(
        [Worker(connection_id=batch.connection_id, mturk_id=worker_id) for worker_id in sorted(ids)],
        ignore_conflicts=True,
    )
    found = Worker.objects.filter(connection_id=batch.connection_id, mturk_id__in=ids)
    workers = {worker.mturk_id: worker for worker in found}
    ensure_team_workers(batch.team_id, [worker.pk for worker in workers.values()])
    return workers


def _assignment(batch: Batch, hit: HIT, line: ResultLine, worker: Worker) -> Assignment:
    return Assignment(
        team_id=batch.team_id,
        connection_id=batch.connection_id,
        batch=batch,
        row_id=hit.row_id,
        hit=hit,
        worker=worker,
        mturk_id=line.assignment_id,
        status=line.status,
        accepted_at=line.accepted_at,
        submitted_at=line.submitted_at,
        auto_approval_at=line.auto_approval_at,
        approved_at=line.approved_at,
        rejected_at=line.rejected_at,
        feedback=line.feedback,
        work_time=line.work_time,
    )
