"""The S0 story, four tweets with five answers each, through actions and background functions alone."""

from decimal import Decimal

import pytest

from mturkhub.accounts.models import Connection
from projects.actions.batches import publish_batch
from projects.actions.projects import create_project, save_template
from projects.actions.reviews import approve_assignment
from projects.actions.uploads import create_batch, upload_file
from projects.collecting import sweep
from projects.costs import batch_cost
from projects.models import Assignment, Batch, RowResult
from projects.publishing import publish_chunk
from projects.sending import send_decisions
from tests.conftest import Person
from tests.fakes.mturk import FakeMTurk

TWEETS = [
    "in science class right now... urgh... stupid project..",
    "hmmm what to have for breaky?... Honey on toast",
    "Doing home work",
    "Headed out of town for a few days. Love my girls.",
]
SCORES = [(2, 2, 1, 4, 2), (7, 5, 8, 7, 6), (7, 5, 8, 5, 5), (8, 4, 5, 5, 6)]
HTML = "<p>${content}</p><form><input type=number name=sentiment><button>Submit</button></form>"


@pytest.mark.django_db
@pytest.mark.usefixtures("no_grace")
def test_four_tweets_are_published_answered_approved_and_counted(
    olive: Person, connection: Connection, market: FakeMTurk
) -> None:
    by = olive.actor
    project = create_project(
        olive.team,
        by=by,
        name="Tweets",
        title="Sentiment",
        description="How positive is it?",
        reward=Decimal("0.05"),
        max_assignments=5,
    )
    save_template(project, HTML, by=by)
    csv = "content\n" + "".join(f'"{tweet}"\n' for tweet in TWEETS)
    upload = upload_file(project, by=by, name="tweets.csv", chunks=[csv.encode()])
    batch = create_batch(upload, by=by, connection=connection)
    cost = batch_cost(rows=4, reward=batch.reward, max_assignments=5, schedule=connection.fee_schedule)
    publish_batch(batch, by=by)
    publish_chunk(batch, gateway=market)

    for row, scores in zip(batch.rows.order_by("number"), SCORES, strict=True):
        hit_id = row.hits.get().mturk_id
        assert TWEETS[row.number - 1] in market.hits[hit_id].question
        for number, score in enumerate(scores):
            market.submit(hit_id, f"AWORKER{number}", {"sentiment": str(score)})
    sweep(connection, gateway=market)
    for assignment in Assignment.objects.for_actor(by):
        approve_assignment(assignment, by=by)
    send_decisions(connection, gateway=market)
    sweep(connection, gateway=market)

    batch.refresh_from_db()
    assert cost.total == Decimal("1.20")
    assert (batch.state, batch.rows_decided, batch.answers_approved) == ("live", 4, 20)
    assert batch.answer_fields == ["sentiment"]
    assert set(RowResult.objects.values_list("progress", flat=True)) == {"decided"}
    assert market.get_account_balance().available == Decimal("10000.00") - cost.total
    # One fetch per HIT with news; what we approved ourselves is no news.
    assert market.calls["ListAssignmentsForHIT"] == 4
    scores = [
        sorted(
            int(answer) for answer in row.assignments.values_list("answer__fields__sentiment__0", flat=True)
        )
        for row in batch.rows.order_by("number")
    ]
    assert scores == [sorted(row) for row in SCORES]


@pytest.mark.django_db
def test_publishing_rings_and_sends_nothing_itself(
    olive: Person, market: FakeMTurk, bells: list[str], django_capture_on_commit_callbacks: object
) -> None:
    from tests.factories import BatchFactory

    batch = BatchFactory(project__team=olive.team, rows=2)

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        publish_batch(batch, by=olive.actor)

    assert bells == ["projects.tasks.publish_batch"]
    assert not market.hits
    assert Batch.objects.get().hits.filter(publish_state="queued").count() == 2
