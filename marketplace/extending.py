"""More slots and more time for a HIT, and the money held for them. The caller holds the HIT's lock."""

from datetime import UTC, datetime

from marketplace import ledger, outbox
from marketplace.errors import invalid_value, request_error
from marketplace.ledger import Move
from marketplace.models import HIT
from marketplace.models.hit import ASSIGNABLE
from marketplace.models.ledger import Account
from marketplace.money import LARGE_HIT

MAX_ASSIGNMENTS = 1_000_000_000
# MTurk's fees changed on this day; HITs made before cannot grow.
_FEES_CHANGED = datetime(2015, 7, 22, tzinfo=UTC)


def add_assignments(hit: HIT, added: int, *, now: datetime) -> None:
    """Add slots and hold their price. A HIT below ten cannot reach ten, for its fee would change.

    Raises MTurk's own errors and InsufficientFunds.
    """
    total = hit.max_assignments + added
    if hit.created_at < _FEES_CHANGED:
        raise request_error(
            "HITTooOldForExtension",
            f"This HIT was made before {_FEES_CHANGED:%d %B %Y}, so it cannot be extended. Make another HIT.",
        )
    if hit.max_assignments < LARGE_HIT <= total:
        raise request_error(
            "InvalidMaximumAssignmentsIncrease",
            f"This HIT has {hit.max_assignments} assignments; "
            f"a HIT made with fewer than {LARGE_HIT} cannot be extended to {LARGE_HIT} or more.",
        )
    if total > MAX_ASSIGNMENTS:
        raise invalid_value("NumberOfAdditionalAssignments", added)
    # On an expired HIT nobody can reach the new slots, so nothing is on hold for them until it is extended.
    held = 0 if hit.is_expired(now) else added
    hit.max_assignments = total
    hit.held_slots += held
    if hit.is_expired(now):
        # All its work was done before its time was over, so that nobody has to be told of that now.
        hit.expired_at = hit.expired_at or now
    _save(hit, ["max_assignments", "expired_at"], now=now)
    hold(hit, held, now=now)


def extend(hit: HIT, expire_at: datetime, *, now: datetime) -> None:
    """Give a HIT more time, or bring it back; free slots that had expired are held again."""
    unheld = hit.max_assignments - hit.completed_count - hit.held_slots
    hit.expires_at = expire_at
    hit.expired_at = None
    hit.held_slots += unheld
    _save(hit, ["expires_at", "expired_at"], now=now)
    hold(hit, unheld, now=now)


def _save(hit: HIT, changed: list[str], *, now: datetime) -> None:
    if hit.status(now) == ASSIGNABLE:
        hit.reviewing, hit.reviewable_at, hit.review_due = False, None, False
    hit.last_activity_at = now
    hit.save(
        update_fields=[*changed, "held_slots", "reviewing", "reviewable_at", "review_due", "last_activity_at"]
    )
    outbox.announce("HITExtended", [hit], now=now)


def hold(hit: HIT, slots: int, *, now: datetime) -> None:
    """Put the price of so many slots on hold; the caller counts them in `held_slots`."""
    move = Move(Account.AVAILABLE, Account.HELD, hit.price_each * slots, hit)
    ledger.post(hit.requester_id, [move], now=now)
