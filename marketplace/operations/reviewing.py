"""HITs that wait for a review, and what review policies found and did."""

from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from marketplace import outbox
from marketplace.call import Call, Members
from marketplace.errors import hit_does_not_exist, hit_type_does_not_exist, invalid_hit_state
from marketplace.models import HIT, HITType, ReviewAction, ReviewResult
from marketplace.models.hit import REVIEWABLE, REVIEWING
from marketplace.models.review import PolicyLevel
from marketplace.operations.hits import lock_hit, visible_hits
from marketplace.operations.shown import show_hit
from marketplace.paging import DEFAULT_MAX_RESULTS, next_token, read_token

_Row = TypeVar("_Row", ReviewResult, ReviewAction)


def list_reviewable_hits(call: Call, members: Members) -> Members:
    """A page of the HITs nobody works on any more, newest first; as on MTurk only their ids."""
    position = read_token(call, members)
    hits = HIT.objects.listed(call.now).filter(
        Q(expires_at__lte=call.now)
        | Q(max_assignments=F("pending_count") + F("submitted_count") + F("completed_count")),
        requester_id=call.requester_id,
        pending_count=0,
        reviewing=members.get("Status") == REVIEWING,
    )
    if "HITTypeId" in members:
        hit_type = HITType.objects.filter(requester=call.requester_id, mturk_id=members["HITTypeId"]).first()
        if hit_type is None:
            raise hit_type_does_not_exist(members["HITTypeId"])
        hits = hits.filter(hit_type=hit_type)
    if position is not None:
        hits = hits.filter(id__lt=position)
    page = list(
        hits.select_related("hit_type").order_by("-id")[: members.get("MaxResults", DEFAULT_MAX_RESULTS)]
    )
    return {
        "NumResults": len(page),
        "HITs": [
            show_hit(hit, call.now) if settings.REVIEWABLE_HITS_IN_FULL else {"HITId": hit.mturk_id}
            for hit in page
        ],
        "NextToken": next_token(call, members, page[-1].pk) if page else None,
    }


@transaction.atomic
def update_hit_review_status(call: Call, members: Members) -> None:
    """Reviewable to Reviewing, or with Revert back again."""
    hit = lock_hit(call, members["HITId"])
    reverts = members.get("Revert", False)
    status, allowed = hit.status(call.now), REVIEWING if reverts else REVIEWABLE
    if status != allowed:
        raise invalid_hit_state(status, allowed)
    hit.reviewing = not reverts
    hit.last_activity_at = call.now
    hit.save(update_fields=["reviewing", "last_activity_at"])
    if reverts:
        outbox.announce("HITReviewable", [hit], now=call.now)


def list_review_policy_results_for_hit(call: Call, members: Members) -> Members:
    """What the HIT's policies found and did; a page has the results first, then the actions, each as time went."""
    in_results, after = read_token(call, members) or [True, 0]
    hit = visible_hits(call.requester_id, call.now).filter(mturk_id=members["HITId"]).first()
    if hit is None:
        raise hit_does_not_exist(members["HITId"])
    levels = members.get("PolicyLevels") or list(PolicyLevel.values)
    most = members.get("MaxResults", DEFAULT_MAX_RESULTS)
    results: list[ReviewResult] = []
    actions: list[ReviewAction] = []
    if in_results and members.get("RetrieveResults", True):
        found = ReviewResult.objects.select_related("action").filter(hit=hit, level__in=levels)
        results = _page(found, after, most)
    if members.get("RetrieveActions", True) and len(results) < most:
        done = ReviewAction.objects.filter(hit=hit, level__in=levels)
        actions = _page(done, 0 if in_results else after, most - len(results))
    last = actions[-1] if actions else results[-1] if results else None
    answer: Members = {
        "HITId": hit.mturk_id,
        "AssignmentReviewReport": _report(PolicyLevel.ASSIGNMENT, results, actions),
        "HITReviewReport": _report(PolicyLevel.HIT, results, actions),
        "NextToken": next_token(call, members, [not actions, last.pk]) if last else None,
    }
    # A policy is shown by name alone where it was looked at.
    if hit.assignment_review_policy and PolicyLevel.ASSIGNMENT in levels:
        answer["AssignmentReviewPolicy"] = {"PolicyName": hit.assignment_review_policy["PolicyName"]}
    if hit.hit_review_policy and PolicyLevel.HIT in levels:
        answer["HITReviewPolicy"] = {"PolicyName": hit.hit_review_policy["PolicyName"]}
    return answer


def _page(rows: "QuerySet[_Row]", after: int, most: int) -> list[_Row]:
    return list(rows.filter(id__gt=after).order_by("id")[:most])


def _report(level: PolicyLevel, results: list[ReviewResult], actions: list[ReviewAction]) -> Members:
    return {
        "ReviewResults": [_show_result(result) for result in results if result.level == level],
        "ReviewActions": [_show_action(action) for action in actions if action.level == level],
    }


def _show_result(result: ReviewResult) -> Members:
    return {
        "ActionId": result.action.mturk_id,
        "SubjectId": result.subject_id,
        "SubjectType": result.subject_type,
        "QuestionId": result.question_id or None,
        "Key": result.key,
        "Value": result.value,
    }


def _show_action(action: ReviewAction) -> Members:
    return {
        "ActionId": action.mturk_id,
        "ActionName": action.name,
        "TargetId": action.target_id,
        "TargetType": action.target_type,
        "Status": "Failed" if action.error_code else "Succeeded",
        "CompleteTime": action.completed_at,
        "Result": action.result,
        "ErrorCode": action.error_code or None,
    }
