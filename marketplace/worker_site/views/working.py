"""Accepting, working, returning, and what comes next."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from marketplace import clock, lifecycle
from marketplace.answers import form_document
from marketplace.models import HIT, Assignment, HITType
from marketplace.models.assignment import AssignmentState
from marketplace.worker_site.questions import ShownQuestion, question_for
from marketplace.worker_site.requests import WorkerRequest, worker_of
from marketplace.worker_site.views.finding import allow

NEXT_BY_ITSELF = "next_by_itself"


@require_POST
def accept(request: HttpRequest, group: str) -> HttpResponse:
    """Accept the HIT that was previewed, or another of the group where it is gone."""
    hit_type = get_object_or_404(HITType, group_mturk_id=group)
    worker = worker_of(request)
    if worker is None:
        # Back to the preview, as this address takes no GET.
        return redirect_to_login(hit_type.get_absolute_url())
    previewed = HIT.objects.filter(mturk_id=request.POST.get("hit", ""), hit_type=hit_type).first()
    try:
        assignment = (
            lifecycle.accept_hit(previewed, worker, or_another=True)
            if previewed
            else lifecycle.accept_any(hit_type, worker)
        )
    except lifecycle.Refused as refusal:
        messages.error(request, str(refusal.sentence))
        return redirect("worker_site:preview", group)
    return redirect("worker_site:work", assignment.mturk_id)


@require_GET
@login_required
def work(request: WorkerRequest, assignment_id: str) -> HttpResponseBase:
    """The page a HIT is answered on."""
    lifecycle.apply_due()
    assignment = _own(request, assignment_id)
    if assignment.state != AssignmentState.ACCEPTED:
        return redirect(_leave(request, assignment))
    return _work_page(request, assignment, question_for(assignment.hit, assignment))


def _work_page(
    request: WorkerRequest, assignment: Assignment, question: ShownQuestion, *, status: int = 200
) -> HttpResponseBase:
    left = assignment.deadline_at - clock.now()
    response = render(
        request,
        "work.html",
        {
            "assignment": assignment,
            "hit_type": assignment.hit.hit_type,
            "question": question,
            "seconds_left": max(0, round(left.total_seconds())),
            "next_by_itself": request.session.get(NEXT_BY_ITSELF, False),
            "nav": "tasks",
        },
        status=status,
    )
    return allow(request, response, question.sources)


@require_POST
@login_required
def answer(request: WorkerRequest, assignment_id: str) -> HttpResponseBase:
    """Submit a QuestionForm, or show it again with what is wrong."""
    assignment = _own(request, assignment_id)
    question = question_for(assignment.hit, assignment, sent=request.POST)
    if question.sheet is None:
        raise Http404
    if not question.sheet.is_complete and assignment.state == AssignmentState.ACCEPTED:
        return _work_page(request, assignment, question, status=400)
    try:
        lifecycle.submit_document(assignment_id, form_document(question.sheet.answers()))
    except lifecycle.Refused as refusal:
        messages.error(request, str(refusal.sentence))
        return redirect("worker_site:work", assignment_id)
    return go_on(request, assignment_id)


@require_GET
@login_required
def state(request: WorkerRequest, assignment_id: str) -> JsonResponse:
    """How the assignment stands; the page asks when its frame hints that something happened."""
    lifecycle.apply_due()
    assignment = _own(request, assignment_id)
    left = assignment.deadline_at - clock.now()
    return JsonResponse(
        {"state": assignment.state, "seconds_left": max(0, round(left.total_seconds()))},
        headers={"Cache-Control": "no-store"},
    )


@require_POST
@login_required
def go_on(request: WorkerRequest, assignment_id: str) -> HttpResponse:
    """Where a Worker goes from here: back to work, to the next HIT, or to the group."""
    assignment = _own(request, assignment_id)
    if assignment.state == AssignmentState.ACCEPTED:
        return redirect("worker_site:work", assignment_id)
    if assignment.state == AssignmentState.SUBMITTED and request.session.get(NEXT_BY_ITSELF):
        try:
            following = lifecycle.accept_any(assignment.hit.hit_type, request.user)
        except lifecycle.Refused as refusal:
            messages.info(request, str(refusal.sentence))
            return redirect("worker_site:groups")
        return redirect("worker_site:work", following.mturk_id)
    return redirect(_leave(request, assignment))


def _leave(request: HttpRequest, assignment: Assignment) -> str:
    """Say what became of the assignment, and where to go then."""
    said = {
        AssignmentState.RETURNED: _("You returned this HIT. Others can do it now."),
        AssignmentState.ABANDONED: _("The time for this HIT ran out, so it went back to others."),
    }
    sent = _("Sent. The requester will decide about it.")
    messages.info(request, said.get(AssignmentState(assignment.state), sent))
    return assignment.hit.hit_type.get_absolute_url()


@require_POST
@login_required
def give_back(request: WorkerRequest, assignment_id: str) -> HttpResponse:
    """Return the HIT."""
    assignment = _own(request, assignment_id)
    try:
        lifecycle.return_assignment(assignment.mturk_id)
    except lifecycle.Refused as refusal:
        messages.error(request, str(refusal.sentence))
    else:
        messages.info(request, _("You returned this HIT. Others can do it now."))
    return redirect("worker_site:preview", assignment.hit.hit_type.group_mturk_id)


@require_POST
@login_required
def choose_next(request: WorkerRequest) -> HttpResponse:
    """Remember whether the next HIT of a group is accepted by itself."""
    request.session[NEXT_BY_ITSELF] = request.POST.get("on") == "1"
    return HttpResponse(status=204)


@require_GET
@login_required
def queue(request: WorkerRequest) -> HttpResponse:
    """The HITs the Worker holds, the most urgent first."""
    lifecycle.apply_due()
    held = (
        request.user.assignments.filter(state=AssignmentState.ACCEPTED)
        .select_related("hit__hit_type__requester")
        .order_by("deadline_at")
    )
    return render(request, "queue.html", {"held": held, "now": clock.now(), "nav": "tasks"})


def _own(request: WorkerRequest, assignment_id: str) -> Assignment:
    assignment = (
        request.user.assignments.select_related("worker", "hit__hit_type__requester")
        .filter(mturk_id=assignment_id)
        .first()
    )
    if assignment is None:
        raise Http404
    return assignment
