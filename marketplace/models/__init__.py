"""The marketplace's tables, one file per noun."""

from marketplace.models.assignment import Assignment
from marketplace.models.bonus import Bonus
from marketplace.models.clock import ClockOffset
from marketplace.models.hit import HIT, HITType
from marketplace.models.ledger import Balance, LedgerEntry
from marketplace.models.message import Message
from marketplace.models.request_token import RequestToken
from marketplace.models.requester import AccessKey, Requester
from marketplace.models.worker import Worker
from marketplace.models.worker_block import WorkerBlock

__all__ = [
    "HIT",
    "AccessKey",
    "Assignment",
    "Balance",
    "Bonus",
    "ClockOffset",
    "HITType",
    "LedgerEntry",
    "Message",
    "RequestToken",
    "Requester",
    "Worker",
    "WorkerBlock",
]
