"""What comes back from MTurk, as plain frozen records with MTurk's own names."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """GetAccountBalance, in dollars."""

    available: Decimal
    on_hold: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RemoteHIT:
    """A HIT as CreateHITWithHITType, GetHIT and ListHITs show it, without its Question."""

    hit_id: str
    hit_type_id: str
    hit_group_id: str
    hit_status: str
    max_assignments: int
    available: int
    pending: int
    # Approved or rejected; an answer that waits for a decision is not counted here.
    completed: int
    created_at: datetime
    expires_at: datetime
    requester_annotation: str
    title: str
    # Dollars for one Assignment, fee not included.
    reward: Decimal

    @property
    def submitted_or_decided(self) -> int:
        """How many Assignments ListAssignmentsForHIT should hold, by the counters."""
        return self.max_assignments - self.available - self.pending


@dataclass(frozen=True, slots=True)
class RemoteTerms:
    """The other half of what GetHIT shows: the terms of the HIT's type, and its Question."""

    description: str
    keywords: str
    assignment_duration: timedelta
    auto_approval_delay: timedelta
    # As CreateHITType takes them.
    qualification_requirements: list[dict[str, Any]]
    # HTMLQuestion, ExternalQuestion or QuestionForm XML, exactly as it came.
    question: str


@dataclass(frozen=True, slots=True)
class RemoteAssignment:
    """A submitted, approved or rejected Assignment."""

    assignment_id: str
    hit_id: str
    worker_id: str
    status: str
    accepted_at: datetime
    submitted_at: datetime
    deadline_at: datetime | None
    auto_approval_at: datetime | None
    approved_at: datetime | None
    rejected_at: datetime | None
    feedback: str
    # QuestionFormAnswers XML, exactly as it came.
    answer: str


@dataclass(frozen=True, slots=True)
class RemoteBonus:
    """A bonus that was paid, as ListBonusPayments shows it; the amount in dollars, without the fee."""

    assignment_id: str
    worker_id: str
    amount: Decimal
    reason: str
    granted_at: datetime
