"""Records who did what. Called by every action, in its transaction."""

from typing import Any

from django.db import models

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Event, User


def record(by: Actor, verb: str, target: models.Model, *, team_id: int, **details: Any) -> Event:
    """The Event for one action; `details` are plain values and never secrets."""
    if by.token_name:
        details["by_token"] = by.token_name
    return Event.objects.create(
        team_id=team_id,
        by=by.user,
        by_rule=by.rule,
        verb=verb,
        target_type=target._meta.label_lower,
        target_id=target.pk,
        target_label=str(target)[:300],
        details=details,
    )


def record_in_teams(by: Actor, verb: str, user: User, **details: Any) -> None:
    """What happened to a person, told to every team they are in."""
    for team_id in user.memberships.order_by("team_id").values_list("team_id", flat=True):
        record(by, verb, user, team_id=team_id, **details)
