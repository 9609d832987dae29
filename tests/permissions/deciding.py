"""Home, batches, rows, review, decisions, exports."""

from tests.permissions import SIGNED_IN, TEAM, Row

_BATCH = {"arguments": lambda world: {"public_id": world.batch.public_id}}
_ROW = {"arguments": lambda world: {"public_id": world.batch.public_id, "number": 1}}
_ASSIGNMENT = {"arguments": lambda world: {"public_id": world.assignment.public_id}}
_DECIDED = {"arguments": lambda world: {"public_id": world.decided.public_id}}
_MANAGERS_POST = "302 302 403 403 404 302"
_MANAGERS = "200 200 403 403 404 302"
_REVIEWERS = "200 200 200 403 404 302"
_REVIEWERS_POST = "302 302 302 403 404 302"
# Allowed, and the state forbids it: nothing waits to be paused, nothing has failed.
_NOT_NOW = "409 409 403 403 404 302"

ROWS = {
    "projects:home": Row(get=SIGNED_IN),
    # Everybody sees who did what in their own team.
    "projects:activity": Row(get=SIGNED_IN),
    "projects:download_activity": Row(get=SIGNED_IN),
    "projects:batch": Row(get=TEAM, **_BATCH),
    "projects:batch_figures": Row(get=TEAM, **_BATCH),
    "projects:batch_rows": Row(get=TEAM, **_BATCH),
    "projects:row": Row(get=TEAM, **_ROW),
    "projects:batch_export": Row(get=TEAM, **_BATCH),
    # A viewer reads results, under pseudonyms.
    "projects:row_jsonl": Row(get=TEAM, **_ROW),
    "projects:results_csv": Row(get=TEAM, **_BATCH),
    "projects:results_jsonl": Row(get=TEAM, **_BATCH),
    "projects:results_json": Row(get=TEAM, **_BATCH),
    "projects:batch_activity": Row(get=TEAM, **_BATCH),
    "projects:collect_now": Row(post=_REVIEWERS_POST, **_BATCH),
    "projects:pause": Row(post=_NOT_NOW, **_BATCH),
    "projects:resume": Row(post=_NOT_NOW, **_BATCH),
    "projects:retry_failed": Row(post=_NOT_NOW, **_BATCH),
    "projects:extend": Row(
        get=_MANAGERS, post=_MANAGERS_POST, data={"answers": "1", "total": "99.00"}, **_BATCH
    ),
    "projects:more_time": Row(
        get=_MANAGERS,
        post=_MANAGERS_POST,
        data={"open_for_0": "60", "open_for_1": "days", "total": "99.00"},
        **_BATCH,
    ),
    "projects:expire": Row(get=_MANAGERS, post=_MANAGERS_POST, **_BATCH),
    "projects:cancel": Row(get=_MANAGERS, post=_MANAGERS_POST, **_BATCH),
    "projects:close": Row(get=_MANAGERS, post=_MANAGERS_POST, **_BATCH),
    "projects:publish_rest": Row(
        get=_MANAGERS,
        post=_MANAGERS_POST,
        data={"total": "99.00"},
        arguments=lambda world: {"public_id": world.trial.public_id},
    ),
    # The answer that was rejected is asked for again.
    "projects:republish": Row(get=_MANAGERS, post=_MANAGERS_POST, data={"total": "99.00"}, **_BATCH),
    "projects:requeue": Row(
        get=_MANAGERS,
        post=_MANAGERS_POST,
        data={"most": "5", "limit": "1.00", "total": "0.30"},
        **_BATCH,
    ),
    "projects:continue_batch": Row(post=_MANAGERS_POST, **_BATCH),
    "projects:retry_changes": Row(post=_NOT_NOW, **_BATCH),
    "projects:drop_changes": Row(post=_NOT_NOW, **_BATCH),
    "projects:review": Row(get=SIGNED_IN),
    "projects:review_batch": Row(get=TEAM, **_BATCH),
    "projects:decide_many": Row(
        get=_REVIEWERS,
        post=_REVIEWERS_POST,
        data=lambda world: {"verdict": "approve", "count": "1", "last": world.assignment.public_id},
        **_BATCH,
    ),
    "projects:approve": Row(post=_REVIEWERS_POST, **_ASSIGNMENT),
    "projects:reject": Row(post=_REVIEWERS_POST, data={"feedback": "The answer is empty."}, **_ASSIGNMENT),
    "projects:overturn": Row(
        post=_REVIEWERS_POST, arguments=lambda world: {"public_id": world.rejected.public_id}
    ),
    "projects:leave_out": Row(post=_REVIEWERS_POST, **_ASSIGNMENT),
    "projects:take_back_in": Row(post=_REVIEWERS_POST, **_ASSIGNMENT),
    "projects:undo": Row(post=_REVIEWERS_POST, **_DECIDED),
    # Sent when the button named the sum.
    "projects:bonus": Row(
        get=_MANAGERS,
        post=_MANAGERS_POST,
        data={"amount": "0.50", "reason": "Careful work", "total": "0.60"},
        **_ASSIGNMENT,
    ),
    "projects:retry_bonus": Row(
        post=_MANAGERS_POST, arguments=lambda world: {"public_id": world.refused_bonus.public_id}
    ),
    "projects:job": Row(get=TEAM, arguments=lambda world: {"public_id": world.job.public_id}),
}
