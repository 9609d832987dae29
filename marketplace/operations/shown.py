"""HITs and Assignments as the API shows them."""

from datetime import datetime

from marketplace.call import Members
from marketplace.models import HIT, Assignment
from marketplace.models.assignment import ASSIGNMENT_STATUS


def show_hit(hit: HIT, now: datetime) -> Members:
    """A complete HIT, with its HITType's properties."""
    hit_type = hit.hit_type
    return {
        "HITId": hit.mturk_id,
        "HITTypeId": hit_type.mturk_id,
        "HITGroupId": hit_type.group_mturk_id,
        "HITLayoutId": hit.layout_mturk_id or None,
        "CreationTime": hit.created_at,
        "Title": hit_type.title,
        "Description": hit_type.description,
        "Question": hit.question,
        "Keywords": hit_type.keywords or None,
        "HITStatus": hit.status(now),
        "MaxAssignments": hit.max_assignments,
        "Reward": f"{hit_type.reward:.2f}",
        "AutoApprovalDelayInSeconds": int(hit_type.auto_approval_delay.total_seconds()),
        "Expiration": hit.expires_at,
        "AssignmentDurationInSeconds": int(hit_type.assignment_duration.total_seconds()),
        "RequesterAnnotation": hit.requester_annotation or None,
        "QualificationRequirements": hit_type.qualification_requirements,
        # Nothing in this version of the API ever sets another.
        "HITReviewStatus": "NotReviewed",
        "NumberOfAssignmentsPending": hit.pending_count,
        "NumberOfAssignmentsAvailable": hit.available_count,
        "NumberOfAssignmentsCompleted": hit.completed_count,
    }


def show_assignment(assignment: Assignment, *, hit_id: str) -> Members:
    """A submitted Assignment; `hit_id` is its HIT's id at MTurk."""
    return {
        "AssignmentId": assignment.mturk_id,
        "WorkerId": assignment.worker.mturk_id,
        "HITId": hit_id,
        "AssignmentStatus": ASSIGNMENT_STATUS[assignment.state],
        "AutoApprovalTime": assignment.auto_approval_at,
        "AcceptTime": assignment.accepted_at,
        "SubmitTime": assignment.submitted_at,
        "ApprovalTime": assignment.approved_at,
        "RejectionTime": assignment.rejected_at,
        "Deadline": assignment.deadline_at,
        "Answer": assignment.answer,
        "RequesterFeedback": assignment.requester_feedback or None,
    }
