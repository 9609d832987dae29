"""HITs made elsewhere become rows here, by a Job and a chunk at a time; MTurk is read, and never written to.

HITs of one type and origin become one Batch. What came of each stands on its JobItem, so a Job that was cut off goes on
where it was, and what somebody adopted meanwhile is passed over.
"""

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Case, Count, F, Min, Q, QuerySet, Sum, When
from django.db.models.functions import Greatest

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection, Membership
from mturkhub.accounts.permissions import Permission, can
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.many_rows import update_many
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.fees import LARGE_HIT, fee_per_assignment
from mturkhub.gateway.question_reading import page_of
from mturkhub.gateway.records import RemoteTerms
from mturkhub.intentions.models import IntentionState, Job, JobState
from projects.budgets import begin_month, check_fits, check_room, month_of, rooms_of
from projects.bulk_deciding import DONE, end_job
from projects.counting import recount
from projects.models import (
    HIT,
    Batch,
    BatchRow,
    ForeignHIT,
    HITTemplate,
    HITType,
    LedgerReason,
    Project,
    RowResult,
    Sweep,
)
from projects.models.foreign_hit import ForeignHITQuerySet
from projects.models.project import DURATION_MAX, DURATION_MIN, KEYWORDS_MAX, TITLE_MAX
from projects.queueing import price_each
from projects.states import BatchState, HITStatus

ADOPT, IMPORT = "adopt_hits", "import_history"
KINDS = {ADOPT, IMPORT}
CHUNK = 500
# What a row of an adopted Batch says of its HIT: its input is not known.
COLUMNS = ["hit_id", "title", "requester_annotation", "creation_time"]
# In `reason` of a HIT that was adopted.
REASON = "adopted"
ADOPTED_MEANWHILE = "Adopted meanwhile; not touched."
GONE = "MTurk no longer has it."
KNOWN = "It is a row here already; not touched."
# Stages of importing a history: look through the account, adopt, fetch all answers.
LOOK, FETCH = "look", "fetch"


# What it would do ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class AdoptionPlan:
    """What adopting a selection would bring, and what money is bound in it; dollars, with the fee."""

    hits: int
    waiting: int
    decided: int
    # Places that may still have to be paid.
    places: int
    bound: Decimal
    # What budgets count from then on: of HITs in which money is bound, answers paid before as well.
    counted: Decimal
    # Title, reward and number of HITs of the commonest types.
    types: list[dict[str, Any]]
    # Installations that have made some of them.
    makers: list[Any]
    # The newest of them, so that what is listed later is not adopted with them.
    last: int


_IS_OVER = Q(hit_status__in=[HITStatus.REVIEWABLE.value, HITStatus.REVIEWING.value])
_PLACES = F("max_assignments") - Case(When(_IS_OVER, then=F("available")), default=0)
_BOUND = Greatest(_PLACES - F("completed"), 0)


def plan_adoption(connection: Connection, chosen: ForeignHITQuerySet) -> AdoptionPlan:
    """The dry run of an adoption."""
    found = chosen.order_by().with_answers_waiting().alias(usable=_PLACES, owed=_BOUND)
    priced = found.values(
        "reward", is_large=Case(When(max_assignments__gte=LARGE_HIT, then=True), default=False)
    )
    sums = priced.annotate(
        number=Count("pk"),
        answers=Sum("waiting"),
        decided=Sum("completed"),
        still_bound=Sum("owed"),
        counted=Sum("usable", filter=Q(owed__gt=0), default=0),
    )
    bound = counted = Decimal("0.00")
    hits = waiting = decided = places = 0
    for each in sums:
        size = LARGE_HIT if each["is_large"] else 1
        price = each["reward"] + fee_per_assignment(each["reward"], size, connection.fee_schedule)
        hits, waiting, decided = hits + each["number"], waiting + each["answers"], decided + each["decided"]
        places, bound = places + each["still_bound"], bound + price * each["still_bound"]
        counted += price * each["counted"]
    types = (
        chosen.order_by().values("title", "reward").annotate(number=Count("pk")).order_by("-number", "title")
    )
    newest = chosen.order_by("-pk").values_list("pk", flat=True).first()
    return AdoptionPlan(
        hits=hits,
        waiting=waiting,
        decided=decided,
        places=places,
        bound=bound,
        counted=counted,
        types=[dict(each) for each in types[:10]],
        makers=list(chosen.of_others().order_by().values_list("installation", flat=True).distinct()[:10]),
        last=newest or 0,
    )


def bound_in(foreign: ForeignHIT, schedule: str) -> Decimal:
    """What may still have to be paid for the answers to one HIT; dollars, with the fee."""
    fee = fee_per_assignment(foreign.reward, foreign.max_assignments, schedule)
    return (foreign.reward + fee) * foreign.bound


def check_budgets(plan: AdoptionPlan, project: Project | None, connection: Connection, *, by: Actor) -> None:
    """Raise unless what is bound fits into the budgets it will count in, as things stand; the Job reserves it."""
    team = connection.account.team
    batch = Batch(team=team, project=project, connection=connection)
    for room in rooms_of(batch, publisher_id=by.somebody.pk, now=clock.now()):
        check_fits(room, plan.counted)


# The Job ------------------------------------------------------------------------------------------


def choose(job: Job, chosen: QuerySet[ForeignHIT]) -> int:
    """Make each of these an item of the Job, those of one future Batch together; returns how many."""
    sql, parameters = chosen.order_by("hit_type_id", "origin", "pk").values("pk").query.sql_with_params()
    with database.cursor() as cursor:
        cursor.execute(
            "insert into intentions_jobitem (job_id, target_id, outcome) "  # noqa: S608 - Django's own SQL
            f"select %s, chosen.id, '' from ({sql}) as chosen (id)",
            [job.pk, *parameters],
        )
        return int(cursor.rowcount)


def run_chunk(job: Job, *, gateway: MTurkGateway) -> bool:
    """Adopt some of the Job's HITs in one transaction; returns whether going on at once makes sense.

    Reads the terms and the question of one HIT per Batch: one GetHIT each.
    """
    if not _still_may(job):
        _stop(job, f"Stopped: {job.by} may no longer adopt HITs of this account.")
        return False
    if stage := job.arguments.get("stage"):
        return _wait_for_sweep(job, stage)
    first = _first_waiting(job)
    if first is None:
        return _finish(job)
    terms = None
    if _key(first) not in job.arguments["batches"]:
        try:
            terms = gateway.get_hit_terms(first.mturk_id)
        except MTurkError as error:
            if error.is_gone:
                _pass_over(job, first, GONE)
                return True
            if not error.retry_can_help:
                _stop(
                    job, f"Stopped: {error.sentence} What was adopted so far stays; begin again for the rest."
                )
            return False
    return _adopt_chunk(job, first, terms)


def _still_may(job: Job) -> bool:
    membership = (
        Membership.objects.filter(team_id=job.team_id, user_id=job.by_id).select_related("user").first()
    )
    return membership is not None and can(Actor.person(membership), Permission.HIT_ADOPT, job.team_id)


def _stop(job: Job, outcome: str) -> None:
    end_job(job, JobState.STOPPED, outcome)


def _key(foreign: ForeignHIT) -> str:
    return f"{foreign.hit_type_id} {foreign.installation or ''} {foreign.origin}"


def _first_waiting(job: Job) -> ForeignHIT | None:
    item = job.items.filter(outcome="").order_by("pk").first()
    return ForeignHIT.objects.get(pk=item.target_id) if item else None


def _pass_over(job: Job, foreign: ForeignHIT, outcome: str) -> None:
    with transaction.atomic():
        passed = job.items.filter(target_id=foreign.pk, outcome="").update(outcome=outcome)
        Job.objects.filter(pk=job.pk).update(done=F("done") + passed)


def _adopt_chunk(job: Job, first: ForeignHIT, terms: RemoteTerms | None) -> bool:
    with transaction.atomic():
        # One runner at a time; a second one finds nothing to lock and leaves.
        locked = Job.objects.select_for_update(skip_locked=True, of=("self",)).select_related("team", "by")
        running = locked.filter(pk=job.pk, state=JobState.RUNNING).first()
        if running is None:
            return False
        connection = _locked_connection(first.connection_id)
        group = list(
            ForeignHIT.objects.select_for_update(no_key=True)
            .filter(
                pk__in=running.items.filter(outcome="").values("target_id"),
                hit_type_id=first.hit_type_id,
                installation=first.installation,
                origin=first.origin,
            )
            .order_by("pk")[:CHUNK]
        )
        outcomes = _passed_over(connection, group)
        wanted = [foreign for foreign in group if foreign.pk not in outcomes]
        if wanted:
            outcomes |= _adopt(running, connection, wanted, terms)
        items = list(running.items.filter(target_id__in=outcomes))
        for item in items:
            item.outcome = outcomes[item.target_id]
        update_many(items, ["outcome"])
        running.done += len(items)
        running.save(update_fields=["done", "arguments"])
    return True


def _locked_connection(key: int) -> Connection:
    """With all that lead to the same place: two of them may be two ways to one account."""
    endpoint = Connection.objects.values_list("endpoint", flat=True).get(pk=key)
    same = Connection.objects.select_for_update(no_key=True, of=("self",)).filter(endpoint=endpoint)
    return next(each for each in same.select_related("account__team").order_by("pk") if each.pk == key)


def _passed_over(connection: Connection, group: Sequence[ForeignHIT]) -> dict[int, str]:
    """Keys of those that are not to be adopted, with the reason."""
    ways = Connection.objects.filter(endpoint=connection.endpoint).values("pk")
    rows = HIT.objects.filter(connection__in=ways, mturk_id__in=[foreign.mturk_id for foreign in group])
    known = set(rows.values_list("mturk_id", flat=True))
    outcomes = {}
    for foreign in group:
        if foreign.adopted_id:
            outcomes[foreign.pk] = ADOPTED_MEANWHILE
        elif foreign.gone_at:
            outcomes[foreign.pk] = GONE
        elif foreign.mturk_id in known:
            outcomes[foreign.pk] = KNOWN
    return outcomes


def _adopt(
    job: Job, connection: Connection, wanted: Sequence[ForeignHIT], terms: RemoteTerms | None
) -> dict[int, str]:
    """All of these, or none with the reason: a budget may have no room for what is bound in them."""
    before = deepcopy(job.arguments)
    try:
        with transaction.atomic():
            batch = _batch_of(job, connection, wanted[0], terms)
            _make_rows(batch, wanted, job)
    except ActionRefused as refused:
        job.arguments = before
        return {foreign.pk: refused.sentence for foreign in wanted}
    return {foreign.pk: DONE for foreign in wanted}


def _finish(job: Job) -> bool:
    """Everything is adopted or passed over; the next sweep fetches the answers, and an import waits for that."""
    now = clock.now()
    with transaction.atomic():
        Connection.objects.filter(pk=job.arguments["connection"]).update(sweep_wanted_at=now)
        if job.kind == IMPORT:
            job.arguments |= {"stage": FETCH, "since": now.isoformat()}
            job.outcome = "Everything is adopted; fetching the answers."
            job.save(update_fields=["arguments", "outcome"])
        else:
            end_job(
                job, JobState.DONE, f"{_summary(job)} Their answers are fetched with the next look at MTurk."
            )
    return False


def _summary(job: Job) -> str:
    adopted = job.items.filter(outcome=DONE).count()
    passed_over = job.total - adopted
    text = f"{adopted:,} HIT{'' if adopted == 1 else 's'} adopted"
    return f"{text}, {passed_over:,} passed over." if passed_over else f"{text}."


# The whole history of an account ------------------------------------------------------------------


def _wait_for_sweep(job: Job, stage: str) -> bool:
    """Go on once MTurk has been looked through from end to end since; a sweep that failed stops the Job."""
    since = datetime.fromisoformat(job.arguments["since"])
    sweeps = Sweep.objects.filter(connection=job.arguments["connection"], begun_at__gte=since)
    if sweeps.filter(is_complete=True).exists():
        return _looked(job) if stage == LOOK else _fetched(job)
    if failed := sweeps.exclude(problem="").order_by("begun_at").first():
        reason = failed.problem.split("\n")[0]
        _stop(job, f"Stopped: {reason} What was adopted so far stays; press “Import all” again for the rest.")
        return False
    # The wish may have been taken by a sweep that had begun before.
    Connection.objects.filter(
        pk=job.arguments["connection"], sweep_wanted_at=None, sweep_lease_until=None
    ).update(sweep_wanted_at=clock.now())
    return False


def _looked(job: Job) -> bool:
    with transaction.atomic():
        running = Job.objects.select_for_update().get(pk=job.pk)
        if running.arguments.get("stage") != LOOK or running.state != JobState.RUNNING:
            return False
        listed = ForeignHIT.objects.listed().of_nobody_else()
        running.total = choose(running, listed.filter(connection=running.arguments["connection"]))
        del running.arguments["stage"]
        running.outcome = ""
        running.save(update_fields=["total", "arguments", "outcome"])
    return True


def _fetched(job: Job) -> bool:
    batches = Batch.objects.filter(pk__in=job.arguments["batches"].values())
    counted = batches.aggregate(
        answers=Sum(F("answers_submitted") + F("answers_approved") + F("answers_rejected"), default=0)
    )
    end_job(job, JobState.DONE, f"{_summary(job)} They have {counted['answers']:,} answers.")
    return False


# Rows ---------------------------------------------------------------------------------------------


def _batch_of(job: Job, connection: Connection, first: ForeignHIT, terms: RemoteTerms | None) -> Batch:
    """The Job's Batch for HITs like this one, made for the first of them."""
    key = _key(first)
    if key in job.arguments["batches"]:
        found = Batch.objects.select_for_update(no_key=True, of=("self",)).select_related(
            "connection", "team"
        )
        return found.get(pk=job.arguments["batches"][key])
    if terms is None:
        raise ActionRefused("The batch for these HITs could not be made. Adopt them again.")
    project = _project_of(job, first, terms)
    now = clock.now()
    alike = ForeignHIT.objects.filter(
        pk__in=job.items.values("target_id"),
        hit_type_id=first.hit_type_id,
        installation=first.installation,
        origin=first.origin,
    )
    batch = Batch.objects.create(
        team_id=job.team_id,
        project=project,
        connection=connection,
        template=_template_of(project, terms, job),
        name=f"{first.title[:70]}, {first.origin or first.hit_type_id}"[:100],
        state=BatchState.LIVE,
        columns=COLUMNS,
        max_assignments=alike.aggregate(least=Min("max_assignments"))["least"] or first.max_assignments,
        lifetime=min(DURATION_MAX, max(DURATION_MIN, first.expires_at - first.mturk_created_at)),
        created_by=job.by,
        adopted_at=now,
        published_at=now,
        published_by=job.by,
        **_properties(first, terms),
    )
    job.arguments["batches"][key] = batch.pk
    by = Actor.person(Membership.objects.select_related("user").get(team_id=job.team_id, user_id=job.by_id))
    record(by, "batch.adopted", batch, team_id=batch.team_id, hit_type=first.hit_type_id)
    return batch


def _properties(first: ForeignHIT, terms: RemoteTerms) -> dict[str, Any]:
    return {
        "title": first.title[:TITLE_MAX],
        "description": terms.description or first.title,
        "keywords": terms.keywords[:KEYWORDS_MAX],
        "reward": first.reward,
        "assignment_duration": terms.assignment_duration,
        "auto_approval_delay": terms.auto_approval_delay,
        "qualification_requirements": terms.qualification_requirements,
    }


def _project_of(job: Job, first: ForeignHIT, terms: RemoteTerms) -> Project:
    """The project that was chosen, or this Job's new one for HITs of this title."""
    if job.arguments["project"]:
        return Project.objects.get(pk=job.arguments["project"])
    named: dict[str, int] = job.arguments["projects"]
    if first.title in named:
        return Project.objects.get(pk=named[first.title])
    project = Project.objects.create(
        team_id=job.team_id,
        name=_free_name(job.team_id, first.title[:90] or "Made elsewhere"),
        max_assignments=first.max_assignments,
        created_by=job.by,
        **_properties(first, terms),
    )
    named[first.title] = project.pk
    return project


def _free_name(team_id: int, name: str) -> str:
    taken = set(Project.objects.filter(team_id=team_id, name__startswith=name).values_list("name", flat=True))
    names = [name, *(f"{name} ({number})" for number in range(2, len(taken) + 2))]
    return next(each for each in names if each not in taken)


def _template_of(project: Project, terms: RemoteTerms, job: Job) -> HITTemplate:
    """The question of these HITs as a version of the project; one that stands there already is taken again."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    html = page_of(terms.question)
    versions = HITTemplate.objects.filter(project=project)
    if same := versions.filter(html=html).order_by("is_adopted", "-version").first():
        return same
    newest = versions.order_by("-version").values_list("version", flat=True).first() or 0
    return HITTemplate.objects.create(
        team_id=project.team_id,
        project=project,
        version=newest + 1,
        html=html,
        is_adopted=True,
        created_by=job.by,
    )


def _make_rows(batch: Batch, wanted: Sequence[ForeignHIT], job: Job) -> None:
    """A row with a published HIT for each; the money bound in them is reserved, or ActionRefused raised."""
    now = clock.now()
    prices = {foreign.pk: price_each(batch, foreign.max_assignments) for foreign in wanted}
    bound = [prices[foreign.pk] * foreign.places for foreign in wanted if foreign.bound]
    month = month_of(batch.team, now)
    begin_month(batch, publisher_id=job.by_id, month=month)
    hit_type = _hit_type_of(batch, wanted[0])
    rows = BatchRow.objects.bulk_create(
        [
            BatchRow(team_id=batch.team_id, batch=batch, number=number, input=_input(foreign))
            for number, foreign in enumerate(wanted, batch.rows_total + 1)
        ]
    )
    RowResult.objects.bulk_create(
        [RowResult(row=row, team_id=batch.team_id, batch=batch, number=row.number) for row in rows]
    )
    hits = HIT.objects.bulk_create(
        [
            HIT(
                team_id=batch.team_id,
                connection_id=batch.connection_id,
                batch=batch,
                row=row,
                hit_type=hit_type,
                max_assignments=foreign.max_assignments,
                price_each=prices[foreign.pk],
                # What is over and decided is history: no budget counts it.
                reserved_on=month if foreign.bound else None,
                publish_state=IntentionState.PUBLISHED,
                mturk_id=foreign.mturk_id,
                hit_status=foreign.hit_status,
                mturk_created_at=foreign.mturk_created_at,
                expires_at=foreign.expires_at,
                annotation=foreign.annotation,
                unusable=foreign.available if foreign.is_over else 0,
                due_at=now,
                by_id=job.by_id,
                reason=REASON,
                outcome="Made elsewhere, and adopted here.",
            )
            for row, foreign in zip(rows, wanted, strict=True)
        ]
    )
    for foreign, hit in zip(wanted, hits, strict=True):
        foreign.adopted = hit
    update_many(wanted, ["adopted"])
    extra = sum(foreign.max_assignments - batch.max_assignments for foreign in wanted)
    Batch.objects.filter(pk=batch.pk).update(
        rows_total=F("rows_total") + len(rows),
        rows_not_published=F("rows_not_published") + len(rows),
        answers_extra=F("answers_extra") + max(0, extra),
    )
    recount([row.pk for row in rows], by=Actor(user=job.by), why=LedgerReason.ADOPTED)
    check_room(batch, sum(bound, Decimal(0)), months=[month])


def _input(foreign: ForeignHIT) -> dict[str, str]:
    created = f"{foreign.mturk_created_at:%Y-%m-%d %H:%M:%S UTC}"
    return dict(zip(COLUMNS, [foreign.mturk_id, foreign.title, foreign.annotation, created], strict=True))


def _hit_type_of(batch: Batch, first: ForeignHIT) -> HITType:
    known = HITType.objects.filter(connection_id=batch.connection_id, mturk_id=first.hit_type_id).first()
    if known:
        return known
    digest = hashlib.sha256(f"adopted {first.hit_type_id}".encode()).hexdigest()
    made, _ = HITType.objects.get_or_create(
        connection_id=batch.connection_id,
        digest=digest,
        defaults={"mturk_id": first.hit_type_id, "properties": {"title": first.title}},
    )
    return made
