"""Every page, asked for by each of the cast: the tables in tests/permissions say what must come back."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from mturkhub.accounts.actions.invitations import invite
from mturkhub.accounts.models import AccountGrant, ApiToken, Connection, Invitation, Team, User
from mturkhub.common import clock
from mturkhub.common.models import Installation
from mturkhub.intentions.models import Job
from projects.actions.results import upload_results
from projects.actions.reviews import approve_assignment
from projects.actions.uploads import upload_file
from projects.models import Assignment, Batch, BatchUpload, Bonus, Budget, Project, ResultsUpload
from tests.factories import (
    AccountGrantFactory,
    ApiTokenFactory,
    AssignmentFactory,
    BatchFactory,
    BonusFactory,
    MembershipFactory,
    ProjectFactory,
    TeamFactory,
    UserFactory,
)
from tests.permissions import ROLES, Row, accounts, api, deciding, making

TABLE: dict[str, Row] = accounts.ROWS | making.ROWS | deciding.ROWS | api.PAGES


RESULTS = (
    "HITId,AssignmentId,WorkerId,AssignmentStatus,AcceptTime,SubmitTime\n"
    "3OLD,3OLDANSWER,AWANDA,Approved,Wed Nov 20 21:03:26 PST 2019,Wed Nov 20 21:04:26 PST 2019\n"
)


@dataclass
class World:
    """What the addresses name: everything is of Olive's team, and the newcomer of none."""

    connection: Connection
    project: Project
    batch: Batch
    draft: Batch
    # Live, with a row that has no HIT.
    trial: Batch
    assignment: Assignment
    # Olive has just approved it: MTurk has not been told.
    decided: Assignment
    rejected: Assignment
    refused_bonus: Bonus
    upload: BatchUpload
    results: ResultsUpload
    job: Job
    budget: Budget
    grant: AccountGrant
    borrower: Team
    olive: User
    newcomer: User
    # Somebody of Olive's team about whom she may decide.
    member: User
    invitation: Invitation
    invitation_link: str
    # Mina's.
    token: ApiToken


@pytest.fixture
def world(team, connection, olive, mina) -> World:
    # Made on first use, which is no change of what is asked for.
    Installation.current_id()
    # Nobody listens there: a page that asks MTurk gets its answer at once.
    connection.endpoint = "http://127.0.0.1:9"
    connection.save()
    project = ProjectFactory(team=team, created_by=olive.user)
    batch = BatchFactory(project=project, connection=connection, published=True, rows=2)
    decided = AssignmentFactory(hit=batch.hits.last())
    newcomer = UserFactory()
    made = invite(team, by=olive.actor, email=newcomer.email, role="viewer")
    approve_assignment(decided, by=olive.actor)
    return World(
        connection=connection,
        project=project,
        batch=batch,
        draft=BatchFactory(project=project, connection=connection, template=batch.template, rows=2),
        trial=_trial(BatchFactory(project=project, connection=connection, template=batch.template, rows=2)),
        assignment=AssignmentFactory(hit=batch.hits.first()),
        decided=decided,
        rejected=AssignmentFactory(hit=batch.hits.first(), status="Rejected", submitted_at=clock.now()),
        refused_bonus=BonusFactory(assignment=decided, state="failed", by=olive.user),
        upload=upload_file(project, by=olive.actor, name="texts.csv", chunks=[b"text\nhello\n"]),
        results=upload_results(
            project, by=olive.actor, connection=connection, name="results.csv", chunks=[RESULTS.encode()]
        ),
        job=Job.objects.create(team=team, kind="decide_many", title="Approve 2 answers", by=olive.user),
        budget=Budget.objects.create(team=team, scope="team", limit=500, set_by=olive.user),
        grant=AccountGrantFactory(account=connection.account),
        borrower=TeamFactory(),
        olive=olive.user,
        newcomer=newcomer,
        member=MembershipFactory(team=team, role="viewer").user,
        invitation=made.invitation,
        invitation_link=made.link,
        token=ApiTokenFactory(membership=mina.membership),
    )


def _trial(batch: Batch) -> Batch:
    batch.state, batch.published_at, batch.published_by = "live", clock.now(), batch.created_by
    batch.save()
    return batch


def names(patterns: list[URLPattern | URLResolver], namespace: str = "") -> Iterator[str]:
    """The name of every address, with its namespace; one without a name stands with its pattern."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from names(pattern.url_patterns, inner)
        else:
            yield f"{namespace}{pattern.name or pattern.pattern}"


def test_every_page_stands_in_the_table():
    assert set(names(get_resolver().url_patterns)) - set(TABLE) - set(api.ROWS) == set()


def test_every_row_of_the_table_is_a_page():
    assert set(TABLE) - set(names(get_resolver().url_patterns)) == set()


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", TABLE)
def test_each_of_the_cast_gets_what_the_table_says(request, world, name, method):
    row = TABLE[name]
    people = {role: request.getfixturevalue(role) for role in ROLES if role != "nobody"}

    answered = {}
    for role in ROLES:
        # What one of them changes is undone before the next one asks.
        with transaction.atomic():
            address = reverse(name, kwargs=row.arguments(world))
            client = people[role].client if role in people else Client()
            answered[role] = getattr(client, method)(address, row.posted(world)).status_code
            transaction.set_rollback(True)

    assert answered == row.statuses(method)
