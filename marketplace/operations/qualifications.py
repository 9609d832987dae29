"""Qualification types: what Workers are given, what they ask for, and which HITs require it."""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from marketplace import granting, letters
from marketplace.answer_key import read_answer_key
from marketplace.call import Call, Members
from marketplace.errors import (
    invalid,
    invalid_qualification_request_state,
    invalid_qualification_state,
    invalid_qualification_type_state,
    invalid_value,
    permission_denied,
    qualification_does_not_exist,
    qualification_request_does_not_exist,
    qualification_type_already_exists,
    qualification_type_does_not_exist,
)
from marketplace.models import Qualification, QualificationRequest, QualificationType, Worker
from marketplace.models.qualification import (
    ACTIVE,
    GRANTED,
    INACTIVE,
    REVOKED,
    TYPE_DISPOSED,
    QualificationTypeQuerySet,
    RequestState,
)
from marketplace.operations.shown import show_hit
from marketplace.paging import DEFAULT_MAX_RESULTS, next_token, read_token
from marketplace.question_form import read_question_form
from marketplace.system_types import SINCE, SYSTEM_TYPES, SystemType

_CHANGEABLE = f"{ACTIVE},{INACTIVE}"
# Smallest and largest, in characters for text; seconds up to what a date can stand.
_TEXT_LIMITS = {"Name": (1, 200), "Description": (1, 2000), "Keywords": (0, 1000), "Reason": (0, 2000)}
_NUMBER_LIMITS = {"RetryDelayInSeconds": (0, 2**31 - 1), "TestDurationInSeconds": (1, 31_536_000)}
_DEFAULT_VALUE = 1
_STATUS = {GRANTED: Q(revoked_at=None), REVOKED: Q(revoked_at__isnull=False)}


# Types -------------------------------------------------------------------------------------------


@transaction.atomic
def create_qualification_type(call: Call, members: Members) -> Members:
    """A new type, whose name no other of the requester's has."""
    _check_limits(members)
    _check_test_members(members)
    if "Test" in members and members.get("AutoGranted"):
        raise invalid("A QualificationType with a Test cannot be AutoGranted. Leave out one of them.")
    mine = QualificationType.objects.filter(requester_id=call.requester_id, name=members["Name"])
    granting.dispose_deleted_types(call.now, among=mine)
    if mine.filter(disposed_at=None).exists():
        raise qualification_type_already_exists()
    kind = QualificationType(
        requester_id=call.requester_id,
        name=members["Name"],
        keywords=members.get("Keywords", ""),
        is_active=True,
        created_at=call.now,
    )
    _change(kind, members)
    try:
        with transaction.atomic():
            kind.save()
    except IntegrityError:
        # Another call took the name meanwhile.
        raise qualification_type_already_exists() from None
    return {"QualificationType": _show_type(call, kind)}


@transaction.atomic
def update_qualification_type(call: Call, members: Members) -> Members:
    """Change what may change; a Test comes with its duration, and without its AnswerKey it has none any more."""
    _check_limits(members)
    _check_test_members(members)
    kind = _find_changeable(call, members["QualificationTypeId"])
    _change(kind, members)
    if kind.test and kind.auto_granted_value is not None:
        raise invalid("A QualificationType with a Test cannot be AutoGranted, and a Test cannot be removed.")
    kind.save()
    return {"QualificationType": _show_type(call, kind)}


def _check_limits(members: Members) -> None:
    for name, (shortest, longest) in _TEXT_LIMITS.items():
        if name in members and not shortest <= len(members[name]) <= longest:
            raise invalid_value(name, members[name])
    for name, (smallest, largest) in _NUMBER_LIMITS.items():
        if name in members and not smallest <= members[name] <= largest:
            raise invalid_value(name, members[name])


def _check_test_members(members: Members) -> None:
    if "Test" in members and "TestDurationInSeconds" not in members:
        raise invalid("A Test needs TestDurationInSeconds.")
    for name in ("AnswerKey", "TestDurationInSeconds"):
        if name in members and "Test" not in members:
            raise invalid(f"{name} belongs to a Test. Send the Test with it.")


def _change(kind: QualificationType, members: Members) -> None:
    if "Description" in members:
        kind.description = members["Description"]
    if "QualificationTypeStatus" in members:
        kind.is_active = members["QualificationTypeStatus"] == ACTIVE
    if "RetryDelayInSeconds" in members:
        kind.retry_delay = timedelta(seconds=members["RetryDelayInSeconds"])
    if "Test" in members:
        kind.test, kind.answer_key = members["Test"], members.get("AnswerKey", "")
        kind.test_duration = timedelta(seconds=members["TestDurationInSeconds"])
        form = read_question_form(kind.test)
        if "AnswerKey" in members:
            read_answer_key(kind.answer_key, form)
    if "AutoGranted" in members and not members["AutoGranted"]:
        kind.auto_granted_value = None
    elif members.get("AutoGranted") or kind.auto_granted_value is not None:
        before = kind.auto_granted_value if kind.auto_granted_value is not None else _DEFAULT_VALUE
        kind.auto_granted_value = members.get("AutoGrantedValue", before)


def get_qualification_type(call: Call, members: Members) -> Members:
    """One of the requester's own types, anybody's active one, or one of the market's."""
    type_id = members["QualificationTypeId"]
    return {"QualificationType": _show_visible(call, type_id)}


def _show_visible(call: Call, type_id: str) -> Members:
    if type_id in SYSTEM_TYPES:
        return _show_system_type(SYSTEM_TYPES[type_id])
    kind = _find(call, type_id)
    if kind.state(call.now) == TYPE_DISPOSED:
        raise qualification_type_does_not_exist(type_id)
    if kind.requester_id != call.requester_id and kind.state(call.now) != ACTIVE:
        raise permission_denied("QualificationType", type_id)
    return _show_type(call, kind)


def list_qualification_types(call: Call, members: Members) -> Members:
    """Types the requester may use, newest first and the market's last; deleted ones are gone."""
    position = read_token(call, members)
    words = members.get("Query", "").split()
    most = members.get("MaxResults", DEFAULT_MAX_RESULTS)
    # Below zero are the market's own, which are in no table.
    in_table = position is None or position > 0
    page = list(_list_types(call, members, words, position)[:most]) if in_table else []
    shown = [_show_type(call, kind) for kind in page]
    last = page[-1].pk if page else position
    if not members["MustBeRequestable"] and not members.get("MustBeOwnedByCaller"):
        start = -position if position is not None and position < 0 else 0
        found = [
            each for each in list(enumerate(SYSTEM_TYPES.values(), 1))[start:] if _has_words(each[1], words)
        ]
        for number, system in found[: most - len(shown)]:
            last = -number
            shown.append(_show_system_type(system))
    return {
        "NumResults": len(shown),
        "QualificationTypes": shown,
        "NextToken": next_token(call, members, last) if shown else None,
    }


def _list_types(
    call: Call, members: Members, words: list[str], position: int | None
) -> QualificationTypeQuerySet:
    mine, usable = Q(requester_id=call.requester_id), Q(is_active=True, deleted_at=None)
    types = QualificationType.objects.not_disposed(call.now)
    if settings.LAG:
        types = types.filter(created_at__lte=call.now - settings.LAG)
    types = types.filter(mine if members.get("MustBeOwnedByCaller") else mine | usable)
    if members["MustBeRequestable"]:
        types = types.filter(usable)
    for word in words:
        types = types.filter(
            Q(name__icontains=word) | Q(keywords__icontains=word) | Q(description__icontains=word)
        )
    if position is not None:
        types = types.filter(id__lt=position)
    return types.order_by("-id")


def _has_words(kind: SystemType, words: list[str]) -> bool:
    text = f"{kind.name} {kind.description}".casefold()
    return all(word.casefold() in text for word in words)


@transaction.atomic
def delete_qualification_type(call: Call, members: Members) -> None:
    """Delete a type and the HITTypes that require it; what Workers hold stays."""
    granting.delete_type(_find_changeable(call, members["QualificationTypeId"]), now=call.now)


# What Workers hold -------------------------------------------------------------------------------


@transaction.atomic
def associate_qualification_with_worker(call: Call, members: Members) -> None:
    """Give a Worker the Qualification, or another value of it, and tell them unless SendNotification is false.

    Pending requests stay as they are.
    """
    kind = _find_changeable(call, members["QualificationTypeId"])
    worker = Worker.objects.filter(mturk_id=members["WorkerId"]).first()
    if worker is None:
        raise invalid_value("WorkerId", members["WorkerId"])
    held = granting.grant(kind, worker, members.get("IntegerValue", _DEFAULT_VALUE), now=call.now)
    if members.get("SendNotification", True):
        letters.tell_of_grant(held, now=call.now)


@transaction.atomic
def disassociate_qualification_from_worker(call: Call, members: Members) -> None:
    """Take a Qualification back; the Worker is told, with the reason."""
    _check_limits(members)
    kind = _find_changeable(call, members["QualificationTypeId"])
    qualification = _find_granted(kind, members["WorkerId"], lock=True)
    qualification.revoked_at = call.now
    qualification.revoke_reason = members.get("Reason", "")
    qualification.save(update_fields=["revoked_at", "revoke_reason"])
    letters.tell_of_revocation(qualification, now=call.now)


def get_qualification_score(call: Call, members: Members) -> Members:
    """What a Worker holds of one of the requester's types."""
    kind = _find_readable(call, members["QualificationTypeId"])
    return {"Qualification": _show_qualification(_find_granted(kind, members["WorkerId"], lock=False))}


def list_workers_with_qualification_type(call: Call, members: Members) -> Members:
    """Who holds a Qualification of the type, or with the status Revoked who held one."""
    position = read_token(call, members)
    kind = _find_readable(call, members["QualificationTypeId"])
    held = kind.qualifications.filter(_STATUS[members.get("Status", GRANTED)], id__gt=position or 0)
    page = list(
        held.select_related("worker", "qualification_type").order_by("id")[
            : members.get("MaxResults", DEFAULT_MAX_RESULTS)
        ]
    )
    return {
        "NumResults": len(page),
        "Qualifications": [_show_qualification(each) for each in page],
        "NextToken": next_token(call, members, page[-1].pk) if page else None,
    }


def _find_granted(kind: QualificationType, worker_id: str, *, lock: bool) -> Qualification:
    held = kind.qualifications.select_related("worker", "qualification_type")
    if lock:
        held = held.select_for_update(no_key=True, of=("self",))
    qualification = held.filter(worker__mturk_id=worker_id).first()
    if qualification is None:
        raise qualification_does_not_exist(kind.mturk_id, worker_id)
    if qualification.revoked_at is not None:
        raise invalid_qualification_state(REVOKED, GRANTED)
    return qualification


# What Workers ask for ----------------------------------------------------------------------------


def list_qualification_requests(call: Call, members: Members) -> Members:
    """Requests that wait for the requester, oldest first, for one type or for all of theirs."""
    position = read_token(call, members)
    requests = QualificationRequest.objects.filter(state=RequestState.PENDING, id__gt=position or 0)
    if "QualificationTypeId" in members:
        requests = requests.filter(qualification_type=_find_readable(call, members["QualificationTypeId"]))
    else:
        requests = requests.filter(qualification_type__requester_id=call.requester_id)
    page = list(
        requests.select_related("worker", "qualification_type").order_by("id")[
            : members.get("MaxResults", DEFAULT_MAX_RESULTS)
        ]
    )
    return {
        "NumResults": len(page),
        "QualificationRequests": [_show_request(each) for each in page],
        "NextToken": next_token(call, members, page[-1].pk) if page else None,
    }


@transaction.atomic
def accept_qualification_request(call: Call, members: Members) -> None:
    """Grant what a Worker asked for, with a value or without one."""
    request = _lock_pending(call, members["QualificationRequestId"])
    request.state, request.decided_at = RequestState.GRANTED, call.now
    request.value = members.get("IntegerValue")
    request.save(update_fields=["state", "decided_at", "value"])
    granting.grant(request.qualification_type, request.worker, request.value, now=call.now)


@transaction.atomic
def reject_qualification_request(call: Call, members: Members) -> None:
    """Refuse what a Worker asked for; they see the reason, and keep what they hold."""
    _check_limits(members)
    request = _lock_pending(call, members["QualificationRequestId"])
    request.state, request.decided_at = RequestState.REJECTED, call.now
    request.reason = members.get("Reason", "")
    request.save(update_fields=["state", "decided_at", "reason"])


def _lock_pending(call: Call, request_id: str) -> QualificationRequest:
    request = (
        QualificationRequest.objects.select_related("qualification_type", "worker")
        .select_for_update(no_key=True, of=("self",))
        .filter(mturk_id=request_id)
        # While the Worker has the test before them there is nothing to decide.
        .exclude(submitted_at=None)
        .first()
    )
    if request is None:
        raise qualification_request_does_not_exist(request_id)
    if request.qualification_type.requester_id != call.requester_id:
        raise permission_denied("QualificationRequest", request_id)
    if request.state != RequestState.PENDING:
        raise invalid_qualification_request_state(RequestState(request.state).label, "Submitted")
    return request


# HITs --------------------------------------------------------------------------------------------


def list_hits_for_qualification_type(call: Call, members: Members) -> Members:
    """The requester's HITs that require the type, newest first, without deleted ones."""
    position = read_token(call, members)
    type_id = members["QualificationTypeId"]
    _show_visible(call, type_id)
    hits = granting.hits_requiring(type_id).listed(call.now).filter(requester_id=call.requester_id)
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


# Finding -----------------------------------------------------------------------------------------


def _find(call: Call, type_id: str, *, lock: bool = False) -> QualificationType:
    types = QualificationType.objects.select_for_update(no_key=True) if lock else QualificationType.objects
    kind = types.filter(mturk_id=type_id).first()
    if kind is None or kind.is_forgotten(call.now):
        raise qualification_type_does_not_exist(type_id)
    return kind


def _find_own(call: Call, type_id: str, *, lock: bool = False) -> QualificationType:
    if type_id in SYSTEM_TYPES:
        raise permission_denied("QualificationType", type_id)
    kind = _find(call, type_id, lock=lock)
    if kind.requester_id != call.requester_id:
        raise permission_denied("QualificationType", type_id)
    return kind


def _find_readable(call: Call, type_id: str) -> QualificationType:
    kind = _find_own(call, type_id)
    if kind.state(call.now) == TYPE_DISPOSED:
        raise qualification_type_does_not_exist(type_id)
    return kind


def _find_changeable(call: Call, type_id: str) -> QualificationType:
    kind = _find_own(call, type_id, lock=True)
    state = kind.state(call.now)
    if state not in {ACTIVE, INACTIVE}:
        raise invalid_qualification_type_state(state, _CHANGEABLE)
    return kind


# Showing -----------------------------------------------------------------------------------------


def _show_type(call: Call, kind: QualificationType) -> Members:
    return {
        "QualificationTypeId": kind.mturk_id,
        "CreationTime": kind.created_at,
        "Name": kind.name,
        "Description": kind.description,
        "Keywords": kind.keywords or None,
        "QualificationTypeStatus": kind.shown_status(),
        "Test": kind.test or None,
        "TestDurationInSeconds": _seconds(kind.test_duration),
        # The owner alone sees the right answers.
        "AnswerKey": kind.answer_key if kind.answer_key and kind.requester_id == call.requester_id else None,
        "RetryDelayInSeconds": _seconds(kind.retry_delay),
        "IsRequestable": kind.shown_status() == ACTIVE,
        "AutoGranted": kind.auto_granted_value is not None,
        "AutoGrantedValue": kind.auto_granted_value,
    }


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else int(duration.total_seconds())


def _show_system_type(kind: SystemType) -> Members:
    return {
        "QualificationTypeId": kind.mturk_id,
        "CreationTime": SINCE,
        "Name": kind.name,
        "Description": kind.description,
        "QualificationTypeStatus": ACTIVE,
        "IsRequestable": False,
        "AutoGranted": False,
    }


def _show_qualification(qualification: Qualification) -> Members:
    return {
        "QualificationTypeId": qualification.qualification_type.mturk_id,
        "WorkerId": qualification.worker.mturk_id,
        "GrantTime": qualification.granted_at,
        "IntegerValue": qualification.value,
        "Status": qualification.status,
    }


def _show_request(request: QualificationRequest) -> Members:
    return {
        "QualificationRequestId": request.mturk_id,
        "QualificationTypeId": request.qualification_type.mturk_id,
        "WorkerId": request.worker.mturk_id,
        "Test": request.test or None,
        "Answer": request.answer or None,
        "SubmitTime": request.submitted_at,
    }
