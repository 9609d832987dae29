"""Makes, reads, extends, expires and deletes HITs and their types."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from marketplace import extending, ledger, lifecycle, outbox
from marketplace.call import Call, Members
from marketplace.errors import (
    hit_already_exists,
    hit_does_not_exist,
    hit_type_does_not_exist,
    invalid,
    invalid_hit_state,
    invalid_value,
    request_error,
    token_already_processed,
)
from marketplace.extending import MAX_ASSIGNMENTS
from marketplace.identifiers import new_entity_id
from marketplace.layouts import fill
from marketplace.ledger import Move
from marketplace.models import HIT, HITLayout, HITType
from marketplace.models.hit import (
    ASSIGNABLE,
    DISPOSED,
    RETENTION,
    REVIEWABLE,
    REVIEWING,
    UNASSIGNABLE,
    HITQuerySet,
)
from marketplace.models.ledger import Account
from marketplace.models.request_token import TokenFamily
from marketplace.money import fee_each
from marketplace.operations.shown import show_hit
from marketplace.paging import DEFAULT_MAX_RESULTS, next_token, read_token
from marketplace.questions import check_question
from marketplace.requirements import check_type_in_use, check_types_usable, read_requirements
from marketplace.review_policies import read_known_answers, read_plurality
from marketplace.tokens import claim_token

# What the description leaves open: smallest and largest, in characters for text.
_TEXT_LIMITS = {
    "Title": (1, 128),
    "Description": (1, 2000),
    "Keywords": (0, 1000),
    "RequesterAnnotation": (0, 255),
}
_YEAR = 31_536_000
_NUMBER_LIMITS = {
    "LifetimeInSeconds": (30, _YEAR),
    "AssignmentDurationInSeconds": (30, _YEAR),
    "AutoApprovalDelayInSeconds": (0, 2_592_000),
    "MaxAssignments": (1, MAX_ASSIGNMENTS),
    "NumberOfAdditionalAssignments": (1, MAX_ASSIGNMENTS),
}
_MAX_REWARD = Decimal("1000000")
_DEFAULT_AUTO_APPROVAL_DELAY = 2_592_000


def visible_hits(requester_id: int, now: datetime) -> HITQuerySet:
    """A requester's HITs that can still be looked at: deleted ones for 120 days."""
    return HIT.objects.filter(
        Q(disposed_at=None) | Q(disposed_at__gt=now - RETENTION), requester_id=requester_id
    )


# HIT types ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Properties:
    """What makes a HITType itself; equal properties are the same type."""

    title: str
    description: str
    keywords: str
    reward: Decimal
    assignment_duration: timedelta
    auto_approval_delay: timedelta
    qualification_requirements: list[dict[str, Any]]

    @property
    def digest(self) -> str:
        # Requirements are compared as a set, whatever their order.
        requirements = sorted(json.dumps(each, sort_keys=True) for each in self.qualification_requirements)
        identity = [
            self.title,
            self.description,
            self.keywords,
            f"{self.reward:.2f}",
            int(self.assignment_duration.total_seconds()),
            int(self.auto_approval_delay.total_seconds()),
            requirements,
        ]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


@transaction.atomic
def create_hit_type(call: Call, members: Members) -> Members:
    """The id of the HITType with these properties, made if there is none."""
    properties = _read_properties(members)
    check_types_usable(call, properties.qualification_requirements)
    return {"HITTypeId": _find_or_make_type(call, properties).mturk_id}


def _read_properties(members: Members) -> _Properties:
    _check_limits(members)
    reward = Decimal(members["Reward"])
    if reward > _MAX_REWARD:
        raise invalid_value("Reward", members["Reward"])
    return _Properties(
        title=members["Title"],
        description=members["Description"],
        keywords=members.get("Keywords", ""),
        reward=reward,
        assignment_duration=timedelta(seconds=members["AssignmentDurationInSeconds"]),
        auto_approval_delay=timedelta(
            seconds=members.get("AutoApprovalDelayInSeconds", _DEFAULT_AUTO_APPROVAL_DELAY)
        ),
        qualification_requirements=read_requirements(members.get("QualificationRequirements", [])),
    )


def _check_limits(members: Members) -> None:
    for name, (shortest, longest) in _TEXT_LIMITS.items():
        if name in members and not shortest <= len(members[name]) <= longest:
            raise invalid_value(name, members[name])
    for name, (smallest, largest) in _NUMBER_LIMITS.items():
        if name in members and not smallest <= members[name] <= largest:
            raise invalid_value(name, members[name])


def _find_or_make_type(call: Call, properties: _Properties) -> HITType:
    hit_type, _ = HITType.objects.get_or_create(
        requester_id=call.requester_id,
        digest=properties.digest,
        defaults=asdict(properties) | {"created_at": call.now},
    )
    return hit_type


def _find_type(call: Call, hit_type_id: str) -> HITType:
    try:
        return HITType.objects.get(requester_id=call.requester_id, mturk_id=hit_type_id)
    except HITType.DoesNotExist:
        raise hit_type_does_not_exist(hit_type_id) from None


def _fee_each(hit_type: HITType, slots: int) -> Decimal:
    requirements = [each["QualificationTypeId"] for each in hit_type.qualification_requirements]
    return fee_each(hit_type.reward, slots, requirements)


# Making HITs -------------------------------------------------------------------------------------


@transaction.atomic
def create_hit(call: Call, members: Members) -> Members:
    """A new HIT, of the HITType that its properties make."""
    properties = _read_properties(members)
    _check_content(members)
    hit_id = _claim_hit_id(call, members)
    check_types_usable(call, properties.qualification_requirements)
    question = _read_question(call, members)
    hit_type = _find_or_make_type(call, properties)
    return {"HIT": _make_hit(call, members, hit_type, hit_id, question)}


@transaction.atomic
def create_hit_with_hit_type(call: Call, members: Members) -> Members:
    """A new HIT of a HITType that exists."""
    _check_limits(members)
    _check_content(members)
    hit_id = _claim_hit_id(call, members)
    hit_type = _find_type(call, members["HITTypeId"])
    check_type_in_use(call, hit_type)
    question = _read_question(call, members)
    return {"HIT": _make_hit(call, members, hit_type, hit_id, question)}


def _check_content(members: Members) -> None:
    if "Question" in members and "HITLayoutId" in members:
        raise invalid("Give either Question or HITLayoutId, not both.")
    if "Question" not in members and "HITLayoutId" not in members:
        raise invalid("Either Question or HITLayoutId must be given.")
    if "HITLayoutParameters" in members and "HITLayoutId" not in members:
        raise invalid("HITLayoutParameters belong to a HITLayoutId.")
    names = [parameter["Name"] for parameter in members.get("HITLayoutParameters", [])]
    if len(set(names)) != len(names):
        raise invalid("Each of the HITLayoutParameters must have a Name of its own.")
    if "AssignmentReviewPolicy" in members:
        read_known_answers(members["AssignmentReviewPolicy"])
    if "HITReviewPolicy" in members:
        read_plurality(members["HITReviewPolicy"])


def _read_question(call: Call, members: Members) -> str:
    """The Question that was given, or that the layout makes of its parameters."""
    if "Question" in members:
        question: str = members["Question"]
    else:
        layout_id = members["HITLayoutId"]
        layout = HITLayout.objects.filter(requester=call.requester_id, mturk_id=layout_id).first()
        if layout is None:
            raise request_error("HITLayoutDoesNotExist", f"HITLayout {layout_id} does not exist.")
        given = members.get("HITLayoutParameters", [])
        question = fill(layout, {each["Name"]: each["Value"] for each in given})
    check_question(question)
    return question


def _claim_hit_id(call: Call, members: Members) -> str:
    hit_id = new_entity_id()
    token = members.get("UniqueRequestToken")
    known = claim_token(call, TokenFamily.CREATE_HIT, token, outcome=hit_id)
    if known is not None:
        raise hit_already_exists(known)
    return hit_id


def _make_hit(call: Call, members: Members, hit_type: HITType, hit_id: str, question: str) -> Members:
    slots = members.get("MaxAssignments", 1)
    hit = HIT.objects.create(
        mturk_id=hit_id,
        requester_id=call.requester_id,
        hit_type=hit_type,
        question=question,
        layout_mturk_id=members.get("HITLayoutId", ""),
        assignment_review_policy=members.get("AssignmentReviewPolicy"),
        hit_review_policy=members.get("HITReviewPolicy"),
        requester_annotation=members.get("RequesterAnnotation", ""),
        max_assignments=slots,
        expires_at=call.now + timedelta(seconds=members["LifetimeInSeconds"]),
        created_at=call.now,
        last_activity_at=call.now,
        fee_each=_fee_each(hit_type, slots),
        held_slots=slots,
    )
    outbox.announce("HITCreated", [hit], now=call.now)
    extending.hold(hit, slots, now=call.now)
    return show_hit(hit, call.now)


# Reading -----------------------------------------------------------------------------------------


def get_hit(call: Call, members: Members) -> Members:
    """One HIT, deleted ones for 120 days."""
    hit = (
        visible_hits(call.requester_id, call.now)
        .select_related("hit_type")
        .filter(mturk_id=members["HITId"])
        .first()
    )
    if hit is None:
        raise hit_does_not_exist(members["HITId"])
    return {"HIT": show_hit(hit, call.now)}


def list_hits(call: Call, members: Members) -> Members:
    """A page of the requester's HITs, newest first, without deleted ones."""
    position = read_token(call, members)
    hits = HIT.objects.listed(call.now).filter(requester_id=call.requester_id)
    if position is not None:
        hits = hits.filter(id__lt=position)
    page = list(
        hits.select_related("hit_type").order_by("-id")[: members.get("MaxResults", DEFAULT_MAX_RESULTS)]
    )
    return {
        "NumResults": len(page),
        "HITs": [show_hit(hit, call.now) for hit in page],
        "NextToken": next_token(call, members, page[-1].pk) if page else None,
    }


# Changing ----------------------------------------------------------------------------------------


@transaction.atomic
def update_expiration_for_hit(call: Call, members: Members) -> None:
    """Move a HIT's expiration: into the past to stop new accepts, into the future to allow them (again)."""
    expire_at = members["ExpireAt"]
    if expire_at > call.now + timedelta(seconds=_YEAR):
        raise invalid_value("ExpireAt", expire_at.isoformat())
    _claim_hidden_token(call, members["HITId"], expire_at)
    hit = _lock_live(call, members["HITId"])
    if expire_at <= call.now:
        _expire(hit, call.now)
    else:
        extending.extend(hit, expire_at, now=call.now)


def _claim_hidden_token(call: Call, hit_id: str, expire_at: datetime) -> None:
    """MTurk makes a token of the HIT and the time, so that the same wish twice is an error; here if asked for."""
    if not settings.HIDDEN_TOKENS:
        return
    token = hashlib.sha256(f"{hit_id} {expire_at.timestamp()}".encode()).hexdigest()
    known = claim_token(call, TokenFamily.UPDATE_EXPIRATION, token, outcome=call.request_id)
    if known is not None:
        raise token_already_processed(token, known)


def _expire(hit: HIT, now: datetime) -> None:
    if not hit.is_expired(now):
        hit.expires_at = now
    hit.last_activity_at = now
    hit.save(update_fields=["expires_at", "last_activity_at"])
    if hit.expired_at is None:
        lifecycle.note_expired([hit], now=now)


@transaction.atomic
def create_additional_assignments_for_hit(call: Call, members: Members) -> None:
    """Add slots to a HIT and hold their price. A HIT below ten cannot reach ten, for its fee would change."""
    _check_limits(members)
    added = members["NumberOfAdditionalAssignments"]
    token = members.get("UniqueRequestToken")
    known = claim_token(call, TokenFamily.ADD_ASSIGNMENTS, token, outcome=call.request_id)
    if known is not None:
        raise token_already_processed(str(token), known)
    extending.add_assignments(_lock_live(call, members["HITId"]), added, now=call.now)


@transaction.atomic
def update_hit_type_of_hit(call: Call, members: Members) -> None:
    """Give a HIT nobody has accepted yet the properties, and the price, of another HITType."""
    hit_type = _find_type(call, members["HITTypeId"])
    check_type_in_use(call, hit_type)
    hit = _lock_live(call, members["HITId"])
    if hit.assignments.exists():
        raise request_error(
            "InvalidHITState",
            f"This HIT is currently in the state '{hit.status(call.now)}'.  "
            "Its HITType can be changed until the first Worker accepts it; somebody has.",
        )
    held_before = hit.price_each * hit.held_slots
    hit.hit_type = hit_type
    hit.fee_each = _fee_each(hit_type, hit.max_assignments)
    hit.last_activity_at = call.now
    hit.save(update_fields=["hit_type", "fee_each", "last_activity_at"])
    more = hit.price_each * hit.held_slots - held_before
    sides = (Account.AVAILABLE, Account.HELD) if more > 0 else (Account.HELD, Account.AVAILABLE)
    ledger.post(call.requester_id, [Move(*sides, abs(more), hit)], now=call.now)


@transaction.atomic
def delete_hit(call: Call, members: Members) -> None:
    """Dispose of a HIT nobody can work on any more and whose work is all decided."""
    hit = lock_hit(call, members["HITId"])
    status = hit.status(call.now)
    if status not in (REVIEWING, REVIEWABLE):
        raise invalid_hit_state(status, f"{REVIEWING}, {REVIEWABLE}")
    if hit.submitted_count:
        raise request_error(
            "InvalidHITState",
            f"This HIT is currently in the state '{status}'.  It can be deleted once every submitted "
            f"assignment is approved or rejected; {hit.submitted_count} of them still wait.",
        )
    hit.disposed_at = call.now
    hit.save(update_fields=["disposed_at"])
    outbox.announce("HITDisposed", [hit], now=call.now)
    lifecycle.release_unreachable([hit], now=call.now)


def lock_hit(call: Call, hit_id: str) -> HIT:
    """The requester's HIT, locked; raises HITDoesNotExist."""
    hit = (
        visible_hits(call.requester_id, call.now)
        .select_related("hit_type")
        .select_for_update(no_key=True, of=("self",))
        .filter(mturk_id=hit_id)
        .first()
    )
    if hit is None:
        raise hit_does_not_exist(hit_id)
    return hit


def _lock_live(call: Call, hit_id: str) -> HIT:
    hit = lock_hit(call, hit_id)
    if hit.status(call.now) == DISPOSED:
        raise invalid_hit_state(DISPOSED, f"{ASSIGNABLE}, {UNASSIGNABLE}, {REVIEWABLE}, {REVIEWING}")
    return hit
