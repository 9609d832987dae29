"""The marketplace's tables, one file per noun."""

from marketplace.models.assignment import Assignment
from marketplace.models.bonus import Bonus
from marketplace.models.clock import ClockOffset
from marketplace.models.hit import HIT, HITType
from marketplace.models.layout import HITLayout
from marketplace.models.ledger import Balance, LedgerEntry
from marketplace.models.message import Message
from marketplace.models.notification import Notification
from marketplace.models.operator_link import OperatorLink
from marketplace.models.qualification import Qualification, QualificationRequest, QualificationType
from marketplace.models.rate import RateBucket
from marketplace.models.request_token import RequestToken
from marketplace.models.requester import AccessKey, Requester
from marketplace.models.review import ReviewAction, ReviewResult
from marketplace.models.tally import Tally
from marketplace.models.worker import Worker
from marketplace.models.worker_block import WorkerBlock

__all__ = [
    "HIT",
    "AccessKey",
    "Assignment",
    "Balance",
    "Bonus",
    "ClockOffset",
    "HITLayout",
    "HITType",
    "LedgerEntry",
    "Message",
    "Notification",
    "OperatorLink",
    "Qualification",
    "QualificationRequest",
    "QualificationType",
    "RateBucket",
    "RequestToken",
    "Requester",
    "ReviewAction",
    "ReviewResult",
    "Tally",
    "Worker",
    "WorkerBlock",
]
