"""What the API answers when it refuses: MTurk's own kinds of error, codes and sentences."""

import time
from dataclasses import dataclass

_PREFIX = "AWS.MechanicalTurk."


@dataclass
class ApiError(Exception):
    """A refusal on its way to the caller: a `__type`, a message and, for MTurk's own kinds, a code."""

    kind: str
    message: str
    code: str = ""
    http_status: int = 400

    def __post_init__(self) -> None:
        super().__init__(self.message)

    @property
    def full_code(self) -> str:
        """The TurkErrorCode as the API spells it, or the kind of error where it has none."""
        return _PREFIX + self.code if self.code else self.kind

    def body(self) -> dict[str, str]:
        """The answer as JSON members. MTurk's own messages end with the server's time in milliseconds."""
        if self.kind not in {"RequestError", "ServiceFault", "ParameterValidationError"}:
            return {"__type": self.kind, "message": self.message}
        body = {"__type": self.kind, "Message": f"{self.message} ({int(time.time() * 1000)})"}
        if self.code:
            body["TurkErrorCode"] = _PREFIX + self.code
        return body


def request_error(code: str, message: str) -> ApiError:
    """The request is well-formed and cannot be granted; `code` is a TurkErrorCode without its prefix."""
    return ApiError("RequestError", message, code)


def invalid(message: str) -> ApiError:
    """A member's value is wrong, in words."""
    return ApiError("ParameterValidationError", message)


def invalid_value(parameter: str, value: object) -> ApiError:
    """A member's value is wrong, in MTurk's own sentence."""
    return invalid(f'The value "{_shown(value)}" is not valid for the parameter {parameter}.')


def _shown(value: object) -> str:
    text = str(value).replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()
    # A refused Question of 70 kB need not travel back.
    return text if len(text) <= 200 else text[:200] + "…"


def serialization_error(message: str) -> ApiError:
    """The body is no JSON, or a member has the wrong type."""
    return ApiError("SerializationException", message)


def unknown_operation() -> ApiError:
    return ApiError(
        "UnknownOperationException", "The operation named in X-Amz-Target is not recognized by the service."
    )


def service_fault() -> ApiError:
    return ApiError(
        "ServiceFault",
        "The service could not process the request. Try again.",
        "ServiceFault",
        http_status=500,
    )


def hit_does_not_exist(hit_id: str) -> ApiError:
    return request_error("HITDoesNotExist", f"Hit {hit_id} does not exist.")


def hit_type_does_not_exist(hit_type_id: str) -> ApiError:
    return request_error("HITTypeDoesNotExist", f"HITType {hit_type_id} does not exist.")


def assignment_does_not_exist(assignment_id: str) -> ApiError:
    return request_error("AssignmentDoesNotExist", f"Assignment {assignment_id} does not exist.")


def invalid_hit_state(status: str, allowed: str) -> ApiError:
    # Two spaces after the full stop, as MTurk writes it.
    return request_error(
        "InvalidHITState",
        f"This HIT is currently in the state '{status}'.  "
        f"This operation can be called with a status of: {allowed}",
    )


def invalid_assignment_state(allowed: str) -> ApiError:
    return request_error(
        "InvalidAssignmentState", f"This operation can be called with a status of: {allowed}"
    )


def insufficient_funds() -> ApiError:
    return request_error(
        "InsufficientFunds",
        "This Requester has insufficient funds in their account to complete this transaction. "
        "Please visit https://requester.mturk.com/prepayments/new to purchase Prepaid HITs.",
    )


def hit_already_exists(hit_id: str) -> ApiError:
    return request_error("HitAlreadyExists", f'The HIT with ID "{hit_id}" already exists.')


def token_already_processed(token: str, request_id: str) -> ApiError:
    # MTurk's code for this repeat is not known; this one is ours.
    return request_error(
        "DuplicateRequest",
        f'The idempotency token "{token}" has already been processed. The request id was {request_id}.',
    )


def qualification_type_does_not_exist(type_id: str) -> ApiError:
    return request_error("QualificationTypeDoesNotExist", f"QualificationType {type_id} does not exist.")


def qualification_does_not_exist(type_id: str, worker_id: str) -> ApiError:
    return request_error(
        "QualificationDoesNotExist", f"Worker {worker_id} has no Qualification of the type {type_id}."
    )


def qualification_request_does_not_exist(request_id: str) -> ApiError:
    return request_error(
        "QualificationRequestDoesNotExist", f"QualificationRequest {_shown(request_id)} does not exist."
    )


def qualification_type_already_exists() -> ApiError:
    return request_error(
        "QualificationTypeAlreadyExists",
        "You have already created a QualificationType with this name. "
        "A QualificationType's name must be unique among all of the QualificationTypes created by the same user.",
    )


def invalid_qualification_type_state(state: str, allowed: str) -> ApiError:
    return _in_state("InvalidQualificationTypeState", "QualificationType", state, allowed)


def invalid_qualification_state(state: str, allowed: str) -> ApiError:
    return _in_state("InvalidQualificationState", "Qualification", state, allowed)


def invalid_qualification_request_state(state: str, allowed: str) -> ApiError:
    return _in_state("InvalidQualificationRequestState", "QualificationRequest", state, allowed)


def _in_state(code: str, thing: str, state: str, allowed: str) -> ApiError:
    return request_error(
        code,
        f"This {thing} is currently in the state '{state}'.  "
        f"This operation can be called with a status of: {allowed}",
    )


def permission_denied(thing: str, mturk_id: str) -> ApiError:
    return request_error("PermissionDeniedException", f"{thing} {mturk_id} is not yours.")
