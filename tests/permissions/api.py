"""Who may ask what of the API, with a token of each; and the one page about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.permissions import SIGNED_IN, Row

PAGES = {"api:docs": Row(get=SIGNED_IN)}

# In this order the statuses are written. Narrow is a token of Olive's with nothing in its scope, nobody has no token.
SCRIPTS = ("olive", "mina", "ravi", "vera", "stan", "nobody", "narrow")
READ = "200 200 200 200 200 401 200"
TEAM_READS = "200 200 200 200 404 401 200"
RESULTS = "200 200 200 200 404 401 403"
OWNERS = "200 403 403 403 404 401 403"
# Allowed, and the state forbids it: nothing waits to be paused, nothing has failed.
NOT_NOW = "409 409 403 403 404 401 403"


@dataclass(frozen=True)
class Asked:
    """One method of one address: the statuses in the order of SCRIPTS, and what is sent."""

    name: str
    method: str
    statuses: str
    arguments: Callable[[Any], dict[str, Any]] = lambda world: {}
    body: dict[str, Any] | None = None
    files: Callable[[], dict[str, Any]] | None = None

    def expected(self) -> dict[str, int]:
        return dict(zip(SCRIPTS, map(int, self.statuses.split()), strict=True))


def _of(thing: str) -> Callable[[Any], dict[str, Any]]:
    return lambda world: {"public_id": getattr(world, thing).public_id}


def _named(thing: str) -> Callable[[Any], dict[str, Any]]:
    return lambda world: {"name": str(getattr(world, thing).public_id)}


def _by(status: int, who: str) -> str:
    """That status for some, 403 for the rest of the team and the narrow token."""
    told = {"managers": (2, 2), "reviewers": (3, 1)}[who]
    return " ".join([str(status)] * told[0] + ["403"] * told[1] + ["404", "401", "403"])


_PROJECT = {"title": "New", "reward": "0.05"}
_NO = {"feedback": "The answer is empty."}
_RESULTS_FILE = (
    b"HITId,AssignmentId,WorkerId,AssignmentStatus,AcceptTime,SubmitTime\n"
    b"3OLDER,3OLDERANSWER,AWANDA,Approved,Wed Nov 20 21:03:26 PST 2019,Wed Nov 20 21:04:26 PST 2019\n"
)

TABLE = [
    # Open to everybody: it holds no data.
    Asked("openapi", "get", "200 200 200 200 200 200 200"),
    Asked("balance", "get", READ),
    # What was made elsewhere on an account is its owners' alone; nothing is there to be adopted.
    Asked("hits_elsewhere", "get", OWNERS, _of("connection")),
    Asked("look", "get", OWNERS, _of("connection")),
    Asked("look", "post", OWNERS, _of("connection")),
    Asked("adopt", "post", "409 403 403 403 404 401 403", _of("connection"), {}),
    Asked("import_history", "post", "202 403 403 403 404 401 403", _of("connection"), {}),
    # Of the own team; Workers under pseudonyms where that is all one may see.
    Asked("ledger", "get", READ),
    Asked("projects", "get", READ),
    # Stan owns a team of his own, and may make a project there.
    Asked("projects", "post", "201 201 403 403 201 401 403", body=_PROJECT),
    Asked("project", "get", TEAM_READS, _of("project")),
    Asked("project", "patch", _by(200, "managers"), _of("project"), {"reward": "0.06", "html": "<p>New</p>"}),
    Asked("project_batches", "get", TEAM_READS, _of("project")),
    Asked(
        "project_batches",
        "post",
        _by(201, "managers"),
        _of("project"),
        {},
        lambda: {"file": SimpleUploadedFile("x.csv", b"text\nhello\n")},
    ),
    Asked(
        "results_files",
        "post",
        _by(202, "managers"),
        _of("project"),
        {},
        lambda: {"file": SimpleUploadedFile("results.csv", _RESULTS_FILE)},
    ),
    Asked("batches", "get", READ),
    Asked("batch", "get", TEAM_READS, _of("batch")),
    Asked("batch", "patch", _by(200, "managers"), _of("draft"), {"reward": "0.06"}),
    Asked("publish", "post", _by(200, "managers"), _of("draft"), {}),
    Asked("unschedule", "post", NOT_NOW, _of("draft")),
    Asked("pause", "post", NOT_NOW, _of("batch")),
    Asked("resume", "post", NOT_NOW, _of("batch")),
    Asked("retry", "post", NOT_NOW, _of("batch"), {}),
    Asked("collect", "post", _by(200, "reviewers"), _of("batch")),
    Asked("publish_rest", "post", NOT_NOW, _of("batch"), {}),
    Asked("republish", "post", _by(200, "managers"), _of("batch"), {}),
    Asked("continue", "post", _by(201, "managers"), _of("batch"), {}),
    Asked("requeue", "post", _by(200, "managers"), _of("batch"), {"most": 5, "limit": "1.00"}),
    Asked("extend", "post", _by(200, "managers"), _of("batch"), {"answers": 1}),
    Asked("more_time", "post", _by(200, "managers"), _of("batch"), {"lifetime": 864_000}),
    Asked("expire", "post", _by(200, "managers"), _of("batch"), {}),
    Asked("cancel", "post", _by(200, "managers"), _of("batch")),
    Asked("close", "post", _by(200, "managers"), _of("batch"), {}),
    Asked("retry_changes", "post", NOT_NOW, _of("batch")),
    Asked("drop_changes", "post", NOT_NOW, _of("batch")),
    Asked("rows", "get", TEAM_READS, _of("batch")),
    Asked("row_answers", "get", RESULTS, lambda world: {"public_id": world.batch.public_id, "number": 1}),
    Asked("assignments", "get", TEAM_READS, _of("batch")),
    # A viewer reads results, under pseudonyms.
    Asked("results", "get", RESULTS, _of("batch")),
    Asked("approve_batch", "post", _by(202, "reviewers"), _of("batch"), {}),
    Asked("reject_batch", "post", _by(202, "reviewers"), _of("batch"), _NO),
    Asked("assignment", "get", TEAM_READS, _named("assignment")),
    Asked("approve", "post", _by(200, "reviewers"), _named("assignment"), {}),
    Asked("reject", "post", _by(200, "reviewers"), _named("assignment"), _NO),
    Asked(
        "bonus", "post", _by(201, "managers"), _named("assignment"), {"amount": "0.50", "reason": "Careful"}
    ),
    Asked("overturn", "post", _by(200, "reviewers"), _named("rejected"), {}),
    Asked("retry_bonus", "post", _by(200, "managers"), _of("refused_bonus")),
    Asked("undo", "post", _by(200, "reviewers"), _named("decided")),
    Asked("leave_out", "post", _by(200, "reviewers"), _named("assignment"), {}),
    Asked("take_back_in", "post", _by(200, "reviewers"), _named("assignment")),
    Asked("job", "get", TEAM_READS, _of("job")),
]
ROWS: dict[str, list[Asked]] = {}
for _each in TABLE:
    ROWS.setdefault(f"api:{_each.name}", []).append(_each)
