"""Projects, templates, uploads, and the draft of a batch."""

from projects.previews import Preview, preview_url
from tests.permissions import SIGNED_IN, TEAM, Row

_PROJECT = {"arguments": lambda world: {"public_id": world.project.public_id}}
_UPLOAD = {"arguments": lambda world: {"public_id": world.upload.public_id}}
_DRAFT = {"arguments": lambda world: {"public_id": world.draft.public_id}}
_MANAGERS = "200 200 403 403 404 302"
_MANAGERS_POST = "302 302 403 403 404 302"
_PROJECT_FORM = {
    "name": "Another",
    "title": "Another",
    "description": "Another kind of work.",
    "reward": "0.05",
    "max_assignments": "1",
    "assignment_duration_0": "1",
    "assignment_duration_1": "hours",
    "lifetime_0": "7",
    "lifetime_1": "days",
    "auto_approval_delay_0": "3",
    "auto_approval_delay_1": "days",
    "approval": "by_hand",
    "frame_height": "0",
}


def _batch_form(world):
    settings = {name: value for name, value in _PROJECT_FORM.items() if name in _BATCH_FIELDS}
    return {**settings, "name": "First", "connection": world.connection.pk}


_BATCH_FIELDS = {
    name for name in _PROJECT_FORM if name not in {"title", "description", "approval", "frame_height"}
}


def _token(world):
    """An address made for Olive: nobody else gets it, not even in her team."""
    url = preview_url(world.project.team_id, world.olive.pk, Preview("<p>Hello</p>", {}))
    return {"token": url.split("/")[2]}


_RESULTS = {"arguments": lambda world: {"public_id": world.results.public_id}}
_CONNECTION = {"arguments": lambda world: {"public_id": world.connection.public_id}}

ROWS = {
    # What was made elsewhere on an account is its owners' alone; nothing is there to be adopted.
    "projects:made_elsewhere": Row(get="200 403 403 403 404 302", **_CONNECTION),
    "projects:elsewhere_count": Row(get="200 403 403 403 404 302", **_CONNECTION),
    "projects:look_elsewhere": Row(post="302 403 403 403 404 302", **_CONNECTION),
    "projects:adopt": Row(get="200 403 403 403 404 302", post="409 403 403 403 404 302", **_CONNECTION),
    "projects:import_history": Row(
        get="200 403 403 403 404 302", post="302 403 403 403 404 302", **_CONNECTION
    ),
    # Stan and everybody else see the money of their own team; owners set budgets, Stan of his own.
    "projects:money": Row(
        get=SIGNED_IN,
        post="302 403 403 403 302 302",
        data={"whose": "", "limit": "250.00", "period": "month"},
    ),
    "projects:ledger": Row(get=SIGNED_IN),
    "projects:download_ledger": Row(get=SIGNED_IN),
    "projects:remove_budget": Row(
        post="302 403 403 403 404 302", arguments=lambda world: {"public_id": world.budget.public_id}
    ),
    "projects:projects": Row(get=SIGNED_IN),
    # Stan owns a team of his own, and may make a project there.
    "projects:create_project": Row(
        get="200 200 403 403 200 302", post="302 302 403 403 302 302", data=_PROJECT_FORM
    ),
    "projects:project": Row(get=TEAM, **_PROJECT),
    "projects:edit_project": Row(get=_MANAGERS, post=_MANAGERS_POST, data=_PROJECT_FORM, **_PROJECT),
    # Everybody in the team may read the template, and see what the checks say of other HTML.
    "projects:edit_template": Row(get=TEAM, post=_MANAGERS_POST, data={"html": "<p>New</p>"}, **_PROJECT),
    "projects:check_template": Row(post=TEAM, data={"html": "<p>New</p>"}, **_PROJECT),
    "projects:preview": Row(get="200 404 404 404 404 302", arguments=_token),
    "projects:upload_batch": Row(
        get=_MANAGERS, post=_MANAGERS_POST, data={"pasted": "text\nhello\n"}, **_PROJECT
    ),
    # No file was chosen.
    "projects:upload_results": Row(get=_MANAGERS, post="400 400 403 403 404 302", **_PROJECT),
    "projects:import_results": Row(get=_MANAGERS, post=_MANAGERS_POST, **_RESULTS),
    "projects:bad_result_lines": Row(get=_MANAGERS, **_RESULTS),
    "projects:read_results_as": Row(post=_MANAGERS_POST, data={"encoding": "cp1252"}, **_RESULTS),
    "projects:sample_file": Row(get=TEAM, **_PROJECT),
    "projects:check_upload": Row(get=_MANAGERS, **_UPLOAD),
    "projects:choose_upload_encoding": Row(post=_MANAGERS_POST, data={"encoding": "cp1252"}, **_UPLOAD),
    "projects:drop_lines": Row(post=_MANAGERS_POST, **_UPLOAD),
    "projects:bad_lines": Row(get=_MANAGERS, **_UPLOAD),
    "projects:make_batch": Row(post=_MANAGERS_POST, **_UPLOAD),
    "projects:cost": Row(get=_MANAGERS, post=_MANAGERS_POST, data=_batch_form, **_DRAFT),
    "projects:publish_batch": Row(post=_MANAGERS_POST, data=_batch_form, **_DRAFT),
    # It is a draft.
    "projects:unschedule": Row(post="409 409 403 403 404 302", **_DRAFT),
}
