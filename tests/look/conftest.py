"""A lab at work, and browsers of its people at a live server that shares the test's database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from mturkhub.accounts.actions.invitations import invite
from mturkhub.accounts.models import Connection, Team, User
from mturkhub.accounts.sign_in_links import new_sign_in_link
from mturkhub.common import clock
from mturkhub.intentions import claiming
from mturkhub.intentions.models import Job
from projects.actions.reviews import approve_assignment, leave_out, reject_assignment
from projects.actions.uploads import upload_file
from projects.counting import recount
from projects.models import Assignment, Batch, BatchUpload, Project, Reconciliation
from tests.conftest import Person
from tests.factories import (
    AccountGrantFactory,
    AssignmentFactory,
    BatchFactory,
    BonusFactory,
    ConnectionFactory,
    HITTemplateFactory,
    MembershipFactory,
    ProjectFactory,
    WorkerFactory,
)

LONG = "The ferry to the island was cancelled for the third time this week, said the harbour master. " * 3
UNBROKEN = "unbroken" * 20
HTML = "<p>${text}</p><form><input type=number name=sentiment><textarea name=why></textarea></form>"


@dataclass
class Lab:
    """Everything a page can show, in every state it can be in."""

    project: Project
    batch: Batch
    draft: Batch
    production: Batch
    scheduled: Batch
    trial: Batch
    good: BatchUpload
    bad: BatchUpload
    job: Job
    untouched: Assignment
    decided: Assignment


@dataclass
class Asked:
    """People beside the cast: one invited, one deactivated, one in no team."""

    link: str
    sign_in_link: str
    gone: User
    teamless: Person


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens for tasks here."""
    monkeypatch.setattr(claiming, "_ring_now", lambda task, keys, at: None)


@pytest.fixture
def window_of(
    live_server: LiveServer, new_context: Callable[..., BrowserContext]
) -> Callable[[Person | None], Page]:
    """A browser's page of somebody who has signed in; of nobody with None."""

    def open_page(person: Person | None) -> Page:
        context = new_context(base_url=live_server.url)
        if person:
            session = person.client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
            )
        return context.new_page()

    return open_page


@pytest.fixture
def lab(team: Team, connection: Connection, olive: Person, bells: None) -> Lab:
    connection.balance = Decimal("987.65")
    connection.save()
    project = ProjectFactory(
        team=team, name="Textual entailment", created_by=olive.user, estimated_duration=timedelta(seconds=15)
    )
    template = HITTemplateFactory(project=project, html=HTML)
    rows = [{"text": LONG, "note": UNBROKEN}] + [{"text": f"sentence {n}", "note": "–"} for n in range(2, 13)]
    common = {"project": project, "template": template, "columns": ["text", "note"], "rows": rows}
    batch = BatchFactory(
        **common,
        connection=connection,
        name="Entailment 14",
        answer_fields=["sentiment", "why"],
        published=True,
    )
    decided, untouched = _answer(batch, olive, connection)
    Reconciliation.objects.create(
        connection=connection,
        opening=Decimal(1000),
        opened_at=clock.now() - timedelta(days=30),
        balance=Decimal("987.65"),
        read_at=clock.now(),
        held=Decimal("1.80"),
        paid=Decimal("0.18"),
        on_its_way=Decimal("0.60"),
    )
    production = ConnectionFactory(
        account=connection.account,
        environment="production",
        name="Amazon",
        balance=Decimal("0.36"),
        problem="This access key may not call GetAccountBalance. Give its IAM user the policy.",
        missing="policy",
    )
    AccountGrantFactory(account=connection.account, granted_by=olive.user)
    return Lab(
        project=project,
        batch=batch,
        draft=BatchFactory(**common, connection=connection, name="Draft"),
        production=BatchFactory(**common, connection=production, name="Draft for Amazon"),
        scheduled=BatchFactory(
            **common,
            connection=connection,
            name="Draft for tomorrow",
            state="scheduled",
            publish_at=clock.now() + timedelta(days=1),
            scheduled_by=olive.user,
        ),
        trial=_trial(BatchFactory(**common, connection=connection, name="Trial", published=True)),
        good=upload_file(project, by=olive.actor, name="good.csv", chunks=[b"text,note\nhello,\nworld,a\n"]),
        bad=upload_file(
            project, by=olive.actor, name="bad.csv", chunks=["text\nhello\na,b,c\nan 😀 emoji\n".encode()]
        ),
        job=Job.objects.create(
            team=team, kind="decide_many", title="Approve 2 answers", by=olive.user, total=2
        ),
        untouched=untouched,
        decided=decided,
    )


@pytest.fixture
def people(team: Team, olive: Person, mina: Person, live_server: LiveServer) -> Asked:
    """Olive, who owns a second team with a long name; in the first one Nina has been asked and Gus is gone."""
    second = MembershipFactory(user=olive.user, team__name="The newsroom of the harbour district")
    gone = MembershipFactory(team=team, user__name="Gus", user__is_active=False, role="viewer").user
    left = MembershipFactory(team=second.team, user__email="teamless@example.org", role="viewer")
    teamless = Person(left)
    teamless.membership.delete()
    link = invite(team, by=olive.actor, email="nina@example.org", role="reviewer").link
    TOTP.activate(mina.user, generate_totp_secret())
    paths = [urlsplit(each).path for each in (link, new_sign_in_link(mina.user))]
    return Asked(link=paths[0], sign_in_link=paths[1], gone=gone, teamless=teamless)


def _answer(batch: Batch, olive: Person, connection: Connection) -> tuple[Assignment, Assignment]:
    """Answers in every state over the first six rows; one that is decided and one that waits."""
    workers = WorkerFactory.create_batch(3, connection=connection)
    answers = [
        AssignmentFactory(
            hit=hit, worker=worker, answer__fields={"sentiment": ["7"], "why": [LONG, UNBROKEN]}
        )
        for hit in batch.hits.order_by("row__number")[:6]
        for worker in workers
    ]
    Assignment.objects.filter(pk__in=[each.pk for each in answers[:3]]).update(status="Approved")
    batch.hits.filter(row__number=8).update(
        publish_state="failed", mturk_id=None, hit_status="", outcome="The question is too long."
    )
    recount(batch.rows.values_list("pk", flat=True))
    BonusFactory(assignment=answers[3], by=olive.user, state="done", reason=LONG)
    BonusFactory(assignment=answers[3], by=olive.user, state="failed", outcome="There are not enough funds.")
    approve_assignment(answers[3], by=olive.actor)
    reject_assignment(answers[4], by=olive.actor, feedback="The text says nothing about spring.")
    leave_out(answers[6], by=olive.actor, reason="The same number for every row")
    return answers[3], answers[-1]


def _trial(batch: Batch) -> Batch:
    """Only the first two rows were published."""
    batch.hits.filter(row__number__gt=2).delete()
    recount(batch.rows.values_list("pk", flat=True))
    return batch


def address(name: str, *args: object) -> str:
    return reverse(name, args=args)
