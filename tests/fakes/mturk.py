"""FakeMTurk: MTurkGateway in memory, with MTurk's tokens, states, counters, money and errors.

Workers act through `accept`, `submit` and `give_back`, time through `advance`. `fail` makes calls go wrong,
before or after they took effect. The contract suite holds it against a market over HTTP.
"""

import secrets
import string
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any

from botocore import exceptions as boto

from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.failures import explain
from mturkhub.gateway.fees import bonus_fee, fee_per_assignment
from mturkhub.gateway.records import AccountBalance, RemoteAssignment, RemoteBonus, RemoteHIT, RemoteTerms
from tests.factories.projects import answer_xml

WHERE = "FakeMTurk"
TOKEN_MEMORY = timedelta(hours=24)
RETENTION = timedelta(days=120)
OVERTURN_WITHIN = timedelta(days=30)


# Errors ------------------------------------------------------------------------------------------


def refusal(operation: str, code: str, message: str, kind: str = "RequestError") -> MTurkError:
    """MTurk's own no, explained as the real gateway explains it."""
    answer: Any = {
        "Error": {"Code": kind, "Message": f"{message} (1624047673908)"},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "fake"},
    }
    if code:
        answer["TurkErrorCode"] = f"AWS.MechanicalTurk.{code}"
    return explain(boto.ClientError(answer, operation), operation=operation, where=WHERE)


def lost_answer(operation: str) -> MTurkError:
    """The answer did not come in time: nobody knows whether it happened."""
    return explain(boto.ReadTimeoutError(endpoint_url=WHERE), operation=operation, where=WHERE)


def unreachable(operation: str) -> MTurkError:
    """No connection was made, so nothing happened."""
    return explain(boto.EndpointConnectionError(endpoint_url=WHERE), operation=operation, where=WHERE)


def throttled(operation: str) -> MTurkError:
    """MTurk wants us to slow down; nothing happened."""
    return refusal(operation, "", "Rate exceeded", kind="ThrottlingException")


def insufficient_funds(operation: str) -> MTurkError:
    return refusal(operation, "InsufficientFunds", "This Requester has insufficient funds in their account.")


# What is remembered ------------------------------------------------------------------------------


@dataclass
class FakeHIT:
    """A HIT with what MTurk stores; its counters and status are derived, as MTurk's are."""

    hit_id: str
    hit_type_id: str
    question: str
    annotation: str
    max_assignments: int
    created_at: datetime
    expires_at: datetime
    price_each: Decimal
    title: str
    reward: Decimal
    is_reviewing: bool = False
    disposed_at: datetime | None = None
    assignments: "list[FakeAssignment]" = field(default_factory=list)

    def count(self, *statuses: str) -> int:
        return sum(assignment.status in statuses for assignment in self.assignments)

    @property
    def available(self) -> int:
        return self.max_assignments - self.count("Accepted", "Submitted", "Approved", "Rejected")

    def status(self, now: datetime) -> str:
        if self.disposed_at:
            return "Disposed"
        if self.available > 0 and self.expires_at > now:
            return "Assignable"
        if self.count("Accepted"):
            return "Unassignable"
        return "Reviewing" if self.is_reviewing else "Reviewable"

    def held(self, now: datetime) -> Decimal:
        """What is on hold: for every slot that can still be paid, free ones only while they can be taken."""
        free = self.available if self.expires_at > now and not self.disposed_at else 0
        return self.price_each * (free + self.count("Accepted", "Submitted"))

    def record(self, now: datetime) -> RemoteHIT:
        return RemoteHIT(
            hit_id=self.hit_id,
            hit_type_id=self.hit_type_id,
            hit_group_id=f"3GROUP{self.hit_type_id[1:]}"[:30],
            hit_status=self.status(now),
            max_assignments=self.max_assignments,
            available=self.available,
            pending=self.count("Accepted"),
            completed=self.count("Approved", "Rejected"),
            created_at=self.created_at,
            expires_at=self.expires_at,
            requester_annotation=self.annotation,
            title=self.title,
            reward=self.reward,
        )


@dataclass
class FakeAssignment:
    """One Worker's go; `status` is Accepted until submitted, and Gone once returned or abandoned."""

    assignment_id: str
    hit: FakeHIT
    worker_id: str
    accepted_at: datetime
    deadline_at: datetime
    status: str = "Accepted"
    submitted_at: datetime | None = None
    auto_approval_at: datetime | None = None
    approved_at: datetime | None = None
    rejected_at: datetime | None = None
    feedback: str = ""
    answer: str = ""

    def record(self) -> RemoteAssignment:
        assert self.submitted_at is not None
        return RemoteAssignment(
            assignment_id=self.assignment_id,
            hit_id=self.hit.hit_id,
            worker_id=self.worker_id,
            status=self.status,
            accepted_at=self.accepted_at,
            submitted_at=self.submitted_at,
            deadline_at=self.deadline_at,
            auto_approval_at=self.auto_approval_at,
            approved_at=self.approved_at,
            rejected_at=self.rejected_at,
            feedback=self.feedback,
            answer=self.answer,
        )


@dataclass
class _Fault:
    error: Callable[[str], MTurkError]
    happens: bool


def _operation(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A call to MTurk: counted, one at a time, and going wrong when a test wants it to."""

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(self: "FakeMTurk", *args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self.calls[name] += 1
                faults = self._faults.get(name)
                fault = faults.popleft() if faults else None
                if fault and not fault.happens:
                    raise fault.error(name)
                self._let_time_act()
                result = method(self, *args, **kwargs)
                if fault:
                    raise fault.error(name)
                return result

        return call

    return decorate


# The market --------------------------------------------------------------------------------------


class FakeMTurk:
    """One requester's MTurk."""

    def __init__(
        self,
        *,
        balance: str = "10000.00",
        fee_schedule: str = "mturk",
        page_size: int = 100,
        hidden_tokens: bool = False,
    ) -> None:
        self.now = datetime.now(UTC)
        self.deposited = Decimal(balance)
        self.paid = Decimal("0.00")
        self.fee_schedule = fee_schedule
        self.page_size = page_size
        # Whether the same expiration twice is an error, as at MTurk itself.
        self.hidden_tokens = hidden_tokens
        self.hits: dict[str, FakeHIT] = {}
        self.hit_types: dict[str, dict[str, Any]] = {}
        self.assignments: dict[str, FakeAssignment] = {}
        self.bonuses: list[RemoteBonus] = []
        # HITTypeId → the queue its events go to; and the queues that test events were sent to.
        self.notified: dict[str, str] = {}
        self.test_events: list[str] = []
        # Operation → how often it was called.
        self.calls: Counter[str] = Counter()
        self._tokens: dict[tuple[str, str], tuple[str, datetime]] = {}
        self._faults: dict[str, deque[_Fault]] = {}
        self._lock = threading.RLock()
        # Whether time may have something to do; looking at everything on each call would be slow.
        self._has_moved = False

    # What tests do to it

    def fail(
        self,
        operation: str,
        error: Callable[[str], MTurkError] = lost_answer,
        *,
        happens: bool = False,
        times: int = 1,
    ) -> None:
        """The next `times` calls of the operation, say "GetHIT", raise; with `happens` afterwards."""
        self._faults.setdefault(operation, deque()).extend([_Fault(error, happens)] * times)

    def advance(self, by: timedelta) -> None:
        with self._lock:
            self.now += by
            self._has_moved = True
            self._let_time_act()

    def accept(self, hit_id: str, worker_id: str) -> str:
        """A Worker takes a slot; the AssignmentId."""
        with self._lock:
            self._let_time_act()
            hit = self.hits[hit_id]
            assert hit.status(self.now) == "Assignable", f"{hit_id} is {hit.status(self.now)}"
            mine = [each for each in hit.assignments if each.worker_id == worker_id and each.status != "Gone"]
            assert not mine, f"{worker_id} has {hit_id} already"
            duration = self.hit_types[hit.hit_type_id]["assignment_duration"]
            assignment = FakeAssignment(_new_id(), hit, worker_id, self.now, self.now + duration)
            hit.assignments.append(assignment)
            self.assignments[assignment.assignment_id] = assignment
            return assignment.assignment_id

    def submit(
        self, hit_id: str, worker_id: str, fields: Mapping[str, str] | None = None, *, xml: str | None = None
    ) -> str:
        """A Worker answers, accepting first where they have not; the AssignmentId."""
        with self._lock:
            self._let_time_act()
            assignment = self._held(hit_id, worker_id) or self.assignments[self.accept(hit_id, worker_id)]
            delay = self.hit_types[assignment.hit.hit_type_id]["auto_approval_delay"]
            assignment.status = "Submitted"
            assignment.submitted_at = self.now
            assignment.auto_approval_at = self.now + delay
            self._has_moved = self._has_moved or not delay
            values = {name: [value] for name, value in (fields or {"sentiment": "7"}).items()}
            assignment.answer = answer_xml(values) if xml is None else xml
            return assignment.assignment_id

    def give_back(self, hit_id: str, worker_id: str) -> None:
        """A Worker returns what they accepted."""
        with self._lock:
            assignment = self._held(hit_id, worker_id)
            assert assignment, f"{worker_id} does not hold {hit_id}"
            assignment.status = "Gone"

    def _held(self, hit_id: str, worker_id: str) -> FakeAssignment | None:
        held = (each for each in self.hits[hit_id].assignments if each.status == "Accepted")
        return next((each for each in held if each.worker_id == worker_id), None)

    def _let_time_act(self) -> None:
        if not self._has_moved:
            return
        self._has_moved = False
        for assignment in self.assignments.values():
            if assignment.status == "Accepted" and assignment.deadline_at <= self.now:
                assignment.status = "Gone"
            due = assignment.auto_approval_at
            if assignment.status == "Submitted" and due is not None and due <= self.now:
                self._pay(assignment, at=due)

    def buy_calls(self, wanted: int) -> int:
        """All of them: nothing holds its calls up."""
        return wanted

    # Notifications: nothing is sent, tests put events into queues themselves

    @_operation("UpdateNotificationSettings")
    def update_notification_settings(
        self, hit_type_id: str, *, queue_url: str, event_types: Sequence[str] = ()
    ) -> None:
        if hit_type_id not in self.hit_types:
            raise refusal("UpdateNotificationSettings", "HITTypeDoesNotExist", f"No {hit_type_id}.")
        self.notified[hit_type_id] = queue_url

    @_operation("SendTestEventNotification")
    def send_test_event_notification(self, queue_url: str) -> None:
        self.test_events.append(queue_url)

    # Account

    @_operation("GetAccountBalance")
    def get_account_balance(self) -> AccountBalance:
        held = self._on_hold()
        return AccountBalance(available=self._available(), on_hold=held or None)

    def _on_hold(self) -> Decimal:
        return sum((hit.held(self.now) for hit in self.hits.values()), Decimal("0.00"))

    def _available(self) -> Decimal:
        return self.deposited - self.paid - self._on_hold()

    def _check_funds(self, operation: str, amount: Decimal) -> None:
        if amount > self._available():
            raise insufficient_funds(operation)

    # HITs

    @_operation("CreateHITType")
    def create_hit_type(
        self,
        *,
        title: str,
        description: str,
        keywords: str,
        reward: Decimal,
        assignment_duration: timedelta,
        auto_approval_delay: timedelta,
        qualification_requirements: Sequence[dict[str, Any]] = (),
    ) -> str:
        properties = {
            "title": title,
            "description": description,
            "keywords": keywords,
            "reward": Decimal(reward),
            "assignment_duration": assignment_duration,
            "auto_approval_delay": auto_approval_delay,
            "qualification_requirements": list(qualification_requirements),
        }
        for name, value, limit in (
            ("Title", title, 128),
            ("Description", description, 2000),
            ("Keywords", keywords, 1000),
        ):
            if len(value) > limit:
                raise _invalid("CreateHITType", name, value)
        for hit_type_id, known in self.hit_types.items():
            if known == properties:
                return hit_type_id
        hit_type_id = _new_id()
        self.hit_types[hit_type_id] = properties
        return hit_type_id

    @_operation("CreateHITWithHITType")
    def create_hit_with_hit_type(
        self,
        *,
        hit_type_id: str,
        question: str,
        lifetime: timedelta,
        max_assignments: int,
        requester_annotation: str,
        unique_request_token: str,
    ) -> RemoteHIT:
        operation = "CreateHITWithHITType"
        if len(question.encode()) > 65_535 or any(character > "\uffff" for character in question):
            raise _invalid(operation, "Question", question[:50])
        if len(requester_annotation) > 255:
            raise _invalid(operation, "RequesterAnnotation", requester_annotation)
        if not timedelta(seconds=30) <= lifetime <= timedelta(days=365):
            raise _invalid(operation, "LifetimeInSeconds", str(int(lifetime.total_seconds())))
        known = self._known_token("hit", unique_request_token)
        if known:
            raise refusal(operation, "HitAlreadyExists", f'The HIT with ID "{known}" already exists.')
        if hit_type_id not in self.hit_types:
            raise refusal(operation, "HITTypeDoesNotExist", f"HITType {hit_type_id} does not exist.")
        reward = self.hit_types[hit_type_id]["reward"]
        price_each = reward + fee_per_assignment(reward, max_assignments, self.fee_schedule)
        self._check_funds(operation, price_each * max_assignments)
        hit = FakeHIT(
            hit_id=_new_id(),
            hit_type_id=hit_type_id,
            question=question,
            annotation=requester_annotation,
            max_assignments=max_assignments,
            created_at=self.now,
            expires_at=self.now + lifetime,
            price_each=price_each,
            title=self.hit_types[hit_type_id]["title"],
            reward=reward,
        )
        self.hits[hit.hit_id] = hit
        self._tokens["hit", unique_request_token] = (hit.hit_id, self.now)
        return hit.record(self.now)

    @_operation("GetHIT")
    def get_hit(self, hit_id: str) -> RemoteHIT:
        return self._hit("GetHIT", hit_id).record(self.now)

    @_operation("GetHIT")
    def get_hit_terms(self, hit_id: str) -> RemoteTerms:
        hit = self._hit("GetHIT", hit_id)
        of_type = self.hit_types[hit.hit_type_id]
        return RemoteTerms(
            description=of_type["description"],
            keywords=of_type["keywords"],
            assignment_duration=of_type["assignment_duration"],
            auto_approval_delay=of_type["auto_approval_delay"],
            qualification_requirements=of_type["qualification_requirements"],
            question=hit.question,
        )

    def list_hits(self) -> Iterator[list[RemoteHIT]]:
        before = len(self.hits)
        while page := self._list_page(before):
            yield [record for _, record in page]
            before = page[-1][0]

    @_operation("ListHITs")
    def _list_page(self, before: int) -> list[tuple[int, RemoteHIT]]:
        """Newest first, those made before the given position."""
        older = list(enumerate(self.hits.values()))[:before]
        live = [(number, hit.record(self.now)) for number, hit in reversed(older) if not hit.disposed_at]
        return live[: self.page_size]

    @_operation("UpdateExpirationForHIT")
    def update_expiration_for_hit(self, hit_id: str, *, expire_at: datetime) -> None:
        hit = self._live("UpdateExpirationForHIT", hit_id)
        token = f"{hit_id} {expire_at.isoformat()}"
        if self.hidden_tokens and self._known_token("expiration", token):
            raise _repeated("UpdateExpirationForHIT", token)
        self._tokens["expiration", token] = (hit_id, self.now)
        if expire_at <= self.now:
            hit.expires_at = min(hit.expires_at, self.now)
            return
        if hit.expires_at <= self.now:
            self._check_funds("UpdateExpirationForHIT", hit.price_each * hit.available)
        hit.expires_at = expire_at
        hit.is_reviewing = hit.is_reviewing and hit.available == 0

    @_operation("CreateAdditionalAssignmentsForHIT")
    def create_additional_assignments_for_hit(
        self, hit_id: str, *, number: int, unique_request_token: str
    ) -> None:
        operation = "CreateAdditionalAssignmentsForHIT"
        if self._known_token("more", unique_request_token):
            raise _repeated(operation, unique_request_token)
        hit = self._live(operation, hit_id)
        if hit.max_assignments < 10 <= hit.max_assignments + number:
            raise refusal(operation, "InvalidMaximumAssignmentsIncrease", "9 cannot grow to 10.")
        if hit.expires_at > self.now:
            self._check_funds(operation, hit.price_each * number)
            hit.is_reviewing = False
        hit.max_assignments += number
        self._tokens["more", unique_request_token] = (hit_id, self.now)

    @_operation("DeleteHIT")
    def delete_hit(self, hit_id: str) -> None:
        hit = self._hit("DeleteHIT", hit_id)
        status = hit.status(self.now)
        if status not in ("Reviewable", "Reviewing") or hit.count("Submitted"):
            raise refusal(
                "DeleteHIT",
                "InvalidHITState",
                f"This HIT is currently in the state '{status}'.  This operation can be called with a status "
                "of: Reviewing, Reviewable",
            )
        hit.disposed_at = self.now

    def _known_token(self, family: str, token: str) -> str:
        made, at = self._tokens.get((family, token), ("", self.now))
        return made if self.now - at < TOKEN_MEMORY else ""

    def _hit(self, operation: str, hit_id: str) -> FakeHIT:
        hit = self.hits.get(hit_id)
        if hit is None or (hit.disposed_at and hit.disposed_at + RETENTION <= self.now):
            raise refusal(operation, "HITDoesNotExist", f"Hit {hit_id} does not exist.")
        return hit

    def _live(self, operation: str, hit_id: str) -> FakeHIT:
        hit = self._hit(operation, hit_id)
        if hit.disposed_at:
            raise refusal(operation, "InvalidHITState", "This HIT is currently in the state 'Disposed'.")
        return hit

    # Assignments

    @_operation("ListAssignmentsForHIT")
    def list_assignments_for_hit(self, hit_id: str) -> list[RemoteAssignment]:
        hit = self._hit("ListAssignmentsForHIT", hit_id)
        if hit.disposed_at:
            raise refusal("ListAssignmentsForHIT", "HITDoesNotExist", f"Hit {hit_id} does not exist.")
        submitted = [each for each in hit.assignments if each.status not in ("Accepted", "Gone")]
        return sorted((each.record() for each in submitted), key=lambda record: record.submitted_at)

    @_operation("GetAssignment")
    def get_assignment(self, assignment_id: str) -> RemoteAssignment:
        assignment = self._assignment("GetAssignment", assignment_id)
        if assignment.status == "Accepted":
            raise _wrong_state("GetAssignment", "Reviewable,Approved,Rejected")
        return assignment.record()

    @_operation("ApproveAssignment")
    def approve_assignment(
        self, assignment_id: str, *, feedback: str = "", override_rejection: bool = False
    ) -> None:
        assignment = self._assignment("ApproveAssignment", assignment_id)
        if assignment.status == "Submitted":
            self._pay(assignment, at=self.now)
        elif override_rejection and self._can_be_overturned(assignment):
            self._check_funds("ApproveAssignment", assignment.hit.price_each)
            self._pay(assignment, at=self.now)
        else:
            raise _wrong_state("ApproveAssignment", "Submitted")
        assignment.feedback = feedback or assignment.feedback

    @_operation("RejectAssignment")
    def reject_assignment(self, assignment_id: str, *, feedback: str) -> None:
        assignment = self._assignment("RejectAssignment", assignment_id)
        if assignment.status != "Submitted":
            raise _wrong_state("RejectAssignment", "Submitted")
        assignment.status = "Rejected"
        assignment.rejected_at = self.now
        assignment.feedback = feedback

    def _pay(self, assignment: FakeAssignment, *, at: datetime) -> None:
        assignment.status = "Approved"
        assignment.approved_at = at
        self.paid += assignment.hit.price_each

    def _can_be_overturned(self, assignment: FakeAssignment) -> bool:
        return (
            assignment.status == "Rejected"
            and assignment.submitted_at is not None
            and self.now - assignment.submitted_at <= OVERTURN_WITHIN
            and assignment.hit.disposed_at is None
        )

    # Bonuses

    @_operation("SendBonus")
    def send_bonus(
        self, assignment_id: str, *, worker_id: str, amount: Decimal, reason: str, unique_request_token: str
    ) -> None:
        operation = "SendBonus"
        if amount < Decimal("0.01"):
            raise _invalid(operation, "BonusAmount", str(amount))
        if not reason.strip() or len(reason) > 2000:
            raise _invalid(operation, "Reason", reason)
        if self._known_token("bonus", unique_request_token):
            raise _repeated(operation, unique_request_token)
        assignment = self._submitted(operation, assignment_id)
        if assignment.worker_id != worker_id:
            raise refusal(operation, "AssignmentDoesNotExist", f"Assignment {assignment_id} does not exist.")
        price = amount + bonus_fee(amount, self.fee_schedule)
        self._check_funds(operation, price)
        self.paid += price
        self.bonuses.append(RemoteBonus(assignment_id, worker_id, amount, reason, self.now))
        self._tokens["bonus", unique_request_token] = (assignment_id, self.now)

    @_operation("ListBonusPayments")
    def list_bonus_payments(self, *, hit_id: str = "", assignment_id: str = "") -> list[RemoteBonus]:
        if assignment_id:
            self._submitted("ListBonusPayments", assignment_id)
            return [bonus for bonus in self.bonuses if bonus.assignment_id == assignment_id]
        hit = self._hit("ListBonusPayments", hit_id)
        of_hit = {each.assignment_id for each in hit.assignments}
        return [bonus for bonus in self.bonuses if bonus.assignment_id in of_hit]

    def _submitted(self, operation: str, assignment_id: str) -> FakeAssignment:
        assignment = self._assignment(operation, assignment_id)
        if assignment.submitted_at is None:
            raise refusal(operation, "AssignmentDoesNotExist", f"Assignment {assignment_id} does not exist.")
        return assignment

    def _assignment(self, operation: str, assignment_id: str) -> FakeAssignment:
        assignment = self.assignments.get(assignment_id)
        if assignment is None or assignment.status == "Gone":
            raise refusal(operation, "AssignmentDoesNotExist", f"Assignment {assignment_id} does not exist.")
        return assignment


def _new_id() -> str:
    return "3" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(29))


def _repeated(operation: str, token: str) -> MTurkError:
    return refusal(
        operation, "DuplicateRequest", f'The idempotency token "{token}" has already been processed.'
    )


def _invalid(operation: str, name: str, value: str) -> MTurkError:
    message = f'The value "{value}" is not valid for the parameter {name}.'
    return refusal(operation, "", message, kind="ParameterValidationError")


def _wrong_state(operation: str, allowed: str) -> MTurkError:
    message = f"This operation can be called with a status of: {allowed}"
    return refusal(operation, "InvalidAssignmentState", message)
