"""What the state allows with a Connection now. Who may is another question: see `permissions`."""

from decimal import Decimal

from django.conf import settings

from mturkhub.accounts.models import Connection, Environment
from mturkhub.accounts.permissions import Loan
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.event_queue import QueueAddress, read_address


def allows(connection: Connection, loan: Loan, team_id: int) -> bool:
    """Whether the team may do this with the Connection: it is its own, or lent to it with that permission."""
    return Connection.objects.filter(pk=connection.pk).allowing(loan, team_id).exists()


def check_can_use(connection: Connection, team_id: int) -> None:
    """Raise unless the team may publish on this Connection, as things stand."""
    if not allows(connection, Loan.PUBLISH, team_id):
        raise ActionRefused(
            f"Your team may not publish on {connection}: it belongs to another team, which has not lent it to "
            "yours or has taken it back. Choose another connection, or ask the owners of the account. What "
            "has been published stays here and is collected."
        )
    if connection.environment != Environment.LOCAL and connection.tested_at is None:
        raise ActionRefused(
            f"{connection} has not passed its test since its keys were entered. Have it tested under "
            "Connections, then publish."
        )


def balance_seen(connection: Connection, team_id: int) -> Decimal | None:
    """The balance in dollars; None where it is unknown, or not for this team to see."""
    return connection.balance if allows(connection, Loan.SEE_BALANCE, team_id) else None


def check_queue_url(url: str) -> QueueAddress:
    """The parts of a queue's address; refuses what is none, and what nobody listed, so that no one can make this
    server call a neighbour."""
    address = read_address(url)
    if address is None:
        raise ActionRefused(
            f"{url[:300]} is not the URL of a standard SQS queue. It looks like "
            "https://sqs.us-east-1.amazonaws.com/123456789012/mturkhub-events; MTurk does not send to FIFO queues.",
            status=400,
        )
    if not address.is_amazons and not url.startswith(tuple(settings.MTURK_ALLOWED_QUEUES)):
        raise ActionRefused(
            f"{url} is neither at Amazon nor among the queues this server may read. Whoever runs the server can add "
            "it to MTURKHUB_ALLOWED_QUEUES.",
            status=400,
        )
    return address
