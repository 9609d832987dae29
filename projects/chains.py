"""A batch and the batches that continue it: one item is a row of the first and every row that continues it."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from projects.models import Batch, BatchRow


def lock_first(batch: Batch) -> None:
    """So that nobody else of the chain asks for the same items at the same time; lock the batch itself afterwards."""
    if batch.continues_id:
        Batch.objects.select_for_update(no_key=True).get(pk=batch.continues_id)


def with_those_that_continue(batch: Batch) -> list[Batch]:
    """The batch, and the published ones that continue it."""
    further = batch.continued_by.filter(published_at__isnull=False).select_related("project", "connection")
    return [batch, *further.order_by("pk")]


def chain_of(batch: Batch) -> QuerySet[Batch]:
    """The whole chain a batch is in, the first batch first; just the batch where nothing continues anything."""
    first = batch.continues_id or batch.pk
    return Batch.objects.filter(Q(pk=first) | Q(continues=first)).order_by("pk")


def item_rows(row: BatchRow) -> QuerySet[BatchRow]:
    """Every row that has asked Workers for the same item as this one, the first first."""
    first = row.continues_id or row.pk
    rows = BatchRow.objects.filter(Q(pk=first) | Q(continues=first))
    return rows.filter(batch__published_at__isnull=False).order_by("pk")


def items_of(rows: Iterable[int]) -> dict[int, int]:
    """Key of each of these rows, and of each row that continues one of them → the former's key."""
    keys = list(rows)
    further = BatchRow.objects.filter(continues__in=keys).values_list("pk", "continues")
    return {key: key for key in keys} | {pk: first for pk, first in further if first is not None}
