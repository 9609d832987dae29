"""What the owners of an account can ask about HITs made elsewhere: look again, adopt some, import the whole history."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import Job, JobState
from projects import tasks
from projects.adopting import ADOPT, IMPORT, LOOK, check_budgets, choose, plan_adoption
from projects.models import Project
from projects.models.foreign_hit import ForeignHITQuerySet


def look_elsewhere(connection: Connection, *, by: Actor) -> None:
    """Sweep the Connection at once, also where nothing was ever published from here."""
    check_can(by, Permission.HIT_ADOPT, connection.account.team_id)
    with transaction.atomic():
        _want_sweep(connection)


def adopt_hits(
    connection: Connection,
    chosen: ForeignHITQuerySet,
    *,
    by: Actor,
    project: Project | None = None,
    confirmed: Collection[UUID] = (),
) -> Job:
    """Choose exactly these HITs made elsewhere; a Job adopts them into the project, or a new one for each title.

    Those of another installation are refused unless whoever asks has named it in `confirmed`.
    """
    check_can(by, Permission.HIT_ADOPT, connection.account.team_id)
    _check_project(connection, project)
    with transaction.atomic():
        chosen = chosen.listed().filter(connection=connection)
        plan = plan_adoption(connection, chosen)
        if not plan.hits:
            raise ActionRefused("None of these HITs is there to be adopted any more. Nothing was changed.")
        if unconfirmed := [maker for maker in plan.makers if maker not in confirmed]:
            raise ActionRefused(
                f"Some of these HITs were made by the installation {unconfirmed[0]}, which may still work with them. "
                "Confirm that you know, then adopt them. Nothing was changed.",
                status=400,
            )
        check_budgets(plan, project, connection, by=by)
        job = _make_job(connection, ADOPT, f"Adopt {plan.hits:,} HITs of {connection}", project, by=by)
        job.total = choose(job, chosen)
        job.save(update_fields=["total"])
        whose = f", by the installation {plan.makers[0]}" if plan.makers else ""
        team_id = connection.account.team_id
        record(by, "connection.adopting", connection, team_id=team_id, adopted=job.total, whose=whose)
        ring(tasks.run_job, job.pk)
    return job


def import_history(connection: Connection, *, by: Actor, project: Project | None = None) -> Job:
    """Look through the whole account, adopt everything no other installation has made, and fetch all answers."""
    check_can(by, Permission.HIT_ADOPT, connection.account.team_id)
    _check_project(connection, project)
    with transaction.atomic():
        Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        running = Job.objects.filter(kind=IMPORT, state=JobState.RUNNING, team_id=connection.account.team_id)
        if found := running.filter(arguments__connection=connection.pk).first():
            return found
        job = _make_job(connection, IMPORT, f"Import the history of {connection}", project, by=by)
        job.arguments |= {"stage": LOOK, "since": clock.now().isoformat()}
        job.outcome = "Looking through the account."
        job.save(update_fields=["arguments", "outcome"])
        record(by, "connection.importing", connection, team_id=connection.account.team_id)
        _want_sweep(connection)
        ring(tasks.run_job, job.pk)
    return job


def _check_project(connection: Connection, project: Project | None) -> None:
    if project is not None and project.team_id != connection.account.team_id:
        raise ActionRefused(
            f"“{project}” belongs to another team. HITs are adopted into a project of the team that owns the account.",
            status=400,
        )


def _make_job(connection: Connection, kind: str, title: str, project: Project | None, *, by: Actor) -> Job:
    return Job.objects.create(
        team_id=connection.account.team_id,
        kind=kind,
        # `batches` and `projects`: what the Job has made so far, by what each is for.
        arguments={
            "connection": connection.pk,
            "project": project.pk if project else None,
            "batches": {},
            "projects": {},
        },
        title=title[:200],
        by=by.somebody,
    )


def _want_sweep(connection: Connection) -> None:
    Connection.objects.filter(pk=connection.pk).update(sweep_wanted_at=clock.now())
    ring(tasks.collect_connection, connection.pk)
