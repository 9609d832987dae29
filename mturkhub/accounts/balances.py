"""Asks a market for the balance, which is also how a Connection is tested."""

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.records import AccountBalance


def refresh_balance(connection: Connection, *, gateway: MTurkGateway) -> AccountBalance:
    """The balance, stored on the Connection. A failure is stored as its `problem`, and raised."""
    try:
        balance = gateway.get_account_balance()
    except MTurkError as error:
        connection.problem, connection.missing = error.sentence, error.missing
        connection.save(update_fields=["problem", "missing"])
        raise
    now = clock.now()
    connection.balance = balance.available
    connection.balance_at = now
    connection.tested_at = now
    connection.problem = connection.missing = ""
    connection.save(update_fields=["balance", "balance_at", "tested_at", "problem", "missing"])
    return balance
