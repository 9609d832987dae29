"""What was fetched of HITs becomes Assignment rows, once; what MTurk says of those we hold is noted.

Storing the same thing twice changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from mturkhub.accounts import activity
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection, Environment
from mturkhub.common import clock
from mturkhub.common.many_rows import update_many
from mturkhub.gateway.answer_xml import read_answer
from mturkhub.gateway.records import RemoteAssignment, RemoteHIT
from mturkhub.intentions.models import IntentionState
from mturkhub.workers.models import Worker
from mturkhub.workers.naming import ensure_team_workers
from projects.counting import recount
from projects.differences import name_deciders
from projects.models import HIT, Assignment, AssignmentAnswer, Batch, Decision
from projects.models.project import Approval
from projects.states import AssignmentStatus, Verdict

AT_ONCE = Actor.system("approve at once")
# A HIT whose counters promise more than it holds is fetched again in this many sweeps.
REFETCHES = 3
TEST_WORKER = "ATEST"


@dataclass(frozen=True)
class Fetched:
    """A HIT as it was listed, if it was, and the Assignments fetched after that."""

    hit: HIT
    remote: RemoteHIT | None
    assignments: list[RemoteAssignment]


def store_fetched(connection: Connection, fetched: Sequence[Fetched], *, fetched_at: datetime) -> int:
    """Store Assignments of several HITs in one transaction; returns how many were new."""
    if not fetched:
        return 0
    with transaction.atomic():
        new = _store_assignments(connection, fetched)
        _store_listed(fetched, fetched_at)
        recount(item.hit.row_id for item in fetched)
        _note_answer_fields(new)
        _approve_at_once(new)
    return len(new)


@dataclass(frozen=True)
class _New:
    """An Assignment stored for the first time, with its answer's fields."""

    hit: HIT
    assignment: Assignment
    fields: dict[str, list[str]]


def _store_assignments(connection: Connection, fetched: Sequence[Fetched]) -> list[_New]:
    remotes = {record.assignment_id: (item.hit, record) for item in fetched for record in item.assignments}
    workers = _workers(connection, {record.worker_id for _, record in remotes.values()})
    known = {
        assignment.mturk_id: assignment
        for assignment in Assignment.objects.filter(connection=connection, mturk_id__in=remotes)
        .select_for_update(no_key=True)
        .order_by("pk")
    }
    note_remote_status([(known[key], record) for key, (_, record) in remotes.items() if key in known])
    fresh = {key: pair for key, pair in remotes.items() if key not in known}
    _name_workers(fresh.values(), workers)
    made = Assignment.objects.bulk_create(
        [_assignment(connection, hit, record, workers) for hit, record in fresh.values()]
    )
    new, answers = [], []
    for assignment in made:
        hit, record = fresh[assignment.mturk_id]
        parsed = read_answer(record.answer)
        answers.append(
            AssignmentAnswer(
                assignment=assignment,
                raw_xml=record.answer.replace("\x00", "\ufffd"),
                fields=parsed.fields,
                is_damaged=parsed.is_damaged,
            )
        )
        new.append(_New(hit, assignment, parsed.fields))
    AssignmentAnswer.objects.bulk_create(answers)
    return new


def _workers(connection: Connection, ids: set[str]) -> dict[str, Worker]:
    Worker.objects.bulk_create(
        [Worker(connection=connection, mturk_id=worker_id) for worker_id in sorted(ids)],
        ignore_conflicts=True,
    )
    return {
        worker.mturk_id: worker for worker in Worker.objects.filter(connection=connection, mturk_id__in=ids)
    }


def _name_workers(pairs: Iterable[tuple[HIT, RemoteAssignment]], workers: dict[str, Worker]) -> None:
    by_team: dict[int, set[int]] = {}
    for hit, record in pairs:
        by_team.setdefault(hit.team_id, set()).add(workers[record.worker_id].pk)
    for team_id, keys in by_team.items():
        ensure_team_workers(team_id, keys)


def _assignment(
    connection: Connection, hit: HIT, record: RemoteAssignment, workers: dict[str, Worker]
) -> Assignment:
    assignment = Assignment(
        team_id=hit.team_id,
        connection=connection,
        batch_id=hit.batch_id,
        row_id=hit.row_id,
        hit=hit,
        worker=workers[record.worker_id],
        mturk_id=record.assignment_id,
        status=record.status,
        accepted_at=record.accepted_at,
        submitted_at=record.submitted_at,
        deadline_at=record.deadline_at,
        auto_approval_at=record.auto_approval_at,
        approved_at=record.approved_at,
        rejected_at=record.rejected_at,
        feedback=record.feedback,
        work_time=record.submitted_at - record.accepted_at,
    )
    if connection.environment == Environment.LOCAL and record.worker_id.startswith(TEST_WORKER):
        assignment.left_out_at = clock.now()
        assignment.left_out_reason = "Answered by a test Worker."
    name_deciders([assignment])
    return assignment


def note_remote_status(pairs: Sequence[tuple[Assignment, RemoteAssignment]]) -> list[Assignment]:
    """Record what MTurk says of Assignments we hold, locked by the caller; returns those that changed.

    A decision of ours that still waited to be sent is overtaken: MTurk's own state had moved on. One that was sent before
    and is what MTurk says is done.
    """
    changed = []
    for assignment, record in pairs:
        if record.status == AssignmentStatus.SUBMITTED != assignment.status:
            continue  # Fetched before our own decision was confirmed.
        fresh = (record.status, record.approved_at, record.rejected_at, record.feedback)
        if (assignment.status, assignment.approved_at, assignment.rejected_at, assignment.feedback) != fresh:
            assignment.status, assignment.approved_at, assignment.rejected_at, assignment.feedback = fresh
            changed.append(assignment)
    decided = [each for each in changed if each.status != AssignmentStatus.SUBMITTED]
    name_deciders(decided)
    overtaken = Decision.objects.filter(
        assignment__in=decided, state__in=[IntentionState.WAITING, IntentionState.QUEUED]
    )
    # A rejection that was fetched anew does not stand against its being overturned.
    rejected = [each for each in decided if each.status == AssignmentStatus.REJECTED]
    overtaken = overtaken.exclude(is_overturn=True, assignment__in=rejected)
    freed = set(overtaken.values_list("assignment_id", flat=True))
    ours = Q(assignment__in=[each for each in decided if not each.decided_elsewhere], attempts__gt=0)
    text = "MTurk carried it out although it was not known to have arrived."
    overtaken.filter(ours).update(state=IntentionState.DONE, lease_until=None, outcome=text)
    overtaken.update(
        state=IntentionState.OVERTAKEN, lease_until=None, outcome="MTurk had decided this answer before."
    )
    for assignment in decided:
        if assignment.pk in freed:
            assignment.pending_verdict = ""
    update_many(
        changed,
        ["status", "approved_at", "rejected_at", "feedback", "pending_verdict", "decided_elsewhere"],
    )
    return changed


def _store_listed(fetched: Sequence[Fetched], fetched_at: datetime) -> None:
    """Remember the counters where we hold what they promise; otherwise fetch again in the next sweeps."""
    hits = []
    for item in fetched:
        hit, remote = item.hit, item.remote
        if remote is None:
            continue
        hit.last_fetched_at = fetched_at
        hits.append(hit)
        holds_all = len(item.assignments) >= remote.submitted_or_decided
        if holds_all or hit.refetches_left == 1:
            hit.refetches_left = 0
        else:
            hit.refetches_left = (hit.refetches_left or REFETCHES + 1) - 1
        if not hit.refetches_left:
            set_listed(hit, remote)
    update_many(hits, ["refetches_left", "last_fetched_at", *LISTED_FIELDS])
    unlisted = HIT.objects.filter(pk__in=[item.hit.pk for item in fetched if item.remote is None])
    unlisted.update(last_fetched_at=fetched_at, fetched_unlisted=True)
    wish_no_longer([item.hit for item in fetched], fetched_at)


LISTED_FIELDS = [
    "listed_status",
    "listed_max",
    "listed_available",
    "listed_pending",
    "listed_completed",
    "fetched_unlisted",
]


def set_listed(hit: HIT, remote: RemoteHIT) -> None:
    """Remember these counters; LISTED_FIELDS are to be saved."""
    (
        hit.listed_status,
        hit.listed_max,
        hit.listed_available,
        hit.listed_pending,
        hit.listed_completed,
    ) = counters_of(remote)
    hit.fetched_unlisted = False


def counters_of(remote: RemoteHIT) -> tuple[str, int, int, int, int]:
    """What a list shows of a HIT, to be compared with what it showed when it was fetched."""
    return (
        remote.hit_status,
        remote.max_assignments,
        remote.available,
        remote.pending,
        remote.completed,
    )


def wish_no_longer(hits: Sequence[HIT], fetched_at: datetime) -> None:
    """What was wished for before the fetch is fulfilled; an event that came meanwhile stays."""
    wished = HIT.objects.filter(pk__in=[hit.pk for hit in hits], fetch_wanted_at__lte=fetched_at)
    wished.update(fetch_wanted_at=None)


def _note_answer_fields(new: Sequence[_New]) -> None:
    """Keep each batch's list of answer fields complete and sorted."""
    seen: dict[int, set[str]] = {}
    for item in new:
        seen.setdefault(item.hit.batch_id, set()).update(item.fields)
    for batch_id, names in sorted(seen.items()):
        known = set(Batch.objects.values_list("answer_fields", flat=True).get(pk=batch_id))
        if names <= known:
            continue
        batch = Batch.objects.select_for_update(no_key=True).only("answer_fields").get(pk=batch_id)
        batch.answer_fields = sorted(names | set(batch.answer_fields))
        batch.save(update_fields=["answer_fields"])


def _approve_at_once(new: Sequence[_New]) -> None:
    """Approve new answers of projects that want it so; test Workers' too, for they wait for nothing else."""
    now = clock.now()
    wanted = [
        item.assignment
        for item in new
        if item.hit.batch.project.approval == Approval.AT_ONCE
        and item.assignment.status == AssignmentStatus.SUBMITTED
    ]
    Decision.objects.bulk_create(
        [
            Decision(
                team_id=assignment.team_id,
                connection_id=assignment.connection_id,
                assignment=assignment,
                verdict=Verdict.APPROVE,
                due_at=now,
                by_rule=AT_ONCE.rule,
            )
            for assignment in wanted
        ]
    )
    Assignment.objects.filter(pk__in=[assignment.pk for assignment in wanted]).update(
        pending_verdict=Verdict.APPROVE
    )
    for batch_id, number in sorted(Counter(assignment.batch_id for assignment in wanted).items()):
        batch = Batch.objects.only("name", "team").get(pk=batch_id)
        activity.record(
            AT_ONCE,
            "batch.decided",
            batch,
            team_id=batch.team_id,
            verdict=Verdict.APPROVE.value,
            answers=number,
        )
