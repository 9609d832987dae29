"""What somebody does with the account's keys and without us, at the marketplace over HTTP: noticed, named, mended."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from mturkhub.accounts.credentials import gateway_for
from projects.actions.batches import publish_batch
from projects.actions.reviews import approve_assignment
from projects.collecting import sweep
from projects.models import HIT, Assignment, ForeignHIT
from projects.publishing import publish_chunk
from projects.sending import send_decisions
from tests.factories import BatchFactory, ProjectFactory
from tests.projects.pages import get, words

pytestmark = pytest.mark.django_db


class Account:
    """A batch of two rows at the marketplace, and a script elsewhere that has the same keys."""

    def __init__(self, by, connection, server):
        self.connection, self.by, self.manage = connection, by, server.manage
        self.gateway = gateway_for(connection)
        self.project = ProjectFactory(team=by.team, created_by=by.user)
        self.batch = self.publish()
        self.script = boto3.client(
            "mturk",
            region_name="us-east-1",
            endpoint_url=server.url,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )

    def publish(self, **properties):
        draft = BatchFactory(
            project=self.project, connection=self.connection, rows=2, max_assignments=3, **properties
        )
        batch = publish_batch(draft, by=self.by.actor)
        publish_chunk(batch, gateway=self.gateway)
        return batch

    @property
    def hit_id(self):
        return str(HIT.objects.get(batch=self.batch, row__number=1).mturk_id)

    def submit(self, worker):
        worker = f"ATEST{worker}{uuid.uuid4().hex[:6].upper()}"
        self.manage("worker_act", "accept", self.hit_id, worker)
        return self.manage(
            "worker_act", "submit", self.hit_id, worker, json.dumps({"sentiment": "7"})
        ).strip()

    def collect(self):
        done = sweep(self.connection, gateway=self.gateway)
        assert done.is_complete, done.problem

    def pages(self):
        """What the batch's page, its rows and the first row say."""
        batch = self.batch
        return [
            words(get(self.by, name, batch, *more)) for name, *more in (["batch"], ["batch_rows"], ["row", 1])
        ]


@pytest.fixture
def account(olive, marketplace_connection, marketplace_server):
    return Account(olive, marketplace_connection, marketplace_server)


def test_an_answer_approved_elsewhere(account):
    assignment_id = account.submit("WANDA")
    account.collect()
    account.script.approve_assignment(AssignmentId=assignment_id)

    account.collect()

    batch, _, row = account.pages()
    assert Assignment.objects.get().status == "Approved"
    assert "1 approved elsewhere . What MTurk says is what stands here." in batch
    assert "Approved elsewhere, not here" in row


def test_an_answer_rejected_elsewhere(account):
    account.script.reject_assignment(AssignmentId=account.submit("WANDA"), RequesterFeedback="Empty")

    account.collect()

    batch, _, row = account.pages()
    assert "1 rejected elsewhere ; a rejection can be overturned for 30 days" in batch
    assert "Rejected elsewhere, not here" in row


def test_an_answer_that_mturk_approved_by_itself(account):
    account.batch = account.publish(auto_approval_delay=timedelta(0))
    account.submit("WANDA")
    account.manage("tick")

    account.collect()

    batch, _, row = account.pages()
    assert "1 auto-approved: MTurk approved it by itself when the time to decide was up." in batch
    assert "Approved by MTurk itself: its time was up" in row


def test_an_answer_decided_here_is_not_called_that(account, no_grace):
    account.submit("WANDA")
    account.collect()
    approve_assignment(Assignment.objects.get(), by=account.by.actor)
    send_decisions(account.connection, gateway=account.gateway)

    account.collect()

    batch, _, row = account.pages()
    assert Assignment.objects.get().status == "Approved"
    assert "elsewhere" not in batch
    assert "elsewhere" not in row


def test_a_hit_expired_elsewhere(account):
    account.collect()
    account.script.update_expiration_for_hit(HITId=account.hit_id, ExpireAt=datetime(2020, 1, 1, tzinfo=UTC))

    account.collect()

    batch, rows, row = account.pages()
    assert "1 HIT expired elsewhere: somebody with the account’s keys ended it early. More time…" in batch
    assert "Reviewable Expired elsewhere" in rows
    assert "Reviewable Expired elsewhere" in row


def test_a_hit_deleted_elsewhere(account):
    account.collect()
    account.script.update_expiration_for_hit(HITId=account.hit_id, ExpireAt=datetime(2020, 1, 1, tzinfo=UTC))
    account.script.delete_hit(HITId=account.hit_id)
    # What was sent just now may not be listed yet.
    HIT.objects.update(last_sent_at=None)

    account.collect()

    batch, rows, row = account.pages()
    assert "1 HIT deleted elsewhere." in batch
    assert "Ask again for what is left…" in batch
    assert "Deleted elsewhere" in rows
    assert "Deleted elsewhere" in row


def test_a_hit_that_mturk_does_not_know_any_more(account):
    account.script.update_expiration_for_hit(HITId=account.hit_id, ExpireAt=datetime(2020, 1, 1, tzinfo=UTC))
    account.script.delete_hit(HITId=account.hit_id)
    HIT.objects.filter(row__number=1).update(mturk_id="3NEVERHEARDOF", last_sent_at=None)

    account.collect()

    batch, rows, row = account.pages()
    assert "1 HIT missing at MTurk: it does not know it any more." in batch
    assert "Missing at MTurk" in rows
    assert "Missing at MTurk" in row


def test_a_hit_made_elsewhere(account):
    made = account.script.create_hit(
        Title="By a script",
        Description="Read one tweet.",
        Reward="0.05",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        MaxAssignments=1,
        Question=account.gateway.get_hit_terms(account.hit_id).question,
    )

    account.collect()

    assert ForeignHIT.objects.get(mturk_id=made["HIT"]["HITId"]).title == "By a script"
    assert "By a script" in get(account.by, "made_elsewhere", account.connection)
