"""MTurkGateway: the one way from here to MTurk, or to whatever answers its API.

One method per operation, named as boto3 names it. Plain values go in, frozen records come out, and every
failure is an MTurkError. Nothing is sent twice here, for the only retry loop is that of the intentions; but a page of a list
is asked for again, since all the pages before it would have to be.
"""

import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import exceptions as boto
from botocore.config import Config
from structlog.contextvars import bound_contextvars, get_contextvars

from mturkhub.common.money import to_cents
from mturkhub.common.tallies import tallies
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.failures import UnreadableAnswer, explain
from mturkhub.gateway.rate_budget import Pace
from mturkhub.gateway.records import AccountBalance, RemoteAssignment, RemoteBonus, RemoteHIT, RemoteTerms

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

log = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")
RecordT = TypeVar("RecordT")

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 30
PAGE_SIZE = 100
# Of a page that follows another one.
TRIES = 3
# Calls one process may have on their way to one requester's endpoint without opening connections for nothing.
MOST_AT_ONCE = 64
STATUSES = ("Submitted", "Approved", "Rejected")
# The event that is sent for a test alone.
PING = "Ping"


class MTurkGateway:
    """One requester at one endpoint; safe to share between threads. Without a `pace` nothing holds its calls up."""

    def __init__(
        self,
        endpoint: str,
        access_key_id: str | None,
        secret_access_key: str | None,
        *,
        pace: Pace | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._pace = pace
        self._secrets = secrets_of(access_key_id, secret_access_key)
        try:
            self._client: MTurkClient = client_for("mturk", endpoint, access_key_id, secret_access_key)
        except boto.BotoCoreError as error:
            raise explain(error, operation="", where=urlsplit(endpoint).netloc) from None
        self._called_for = get_contextvars()

    @classmethod
    def with_own_identity(cls, endpoint: str, *, pace: Pace | None = None) -> "MTurkGateway":
        """As whoever this server is to AWS: environment, profile or role, by boto3's own chain."""
        return cls(endpoint, None, None, pace=pace)

    def __repr__(self) -> str:
        return f"<MTurkGateway {self.endpoint}>"

    def buy_calls(self, wanted: int) -> int:
        """How many of the wanted calls can be made now; they are kept for whoever calls next.

        Raises MTurkError, like every call, while the rate budget cannot be asked.
        """
        return self._pace.buy(wanted) if self._pace else wanted

    # Account

    def get_account_balance(self) -> AccountBalance:
        return self._call("get_account_balance", _balance)

    # HITs

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
        """The HITTypeId; equal values give the same id again."""
        optional: dict[str, Any] = {}
        if keywords:
            optional["Keywords"] = keywords
        if qualification_requirements:
            optional["QualificationRequirements"] = list(qualification_requirements)
        return self._call(
            "create_hit_type",
            lambda answer: str(answer["HITTypeId"]),
            Title=title,
            Description=description,
            Reward=str(to_cents(reward)),
            AssignmentDurationInSeconds=_seconds(assignment_duration),
            AutoApprovalDelayInSeconds=_seconds(auto_approval_delay),
            **optional,
        )

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
        """The new HIT. A token used within 24 hours raises HitAlreadyExists: see `existing_hit_id`."""
        return self._call(
            "create_hit_with_hit_type",
            lambda answer: _hit(answer["HIT"]),
            HITTypeId=hit_type_id,
            Question=question,
            LifetimeInSeconds=_seconds(lifetime),
            MaxAssignments=max_assignments,
            RequesterAnnotation=requester_annotation,
            UniqueRequestToken=unique_request_token,
        )

    def get_hit(self, hit_id: str) -> RemoteHIT:
        return self._call("get_hit", lambda answer: _hit(answer["HIT"]), HITId=hit_id)

    def get_hit_terms(self, hit_id: str) -> RemoteTerms:
        """GetHIT once more, for what every HIT of a type has in common and for this one's Question."""
        return self._call("get_hit", lambda answer: _terms(answer["HIT"]), HITId=hit_id)

    def list_hits(self) -> Iterator[list[RemoteHIT]]:
        """All HITs but deleted ones, page by page; complete only when exhausted without an error."""
        return self._pages("list_hits", lambda answer: [_hit(hit) for hit in answer.get("HITs", [])])

    def update_expiration_for_hit(self, hit_id: str, *, expire_at: datetime) -> None:
        """A past time expires the HIT now. The same time twice is an error at MTurk."""
        self._call("update_expiration_for_hit", _nothing, HITId=hit_id, ExpireAt=expire_at)

    def create_additional_assignments_for_hit(
        self, hit_id: str, *, number: int, unique_request_token: str
    ) -> None:
        self._call(
            "create_additional_assignments_for_hit",
            _nothing,
            HITId=hit_id,
            NumberOfAdditionalAssignments=number,
            UniqueRequestToken=unique_request_token,
        )

    def delete_hit(self, hit_id: str) -> None:
        self._call("delete_hit", _nothing, HITId=hit_id)

    # Assignments

    def list_assignments_for_hit(self, hit_id: str) -> list[RemoteAssignment]:
        """All submitted, approved and rejected Assignments, each once."""
        pages = self._pages(
            "list_assignments_for_hit",
            lambda answer: [_assignment(assignment) for assignment in answer.get("Assignments", [])],
            HITId=hit_id,
            AssignmentStatuses=list(STATUSES),
        )
        # What is submitted between two pages may turn up on both.
        return list({record.assignment_id: record for page in pages for record in page}.values())

    def get_assignment(self, assignment_id: str) -> RemoteAssignment:
        return self._call(
            "get_assignment", lambda answer: _assignment(answer["Assignment"]), AssignmentId=assignment_id
        )

    def approve_assignment(
        self, assignment_id: str, *, feedback: str = "", override_rejection: bool = False
    ) -> None:
        optional: dict[str, Any] = {}
        if feedback:
            optional["RequesterFeedback"] = feedback
        if override_rejection:
            optional["OverrideRejection"] = True
        self._call("approve_assignment", _nothing, AssignmentId=assignment_id, **optional)

    def reject_assignment(self, assignment_id: str, *, feedback: str) -> None:
        self._call("reject_assignment", _nothing, AssignmentId=assignment_id, RequesterFeedback=feedback)

    # Bonuses

    def send_bonus(
        self, assignment_id: str, *, worker_id: str, amount: Decimal, reason: str, unique_request_token: str
    ) -> None:
        """Pay extra for submitted work; dollars, without the fee. A token used within 24 hours is an error."""
        self._call(
            "send_bonus",
            _nothing,
            AssignmentId=assignment_id,
            WorkerId=worker_id,
            BonusAmount=str(to_cents(amount)),
            Reason=reason,
            UniqueRequestToken=unique_request_token,
        )

    def list_bonus_payments(self, *, hit_id: str = "", assignment_id: str = "") -> list[RemoteBonus]:
        """All bonuses of a HIT, or of one Assignment; exactly one of both is given."""
        of = {"AssignmentId": assignment_id} if assignment_id else {"HITId": hit_id}
        pages = self._pages(
            "list_bonus_payments",
            lambda answer: [_bonus(bonus) for bonus in answer.get("BonusPayments", [])],
            **of,
        )
        return [bonus for page in pages for bonus in page]

    # Notifications

    def update_notification_settings(
        self, hit_type_id: str, *, queue_url: str, event_types: Sequence[str] = ()
    ) -> None:
        """Have these events of a HITType's HITs sent to the queue, and nowhere else; to none when it is empty."""
        if not queue_url:
            self._call("update_notification_settings", _nothing, HITTypeId=hit_type_id, Active=False)
            return
        self._call(
            "update_notification_settings",
            _nothing,
            HITTypeId=hit_type_id,
            Notification=_specification(queue_url, event_types),
            Active=True,
        )

    def send_test_event_notification(self, queue_url: str) -> None:
        """Have a Ping sent to the queue at once."""
        self._call(
            "send_test_event_notification",
            _nothing,
            # It wants to be told of events; which ones makes no difference to a test.
            Notification=_specification(queue_url, ["AssignmentSubmitted"]),
            TestEventType=PING,
        )

    # How every call is made

    def _call(self, method: str, read: Callable[[dict[str, Any]], AnswerT], **parameters: Any) -> AnswerT:
        """What `read` makes of MTurk's answer; whatever goes wrong is an MTurkError."""
        operation = self._client.meta.method_to_api_mapping[method]
        generation = self._pace.enter(operation) if self._pace else 0
        began, outcome = time.monotonic(), "done"
        try:
            return read(getattr(self._client, method)(**parameters))
        except Exception as error:
            explained = self._explain(error, operation)
            outcome = _outcome(explained)
            if explained.is_throttling and self._pace:
                self._pace.throttled(generation)
            raise explained from error
        finally:
            self._note(operation, outcome, time.monotonic() - began)

    def _note(self, operation: str, outcome: str, seconds: float) -> None:
        """Count a call and log it, as of whatever request or task made this gateway: it may run in any thread."""
        milliseconds = round(seconds * 1000)
        tallies().add({f"calls|{operation}|{outcome}": 1, f"call_ms|{operation}": milliseconds})
        with bound_contextvars(**self._called_for):
            log.info(
                "%s %s",
                operation,
                outcome,
                extra={
                    "operation": operation,
                    "outcome": outcome,
                    "endpoint": urlsplit(self.endpoint).netloc,
                    "duration_ms": milliseconds,
                },
            )

    def _page(
        self, method: str, read: Callable[[dict[str, Any]], list[RecordT]], *, tries: int, **parameters: Any
    ) -> tuple[list[RecordT], str | None]:
        """One page and the token of the next."""
        while True:
            tries -= 1
            try:
                return self._call(
                    method,
                    # botocore makes {} of a page that broke off; only NumResults tells it from the empty one.
                    lambda answer: (read(answer) if answer["NumResults"] else [], answer.get("NextToken")),
                    MaxResults=PAGE_SIZE,
                    **parameters,
                )
            except MTurkError as error:
                if not tries or not (error.retry_can_help or error.may_have_happened):
                    raise

    def _pages(
        self, method: str, read: Callable[[dict[str, Any]], list[RecordT]], **parameters: Any
    ) -> Iterator[list[RecordT]]:
        """Non-empty pages. MTurk gives a token even with the last full page; then an empty one follows."""
        tokens: set[str] = set()
        while True:
            page, token = self._page(method, read, tries=TRIES if tokens else 1, **parameters)
            if not page:
                return
            yield page
            if not token:
                return
            if token in tokens:
                operation = self._client.meta.method_to_api_mapping[method]
                raise self._explain(UnreadableAnswer("The same NextToken came twice."), operation)
            tokens.add(token)
            parameters["NextToken"] = token

    def _explain(self, error: Exception, operation: str) -> MTurkError:
        explained = explain(error, operation=operation, where=urlsplit(self.endpoint).netloc)
        return without_secrets(explained, self._secrets())


def secrets_of(access_key_id: str | None, secret_access_key: str | None) -> Callable[[], Sequence[str]]:
    """What must not be quoted of these keys, or of the server's own where there are none."""
    if not (access_key_id and secret_access_key):
        return _own_secrets
    keys = (secret_access_key, access_key_id)
    return lambda: keys


def without_secrets(error: MTurkError, secrets: Sequence[str]) -> MTurkError:
    """Refused signatures quote the request; keys belong neither into a row nor into a log."""
    for secret in secrets:
        error.details = error.details.replace(secret, "…")
        error.sentence = error.sentence.replace(secret, "…")
    return error


def _outcome(error: MTurkError) -> str:
    """What became of a failed call, in one of four words."""
    if error.may_have_happened:
        return "unknown"
    if error.is_throttling:
        return "throttled"
    # A connection that was never made can be tried again; what MTurk has refused cannot.
    return "not_sent" if error.retry_can_help or error.kind == "ParamValidation" else "refused"


def _nothing(_: dict[str, Any]) -> None:
    return None


def _specification(queue_url: str, event_types: Sequence[str]) -> dict[str, Any]:
    return {
        "Destination": queue_url,
        "Transport": "SQS",
        "Version": "2014-08-15",
        "EventTypes": list(event_types),
    }


def _balance(answer: dict[str, Any]) -> AccountBalance:
    on_hold = answer.get("OnHoldBalance")
    return AccountBalance(
        available=Decimal(answer["AvailableBalance"]), on_hold=Decimal(on_hold) if on_hold else None
    )


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _hit(hit: dict[str, Any]) -> RemoteHIT:
    return RemoteHIT(
        hit_id=hit["HITId"],
        hit_type_id=hit["HITTypeId"],
        hit_group_id=hit.get("HITGroupId", ""),
        hit_status=hit["HITStatus"],
        max_assignments=hit["MaxAssignments"],
        available=hit["NumberOfAssignmentsAvailable"],
        pending=hit["NumberOfAssignmentsPending"],
        completed=hit["NumberOfAssignmentsCompleted"],
        created_at=hit["CreationTime"].astimezone(UTC),
        expires_at=hit["Expiration"].astimezone(UTC),
        requester_annotation=hit.get("RequesterAnnotation", ""),
        title=hit.get("Title", ""),
        reward=Decimal(hit.get("Reward", "0.00")),
    )


def _terms(hit: dict[str, Any]) -> RemoteTerms:
    return RemoteTerms(
        description=hit.get("Description", ""),
        keywords=hit.get("Keywords", ""),
        assignment_duration=timedelta(seconds=hit["AssignmentDurationInSeconds"]),
        auto_approval_delay=timedelta(seconds=hit.get("AutoApprovalDelayInSeconds", 0)),
        qualification_requirements=hit.get("QualificationRequirements", []),
        question=hit.get("Question", ""),
    )


def _assignment(assignment: dict[str, Any]) -> RemoteAssignment:
    return RemoteAssignment(
        assignment_id=assignment["AssignmentId"],
        hit_id=assignment["HITId"],
        worker_id=assignment["WorkerId"],
        status=assignment["AssignmentStatus"],
        accepted_at=assignment["AcceptTime"].astimezone(UTC),
        submitted_at=assignment["SubmitTime"].astimezone(UTC),
        deadline_at=_time(assignment, "Deadline"),
        auto_approval_at=_time(assignment, "AutoApprovalTime"),
        approved_at=_time(assignment, "ApprovalTime"),
        rejected_at=_time(assignment, "RejectionTime"),
        feedback=assignment.get("RequesterFeedback", ""),
        answer=assignment.get("Answer", ""),
    )


def _bonus(bonus: dict[str, Any]) -> RemoteBonus:
    return RemoteBonus(
        assignment_id=bonus["AssignmentId"],
        worker_id=bonus["WorkerId"],
        amount=Decimal(bonus["BonusAmount"]),
        reason=bonus["Reason"],
        granted_at=bonus["GrantTime"].astimezone(UTC),
    )


def _time(record: dict[str, Any], name: str) -> datetime | None:
    time: datetime | None = record.get(name)
    return time.astimezone(UTC) if time else None


# One Session per process and one client per requester: a new Session costs 0.1 s and 8 MB.
_lock = threading.Lock()
_sessions: dict[int, boto3.session.Session] = {}
_own_sessions: dict[int, boto3.session.Session] = {}
_clients: dict[tuple[int, str], Any] = {}


def client_for(
    service: str,
    endpoint: str,
    access_key_id: str | None,
    secret_access_key: str | None,
    *,
    region: str = "us-east-1",
) -> Any:
    """This process' client for the requester; connections made before a fork are never used after it.

    Without keys it is the server's own identity, whose keys boto3 finds and renews.
    """
    named = (service, region, endpoint, access_key_id or "", secret_access_key or "")
    digest = hashlib.sha256("\x00".join(named).encode("utf-8", "surrogatepass")).hexdigest()
    key = (os.getpid(), digest)
    with _lock:
        if key not in _clients:
            _clients[key] = _make_client(service, endpoint, access_key_id, secret_access_key, region)
        return _clients[key]


def _make_client(
    service: str, endpoint: str, access_key_id: str | None, secret_access_key: str | None, region: str
) -> Any:
    is_loopback = urlsplit(endpoint).hostname in {"127.0.0.1", "localhost", "::1"}
    session = _session() if access_key_id else _own_session()
    make: Any = session.client
    client = make(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=MOST_AT_ONCE,
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
            # A proxy on the way out cannot lead back to this machine.
            proxies={} if is_loopback else None,
        ),
    )
    client.meta.events.register("before-parse.mturk", _refuse_foreign_answer)
    return client


def _session() -> boto3.session.Session:
    """A Session that reads no configuration, keys or profile of whoever runs the server."""
    if os.getpid() not in _sessions:
        nowhere = (None, None, os.devnull, None)
        core = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": nowhere,
                "credentials_file": nowhere,
            }
        )
        _sessions[os.getpid()] = boto3.session.Session(botocore_session=core, region_name="us-east-1")
    return _sessions[os.getpid()]


def _own_session() -> boto3.session.Session:
    """A Session that finds and renews this server's own keys as boto3 usually does."""
    if os.getpid() not in _own_sessions:
        _own_sessions[os.getpid()] = boto3.session.Session(region_name="us-east-1")
    return _own_sessions[os.getpid()]


def _own_secrets() -> list[str]:
    with contextlib.suppress(boto.BotoCoreError):
        if found := _own_session().get_credentials():
            keys = found.get_frozen_credentials()
            return [secret for secret in (keys.secret_key, keys.token, keys.access_key) if secret]
    return []


def _refuse_foreign_answer(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Raise where botocore would take a proxy's login page for the empty answer of a write."""
    body: bytes = response_dict["body"]
    has_members = bool(operation_model.output_shape and operation_model.output_shape.members)
    if response_dict["status_code"] >= 300 or has_members:
        # With members, what is missing shows when the record is built.
        return
    if body.strip() != b"{}":
        raise UnreadableAnswer(f"HTTP {response_dict['status_code']}: {body[:200]!r}")
