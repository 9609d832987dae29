"""Many rows written at once come out as each of them stands."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import DataError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from mturkhub.common import many_rows
from mturkhub.common.many_rows import update_many
from projects.models import HIT, Batch, BatchRow
from tests.factories import BatchFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_each_row_gets_its_own_values_of_every_type_and_no_other_field_is_written(monkeypatch):
    monkeypatch.setattr(many_rows, "PORTION", 2)
    batch = BatchFactory(rows=5, published=True)
    hits = list(HIT.objects.filter(batch=batch).order_by("pk"))
    stays, *written = hits
    for number, hit in enumerate(written):
        hit.hit_status = f"it's “{number}” %s"
        hit.expires_at = NOON if number else None
        hit.max_assignments, hit.price_each = number + 2, Decimal(number)
        hit.attempts = 77

    with CaptureQueriesContext(database) as asked:
        update_many(written, ["hit_status", "expires_at", "max_assignments", "price_each"])

    assert len([each for each in asked if "update" in each["sql"]]) == 2
    found = list(HIT.objects.filter(batch=batch).order_by("pk"))
    assert found[0].max_assignments == stays.max_assignments
    for hit, stored in zip(written, found[1:], strict=True):
        for name in ("hit_status", "expires_at", "max_assignments", "price_each"):
            assert getattr(stored, name) == getattr(hit, name)
        assert stored.attempts != 77


def test_json_keys_and_what_a_field_is_null_for():
    batch, other = BatchFactory(rows=2), BatchFactory(rows=1)
    first, second = BatchRow.objects.filter(batch=batch).order_by("pk")
    first.input, first.continues = {"text": 'a "quoted" ☃ \\ line\n'}, other.rows.get()
    second.input = ["a", None, 1.5]

    update_many([first, second], ["input", "continues"])

    assert list(BatchRow.objects.filter(batch=batch).order_by("pk").values_list("input", "continues")) == [
        ({"text": 'a "quoted" ☃ \\ line\n'}, other.rows.get().pk),
        (["a", None, 1.5], None),
    ]


def test_a_text_too_long_for_its_column_is_an_error_and_never_cut_off():
    BatchFactory(rows=1, published=True)
    hit = HIT.objects.get()
    hit.hit_status = "Assignable" * 3

    with pytest.raises(DataError), transaction.atomic():
        update_many([hit], ["hit_status"])

    assert HIT.objects.get().hit_status in {"", "Assignable"}


def test_no_rows_ask_nothing():
    with CaptureQueriesContext(database) as asked:
        update_many(list(Batch.objects.none()), ["name"])

    assert not len(asked)
