"""What a Worker is called: the real id for those who may see it, the team's pseudonym for everybody else."""

import secrets
from collections.abc import Iterable

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, can
from mturkhub.workers.models import TeamWorker, Worker

# Crockford's 32 without letters that are taken for digits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PREFIX = "W-"


def ensure_team_workers(team_id: int, worker_ids: Iterable[int]) -> None:
    """Give each of these Workers a pseudonym in the team, unless they have one."""
    wanted = set(worker_ids)
    while True:
        known = TeamWorker.objects.filter(team_id=team_id, worker_id__in=wanted)
        wanted -= set(known.values_list("worker_id", flat=True))
        if not wanted:
            return
        # A pseudonym that is taken is passed over, and drawn anew in the next round.
        TeamWorker.objects.bulk_create(
            [
                TeamWorker(team_id=team_id, worker_id=worker_id, pseudonym=_draw())
                for worker_id in sorted(wanted)
            ],
            ignore_conflicts=True,
        )


def _draw() -> str:
    return _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(6))


def shown_ids(team_id: int, worker_ids: Iterable[int], actor: Actor) -> dict[int, str]:
    """Worker key → what this actor may call them."""
    wanted = set(worker_ids)
    if can(actor, Permission.WORKER_IDENTIFY, team_id):
        return dict(Worker.objects.filter(pk__in=wanted).values_list("pk", "mturk_id"))
    known = TeamWorker.objects.filter(team_id=team_id, worker_id__in=wanted)
    return dict(known.values_list("worker_id", "pseudonym"))


def find_workers(team_id: int, text: str) -> list[Worker]:
    """The team's Workers with this id, real or pseudonym: every import takes either form."""
    text = text.strip()
    ours = Worker.objects.filter(team_workers__team_id=team_id)
    return list(
        ours.filter(mturk_id=text)
        | ours.filter(team_workers__pseudonym__iexact=text, team_workers__team_id=team_id)
    )
