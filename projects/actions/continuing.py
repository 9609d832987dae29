"""What is left of a batch, asked for with other settings: a further batch whose rows name the rows they continue."""

from django.db import transaction
from django.db.models import Sum

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import check_can_use
from mturkhub.common.errors import ActionRefused
from projects import rules
from projects.actions.batches import locked, nothing_missing
from projects.chains import lock_first
from projects.checking import latest_template
from projects.counting import begin_counting
from projects.models import Batch
from projects.placeholders import match_columns
from projects.queueing import continue_rows

# What the page of the draft changes comes from the batch; what only the project's page changes, from there.
_OF_BATCH = ["reward", "max_assignments", "assignment_duration", "lifetime", "auto_approval_delay"]
_OF_PROJECT = ["title", "description", "keywords", "frame_height", "qualification_requirements"]


def continue_batch(batch: Batch, *, by: Actor) -> Batch:
    """A draft with a row for each row of which answers are missing, in the project's newest words and template.

    From now on these answers count as asked for, until the draft, or what becomes of it, is cancelled.
    """
    check_can(by, Permission.BATCH_CREATE, batch.team_id)
    if by.user is None:
        raise ActionRefused("A batch belongs to a person. Sign in, then make it.", status=403)
    with transaction.atomic():
        lock_first(batch)
        batch = locked(batch)
        rules.check_can_continue(batch)
        check_can_use(batch.connection, batch.team_id)
        project, template = batch.project, latest_template(batch.project)
        if unknown := match_columns(template.html, batch.columns).missing:
            names = ", ".join(f"${{{name}}}" for name in unknown)
            raise ActionRefused(
                f"The newest template of “{project}” asks for {names}, and “{batch}” has no such column. Change the "
                "template, or upload a new file."
            )
        draft = Batch.objects.create(
            team_id=batch.team_id,
            project=project,
            connection=batch.connection,
            template=template,
            name=f"{batch.name[:90]} continued",
            columns=batch.columns,
            continues_id=batch.continues_id or batch.pk,
            only_missing=True,
            created_by=by.user,
            estimated_duration=batch.estimated_duration,
            **{field: getattr(batch, field) for field in _OF_BATCH},
            **{field: getattr(project, field) for field in _OF_PROJECT},
        )
        continue_rows(batch, draft)
        draft.rows_total = draft.rows_not_published = begin_counting(draft)
        if not draft.rows_total:
            raise ActionRefused(nothing_missing(batch))
        draft.answers_missing = draft.rows.aggregate(total=Sum("missing"))["total"]
        draft.save(update_fields=["rows_total", "rows_not_published", "answers_missing"])
        record(by, "batch.created", draft, team_id=draft.team_id, rows=draft.rows_total, dropped=0)
        record(
            by,
            "batch.continued",
            batch,
            team_id=batch.team_id,
            more=draft.answers_missing,
            extended=draft.rows_total,
            continuing=draft.name,
        )
    return draft
