"""Names and order of what is exported. The CSV has the requester site's columns, to the letter."""

from collections.abc import Sequence

RESULT_COLUMNS = [
    "HITId",
    "HITTypeId",
    "Title",
    "Description",
    "Keywords",
    "Reward",
    "CreationTime",
    "MaxAssignments",
    "RequesterAnnotation",
    "AssignmentDurationInSeconds",
    "AutoApprovalDelayInSeconds",
    "Expiration",
    "NumberOfSimilarHITs",
    "LifetimeInSeconds",
    "AssignmentId",
    "WorkerId",
    "AssignmentStatus",
    "AcceptTime",
    "SubmitTime",
    "AutoApprovalTime",
    "ApprovalTime",
    "RejectionTime",
    "RequesterFeedback",
    "WorkTimeInSeconds",
    "LifetimeApprovalRate",
    "Last30DaysApprovalRate",
    "Last7DaysApprovalRate",
]
DECISION_COLUMNS = ["Approve", "Reject"]


def result_header(inputs: Sequence[str], answers: Sequence[str]) -> list[str]:
    """The header of a batch: input columns in the order of the upload, answer fields sorted as text."""
    return [
        *RESULT_COLUMNS,
        *(f"Input.{name}" for name in inputs),
        *(f"Answer.{name}" for name in sorted(answers)),
        *DECISION_COLUMNS,
    ]
