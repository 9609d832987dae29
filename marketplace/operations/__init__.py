"""MTurk's operations, one function each: it gets checked members and gives the answer's."""

from marketplace.call import Call, Operation
from marketplace.operations import account, assignments, hits, qualifications

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
    "ListAssignmentsForHIT": assignments.list_assignments_for_hit,
    "GetAssignment": assignments.get_assignment,
    "ApproveAssignment": assignments.approve_assignment,
    "RejectAssignment": assignments.reject_assignment,
    "CreateQualificationType": qualifications.create_qualification_type,
    "UpdateQualificationType": qualifications.update_qualification_type,
    "GetQualificationType": qualifications.get_qualification_type,
    "ListQualificationTypes": qualifications.list_qualification_types,
    "DeleteQualificationType": qualifications.delete_qualification_type,
    "AssociateQualificationWithWorker": qualifications.associate_qualification_with_worker,
    "DisassociateQualificationFromWorker": qualifications.disassociate_qualification_from_worker,
    "GetQualificationScore": qualifications.get_qualification_score,
    "ListWorkersWithQualificationType": qualifications.list_workers_with_qualification_type,
    "ListQualificationRequests": qualifications.list_qualification_requests,
    "AcceptQualificationRequest": qualifications.accept_qualification_request,
    "RejectQualificationRequest": qualifications.reject_qualification_request,
    "ListHITsForQualificationType": qualifications.list_hits_for_qualification_type,
}

__all__ = ["OPERATIONS", "Call", "Operation"]
