"""What the state allows now. Each rule comes twice: `check_…` raises the sentence, `can_…` answers yes or no.

Who may is another question: see `mturkhub.accounts.permissions`.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Concatenate, ParamSpec, TypeVar

from mturkhub.common.errors import ActionRefused
from mturkhub.common.money import CENT, dollars, to_cents
from projects.models import Assignment, Batch
from projects.models.bonus import REASON_MAX
from projects.states import AssignmentStatus, BatchState, HITStatus, Verdict

P = ParamSpec("P")
T = TypeVar("T")

FEEDBACK_MAX = 1024
# MTurk lets a rejection be overturned for so long after the answer was submitted.
OVERTURN_WINDOW = timedelta(days=30)
PACE_MOST = 1_000_000
# A slip of the finger shall not empty an account; MTurk itself names no limit.
BONUS_MOST = Decimal("10000.00")
ANSWERS_MOST = 1_000_000
REQUEUE_MOST = Decimal("1000000.00")
_AT_WORK = {BatchState.PUBLISHING, BatchState.LIVE, BatchState.PAUSED}


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
    if batch.state == BatchState.SCHEDULED:
        raise ActionRefused(f"“{batch}” is scheduled. Take that back first, then change it.")
    if batch.state == BatchState.CANCELLED:
        raise ActionRefused(f"“{batch}” is cancelled, so its settings stay as they are.")
    if batch.state != BatchState.DRAFT:
        raise ActionRefused(f"“{batch}” is published, so its settings stay as they are. Make a new batch.")


def check_can_publish(batch: Batch) -> None:
    """Only a draft, and only one with rows."""
    if batch.state == BatchState.SCHEDULED:
        raise ActionRefused(f"“{batch}” is scheduled. Take that back first, then publish or change it.")
    if batch.state == BatchState.CANCELLED:
        raise ActionRefused(f"“{batch}” is cancelled. Nothing of it is published any more.")
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


def check_publishing(batch: Batch, *, first_rows: int | None, rows_per_hour: int | None) -> None:
    """The trial's rows, and the pace."""
    if first_rows is not None and not 1 <= first_rows <= batch.rows_total:
        raise ActionRefused(
            f"A trial takes 1 to {batch.rows_total:,} rows of this file; this says {first_rows:,}.",
            status=400,
        )
    if rows_per_hour is not None and not 1 <= rows_per_hour <= PACE_MOST:
        raise ActionRefused(
            f"A pace is 1 to {PACE_MOST:,} rows an hour; this says {rows_per_hour:,}. Leave it empty for no pace.",
            status=400,
        )


def check_max_cost(total: Decimal, max_cost: Decimal | None) -> None:
    """The person or script agreed to so many dollars."""
    if max_cost is not None and total > max_cost:
        raise ActionRefused(
            f"This costs {dollars(total)} by now, more than the {dollars(max_cost)} agreed to. Nothing was done; "
            "look at the new price."
        )


def check_can_publish_rest(batch: Batch) -> None:
    """After a trial."""
    if batch.state != BatchState.LIVE or not batch.rows_not_published:
        raise ActionRefused(f"“{batch}” is {batch.state}, and none of its rows waits to be published.")


def check_can_make_hits(batch: Batch) -> None:
    """A further HIT needs the row's input, and of what was made elsewhere nobody here knows it."""
    if batch.adopted_at:
        raise ActionRefused(
            f"“{batch}” was made elsewhere, so no new HITs are made for its rows: nobody here knows what each of them "
            "asked. Its HITs can be given more time; more answers, too, unless nine would become ten."
        )


def check_can_republish(batch: Batch) -> None:
    check_can_make_hits(batch)
    if batch.state != BatchState.LIVE:
        raise ActionRefused(f"“{batch}” is {batch.state}: only what is live can be asked for again.")


def check_can_continue(batch: Batch) -> None:
    """By a further batch; also of what is over, but not while rows still wait to be created."""
    check_is_at_market(batch)
    check_can_make_hits(batch)
    if batch.state not in {BatchState.LIVE, BatchState.CLOSING, BatchState.CLOSED, BatchState.CANCELLED}:
        raise ActionRefused(
            f"“{batch}” is {batch.state}: what is left of it is known once its HITs are live, or it is over."
        )


def check_can_requeue(batch: Batch) -> None:
    """Whether rejected answers may be asked for again by themselves; set for a draft, it begins with publishing."""
    check_is_at_market(batch)
    check_can_make_hits(batch)
    if batch.state not in {BatchState.DRAFT, BatchState.SCHEDULED, *_AT_WORK}:
        raise ActionRefused(f"“{batch}” is {batch.state}: nothing more is asked for in it.")


def check_requeue(batch: Batch, *, most: int, limit: Decimal, each: Decimal) -> None:
    """The cap a person states: so many answers for so many dollars, of which one answer costs `each`."""
    if not 1 <= most <= ANSWERS_MOST:
        raise ActionRefused(f"At most 1 to {ANSWERS_MOST:,} answers; this says {most:,}.", status=400)
    if not limit.is_finite() or limit != to_cents(limit) or not each <= limit <= REQUEUE_MOST:
        raise ActionRefused(
            f"One answer costs {dollars(each)} with the fee: state {dollars(each)} to {dollars(REQUEUE_MOST)} in whole "
            f"cents; this says {limit}.",
            status=400,
        )
    if most <= batch.requeued:
        raise ActionRefused(
            f"{batch.requeued:,} of “{batch}” in all have been asked for in this way already: state more than that, or "
            "switch it off.",
            status=400,
        )


def check_can_retry(batch: Batch) -> None:
    if batch.state not in _AT_WORK:
        raise ActionRefused(f"“{batch}” is {batch.state}, so nothing of it is sent.")
    if not batch.rows_failed:
        raise ActionRefused(f"No row of “{batch}” has failed.")


def check_can_pause(batch: Batch) -> None:
    if batch.state != BatchState.PUBLISHING:
        raise ActionRefused(f"“{batch}” is {batch.state}: nothing of it waits to be sent.")


def check_can_resume(batch: Batch) -> None:
    if batch.state != BatchState.PAUSED:
        raise ActionRefused(f"“{batch}” is {batch.state}, not paused.")


def check_can_cancel(batch: Batch) -> None:
    if batch.state not in _AT_WORK and not is_continuing_draft(batch):
        raise ActionRefused(f"“{batch}” is {batch.state}: there is nothing to cancel.")


def is_continuing_draft(batch: Batch) -> bool:
    """What it would ask for counts as asked for until it is cancelled."""
    return batch.state == BatchState.DRAFT and batch.continues_id is not None


def check_can_change_hits(batch: Batch) -> None:
    """More answers, more time, expiring early."""
    if batch.state not in _AT_WORK:
        raise ActionRefused(
            f"“{batch}” is {batch.state}, so its HITs are not changed any more. Make a new batch for more answers."
        )


def check_can_close(batch: Batch) -> None:
    """What waits to be created has to be published or cancelled first."""
    if batch.state in {BatchState.PUBLISHING, BatchState.PAUSED}:
        raise ActionRefused(
            f"“{batch}” is {batch.state}: rows of it wait to be created. Wait until they are, or cancel it first."
        )
    if batch.state in {BatchState.CLOSING, BatchState.CLOSED}:
        raise ActionRefused(f"“{batch}” is {batch.state} already.")
    if batch.state not in {BatchState.LIVE, BatchState.CANCELLED}:
        raise ActionRefused(f"“{batch}” is {batch.state}: there is nothing to close.")


def check_is_at_market(batch: Batch) -> None:
    """For what was read from a file nothing is ever sent."""
    if batch.imported_at:
        raise ActionRefused(
            f"“{batch}” was imported from a results file, to be read: nothing is sent for it. Decide and pay where its "
            "HITs were made."
        )


def check_can_decide(assignment: Assignment) -> None:
    """Only what waits can be decided; what MTurk has decided stays, and one decision at a time."""
    check_is_at_market(assignment.batch)
    if assignment.status != AssignmentStatus.SUBMITTED:
        raise ActionRefused(f"This answer is {assignment.status} already. Nothing was changed.")
    if assignment.pending_verdict:
        verb = "approved" if assignment.pending_verdict == Verdict.APPROVE else "rejected"
        raise ActionRefused(
            f"This answer is just being {verb}. Undo that first, or wait until MTurk confirms."
        )


def check_can_overturn(assignment: Assignment, *, now: datetime) -> None:
    """MTurk lets a rejection be overturned until 30 days after the answer came, while the HIT exists."""
    check_is_at_market(assignment.batch)
    if assignment.status != AssignmentStatus.REJECTED:
        raise ActionRefused(f"This answer is {assignment.status}, not Rejected. Nothing was changed.")
    if assignment.pending_verdict:
        raise ActionRefused("This rejection is just being overturned.")
    last_day = assignment.submitted_at + OVERTURN_WINDOW
    if last_day <= now:
        raise ActionRefused(
            f"MTurk let this rejection be overturned until {last_day:%d %b %Y}, 30 days after the answer came. A bonus "
            "still reaches the Worker."
        )
    if assignment.hit.hit_status == HITStatus.DISPOSED or assignment.hit.missing_since:
        raise ActionRefused(
            "The HIT is no longer at MTurk, so its rejections stand. A bonus still reaches the Worker."
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


def check_bonus(amount: Decimal, reason: str) -> None:
    """MTurk pays whole cents, and the Worker reads the reason."""
    if not amount.is_finite() or amount < CENT or amount != to_cents(amount) or amount > BONUS_MOST:
        raise ActionRefused(
            f"A bonus is {dollars(CENT)} to {dollars(BONUS_MOST)} in whole cents; this says {amount}.",
            status=400,
        )
    if not reason:
        raise ActionRefused("A bonus needs a reason: the Worker reads it. Write one, then send.", status=400)
    if len(reason) > REASON_MAX:
        raise ActionRefused(
            f"The reason has {len(reason):,} characters; {REASON_MAX:,} is the most. Shorten it by "
            f"{len(reason) - REASON_MAX:,}.",
            status=400,
        )


can_change = _yes_or_no(check_can_change)
can_publish = _yes_or_no(check_can_publish)
can_publish_rest = _yes_or_no(check_can_publish_rest)
can_republish = _yes_or_no(check_can_republish)
can_requeue = _yes_or_no(check_can_requeue)
can_continue = _yes_or_no(check_can_continue)
can_retry = _yes_or_no(check_can_retry)
can_pause = _yes_or_no(check_can_pause)
can_resume = _yes_or_no(check_can_resume)
can_cancel = _yes_or_no(check_can_cancel)
can_change_hits = _yes_or_no(check_can_change_hits)
can_close = _yes_or_no(check_can_close)
can_overturn = _yes_or_no(check_can_overturn)
can_decide = _yes_or_no(check_can_decide)
