"""Workers ask for Qualifications, take tests, and get or lose what they asked for; types that are deleted go.

Locks are taken in one order: Worker, type, request, Qualification.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import clock
from marketplace.answer_key import read_answer_key
from marketplace.answers import FormAnswer, form_document
from marketplace.lifecycle import Refused
from marketplace.models import HIT, HITType, Qualification, QualificationRequest, QualificationType, Worker
from marketplace.models.hit import HITQuerySet
from marketplace.models.qualification import (
    OPEN,
    TYPE_DISPOSED,
    QualificationTypeQuerySet,
    RequestState,
)
from marketplace.question_form import read_question_form

_NOT_REQUESTABLE = Refused(
    "not_requestable", _("This qualification cannot be asked for now. Look for work that does not need it.")
)
_HELD = Refused("held", _("You hold this qualification already. There is nothing to ask for."))
_PENDING = Refused("pending", _("You have asked for this qualification. The requester has yet to decide."))
_ONCE = Refused(
    "once", _("You asked for this qualification before, and its requester lets everybody ask only once.")
)
_NO_SUCH = Refused("no_such_request", _("There is no such test. Ask for the qualification first."))
_TOO_LATE = Refused("too_late", _("The time for this test ran out. Nothing was submitted."))
_SUBMITTED = Refused("submitted", _("This test is submitted already. There is nothing more to do."))
_WITHDRAWN = Refused("withdrawn", _("The requester has withdrawn this qualification. Nothing was submitted."))


# What Workers do ---------------------------------------------------------------------------------


def why_not_ask(kind: QualificationType, worker: Worker, now: datetime) -> Refused | None:
    """What keeps the Worker from asking for a Qualification of this type; None if nothing does."""
    if not kind.is_active or kind.deleted_at is not None:
        return _NOT_REQUESTABLE
    held = Qualification.objects.filter(qualification_type=kind, worker=worker, revoked_at=None)
    if kind.auto_granted_value is not None and held.exists():
        return _HELD
    latest = latest_request(kind, worker)
    if latest is None:
        return None
    if latest.state == RequestState.PENDING:
        return _PENDING
    if kind.retry_delay is None:
        return _ONCE
    again_at = latest.requested_at + kind.retry_delay
    if again_at > now:
        shown = date_format(again_at, "DATETIME_FORMAT")
        return Refused("too_soon", gettext("You can ask for this qualification again on %s UTC.") % shown)
    return None


def latest_request(kind: QualificationType, worker: Worker) -> QualificationRequest | None:
    """The Worker's newest request for a type."""
    return worker.qualification_requests.filter(qualification_type=kind).order_by("-id").first()


def ask(type_id: str, worker: Worker) -> QualificationRequest:
    """The Worker's request for a Qualification: granted by itself, pending, or with a test to take; raises Refused.

    A test that is being taken goes on.
    """
    with transaction.atomic():
        # One request per Worker at a time, so that each is judged by those before it.
        Worker.objects.select_for_update(no_key=True).get(pk=worker.pk)
        now = clock.now()
        kind = next(iter(QualificationType.objects.lock_shared([type_id])), None)
        if kind is None:
            raise _NOT_REQUESTABLE
        latest = latest_request(kind, worker)
        if latest and latest.state == RequestState.TESTING:
            if not latest.is_lapsed(now):
                return latest
            QualificationRequest.objects.filter(pk=latest.pk, state=RequestState.TESTING).update(
                state=RequestState.LAPSED
            )
        refusal = why_not_ask(kind, worker, now)
        if refusal:
            raise refusal
        return _make_request(kind, worker, now)


def _make_request(kind: QualificationType, worker: Worker, now: datetime) -> QualificationRequest:
    request = QualificationRequest(qualification_type=kind, worker=worker, requested_at=now)
    if kind.test_duration is not None:
        request.state = RequestState.TESTING
        request.test, request.answer_key = kind.test, kind.answer_key
        request.deadline_at = now + kind.test_duration
    else:
        request.state, request.submitted_at = RequestState.PENDING, now
        if kind.auto_granted_value is not None:
            request.state, request.decided_at = RequestState.GRANTED, now
            request.value = kind.auto_granted_value
            grant(kind, worker, kind.auto_granted_value, now=now)
    request.save()
    return request


def submit_test(request_id: str, worker: Worker, answers: Sequence[FormAnswer]) -> QualificationRequest:
    """Score the Worker's test and grant what it earns, or hand it to the requester; raises Refused."""
    with transaction.atomic():
        request = (
            QualificationRequest.objects.select_related("qualification_type")
            .select_for_update(no_key=True, of=("self",))
            .filter(mturk_id=request_id, worker=worker)
            .exclude(test="")
            .first()
        )
        now = clock.now()
        if request is None:
            raise _NO_SUCH
        _check_submittable(request, now)
        request.answer, request.submitted_at = form_document(answers), now
        request.state = RequestState.PENDING
        if request.answer_key:
            request.state, request.decided_at = RequestState.GRANTED, now
            request.value = _score(request, answers)
            grant(request.qualification_type, worker, request.value, now=now)
        request.save()
    return request


def _check_submittable(request: QualificationRequest, now: datetime) -> None:
    if request.is_lapsed(now):
        raise _TOO_LATE
    if request.state != RequestState.TESTING:
        raise _SUBMITTED if request.submitted_at else _WITHDRAWN


def _score(request: QualificationRequest, answers: Sequence[FormAnswer]) -> int:
    key = read_answer_key(request.answer_key, read_question_form(request.test))
    return key.value({answer.identifier: frozenset(answer.selections) for answer in answers})


# What is granted ---------------------------------------------------------------------------------


def grant(kind: QualificationType, worker: Worker, value: int | None, *, now: datetime) -> Qualification:
    """The Qualification that the Worker now has, given anew where they have or had it."""
    held = Qualification(qualification_type=kind, worker=worker, value=value, granted_at=now)
    # One statement, so that two grants at once make one Qualification and the later value stays.
    Qualification.objects.bulk_create(
        [held],
        update_conflicts=True,
        unique_fields=["qualification_type", "worker"],
        update_fields=["value", "granted_at", "revoked_at", "revoke_reason"],
    )
    return held


# Types that are deleted --------------------------------------------------------------------------


def delete_type(kind: QualificationType, *, now: datetime) -> None:
    """Delete a type, locked by the caller: open requests are rejected, what Workers hold stays."""
    kind.deleted_at = now
    if not _is_used(kind):
        kind.disposed_at = now
    kind.save(update_fields=["deleted_at", "disposed_at"])
    kind.requests.filter(state__in=OPEN).update(state=RequestState.REJECTED, decided_at=now)


def dispose_deleted_types(now: datetime, *, among: QualificationTypeQuerySet | None = None) -> int:
    """Let go deleted types that no HIT needs any more or whose 48 hours are over, and say how many."""
    done = 0
    types = QualificationType.objects.all() if among is None else among
    with transaction.atomic():
        waiting = types.filter(deleted_at__isnull=False, disposed_at=None)
        for kind in waiting.select_for_update(no_key=True, skip_locked=True).order_by("id"):
            if kind.state(now) != TYPE_DISPOSED and _is_used(kind):
                continue
            kind.disposed_at = now
            kind.save(update_fields=["disposed_at"])
            done += 1
    return done


def hits_requiring(type_id: str) -> HITQuerySet:
    """HITs, not deleted, whose requirements name the type."""
    return HIT.objects.not_deleted().filter(hit_type__in=_types_requiring(type_id))


def _types_requiring(type_id: str) -> QuerySet[HITType]:
    return HITType.objects.filter(qualification_requirements__contains=[{"QualificationTypeId": type_id}])


def _is_used(kind: QualificationType) -> bool:
    return hits_requiring(kind.mturk_id).exists()
