"""Rows of a batch, each with its HITs."""

import uuid
from collections import defaultdict
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.api.batches import BatchView
from mturkhub.api.fields import Text
from mturkhub.api.paging import USUAL, PageFields, check_place, listed
from mturkhub.api.problems import Refused
from mturkhub.api.schema import listing
from mturkhub.intentions.models import IntentionState
from projects.exporting import row_jsonl
from projects.filters import ROW_SORTS, RowFilter
from projects.models import HIT, Batch, BatchRow, RowResult
from projects.states import HITStatus, RowProgress


class RowQuery(PageFields):
    progress = serializers.ChoiceField(RowProgress.choices, required=False)
    sort = serializers.ChoiceField([(name, words) for name, (words, _) in ROW_SORTS.items()], default="row")
    text = Text(
        required=False, max_length=200, help_text="A piece of the row's input, its number, or its HITId."
    )


class HITShown(serializers.Serializer[Any]):
    hit_id = serializers.CharField(
        source="mturk_id", allow_null=True, help_text="MTurk's; null before it exists."
    )
    hit_status = serializers.ChoiceField(HITStatus.choices, allow_blank=True)
    publish_state = serializers.ChoiceField(IntentionState.choices)
    outcome = serializers.CharField(help_text="Why it failed, in a sentence.")
    max_assignments = serializers.IntegerField()
    expires_at = serializers.DateTimeField(allow_null=True)


class RowShown(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="1 for the first line below the header.")
    continues = serializers.IntegerField(
        allow_null=True, help_text="The number of the row it continues, in the batch its batch continues."
    )
    input = serializers.DictField(help_text="Column → value.")
    progress = serializers.ChoiceField(RowProgress.choices)
    submitted = serializers.IntegerField()
    approved = serializers.IntegerField()
    rejected = serializers.IntegerField()
    last_answer_at = serializers.DateTimeField(allow_null=True)
    hits = HITShown(many=True)


class BatchRows(BatchView):
    @extend_schema(operation_id="batches_rows", parameters=[RowQuery], responses=listing(RowShown))
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """The batch's rows, filtered and sorted as on its page."""
        batch = self.batch(public_id)
        asked = self.query(RowQuery)
        chosen = RowFilter.read(asked)
        check_place(RowResult.objects.order_by(*ROW_SORTS[chosen.sort][1]), asked)
        page = chosen.page(batch, asked.get("at", ""), asked.get("page_size", USUAL))
        return listed(request, page, lambda items: _shown(batch, list(items)))


class RowAnswers(BatchView):
    @extend_schema(
        operation_id="batches_row_answers", responses={(200, "application/x-ndjson"): OpenApiTypes.STR}
    )
    def get(self, request: Request, public_id: uuid.UUID, number: int) -> StreamingHttpResponse:
        """All answers to one row as JSON Lines, each with MTurk's own XML as `raw_xml`."""
        batch = self.batch(public_id)
        row = batch.rows.filter(number=number).select_related("batch").first()
        if row is None:
            raise Refused(f"The batch has no row {number}; it has {batch.rows_total:,}.", status=404)
        return StreamingHttpResponse(row_jsonl(row, by=self.actor), content_type="application/x-ndjson")


def _shown(batch: Batch, results: list[RowResult]) -> list[Any]:
    hits: dict[int, list[HIT]] = defaultdict(list)
    for hit in HIT.objects.filter(row__in=[each.row_id for each in results]).order_by("round", "group"):
        hits[hit.row_id].append(hit)
    keys = [each.row_id for each in results] if batch.continues_id else []
    continued = dict(BatchRow.objects.filter(pk__in=keys).values_list("pk", "continues__number"))
    for result in results:
        result.continues = continued.get(result.row_id)  # type: ignore[attr-defined]
        result.input = {name: result.row.input.get(name) for name in batch.columns}  # type: ignore[attr-defined]
        result.hits = hits[result.row_id]  # type: ignore[attr-defined]
    return list(RowShown(results, many=True).data)
