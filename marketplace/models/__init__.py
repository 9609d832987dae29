"""The marketplace's tables, one file per noun."""

from marketplace.models.assignment import Assignment
from marketplace.models.clock import ClockOffset
from marketplace.models.hit import HIT, HITType
from marketplace.models.ledger import Balance, LedgerEntry
from marketplace.models.qualification import Qualification, QualificationRequest, QualificationType
from marketplace.models.request_token import RequestToken
from marketplace.models.requester import AccessKey, Requester
from marketplace.models.tally import Tally
from marketplace.models.worker import Worker

__all__ = [
    "HIT",
    "AccessKey",
    "Assignment",
    "Balance",
    "ClockOffset",
    "HITType",
    "LedgerEntry",
    "Qualification",
    "QualificationRequest",
    "QualificationType",
    "RequestToken",
    "Requester",
    "Tally",
    "Worker",
]
