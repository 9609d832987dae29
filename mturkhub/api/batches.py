"""Batches: from a file to a draft, published, watched, and taken away as results."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.text import slugify
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.api.base import ApiView, find
from mturkhub.api.connections import WhereBody, choose_connection
from mturkhub.api.fields import ConnectionField, Dollars, DollarsSent, Fields, Seconds, Text
from mturkhub.api.files import arrived, file_refused
from mturkhub.api.forms import as_form, form_values
from mturkhub.api.paging import PageFields, listed, page_from
from mturkhub.api.problems import Refused
from mturkhub.api.repeating import once
from mturkhub.api.schema import KEY, listing
from mturkhub.common.stored_files import store_what_arrives
from projects import exporting, results_table
from projects.actions import batches as actions
from projects.actions.uploads import change_batch, check_again, create_batch, drop_bad_lines, take_file
from projects.batch_reading import BatchReport
from projects.forms import BatchSettingsForm
from projects.increments import settled_until
from projects.models import Batch, BatchUpload, Project
from projects.models.project import HITProperties
from projects.queueing import cost_of
from projects.states import BatchState

_PROPERTIES = [field.name for field in HITProperties._meta.get_fields()]
_WHERE = ("connection", "environment")

# What is sent ------------------------------------------------------------------------------------


class SettingsBody(WhereBody):
    """A draft's settings; the project's, unless given."""

    name = Text(required=False, max_length=100)
    reward = DollarsSent(required=False, help_text="For one answer, fee not included.")
    max_assignments = serializers.IntegerField(required=False, help_text="Answers per row.")
    estimated_duration = Seconds(required=False, help_text="What one answer really takes.")
    assignment_duration = Seconds(required=False, help_text="Time for one answer.")
    lifetime = Seconds(required=False, help_text="How long a HIT is open.")
    auto_approval_delay = Seconds(required=False, help_text="MTurk approves by itself after.")


class DraftBody(SettingsBody):
    only_missing = serializers.BooleanField(
        required=False,
        help_text="Of a batch that continues another: ask each row for exactly what is missing of it. False where "
        "max_assignments is given alone.",
    )


class BatchBody(SettingsBody):
    file = serializers.FileField(help_text="CSV, TSV or JSON Lines in UTF-8; the name's ending says which.")
    drop_bad_lines = serializers.BooleanField(
        required=False, help_text="Go on without lines that cannot be used, instead of being told of them."
    )


class PublishBody(Fields):
    max_cost = DollarsSent(
        required=False, help_text="Dollars, fee included: refused where it would cost more."
    )


class PublishDraftBody(PublishBody):
    first_rows = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="Only so many at first, as a trial."
    )
    rows_per_hour = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    at = serializers.DateTimeField(required=False, help_text="Not before this time.")


class RetryBody(Fields):
    rows = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**31 - 1),
        required=False,
        max_length=10_000,
        help_text="Numbers of rows; every failed one unless given.",
    )


class BatchQuery(PageFields):
    state = serializers.ChoiceField(BatchState.choices, required=False)


class ResultsQuery(Fields):
    format = serializers.ChoiceField(
        ["csv", "jsonl", "json"],
        default="csv",
        help_text="The requester site's CSV, one JSON object per answer, or one JSON item per row with its mean.",
    )
    left_out = serializers.BooleanField(
        default=False, help_text="Also answers that were left out of the data."
    )
    rejected = serializers.BooleanField(default=True, help_text="Also answers that were rejected.")
    spreadsheet = serializers.BooleanField(default=False, help_text="CSV in which no cell is a formula.")
    continued = serializers.BooleanField(
        required=False,
        help_text="With the answers of the batches that continue it; with format=json that is so unless refused.",
    )
    since = serializers.DateTimeField(
        required=False,
        help_text="Only answers collected since then. Follow the response's link with rel=next to miss none and get none twice.",
    )


# What comes back ---------------------------------------------------------------------------------


class NamedField(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()


class RowCounts(serializers.Serializer[Any]):
    total = serializers.IntegerField(source="rows_total")
    not_published = serializers.IntegerField(source="rows_not_published")
    no_answer = serializers.IntegerField(source="rows_no_answer")
    some_answers = serializers.IntegerField(source="rows_some_answers")
    to_review = serializers.IntegerField(source="rows_to_review")
    decided = serializers.IntegerField(source="rows_decided")
    failed = serializers.IntegerField(source="rows_failed")


class AnswerCounts(serializers.Serializer[Any]):
    expected = serializers.IntegerField(source="answers_expected")
    collected = serializers.IntegerField(source="answers")
    submitted = serializers.IntegerField(source="answers_submitted")
    approved = serializers.IntegerField(source="answers_approved")
    rejected = serializers.IntegerField(source="answers_rejected")


class CostField(serializers.Serializer[Any]):
    """Dollars: what it costs when everything is answered and approved, and how much of that is paid and held."""

    assignments = serializers.IntegerField()
    reward = Dollars()
    fee = Dollars()
    total = Dollars()
    paid = Dollars()
    held = Dollars()


class RequeueField(serializers.Serializer[Any]):
    """Whether rejected answers are asked for again by themselves, up to what, and how far that has come."""

    most = serializers.IntegerField(source="requeue_most", allow_null=True, help_text="null: switched off.")
    limit = Dollars(source="requeue_limit", allow_null=True)
    asked = serializers.IntegerField(source="requeued", help_text="Answers so far.")
    cost = Dollars(source="requeued_cost")
    stopped = serializers.CharField(source="requeue_stopped", help_text="Why it has stopped, in a sentence.")


class BatchShown(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    project = NamedField()
    connection = ConnectionField()
    state = serializers.ChoiceField(BatchState.choices)
    state_reason = serializers.CharField()
    continues = NamedField(allow_null=True, help_text="The batch of whose rows it asks for what was missing.")
    only_missing = serializers.BooleanField(
        help_text="Each row asks for exactly what is missing of it, and not for max_assignments."
    )
    rows = RowCounts(source="*")
    assignments = AnswerCounts(source="*")
    cost = serializers.SerializerMethodField()
    requeue = RequeueField(source="*")
    title = serializers.CharField()
    description = serializers.CharField()
    keywords = serializers.CharField()
    reward = Dollars()
    max_assignments = serializers.IntegerField()
    assignment_duration = Seconds()
    lifetime = Seconds()
    auto_approval_delay = Seconds()
    estimated_duration = Seconds(allow_null=True)
    columns = serializers.ListField(child=serializers.CharField())
    lines_dropped = serializers.IntegerField()
    template_version = serializers.IntegerField(source="template.version")
    created_at = serializers.DateTimeField()
    first_rows = serializers.IntegerField(allow_null=True, help_text="Of a trial.")
    rows_per_hour = serializers.IntegerField(allow_null=True)
    publish_at = serializers.DateTimeField(allow_null=True, help_text="Of a scheduled batch.")
    published_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(CostField)
    def get_cost(self, batch: Batch) -> Any:
        cost = cost_of(batch)
        return CostField(
            {
                "assignments": cost.assignments,
                "reward": cost.reward,
                "fee": cost.fee,
                "total": cost.total,
                "paid": batch.paid,
                "held": batch.committed,
            }
        ).data


class ResultItem(serializers.Serializer[Any]):
    item = serializers.JSONField(help_text="The row's one value, or column → value.")
    hit_id = serializers.CharField(allow_null=True)
    status = serializers.CharField(help_text="MTurk's, of the HIT.")
    assignments_submitted_count = serializers.IntegerField()
    answers = serializers.ListField(help_text="Of the field that is averaged.")
    avg_answer = serializers.FloatField(allow_null=True)


# Addresses ---------------------------------------------------------------------------------------


class BatchView(ApiView):
    """Whatever is about one batch."""

    def seen(self) -> QuerySet[Batch]:
        return Batch.objects.for_actor(self.actor).select_related(
            "project", "connection", "team", "template", "continues"
        )

    def batch(self, public_id: uuid.UUID) -> Batch:
        return find(self.seen(), public_id)

    def shown(self, batch: Batch, status: int = 200) -> Response:
        """The batch as it stands now."""
        return Response(BatchShown(self.seen().get(pk=batch.pk)).data, status=status)

    def with_settings(self, batch: Batch, given: dict[str, Any]) -> Batch:
        """The draft with these settings, as the page's form has them."""
        connection = batch.connection
        changes: dict[str, Any] = {}
        if any(name in given for name in _WHERE):
            connection = choose_connection(given, by=self.actor, team_id=batch.team_id)
            changes["connection"] = connection
        changes |= checked_settings(self.batch(batch.public_id), given, connection)
        return change_batch(batch, by=self.actor, **changes) if changes else batch

    def list(self, request: Request, found: QuerySet[Batch]) -> Response:
        given = self.query(BatchQuery)
        if state := given.get("state"):
            found = found.filter(state=state)
        page = page_from(request, found.order_by("-id"), given)
        return listed(request, page, _shown)


class Batches(BatchView):
    @extend_schema(operation_id="batches_list", parameters=[BatchQuery], responses=listing(BatchShown))
    def get(self, request: Request) -> Response:
        """The team's batches, the newest first."""
        return self.list(request, self.seen())


class ProjectBatches(BatchView):
    parser_classes = [MultiPartParser]

    def _project(self, public_id: uuid.UUID) -> Project:
        return find(Project.objects.for_actor(self.actor), public_id)

    @extend_schema(
        operation_id="project_batches_list", parameters=[BatchQuery], responses=listing(BatchShown)
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """The batches of one project, the newest first."""
        return self.list(request, self.seen().filter(project=self._project(public_id)))

    @extend_schema(
        operation_id="batches_create",
        parameters=[KEY],
        request={"multipart/form-data": BatchBody},
        responses={201: BatchShown},
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Upload a file and make a draft of it, with a row per line. Nothing is published and nothing costs anything yet."""
        project = self._project(public_id)
        check_can(self.actor, Permission.BATCH_CREATE, project.team_id)
        # From here on what arrives goes straight into the database.
        store_what_arrives(request._request, project.team_id)
        return self._make(request, project)

    @once
    def _make(self, request: Request, project: Project) -> Response:
        given = self.body(BatchBody)
        connection = choose_connection(given, by=self.actor, team_id=project.team_id)
        draft = Batch(
            team_id=project.team_id, project=project, **{name: getattr(project, name) for name in _PROPERTIES}
        )
        settings = checked_settings(draft, given, connection)
        name = settings.pop("name", "")
        with transaction.atomic():
            upload = _clean_upload(project, given, self.actor)
            batch = create_batch(upload, by=self.actor, connection=connection, name=name)
            if settings:
                batch = change_batch(batch, by=self.actor, **settings)
        return self.shown(batch, 201)


def checked_settings(batch: Batch, given: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """What the page's form makes of the settings that were given."""
    shown = forms.model_to_dict(batch, fields=BatchSettingsForm.Meta.fields)
    if batch.continues_id is None and "only_missing" in given:
        told = f"only_missing: “{batch}” continues no other batch, so nothing is missing of its rows."
        raise Refused(told, errors={"only_missing": [told]})
    if batch.continues_id and "max_assignments" in given:
        given.setdefault("only_missing", False)
    values = {**shown, **given, "connection": connection.pk}
    values["name"] = given.get("name") or batch.name or "draft"
    form = BatchSettingsForm(
        as_form(values), instance=batch, connections=Connection.objects.filter(pk=connection.pk)
    )
    return form_values(form, {name: value for name, value in given.items() if name not in _WHERE})


def _clean_upload(project: Project, given: dict[str, Any], by: Any) -> BatchUpload:
    """The file, checked; raises a refusal that names its bad lines unless they are to be dropped."""
    upload = take_file(project, by=by, file=arrived(given["file"]), at_once=True)
    report = check_again(upload)
    if report is None or report.stops:
        raise _unusable(report)
    if report.bad_lines and not given.get("drop_bad_lines"):
        raise _unusable(report)
    return drop_bad_lines(upload, by=by) if report.bad_lines else upload


def _unusable(report: BatchReport | None) -> Refused:
    if report is None:
        return Refused("The project's template has just changed. Send the file again.", status=409)
    count = report.bad_lines
    told = report.stops or [
        f"{count:,} line{'s' if count != 1 else ''} of the file cannot be used; bad_lines names them. Mend the file, "
        "or send drop_bad_lines=true. Nothing was saved."
    ]
    return file_refused(told, report.issues, count)


class BatchById(BatchView):
    @extend_schema(operation_id="batches_get", responses=BatchShown)
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """One batch: its state, counts and cost."""
        return Response(BatchShown(self.batch(public_id)).data)

    @extend_schema(operation_id="batches_change", request=DraftBody, responses=BatchShown)
    def patch(self, request: Request, public_id: uuid.UUID) -> Response:
        """Change a draft's settings; once published they stay."""
        batch = self.batch(public_id)
        check_can(self.actor, Permission.BATCH_CREATE, batch.team_id)
        return self.shown(self.with_settings(batch, self.body(DraftBody, partial=True)))


class PublishBatch(BatchView):
    @extend_schema(
        operation_id="batches_publish", parameters=[KEY], request=PublishDraftBody, responses=BatchShown
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Publish a draft: a HIT for every row. HITs are created in the background; `state` says when all are."""
        batch = self.batch(public_id)
        check_can(self.actor, Permission.BATCH_PUBLISH, batch.team_id)
        return self.shown(actions.publish_batch(batch, by=self.actor, **self.body(PublishDraftBody)))


class _Asked(BatchView):
    """One thing a batch can be asked for without saying more."""

    wish: Callable[..., Batch]

    def answered(self, public_id: uuid.UUID) -> Response:
        self.body(Fields)
        return self.shown(type(self).wish(self.batch(public_id), by=self.actor))


class UnscheduleBatch(_Asked):
    wish = staticmethod(actions.unschedule_batch)

    @extend_schema(operation_id="batches_unschedule", request=None, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Make a scheduled batch a draft again."""
        return self.answered(public_id)


class PauseBatch(_Asked):
    wish = staticmethod(actions.pause_batch)

    @extend_schema(operation_id="batches_pause", request=None, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Create nothing more until it is resumed; live HITs go on."""
        return self.answered(public_id)


class ResumeBatch(_Asked):
    wish = staticmethod(actions.resume_batch)

    @extend_schema(operation_id="batches_resume", request=None, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Go on creating where it was paused."""
        return self.answered(public_id)


class CollectBatch(_Asked):
    wish = staticmethod(actions.collect_now)

    @extend_schema(operation_id="batches_collect", request=None, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Ask the market for new answers now instead of at the next time."""
        return self.answered(public_id)


class RetryBatch(BatchView):
    @extend_schema(operation_id="batches_retry", request=RetryBody, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Try failed rows again; nothing is created twice."""
        batch = self.batch(public_id)
        check_can(self.actor, Permission.BATCH_PUBLISH, batch.team_id)
        rows = self.body(RetryBody).get("rows")
        return self.shown(actions.retry_failed_hits(batch, by=self.actor, rows=rows))


class Results(BatchView):
    @extend_schema(
        operation_id="batches_results",
        parameters=[ResultsQuery],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "application/json"): ResultItem(many=True),
        },
    )
    def get(self, request: Request, public_id: uuid.UUID) -> StreamingHttpResponse:
        """All answers, streamed; the same files as on the page Export. The link rel=next leads to those that come later."""
        batch = self.batch(public_id)
        asked = self.query(ResultsQuery)
        is_json = asked["format"] == "json"
        if is_json and "since" in asked:
            raise Refused(
                "since: One item per row counts all of its answers. Ask for csv or jsonl.", status=400
            )
        until = settled_until()
        chosen = exporting.Chosen(
            with_left_out=asked["left_out"],
            with_rejected=asked["rejected"],
            since=asked.get("since"),
            until=None if is_json else until,
            continued=asked.get("continued", is_json),
        )
        lines: Iterator[bytes]
        if asked["format"] == "csv":
            kind = "text/csv; charset=utf-8"
            lines = results_table.results_csv(
                batch, by=self.actor, chosen=chosen, spreadsheet=asked["spreadsheet"]
            )
        elif asked["format"] == "jsonl":
            kind = "application/x-ndjson"
            lines = exporting.results_jsonl(batch, by=self.actor, chosen=chosen)
        else:
            kind = "application/json"
            lines = exporting.results_json(batch, by=self.actor, chosen=chosen)
        response = StreamingHttpResponse(lines, content_type=kind)
        name = slugify(batch.name) or "results"
        response["Content-Disposition"] = f'attachment; filename="{name}.{asked["format"]}"'
        if is_json:
            return response
        following = {**request.query_params.dict(), "since": until.isoformat()}
        response["Link"] = f'<{request.build_absolute_uri(request.path)}?{urlencode(following)}>; rel="next"'
        return response


def _shown(batches: Iterable[Batch]) -> list[Any]:
    return list(BatchShown(batches, many=True).data)
