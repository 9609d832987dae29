"""Review: one answer beside its input, decided by a click or a key; many at once after a dry run; jobs; Home."""

import uuid
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mturkhub.accounts.actors import Actor, TeamRequest
from mturkhub.accounts.models import Connection, Team
from mturkhub.accounts.permissions import Permission, can
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.money import dollars
from mturkhub.intentions.models import IntentionState, Job, JobState, Operation
from mturkhub.workers.naming import shown_ids
from projects import rules
from projects.actions import reviews
from projects.costs import hourly_wage
from projects.elsewhere import with_answers_elsewhere
from projects.filters import MOST_COUNTED, SHOWN, SORTS, AssignmentFilter, public_id_or_none
from projects.forecasting import Forecast, forecasts
from projects.models import Assignment, Batch, Project
from projects.states import BatchState, OperationKind, Verdict
from projects.views.batches import batch_or_404, head, pending_count, row_bar, waiting_count

# Of a message that is too long for MTurk, so that it can be shortened instead of written again.
KEPT_FEEDBACK = 20_000
# Of the same row's other answers, beside the one to decide; the row's own page has all.
SIBLINGS = 20
# Batches a job has made, named on its page.
MOST_MADE = 50
_FAMILIES = {kind.family for kind in OperationKind}


@require_safe
def review(request: TeamRequest) -> HttpResponse:
    """The batches in which answers wait, the longest waiting first."""
    waiting = Assignment.objects.filter(batch=OuterRef("pk")).awaiting_review().order_by("submitted_at")
    batches = (
        Batch.objects.for_actor(request.actor)
        .filter(answers_submitted__gt=0, imported_at=None)
        .select_related("project", "connection")
        .annotate(oldest=Subquery(waiting.values("submitted_at")[:1]))
        .filter(oldest__isnull=False)
        .order_by("oldest")
    )
    return render(request, "projects/review.html", {"nav": "review", "batches": batches})


@require_safe
def review_batch(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    batch = batch_or_404(request, public_id)
    chosen = AssignmentFilter.read(request.GET)
    page = chosen.page(batch, request.GET.get("at", ""))
    current = _current(request, batch, page.items)
    keys = [answer.worker_id for answer in page.items] + ([current.worker_id] if current else [])
    names = shown_ids(batch.team_id, keys, request.actor)
    context = head(request, batch, "review") | {
        "filter": chosen,
        "page": page,
        "queue": [(answer, names.get(answer.worker_id, "")) for answer in page.items],
        "shown": SHOWN.items(),
        "sorts": [(name, words) for name, (words, _) in SORTS.items()],
        "here": chosen.query(**({"at": request.GET["at"]} if request.GET.get("at") else {})),
        "newer": chosen.query(at=page.newer) if page.newer else "",
        "older": chosen.query(at=page.older) if page.older else "",
        "current": current,
        "undo_last": _undo_last(request, batch),
        **_refused_rejection(request, current),
    }
    if current:
        context |= _evidence(request, batch, current, names, page.items)
    return render(request, "projects/review_batch.html", context)


def _current(request: TeamRequest, batch: Batch, queue: list[Assignment]) -> Assignment | None:
    wanted = public_id_or_none(request.GET.get("answer", ""))
    if wanted:
        own = Assignment.objects.filter(batch=batch).select_related("row", "answer", "hit")
        if found := own.filter(public_id=wanted).first():
            return found
    if not queue:
        return None
    return Assignment.objects.select_related("row", "answer", "hit").get(pk=queue[0].pk)


def _undo_last(request: TeamRequest, batch: Batch) -> str:
    """The answer of this batch that the person decided last; empty when that was one of another batch."""
    of_batch, answer = request.session.get("last_decision", ["", ""])
    return answer if of_batch == str(batch.public_id) else ""


def _refused_rejection(request: TeamRequest, current: Assignment | None) -> dict[str, str]:
    """Why this answer could not just be rejected, and what had been typed."""
    refused = request.session.pop("refused_rejection", None)
    if refused and current and refused["answer"] == str(current.public_id):
        return {"error": refused["sentence"], "feedback": refused["feedback"]}
    return {"error": "", "feedback": ""}


def _evidence(
    request: TeamRequest, batch: Batch, current: Assignment, names: dict[int, str], queue: list[Assignment]
) -> dict[str, Any]:
    others = Assignment.objects.filter(row=current.row_id).exclude(pk=current.pk)
    listed = others.select_related("answer").defer("answer__raw_xml").order_by("submitted_at", "id")
    siblings = list(listed[:SIBLINGS])
    names |= shown_ids(batch.team_id, [answer.worker_id for answer in siblings], request.actor)
    order = [answer.pk for answer in queue]
    place = order.index(current.pk) if current.pk in order else -1
    record = Assignment.objects.filter(team_id=batch.team_id, worker=current.worker_id)
    return {
        "worker": names.get(current.worker_id, ""),
        "inputs": [(name, current.row.input.get(name)) for name in batch.columns],
        "fields": sorted(current.answer.fields.items()),
        "siblings": [(answer, names.get(answer.worker_id, "")) for answer in siblings],
        "sibling_count": others.count(),
        "price": current.hit.price_each,
        "wage": hourly_wage(batch.reward, current.work_time),
        "refused_decision": _refused_decision(current),
        "bonuses": current.bonuses.select_related("by").order_by("pk"),
        "worker_answers": _counted(record),
        "worker_rejected": _counted(record.filter(status="Rejected")),
        "can_decide": rules.can_decide(current),
        "before": queue[place - 1] if place > 0 else None,
        "after": queue[place + 1] if 0 <= place < len(queue) - 1 else None,
        "can_undo": bool(current.pending_verdict),
        "can_overturn": rules.can_overturn(current, now=clock.now()),
        "overturn_until": current.submitted_at + rules.OVERTURN_WINDOW,
    }


def _refused_decision(assignment: Assignment) -> str:
    """What MTurk said to the last decision, where it refused that; empty where it did not."""
    last = assignment.decisions.order_by("-pk").first()
    return last.outcome if last and last.state == IntentionState.FAILED else ""


def _counted(found: QuerySet[Assignment]) -> int:
    return len(found.values("pk")[:MOST_COUNTED])


# One answer ---------------------------------------------------------------------------------------


def _assignment(request: TeamRequest, public_id: uuid.UUID) -> Assignment:
    found = Assignment.objects.for_actor(request.actor).select_related("batch")
    return get_object_or_404(found, public_id=public_id)


def _back(request: TeamRequest, assignment: Assignment, *, go_on: bool = True) -> HttpResponse:
    """To the next answer of the same list; the list itself is in the form."""
    query = AssignmentFilter.read(request.POST)
    more = {"at": request.POST["at"]} if request.POST.get("at") else {}
    target = public_id_or_none(request.POST.get("next", "")) if go_on else assignment.public_id
    if target:
        more["answer"] = str(target)
    url = reverse("projects:review_batch", args=[assignment.batch.public_id])
    return redirect(f"{url}?{query.query(**more)}")


def _undo_hint(request: TeamRequest, assignment: Assignment, said: str) -> None:
    messages.info(request, f"{said} Undo with Z until MTurk is told.", extra_tags=str(assignment.public_id))
    request.session["last_decision"] = [str(assignment.batch.public_id), str(assignment.public_id)]


@require_POST
def approve(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    assignment = _assignment(request, public_id)
    reviews.approve_assignment(assignment, by=request.actor, feedback=request.POST.get("feedback", ""))
    _undo_hint(request, assignment, "Approving.")
    return _back(request, assignment)


@require_POST
def reject(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Without a reason the page comes again with the sentence; what was typed is kept."""
    assignment = _assignment(request, public_id)
    feedback = request.POST.get("feedback", "")
    try:
        reviews.reject_assignment(assignment, by=request.actor, feedback=feedback)
    except ActionRefused as refused:
        if refused.status != 400:
            raise
        request.session["refused_rejection"] = {
            "answer": str(assignment.public_id),
            "sentence": refused.sentence,
            "feedback": feedback[:KEPT_FEEDBACK],
        }
        return _back(request, assignment, go_on=False)
    _undo_hint(request, assignment, "Rejecting.")
    return _back(request, assignment)


@require_POST
def leave_out(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Pay, but leave out: approved for the Worker, not counted in the data."""
    assignment = _assignment(request, public_id)
    counted = assignment.left_out_at is None
    reviews.leave_out(assignment, by=request.actor, reason=request.POST.get("reason", ""))
    if rules.can_decide(assignment):
        reviews.approve_assignment(assignment, by=request.actor)
    _undo_hint(request, assignment, "Paying, and leaving it out of the data.")
    if counted:
        request.session["left_out_with_it"] = str(assignment.public_id)
    return _back(request, assignment)


@require_POST
def overturn(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    assignment = _assignment(request, public_id)
    reviews.overturn_rejection(assignment, by=request.actor, feedback=request.POST.get("feedback", ""))
    _undo_hint(request, assignment, "Overturning the rejection.")
    return _back(request, assignment, go_on=False)


@require_POST
def take_back_in(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    assignment = _assignment(request, public_id)
    reviews.take_back_in(assignment, by=request.actor)
    messages.info(request, "Counted in the data again.")
    return _back(request, assignment, go_on=False)


@require_POST
def undo(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Take back the last decision, and with it the leaving out that the same click did."""
    assignment = _assignment(request, public_id)
    reviews.undo_decision(assignment, by=request.actor)
    if _undo_last(request, assignment.batch) == str(assignment.public_id):
        del request.session["last_decision"]
    if request.session.pop("left_out_with_it", "") == str(assignment.public_id):
        reviews.take_back_in(assignment, by=request.actor)
    messages.info(request, "Taken back; it waits for a decision again.")
    return _back(request, assignment, go_on=False)


# Many at once -------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def decide_many(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """GET shows what would happen; POST does exactly that, also when more answers have come meanwhile."""
    batch = batch_or_404(request, public_id)
    given = request.POST if request.method == "POST" else request.GET
    verdict = Verdict.REJECT if given.get("verdict") == "reject" else Verdict.APPROVE
    chosen = AssignmentFilter.read(given)
    feedback = given.get("feedback", "")
    error = ""
    if request.method == "POST":
        try:
            seen = _as_seen(request, batch, chosen, verdict)
            job = reviews.decide_many(batch, seen, by=request.actor, verdict=verdict, feedback=feedback)
            return redirect("projects:job", job.public_id)
        except ActionRefused as refused:
            if refused.status != 400:
                raise
            error = refused.sentence
    matching = chosen.apply(batch)
    plan = reviews.plan_decisions(batch, matching, by=request.actor, verdict=verdict)
    verb = "Approve" if verdict == Verdict.APPROVE else "Reject"
    keeps = "for" if verdict == Verdict.APPROVE else "keep"
    context = head(request, batch, "review") | {
        "filter": chosen,
        "verdict": verdict.value,
        "plan": plan,
        "last": matching.order_by("-public_id").values_list("public_id", flat=True).first(),
        "feedback": feedback,
        "error": error,
        "button": f"{verb} {plan.count:,} answer{'s' if plan.count != 1 else ''} {keeps} {dollars(plan.price)}",
        "back": chosen.query(),
    }
    return render(request, "projects/decide_many.html", context, status=400 if error else 200)


def _as_seen(
    request: TeamRequest, batch: Batch, chosen: AssignmentFilter, verdict: Verdict
) -> QuerySet[Assignment]:
    """The answers the dry run named, none that came after it; refused when they have become more."""
    # Public ids sort by time.
    last = public_id_or_none(request.POST.get("last", ""))
    seen = chosen.apply(batch).filter(public_id__lte=last) if last else Assignment.objects.none()
    plan = reviews.plan_decisions(batch, seen, by=request.actor, verdict=verdict)
    named = request.POST.get("count", "")
    if not named.isdecimal() or plan.count > int(named[:10]):
        raise ActionRefused(
            "Meanwhile more answers wait than this page named. Nothing was decided; look again below.",
            status=400,
        )
    return seen


@require_safe
def job(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Job.objects.for_actor(request.actor).select_related("by"), public_id=public_id)
    subject = public_id_or_none(found.subject)
    batch = Batch.objects.for_actor(request.actor).filter(public_id=subject).first() if subject else None
    waiting_for_mturk = 0
    if batch:
        waiting_for_mturk = pending_count(batch)
    made = found.arguments.get("batches", {}).values()
    context = {
        "nav": "review",
        "job": found,
        "made": Batch.objects.for_actor(request.actor).filter(pk__in=list(made)[:MOST_MADE]).order_by("pk"),
        "batch": batch,
        "confirming": waiting_for_mturk,
        "is_running": found.state == JobState.RUNNING or waiting_for_mturk,
        "passed_over": found.passed_over,
    }
    return render(request, "projects/_job.html" if request.htmx else "projects/job.html", context)


# Home ---------------------------------------------------------------------------------------------


@require_safe
def home(request: TeamRequest) -> HttpResponse:
    """What needs a person, then what goes on by itself."""
    batches = Batch.objects.for_actor(request.actor).select_related("project", "connection", "team")
    live = batches.filter(
        state__in=[BatchState.PUBLISHING, BatchState.LIVE, BatchState.PAUSED, BatchState.CLOSING]
    )
    connections = Connection.objects.for_actor(request.actor)
    projects = Project.objects.for_actor(request.actor)
    context = {
        "nav": "home",
        "needs": _needs(
            batches.filter(published_at__isnull=False), connections, request.team, by=request.actor
        ),
        "batches": [(batch, row_bar(batch)) for batch in live.order_by("-pk")[:10]],
        "drafts": batches.filter(state__in=[BatchState.DRAFT, BatchState.SCHEDULED]).order_by("-pk")[:5],
        "steps": _first_steps(request, projects, batches, connections),
    }
    return render(request, "projects/home.html", context)


def _needs(published: Any, connections: Any, team: Team | None, *, by: Actor) -> list[dict[str, str]]:
    """Sentences, each with the one link that starts the work; what costs somebody money comes first."""
    needs = []
    for connection in connections.exclude(problem=""):
        needs.append(
            _need("red", f"{connection}: {connection.problem}", "Look", "accounts:connection", connection)
        )
    needs += [_low(each) for each in forecasts(by, team) if each.is_low] if team else []
    for connection in connections.filter(paused_at__isnull=False):
        said = f"{connection}: nothing is sent. {connection.paused_reason}"
        needs.append(_need("red", said, "Look", "accounts:connection", connection))
    for connection in connections.filter(creation_paused_at__isnull=False):
        said = f"{connection}: creating HITs is paused. {connection.creation_paused_reason}"
        needs.append(_need("red", said, "Look", "accounts:connection", connection))
    live = published.filter(state__in=[BatchState.PUBLISHING, BatchState.LIVE, BatchState.PAUSED])
    for batch in live.filter(rows_failed__gt=0)[:4]:
        rows = f"{batch.rows_failed:,} row{'s' if batch.rows_failed != 1 else ''}"
        needs.append(
            _need("red", f"{batch}: {rows} could not be created.", "See why", "projects:batch", batch)
        )
    refused = Operation.objects.filter(state=IntentionState.FAILED, family__in=_FAMILIES)
    for batch in published.filter(pk__in=refused.values("subject_id"))[:4]:
        said = f"{batch}: MTurk refused changes of its HITs."
        needs.append(_need("red", said, "See why", "projects:batch", batch))
    for connection in with_answers_elsewhere(connections).select_related("account"):
        if can(by, Permission.HIT_ADOPT, connection.account.team_id):
            said = f"{connection}: answers to HITs that were made elsewhere wait for a decision."
            needs.append(_need("orange", said, "Look", "projects:made_elsewhere", connection))
    for batch in live.filter(state=BatchState.PAUSED)[:4]:
        needs.append(
            _need("orange", f"{batch} is paused. {batch.state_reason}", "Look", "projects:batch", batch)
        )
    for batch in published.filter(answers_submitted__gt=0, imported_at=None).order_by("pk")[:8]:
        count = waiting_count(batch)
        if count:
            answers = f"{count:,} answer{'s wait' if count != 1 else ' waits'}"
            said = f"{batch}: {answers} for a decision."
            needs.append(_need("orange", said, f"Review {count:,}", "projects:review_batch", batch))
    return needs[:8]


def _low(forecast: Forecast) -> dict[str, str]:
    days = forecast.lasts.days if forecast.lasts else 0
    lasts = f"{days} day{'s' if days != 1 else ''}" if days else "less than a day"
    said = f"{forecast.connection} has {dollars(forecast.free or Decimal(0))} left: {lasts} at the pace of the last 30 days."
    return {"tone": "orange", "said": said, "label": "Money", "href": reverse("projects:money")}


def _need(tone: str, said: str, label: str, url_name: str, thing: Any) -> dict[str, str]:
    return {"tone": tone, "said": said, "label": label, "href": reverse(url_name, args=[thing.public_id])}


def _first_steps(request: TeamRequest, projects: Any, batches: Any, connections: Any) -> list[dict[str, Any]]:
    """The set-up list with its ticks; empty once a batch has been answered."""
    if (
        batches.filter(Q(answers_approved__gt=0) | Q(answers_submitted__gt=0)).exists()
        or request.team is None
    ):
        return []
    may_edit = can(request.actor, Permission.PROJECT_EDIT, request.team)
    first = projects.order_by("pk").first()
    steps = [
        ("Connect an account", connections.exists(), reverse("accounts:connections")),
        (
            "Test it",
            connections.filter(tested_at__isnull=False, problem="").exists(),
            reverse("accounts:connections"),
        ),
        ("Make a project", first is not None, reverse("projects:create_project")),
        (
            "Write the question",
            first is not None and first.templates.exists(),
            reverse("projects:edit_template", args=[first.public_id]) if first else "",
        ),
        (
            "Upload a file and publish it",
            batches.filter(published_at__isnull=False).exists(),
            reverse("projects:upload_batch", args=[first.public_id]) if first else "",
        ),
        ("Try it as a test Worker, from the batch page", False, ""),
    ]
    return [
        {"words": words, "is_done": done, "href": href if may_edit else ""} for words, done, href in steps
    ]
