"""What becomes of a batch that is published: the rest of it, more answers, more time, an early end, its close."""

import uuid
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.api.batches import BatchShown, BatchView, DraftBody, PublishBody, RetryBody
from mturkhub.api.fields import DollarsSent, Fields, Seconds
from mturkhub.api.problems import Refused
from mturkhub.api.repeating import once
from mturkhub.api.schema import KEY
from projects.actions import batches, continuing, hits, requeueing

# What is sent ------------------------------------------------------------------------------------


class ExtendBody(PublishBody, RetryBody):
    rows = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**31 - 1),
        required=False,
        max_length=10_000,
        help_text="Numbers of rows; every one unless given.",
    )
    answers = serializers.IntegerField(min_value=1, help_text="So many more for each row.")


class MoreTimeBody(PublishBody, RetryBody):
    lifetime = Seconds(help_text="From now on; expired HITs with free places open again.")


class RequeueBody(Fields):
    most = serializers.IntegerField(
        min_value=0, help_text="At most so many answers over the life of the batch; 0 switches it off."
    )
    limit = DollarsSent(
        required=False,
        help_text="For at most so many dollars, fee included; needed unless it is switched off.",
    )


class ExpireBody(RetryBody):
    pass


class CloseBody(Fields):
    delete = serializers.BooleanField(
        default=False, help_text="Delete its HITs at MTurk once everything of them is stored and decided."
    )
    give_up_overturning = serializers.BooleanField(
        default=False, help_text="Do not wait until rejections can no longer be overturned; for owners."
    )


# Addresses ---------------------------------------------------------------------------------------


class _Change(BatchView):
    def changed(self, public_id: uuid.UUID, action: Any, kind: type[Fields] | None = None) -> Response:
        batch = self.batch(public_id)
        action(batch, by=self.actor, **self.body(kind or Fields))
        return self.shown(batch)


class PublishRest(_Change):
    @extend_schema(
        operation_id="batches_publish_rest", parameters=[KEY], request=PublishBody, responses=BatchShown
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """After a trial, publish the rows that have no HIT."""
        return self.changed(public_id, batches.publish_rest, PublishBody)


class Republish(_Change):
    @extend_schema(
        operation_id="batches_republish", parameters=[KEY], request=PublishBody, responses=BatchShown
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Ask again for answers that did not come or were rejected, in a further HIT of the same rows."""
        return self.changed(public_id, batches.republish, PublishBody)


class ContinueBatch(BatchView):
    @extend_schema(
        operation_id="batches_continue", parameters=[KEY], request=DraftBody, responses={201: BatchShown}
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Make a draft of what is missing, with other settings; its rows name the rows they continue."""
        batch, given = self.batch(public_id), self.body(DraftBody, partial=True)
        with transaction.atomic():
            draft = continuing.continue_batch(batch, by=self.actor)
            return self.shown(self.with_settings(draft, given), 201)


class RequeueBatch(BatchView):
    @extend_schema(operation_id="batches_requeue", request=RequeueBody, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Have rejected answers asked for again by themselves, in a further HIT of the same rows, up to a cap."""
        batch, body = self.batch(public_id), self.body(RequeueBody)
        if not body["most"]:
            return self.shown(requeueing.stop_requeue(batch, by=self.actor))
        check_can(self.actor, Permission.BATCH_PUBLISH, batch.team_id)
        if "limit" not in body:
            told = "limit: State for how many dollars at most, fee included."
            raise Refused(told, errors={"limit": [told]})
        return self.shown(requeueing.set_requeue(batch, by=self.actor, **body))


class ExtendAnswers(_Change):
    @extend_schema(operation_id="batches_extend", parameters=[KEY], request=ExtendBody, responses=BatchShown)
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Ask for more answers of each row; where nine would become ten, by a further HIT."""
        return self.changed(public_id, hits.extend_answers, ExtendBody)


class MoreTime(_Change):
    @extend_schema(
        operation_id="batches_more_time", parameters=[KEY], request=MoreTimeBody, responses=BatchShown
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Let HITs with free places be open for so long from now."""
        batch, body = self.batch(public_id), self.body(MoreTimeBody)
        hits.extend_time(batch, by=self.actor, open_for=body.pop("lifetime"), **body)
        return self.shown(batch)


class ExpireBatch(_Change):
    @extend_schema(operation_id="batches_expire", request=ExpireBody, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Let nobody accept these HITs any more; whoever has one may finish."""
        return self.changed(public_id, hits.expire_early, ExpireBody)


class CancelBatch(_Change):
    @extend_schema(operation_id="batches_cancel", request=None, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Create nothing more, ever, and let what is live expire; answers stay to be reviewed. Also a draft that continues a batch."""
        return self.changed(public_id, batches.cancel_batch)


class CloseBatch(_Change):
    @extend_schema(operation_id="batches_close", request=CloseBody, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Expire, wait until everything is here and decided, and delete at MTurk if asked to; the data is kept."""
        return self.changed(public_id, batches.close_batch, CloseBody)


class RetryChanges(_Change):
    @extend_schema(operation_id="batches_retry_changes", request=None, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Send again the changes of its HITs that the market refused."""
        return self.changed(public_id, hits.retry_failed_operations)


class DropChanges(_Change):
    @extend_schema(operation_id="batches_drop_changes", request=None, responses=BatchShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Let be the changes of its HITs that the market refused."""
        return self.changed(public_id, hits.drop_failed_operations)
