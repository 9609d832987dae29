"""A draft batch for a bench, made through actions."""

import time
from decimal import Decimal
from typing import Any

HTML = "<p>${text}</p><form><input name=label required><button>Submit</button></form>"
REWARD = Decimal("0.01")


def make_batch(title: str, rows: int, answers: int) -> tuple[Any, Any]:
    """The owner as an Actor, and a draft of so many rows."""
    from mturkhub.accounts.actors import Actor
    from mturkhub.accounts.models import Connection, Membership
    from projects.actions.projects import create_project, save_template
    from projects.actions.uploads import create_batch, upload_file

    membership = Membership.objects.select_related("team", "user").filter(role="owner").order_by("pk")[0]
    by = Actor.person(membership)
    project = create_project(
        membership.team,
        by=by,
        name=title,
        title=title,
        description="Label the text.",
        reward=REWARD,
        max_assignments=answers,
    )
    save_template(project, HTML, by=by)
    file = "text\n" + "".join(f"text {number}\n" for number in range(rows))
    upload = upload_file(project, by=by, name="items.csv", chunks=[file.encode()])
    # A long file is checked by the worker.
    while upload.check_wanted_at:
        time.sleep(0.2)
        upload.refresh_from_db()
    return by, create_batch(upload, by=by, connection=Connection.objects.get(environment="local"))
