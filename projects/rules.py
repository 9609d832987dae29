"""What the state allows now. Each rule comes twice: `check_…` raises the sentence, `can_…` answers yes or no.

Who may is another question: see `mturkhub.accounts.permissions`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Concatenate, ParamSpec, TypeVar

from mturkhub.common.errors import ActionRefused
from mturkhub.common.money import dollars
from projects.models import Assignment, Batch
from projects.states import AssignmentStatus, BatchState, Verdict

P = ParamSpec("P")
T = TypeVar("T")

FEEDBACK_MAX = 1024


def _yes_or_no(check: Callable[Concatenate[T, P], None]) -> Callable[Concatenate[T, P], bool]:
    """The `can_…` of a `check_…`, so that a greyed-out button and the refusal cannot disagree."""

    def can(subject: T, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            check(subject, *args, **kwargs)
        except ActionRefused:
            return False
        return True

    return can


def check_can_change(batch: Batch) -> None:
    """Settings are frozen at publishing."""
    if batch.state != BatchState.DRAFT:
        raise ActionRefused(f"“{batch}” is published, so its settings stay as they are. Make a new batch.")


def check_can_publish(batch: Batch) -> None:
    """Only a draft, and only one with rows."""
    if batch.state != BatchState.DRAFT:
        raise ActionRefused(f"“{batch}” has been published already. Nothing was sent twice.")
    if not batch.rows_total:
        raise ActionRefused(f"“{batch}” has no rows. Upload a file with at least one line.")


def check_balance_covers(balance: Decimal | None, total: Decimal, *, seen: Decimal | None) -> None:
    """Raise unless the balance covers the total; both in dollars. An unknown balance is left to MTurk.

    `seen` is the balance as the team may see it: a lent account may keep its own to itself.
    """
    if balance is not None and total > balance:
        if seen is None:
            raise ActionRefused(
                f"This costs {dollars(total)}, which the account lent to you does not cover. Ask its owners to "
                "add funds, or publish fewer rows or answers."
            )
        raise ActionRefused(
            f"This costs {dollars(total)} and {dollars(balance)} is free: "
            f"{dollars(total - balance)} is missing. Add funds, or publish fewer rows or answers."
        )


def check_within(total: Decimal, max_cost: Decimal) -> None:
    """Raise unless the total stays within what whoever publishes is ready to pay; both in dollars."""
    if total > max_cost:
        raise ActionRefused(
            f"This costs {dollars(total)}, which is {dollars(total - max_cost)} more than max_cost allows. Raise it, or "
            "publish fewer rows or answers. Nothing was published."
        )


def check_can_retry(batch: Batch) -> None:
    if batch.state not in {BatchState.PUBLISHING, BatchState.LIVE, BatchState.PAUSED}:
        raise ActionRefused(f"“{batch}” is {batch.state}, so nothing of it is sent.")
    if not batch.rows_failed:
        raise ActionRefused(f"No row of “{batch}” has failed.")


def check_can_pause(batch: Batch) -> None:
    if batch.state != BatchState.PUBLISHING:
        raise ActionRefused(f"“{batch}” is {batch.state}: nothing of it waits to be sent.")


def check_can_resume(batch: Batch) -> None:
    if batch.state != BatchState.PAUSED:
        raise ActionRefused(f"“{batch}” is {batch.state}, not paused.")


def check_can_decide(assignment: Assignment) -> None:
    """Only what waits can be decided; what MTurk has decided stays, and one decision at a time."""
    if assignment.status != AssignmentStatus.SUBMITTED:
        raise ActionRefused(f"This answer is {assignment.status} already. Nothing was changed.")
    if assignment.pending_verdict:
        verb = "approved" if assignment.pending_verdict == Verdict.APPROVE else "rejected"
        raise ActionRefused(
            f"This answer is just being {verb}. Undo that first, or wait until MTurk confirms."
        )


def check_feedback(verdict: Verdict, feedback: str) -> None:
    """A rejection needs a reason, for the Worker reads it; MTurk takes 1,024 characters."""
    if verdict == Verdict.REJECT and not feedback.strip():
        raise ActionRefused(
            "A rejection needs a reason: the Worker reads it. Write one, then reject.", status=400
        )
    if len(feedback) > FEEDBACK_MAX:
        raise ActionRefused(
            f"The message to the Worker has {len(feedback):,} characters; MTurk takes {FEEDBACK_MAX:,}. "
            f"Shorten it by {len(feedback) - FEEDBACK_MAX:,}.",
            status=400,
        )


can_change = _yes_or_no(check_can_change)
can_publish = _yes_or_no(check_can_publish)
can_retry = _yes_or_no(check_can_retry)
can_pause = _yes_or_no(check_can_pause)
can_resume = _yes_or_no(check_can_resume)
can_decide = _yes_or_no(check_can_decide)
