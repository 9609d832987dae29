"""Blocks Workers, and writes to them."""

from django.db import transaction

from marketplace import letters
from marketplace.call import Call, Members
from marketplace.errors import invalid, invalid_value
from marketplace.models import Assignment, Worker, WorkerBlock
from marketplace.models.assignment import AssignmentState
from marketplace.paging import DEFAULT_MAX_RESULTS, next_token, read_token

MAX_BLOCKS = 100_000
MAX_REASON = 2000
MAX_RECIPIENTS = 100
_TEXT_LIMITS = {"Subject": letters.LONGEST_SUBJECT, "MessageText": 4096}
_HARD, _SOFT = "HardFailure", "SoftFailure"


def create_worker_block(call: Call, members: Members) -> None:
    """Keep a Worker from the requester's HITs; blocking them again replaces the reason."""
    _check_reason(members)
    worker_id = members["WorkerId"]
    theirs = WorkerBlock.objects.filter(requester=call.requester_id)
    if not theirs.filter(worker_mturk_id=worker_id).exists() and theirs.count() >= MAX_BLOCKS:
        raise invalid(f"You have blocked {MAX_BLOCKS} Workers, which is the most. Unblock somebody first.")
    WorkerBlock.objects.update_or_create(
        requester_id=call.requester_id,
        worker_mturk_id=worker_id,
        defaults={"reason": members["Reason"]},
        create_defaults={"reason": members["Reason"], "created_at": call.now},
    )


def delete_worker_block(call: Call, members: Members) -> None:
    """Let a Worker do the requester's HITs again; whoever is not blocked stays so."""
    _check_reason(members)
    WorkerBlock.objects.filter(requester=call.requester_id, worker_mturk_id=members["WorkerId"]).delete()


def _check_reason(members: Members) -> None:
    if len(members.get("Reason", "")) > MAX_REASON:
        raise invalid_value("Reason", members["Reason"])


def list_worker_blocks(call: Call, members: Members) -> Members:
    """A page of the Workers whom the requester has blocked, first blocked first."""
    position = read_token(call, members)
    blocks = WorkerBlock.objects.filter(requester=call.requester_id)
    if position is not None:
        blocks = blocks.filter(id__gt=position)
    page = list(blocks.order_by("id")[: members.get("MaxResults", DEFAULT_MAX_RESULTS)])
    return {
        "NumResults": len(page),
        "WorkerBlocks": [{"WorkerId": block.worker_mturk_id, "Reason": block.reason} for block in page],
        "NextToken": next_token(call, members, page[-1].pk) if page else None,
    }


@transaction.atomic
def notify_workers(call: Call, members: Members) -> Members:
    """Write to Workers whose work the requester has decided about; each one who cannot be reached is named."""
    for name, longest in _TEXT_LIMITS.items():
        if not 1 <= len(members[name]) <= longest:
            raise invalid_value(name, members[name])
    asked = list(dict.fromkeys(members["WorkerIds"]))
    if not 1 <= len(members["WorkerIds"]) <= MAX_RECIPIENTS:
        raise invalid(
            f"There are {len(members['WorkerIds'])} WorkerIds; 1 to {MAX_RECIPIENTS} can be written to."
        )
    known = {worker.mturk_id: worker for worker in _decided_about(call, asked)}
    reached = [worker for worker in known.values() if worker.is_active]
    letters.write(call.requester_id, reached, members["Subject"], members["MessageText"], now=call.now)
    return {
        "NotifyWorkersFailureStatuses": [
            _failure(worker_id, known.get(worker_id))
            for worker_id in asked
            if worker_id not in known or not known[worker_id].is_active
        ]
    }


def _decided_about(call: Call, worker_ids: list[str]) -> list[Worker]:
    decided = Assignment.objects.filter(
        hit__requester=call.requester_id, state__in=[AssignmentState.APPROVED, AssignmentState.REJECTED]
    )
    workers = Worker.objects.filter(mturk_id__in=worker_ids)
    return [worker for worker in workers if decided.filter(worker=worker).exists()]


def _failure(worker_id: str, worker: Worker | None) -> Members:
    if worker is None:
        code, why = _HARD, "is unknown, or you have not approved or rejected any work of theirs"
    else:
        code, why = _SOFT, "cannot be reached at the moment, for their account is switched off"
    return {
        "NotifyWorkersFailureCode": code,
        "NotifyWorkersFailureMessage": f"The Worker {worker_id} {why}. Nothing was sent to them.",
        "WorkerId": worker_id,
    }
