"""What is free to spend on a Connection, and whether creating may go on after it had run out."""

from django.db import transaction

from mturkhub.accounts import balances
from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.gateway.client import MTurkGateway
from mturkhub.intentions.models import IntentionState
from projects.costs import batch_cost
from projects.models import HIT
from projects.reconciling import note_reading, ours_on

BY = Actor.system("the balance suffices again")


def refresh_balance(connection: Connection, *, gateway: MTurkGateway) -> None:
    """Store the balance as MTurk says it now, compare it with the ledger, and lift a pause that it covers again.

    Raises MTurkError.
    """
    # Before MTurk is asked: whatever is confirmed only afterwards counts as on its way, and is named as that.
    ours = ours_on(connection)
    balance = balances.refresh_balance(connection, gateway=gateway)
    if connection.has_balance:
        note_reading(connection, balance.available, ours)
    connection.refresh_from_db(fields=["creation_paused_at"])
    if connection.creation_paused_at and _covers_next_hit(connection):
        with transaction.atomic():
            Connection.objects.filter(pk=connection.pk).update(
                creation_paused_at=None, creation_paused_reason=""
            )
            record(BY, "connection.creation_resumed", connection, team_id=connection.account.team_id)


def _covers_next_hit(connection: Connection) -> bool:
    waiting = HIT.objects.filter(connection=connection, publish_state=IntentionState.QUEUED)
    hit = waiting.select_related("batch").order_by("due_at", "pk").first()
    if hit is None or connection.balance is None:
        return True
    cost = batch_cost(
        rows=1,
        reward=hit.batch.reward,
        max_assignments=hit.max_assignments,
        schedule=connection.fee_schedule,
    )
    return cost.total <= connection.balance
