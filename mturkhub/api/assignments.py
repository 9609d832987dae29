"""Answers: listed, looked at, decided one by one, or many by a filter."""

import uuid
from collections.abc import Callable
from typing import Any

from django.db.models import F, Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.permissions import check_can
from mturkhub.api.base import ApiView, find
from mturkhub.api.batches import BatchView
from mturkhub.api.fields import Dollars, DollarsSent, Fields, Text
from mturkhub.api.jobs import JobShown
from mturkhub.api.paging import USUAL, PageFields, check_place, listed
from mturkhub.api.problems import Refused
from mturkhub.api.repeating import once
from mturkhub.api.schema import KEY, listing
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.models import IntentionState
from mturkhub.workers.naming import shown_ids
from projects.actions import reviews
from projects.actions.payments import retry_bonus, send_bonus
from projects.exporting import as_object, with_bonuses
from projects.filters import SHOWN, SORTS, AssignmentFilter, public_id_or_none
from projects.models import Assignment, Batch, Bonus
from projects.states import AssignmentStatus, Verdict

# What is sent ------------------------------------------------------------------------------------


class FilterFields(Fields):
    show = serializers.ChoiceField(list(SHOWN.items()), required=False)
    worker = Text(required=False, max_length=64, help_text="A Worker's id or pseudonym.")
    text = Text(required=False, max_length=200, help_text="A piece of the row's input or of the answer.")


class AssignmentQuery(FilterFields, PageFields):
    show = serializers.ChoiceField(list(SHOWN.items()), default="all")
    sort = serializers.ChoiceField([(name, words) for name, (words, _) in SORTS.items()], default="oldest")


class ApproveBody(Fields):
    feedback = Text(required=False, allow_blank=True, help_text="What the Worker reads; 1,024 characters.")


class RejectBody(Fields):
    feedback = Text(allow_blank=True, help_text="The reason, which the Worker reads; 1,024 characters.")


class BonusBody(Fields):
    amount = DollarsSent(help_text="What the Worker gets, without the market's fee.")
    reason = Text(help_text="What the Worker reads.")


class ReasonBody(Fields):
    reason = Text(required=False, allow_blank=True, max_length=1000)


class ManyFields(FilterFields):
    """Those that wait and match; all that wait where nothing is given."""

    show = serializers.ChoiceField(
        [("waiting", "Waiting"), ("left_out", "Left out"), ("all", "All")], required=False
    )
    assignments = serializers.ListField(
        child=Text(max_length=64),
        required=False,
        max_length=10_000,
        help_text="Ids, ours or MTurk's: these alone.",
    )


class ApproveManyBody(ManyFields, ApproveBody):
    pass


class RejectManyBody(ManyFields, RejectBody):
    pass


# What comes back ---------------------------------------------------------------------------------


class BonusPaid(serializers.Serializer[Any]):
    amount = Dollars()
    reason = serializers.CharField()


class BonusShown(BonusPaid):
    id = serializers.UUIDField(source="public_id")
    state = serializers.ChoiceField(IntentionState.choices)
    outcome = serializers.CharField(help_text="A sentence, once it was refused.")


class AssignmentShown(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    batch = serializers.UUIDField()
    assignment_id = serializers.CharField(help_text="MTurk's.")
    hit_id = serializers.CharField(allow_null=True)
    worker_id = serializers.CharField(help_text="A pseudonym, unless the token may see real Worker ids.")
    row = serializers.IntegerField()
    status = serializers.ChoiceField(AssignmentStatus.choices)
    pending = serializers.CharField(
        help_text="approve or reject while MTurk has not confirmed it; else empty."
    )
    accept_time = serializers.CharField()
    submit_time = serializers.CharField()
    auto_approval_time = serializers.CharField(allow_null=True)
    approval_time = serializers.CharField(allow_null=True)
    rejection_time = serializers.CharField(allow_null=True)
    feedback = serializers.CharField()
    work_time_in_seconds = serializers.IntegerField()
    bonuses = BonusPaid(many=True)
    left_out = serializers.BooleanField()
    input = serializers.DictField()
    output = serializers.DictField(help_text="Field → its value, or the list of its values.")


def _with_everything(found: QuerySet[Assignment]) -> QuerySet[Assignment]:
    return with_bonuses(found.select_related("hit", "row", "batch").annotate(given=F("answer__fields")))


def _shown(view: ApiView, assignments: list[Assignment]) -> list[dict[str, Any]]:
    """These answers, read with everything, as the results file tells them, and what is ours besides."""
    workers = [each.worker_id for each in assignments]
    names = shown_ids(view.team.pk, workers, view.actor)
    return [
        {
            "id": str(each.public_id),
            "batch": str(each.batch.public_id),
            **as_object(each, each.batch.columns, names.get(each.worker_id, "")),
            "pending": each.pending_verdict,
            "auto_approval_time": each.auto_approval_at and f"{each.auto_approval_at:%Y-%m-%dT%H:%M:%SZ}",
        }
        for each in assignments
    ]


# Addresses ---------------------------------------------------------------------------------------


class BatchAssignments(BatchView):
    @extend_schema(
        operation_id="batches_assignments", parameters=[AssignmentQuery], responses=listing(AssignmentShown)
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """The batch's answers, filtered and sorted as on the page Review."""
        batch = self.batch(public_id)
        asked = self.query(AssignmentQuery)
        chosen = AssignmentFilter.read(asked)
        check_place(chosen.apply(batch), asked)
        page = chosen.page(batch, asked.get("at", ""), asked.get("page_size", USUAL), total=0)
        order = {each.pk: place for place, each in enumerate(page.items)}
        found = sorted(
            _with_everything(Assignment.objects.filter(pk__in=order)), key=lambda each: order[each.pk]
        )
        return listed(request, page, lambda _items: _shown(self, found))


class AssignmentView(ApiView):
    """Whatever is about one answer, which may be named by our id or by MTurk's."""

    def assignment(self, name: str) -> Assignment:
        found = Assignment.objects.for_actor(self.actor).select_related("batch")
        public_id = public_id_or_none(name)
        if "\x00" in name:
            raise Http404
        rows = list(found.filter(public_id=public_id) if public_id else found.filter(mturk_id=name)[:2])
        if not rows:
            raise Http404
        if len(rows) > 1:
            raise ActionRefused(f"{name} exists on several of your connections. Use our own id.")
        return rows[0]

    def shown(self, assignment: Assignment) -> Response:
        found = _with_everything(Assignment.objects.filter(pk=assignment.pk))
        return Response(_shown(self, list(found))[0])

    def done(self, name: str, action: Callable[..., object], **arguments: Any) -> Response:
        assignment = self.assignment(name)
        action(assignment, by=self.actor, **arguments)
        return self.shown(assignment)


class AssignmentById(AssignmentView):
    @extend_schema(operation_id="assignments_get", responses=AssignmentShown)
    def get(self, request: Request, name: str) -> Response:
        """One answer, by our id or by MTurk's AssignmentId."""
        return self.shown(self.assignment(name))


class ApproveAssignment(AssignmentView):
    @extend_schema(
        operation_id="assignments_approve", parameters=[KEY], request=ApproveBody, responses=AssignmentShown
    )
    @once
    def post(self, request: Request, name: str) -> Response:
        """Approve an answer; MTurk is told when the team's grace time is over."""
        feedback = self.body(ApproveBody).get("feedback", "")
        return self.done(name, reviews.approve_assignment, feedback=feedback)


class RejectAssignment(AssignmentView):
    @extend_schema(
        operation_id="assignments_reject", parameters=[KEY], request=RejectBody, responses=AssignmentShown
    )
    @once
    def post(self, request: Request, name: str) -> Response:
        """Reject an answer with the reason its Worker reads; MTurk is told when the team's grace time is over."""
        return self.done(name, reviews.reject_assignment, feedback=self.body(RejectBody)["feedback"])


class OverturnAssignment(AssignmentView):
    @extend_schema(
        operation_id="assignments_overturn",
        parameters=[KEY],
        request=ApproveBody,
        responses=AssignmentShown,
    )
    @once
    def post(self, request: Request, name: str) -> Response:
        """Approve an answer that was rejected, as long as its HIT is at the market, until 30 days after it came."""
        feedback = self.body(ApproveBody).get("feedback", "")
        return self.done(name, reviews.overturn_rejection, feedback=feedback)


class SendBonus(AssignmentView):
    @extend_schema(
        operation_id="assignments_bonus", parameters=[KEY], request=BonusBody, responses={201: BonusShown}
    )
    @once
    def post(self, request: Request, name: str) -> Response:
        """Pay a Worker for this answer on top of its reward; it cannot be taken back."""
        body = self.body(BonusBody)
        bonus = send_bonus(self.assignment(name), by=self.actor, amount=body["amount"], reason=body["reason"])
        return Response(BonusShown(bonus).data, status=201)


class RetryBonus(ApiView):
    @extend_schema(operation_id="bonuses_retry", request=None, responses=BonusShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Send a bonus again that the market refused; it is paid once at most."""
        self.body(Fields)
        bonus = find(Bonus.objects.for_actor(self.actor).select_related("assignment"), public_id)
        return Response(BonusShown(retry_bonus(bonus, by=self.actor)).data)


class UndoAssignment(AssignmentView):
    @extend_schema(operation_id="assignments_undo", request=None, responses=AssignmentShown)
    def post(self, request: Request, name: str) -> Response:
        """Take back a decision MTurk has not been told yet."""
        self.body(Fields)
        return self.done(name, reviews.undo_decision)


class LeaveOutAssignment(AssignmentView):
    @extend_schema(operation_id="assignments_leave_out", request=ReasonBody, responses=AssignmentShown)
    def post(self, request: Request, name: str) -> Response:
        """Keep an answer out of the data; what its Worker is paid is another question."""
        return self.done(name, reviews.leave_out, reason=self.body(ReasonBody).get("reason", ""))


class TakeInAssignment(AssignmentView):
    @extend_schema(operation_id="assignments_take_back_in", request=None, responses=AssignmentShown)
    def post(self, request: Request, name: str) -> Response:
        """Count an answer in the data again."""
        self.body(Fields)
        return self.done(name, reviews.take_back_in)


# Many at once ------------------------------------------------------------------------------------


class _Decide(BatchView):
    verdict: Verdict
    kind: type[ManyFields]

    def decided(self, public_id: uuid.UUID) -> Response:
        batch = self.batch(public_id)
        check_can(self.actor, reviews.PERMISSIONS[self.verdict], batch.team_id)
        asked = self.body(self.kind)
        job = reviews.decide_many(
            batch,
            _chosen(batch, asked),
            by=self.actor,
            verdict=self.verdict,
            feedback=asked.get("feedback", ""),
        )
        return Response(JobShown(job).data, status=202)


def _chosen(batch: Batch, asked: dict[str, Any]) -> QuerySet[Assignment]:
    chosen = AssignmentFilter.read(asked).apply(batch)
    if "assignments" not in asked:
        return chosen
    names = set(asked["assignments"])
    ours = {each for each in map(public_id_or_none, names) if each}
    named = Q(public_id__in=ours) | Q(mturk_id__in=names)
    known = Assignment.objects.filter(named, batch=batch).values_list("public_id", "mturk_id")
    known_names = {name for pair in known for name in (str(pair[0]), pair[1])}
    if unknown := sorted(names - known_names - {str(each) for each in ours if str(each) in known_names}):
        told = ", ".join(unknown[:5])
        raise Refused(
            f"{len(unknown):,} of these are no answers of this batch: {told}{' …' if len(unknown) > 5 else ''}. Nothing "
            "was decided.",
            errors={"assignments": unknown[:50]},
        )
    return chosen.filter(named)


class ApproveBatch(_Decide):
    verdict, kind = Verdict.APPROVE, ApproveManyBody

    @extend_schema(
        operation_id="batches_approve", parameters=[KEY], request=ApproveManyBody, responses={202: JobShown}
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Approve the waiting answers that match, exactly those there are now; a Job does it."""
        return self.decided(public_id)


class RejectBatch(_Decide):
    verdict, kind = Verdict.REJECT, RejectManyBody

    @extend_schema(
        operation_id="batches_reject", parameters=[KEY], request=RejectManyBody, responses={202: JobShown}
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Reject the waiting answers that match, exactly those there are now; a Job does it."""
        return self.decided(public_id)
