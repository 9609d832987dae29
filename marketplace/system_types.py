"""The qualification types that the market itself keeps: nobody requests, edits or assigns them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace.money import MASTERS

HITS_APPROVED = "00000000000000000040"
ADULT = "00000000000000000060"
LOCALE = "00000000000000000071"
PERCENT_APPROVED = "000000000000000000L0"
# Of the time before 2013, and still taken.
PERCENT_SUBMITTED = "00000000000000000000"
PERCENT_ABANDONED = "00000000000000000070"
PERCENT_RETURNED = "000000000000000000E0"
PERCENT_REJECTED = "000000000000000000S0"
# Since when they exist; MTurk's own say about as much.
SINCE = datetime(2005, 11, 2, tzinfo=UTC)


@dataclass(frozen=True)
class SystemType:
    """A type of the market: its name in the API, what it is, and what Workers call it."""

    mturk_id: str
    name: str
    description: str
    label: str | Promise


SYSTEM_TYPES = {
    kind.mturk_id: kind
    for kind in (
        *(
            SystemType(
                mturk_id,
                "Masters",
                "Workers chosen by the market for the quality of their work.",
                _("Master"),
            )
            for mturk_id in sorted(MASTERS)
        ),
        SystemType(
            HITS_APPROVED,
            "Worker_NumberHITsApproved",
            "How many of the Worker's assignments were approved, by all requesters together.",
            _("Approved HITs"),
        ),
        SystemType(
            LOCALE,
            "Worker_Locale",
            "Where the Worker lives: a country, in the US with a state.",
            _("Where you live"),
        ),
        SystemType(
            ADULT,
            "Worker_Adult",
            "1 for Workers who are willing to see content for adults.",
            _("Content for adults"),
        ),
        SystemType(
            PERCENT_APPROVED,
            "Worker_PercentAssignmentsApproved",
            "How many in a hundred of the Worker's decided assignments were approved; "
            "100 while fewer than 100 were submitted.",
            _("Approval rate"),
        ),
        SystemType(
            PERCENT_SUBMITTED,
            "Worker_PercentAssignmentsSubmitted",
            "How many in a hundred of the assignments the Worker accepted were submitted.",
            _("Submission rate"),
        ),
        SystemType(
            PERCENT_ABANDONED,
            "Worker_PercentAssignmentsAbandoned",
            "How many in a hundred of the assignments the Worker accepted ran out of time.",
            _("Abandonment rate"),
        ),
        SystemType(
            PERCENT_RETURNED,
            "Worker_PercentAssignmentsReturned",
            "How many in a hundred of the assignments the Worker accepted were returned.",
            _("Return rate"),
        ),
        SystemType(
            PERCENT_REJECTED,
            "Worker_PercentAssignmentsRejected",
            "How many in a hundred of the Worker's decided assignments were rejected.",
            _("Rejection rate"),
        ),
    )
}
