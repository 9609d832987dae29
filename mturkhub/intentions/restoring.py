"""What a restored database may believe: everything that was open may have been sent since the backup was made."""

from datetime import datetime

from django.apps import apps
from django.db import models
from django.db.models import Case, F, When
from django.db.models.functions import Coalesce, Least

from mturkhub.common import clock
from mturkhub.intentions.models import Intention, IntentionState
from mturkhub.intentions.settling import TOKEN_LIFE

_LOST = "Restored from a backup; looking up whether it was sent after that."


def doubt_everything_open(made_at: datetime) -> int:
    """Make every unfinished intention of a backup one that is looked up before it is sent; returns how many.

    One that waits for a second person goes on waiting, and is looked up before it is sent, too.
    """
    now = clock.now()
    return sum(_doubt(model, made_at, now) for model in apps.get_models() if issubclass(model, Intention))


def _doubt(model: type[Intention], made_at: datetime, now: datetime) -> int:
    state = model.STATE_FIELD
    unfinished = [
        IntentionState.WAITING,
        IntentionState.QUEUED,
        IntentionState.SENDING,
        IntentionState.UNKNOWN,
    ]
    rows: models.QuerySet[Intention] = model._default_manager.filter(**{f"{state}__in": unfinished})
    is_waiting = When(**{state: IntentionState.WAITING}, then=F(state))
    return rows.update(
        **{state: Case(is_waiting, default=models.Value(IntentionState.UNKNOWN.value))},
        outcome=_LOST,
        lease_until=None,
        # Nobody knows when the lost sends were. The first may have followed the backup at once, no token counts as
        # remembered, and lists may still lag behind the last.
        first_sent_at=Least(Coalesce("first_sent_at", models.Value(made_at)), now - TOKEN_LIFE),
        last_sent_at=now,
    )
