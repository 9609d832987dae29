"""Jobs: bulk work somebody asked for, how far it has come, and what it has made."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.api.base import ApiView, find
from mturkhub.api.batches import NamedField
from mturkhub.intentions.models import Job, JobState
from projects.models import Batch

MOST_MADE = 500


class JobShown(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    title = serializers.CharField()
    state = serializers.ChoiceField(JobState.choices)
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    outcome = serializers.CharField(help_text="A sentence, once it has ended.")
    passed_over = serializers.ListField(
        child=serializers.CharField(), help_text="Why some were passed over: the first sentences."
    )
    batches = serializers.SerializerMethodField(
        help_text=f"Those it has made so far, of an adoption or an import; {MOST_MADE} at most."
    )
    by = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(NamedField(many=True))
    def get_batches(self, job: Job) -> Any:
        made = list(job.arguments.get("batches", {}).values())
        found = Batch.objects.filter(team_id=job.team_id, pk__in=made).order_by("pk")
        return NamedField(found[:MOST_MADE], many=True).data


class JobById(ApiView):
    @extend_schema(operation_id="jobs_get", responses=JobShown)
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """How far bulk work has come."""
        found = Job.objects.for_actor(self.actor).select_related("by")
        return Response(JobShown(find(found, public_id)).data)
