"""What a journey starts from, made by actions in a process of the dashboard; each verb prints an address.

`batch NAME ROWS` publishes a batch with one answer per row, `draft NAME ROWS` leaves it unpublished. `person EMAIL ROLE` prints a link that signs them in;
`stranger EMAIL TEAM` the same for the owner of another team.
"""

import sys
from decimal import Decimal

import django


def make_draft(name: str, rows: str, *, publish: bool = False) -> str:
    from mturkhub.accounts.actors import Actor
    from mturkhub.accounts.models import Connection, Membership
    from projects.actions.batches import publish_batch
    from projects.actions.projects import create_project, save_template
    from projects.actions.uploads import create_batch, upload_file
    from tests.journeys.steps import TEMPLATE

    owner = Membership.objects.filter(role="owner").earliest("pk")
    by = Actor.person(owner)
    project = create_project(
        owner.team,
        by=by,
        name=name,
        title=f"{name}: how positive is it?",  # so that Workers find its HITs in a group of their own
        description="Read one tweet and give it a number.",
        reward=Decimal("0.05"),
        max_assignments=1,
    )
    save_template(project, TEMPLATE, by=by)
    lines = ["content", *(f"tweet {number}" for number in range(1, int(rows) + 1))]
    upload = upload_file(project, by=by, name="tweets.csv", chunks=["\n".join(lines).encode()])
    connection = Connection.objects.filter(account__team=owner.team).earliest("pk")
    batch = create_batch(upload, by=by, connection=connection)
    if publish:
        batch = publish_batch(batch, by=by)
    return f"/batches/{batch.public_id}/"


def make_batch(name: str, rows: str) -> str:
    return make_draft(name, rows, publish=True)


def make_person(email: str, role: str) -> str:
    from mturkhub.accounts.models import Membership, Team, User
    from mturkhub.accounts.sign_in_links import new_sign_in_link

    user = User.objects.create_user(email, None)
    Membership.objects.create(team=Team.objects.earliest("pk"), user=user, role=role)
    return new_sign_in_link(user)


def make_stranger(email: str, name: str) -> str:
    from mturkhub.accounts.models import Membership, Team, User
    from mturkhub.accounts.sign_in_links import new_sign_in_link

    user = User.objects.create_user(email, None)
    Membership.objects.create(team=Team.objects.create(name=name), user=user, role="owner")
    return new_sign_in_link(user)


if __name__ == "__main__":
    django.setup()
    verbs = {"draft": make_draft, "batch": make_batch, "person": make_person, "stranger": make_stranger}
    print(verbs[sys.argv[1]](*sys.argv[2:]))  # noqa: T201
