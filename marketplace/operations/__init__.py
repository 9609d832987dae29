"""MTurk's operations, one function each: it gets checked members and gives the answer's."""

from marketplace.call import Call, Operation
from marketplace.operations import (
    account,
    assignments,
    bonuses,
    hits,
    notifications,
    reviewing,
    workers,
)

OPERATIONS: dict[str, Operation] = {
    "GetAccountBalance": account.get_account_balance,
    "CreateHITType": hits.create_hit_type,
    "CreateHITWithHITType": hits.create_hit_with_hit_type,
    "CreateHIT": hits.create_hit,
    "GetHIT": hits.get_hit,
    "ListHITs": hits.list_hits,
    "UpdateExpirationForHIT": hits.update_expiration_for_hit,
    "CreateAdditionalAssignmentsForHIT": hits.create_additional_assignments_for_hit,
    "DeleteHIT": hits.delete_hit,
    "UpdateHITTypeOfHIT": hits.update_hit_type_of_hit,
    "ListReviewableHITs": reviewing.list_reviewable_hits,
    "UpdateHITReviewStatus": reviewing.update_hit_review_status,
    "ListReviewPolicyResultsForHIT": reviewing.list_review_policy_results_for_hit,
    "UpdateNotificationSettings": notifications.update_notification_settings,
    "SendTestEventNotification": notifications.send_test_event_notification,
    "ListAssignmentsForHIT": assignments.list_assignments_for_hit,
    "GetAssignment": assignments.get_assignment,
    "ApproveAssignment": assignments.approve_assignment,
    "RejectAssignment": assignments.reject_assignment,
    "GetFileUploadURL": assignments.get_file_upload_url,
    "SendBonus": bonuses.send_bonus,
    "ListBonusPayments": bonuses.list_bonus_payments,
    "CreateWorkerBlock": workers.create_worker_block,
    "DeleteWorkerBlock": workers.delete_worker_block,
    "ListWorkerBlocks": workers.list_worker_blocks,
    "NotifyWorkers": workers.notify_workers,
}

__all__ = ["OPERATIONS", "Call", "Operation"]
