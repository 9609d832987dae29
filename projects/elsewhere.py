"""What was made on an account without us: noted from the pages a sweep fetches anyway, without a further call.

Nothing here touches a HIT. What becomes of one when its owner adopts it stands in `adopting.py`.
"""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet, Sum

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.common.models import Installation
from mturkhub.gateway.records import RemoteHIT
from projects.annotations import read_annotation
from projects.models import HIT, ForeignHIT, Sweep

# The requester site writes "BatchId:123;OriginalHitTemplateId:456;", and so do we.
_ORIGIN = re.compile(r"BatchId:(\d{1,20});")
# What Postgres cannot hold.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# What a sweep compares and writes; the rest of the row is ours.
_SHOWN = [
    *(
        "hit_type_id",
        "hit_group_id",
        "title",
        "reward",
        "max_assignments",
        "available",
        "pending",
        "completed",
    ),
    *("hit_status", "mturk_created_at", "expires_at", "annotation", "installation", "origin", "gone_at"),
]


def note_strangers(connection: Connection, strangers: Sequence[RemoteHIT]) -> set[int]:
    """List the HITs of a page that are no row of this Connection, as they are now; returns the keys of their rows.

    One statement for all that changed, and none where nothing did. What another Connection here has is left out.
    """
    if not strangers:
        return set()
    listed = {remote.hit_id: remote for remote in strangers}
    known = {
        row.mturk_id: row
        for row in ForeignHIT.objects.filter(connection=connection, adopted=None, mturk_id__in=listed)
    }
    new = [remote for remote in listed.values() if remote.hit_id not in known]
    of_ours = _of_ours(connection, new)
    now = clock.now()
    fresh = [
        ForeignHIT(
            connection=connection, mturk_id=remote.hit_id, first_seen_at=now, changed_at=now, **shown(remote)
        )
        for remote in listed.values()
        if remote.hit_id not in of_ours
        and (remote.hit_id not in known or _differs(known[remote.hit_id], shown(remote)))
    ]
    ForeignHIT.objects.bulk_create(
        fresh,
        update_conflicts=True,
        unique_fields=["connection", "mturk_id"],
        update_fields=[*_SHOWN, "changed_at"],
    )
    return {row.pk for row in known.values()} | {row.pk for row in fresh if row.pk}


def _of_ours(connection: Connection, strangers: Sequence[RemoteHIT]) -> set[str]:
    """HITIds of those that are a row of another Connection here, or of one whose id is just being stored."""
    if not strangers:
        return set()
    annotated: dict[uuid.UUID, str] = {}
    for remote in strangers:
        if found := read_annotation(remote.requester_annotation):
            annotated[found.hit] = remote.hit_id
    rows = HIT.objects.filter(public_id__in=annotated).values_list("public_id", flat=True)
    others = Connection.objects.exclude(pk=connection.pk).values("pk")
    ids = [remote.hit_id for remote in strangers]
    elsewhere = HIT.objects.filter(connection__in=others, mturk_id__in=ids).values_list("mturk_id", flat=True)
    return {annotated[key] for key in rows} | {str(key) for key in elsewhere}


def shown(remote: RemoteHIT) -> dict[str, Any]:
    """What a row says of a listed HIT; what MTurk lists is not gone."""
    maker = read_annotation(remote.requester_annotation)
    batch = _ORIGIN.match(remote.requester_annotation)
    return {
        "hit_type_id": remote.hit_type_id,
        "hit_group_id": remote.hit_group_id,
        "title": _storable(remote.title),
        "reward": remote.reward,
        "max_assignments": remote.max_assignments,
        "available": remote.available,
        "pending": remote.pending,
        "completed": remote.completed,
        "hit_status": remote.hit_status,
        "mturk_created_at": remote.created_at,
        "expires_at": remote.expires_at,
        "annotation": _storable(remote.requester_annotation),
        "installation": maker.installation if maker else None,
        "origin": f"BatchId:{batch[1]}" if batch else "",
        "gone_at": None,
    }


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _differs(row: ForeignHIT, fresh: dict[str, Any]) -> bool:
    return any(getattr(row, name) != fresh[name] for name in _SHOWN)


def note_gone(connection: Connection, seen: set[int], *, begun_at: datetime) -> int:
    """Say of those a complete sweep did not show that they are gone; returns how many. A later sweep may show them."""
    before = ForeignHIT.objects.listed().filter(connection=connection, first_seen_at__lt=begun_at)
    absent = [key for key in before.values_list("pk", flat=True).iterator() if key not in seen]
    if not absent:
        return 0
    return ForeignHIT.objects.listed().filter(pk__in=absent).update(gone_at=clock.now())


def makers_on(connection: Connection) -> list[dict[str, Any]]:
    """Per installation, None for nobody's: how many HITs are listed, and how many answers wait in them."""
    listed = ForeignHIT.objects.listed().filter(connection=connection).with_answers_waiting().order_by()
    counted = listed.values("installation").annotate(hits=Count("pk"), waiting=Sum("waiting"))
    ours = Installation.current_id()
    return [
        {**each, "is_other": each["installation"] not in (None, ours)}
        for each in counted.order_by("-hits", "installation")
    ]


def newest_look(connection: Connection) -> Sweep | None:
    """The last time the account was looked through from end to end."""
    return Sweep.objects.filter(connection=connection, is_complete=True).order_by("-begun_at").first()


def with_answers_elsewhere(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """Of these, where answers wait in HITs that no other installation has made and nobody here has adopted."""
    listed = ForeignHIT.objects.listed().of_nobody_else().awaiting_review()
    return connections.filter(Exists(listed.filter(connection=OuterRef("pk"))))
