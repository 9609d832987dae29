"""Project to Decision. What a row implies (its team, connection, batch) follows from what it hangs on."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

import factory

from mturkhub.accounts.actors import Actor
from projects.counting import recount
from projects.models import (
    HIT,
    Assignment,
    AssignmentAnswer,
    Batch,
    BatchRow,
    Bonus,
    Decision,
    HITTemplate,
    HITType,
    LedgerReason,
    Project,
    RowResult,
)
from projects.queueing import price_each
from projects.states import BatchState, RowProgress
from tests.factories.accounts import ConnectionFactory, TeamFactory, UserFactory
from tests.factories.workers import WorkerFactory

HTML = """<p>How positive is this?</p><blockquote>${text}</blockquote>
<form><input name="sentiment" type="number"><button>Submit</button></form>"""

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


SCHEMA = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"


def answer_xml(fields: Mapping[str, Sequence[str]]) -> str:
    """QuestionFormAnswers as MTurk writes them for an HTMLQuestion; several values are joined with `|`."""
    answers = "".join(
        f"<Answer><QuestionIdentifier>{escape(name)}</QuestionIdentifier>"
        f"<FreeText>{escape('|'.join(values))}</FreeText></Answer>"
        for name, values in fields.items()
    )
    root = f'<QuestionFormAnswers xmlns="{SCHEMA}">{answers}</QuestionFormAnswers>'
    return f'<?xml version="1.0" encoding="UTF-8"?>{root}'


class _Properties(factory.django.DjangoModelFactory):
    class Meta:
        abstract = True

    title = "How positive is this text?"
    description = "Read one sentence and give a number."
    keywords = "text, sentiment"
    reward = Decimal("0.05")
    max_assignments = 3
    assignment_duration = timedelta(hours=1)
    lifetime = timedelta(days=7)
    auto_approval_delay = timedelta(days=3)


class ProjectFactory(_Properties):
    class Meta:
        model = Project

    team = factory.SubFactory(TeamFactory)
    name = factory.Sequence(lambda n: f"Sentiment {n}")
    created_by = factory.SubFactory(UserFactory)


class HITTemplateFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = HITTemplate

    project = factory.SubFactory(ProjectFactory)
    team = factory.SelfAttribute("project.team")
    version = factory.Sequence(lambda n: n + 1)
    html = HTML
    created_by = factory.SelfAttribute("project.created_by")


class BatchFactory(_Properties):
    """A draft. `rows=3` (or a list of inputs) adds rows; `published=True` a live HIT for each."""

    class Meta:
        model = Batch
        skip_postgeneration_save = True

    class Params:
        published = factory.Trait(
            state=BatchState.LIVE.value,
            published_at=NOON,
            published_by=factory.SelfAttribute("created_by"),
        )

    project = factory.SubFactory(ProjectFactory)
    team = factory.SelfAttribute("project.team")
    connection = factory.SubFactory(ConnectionFactory, account__team=factory.SelfAttribute("...project.team"))
    template = factory.SubFactory(HITTemplateFactory, project=factory.SelfAttribute("..project"))
    name = factory.Sequence(lambda n: f"Batch {n}")
    columns = factory.LazyFunction(lambda: ["text"])
    created_by = factory.SelfAttribute("project.created_by")

    @factory.post_generation
    def rows(batch: Batch, create: bool, extracted: int | Sequence[dict[str, Any]] | None, **_: Any) -> None:
        if not extracted:
            return
        inputs = (
            [{"text": f"sentence {number}"} for number in range(1, extracted + 1)]
            if isinstance(extracted, int)
            else list(extracted)
        )
        is_published = batch.published_at is not None
        for number, values in enumerate(inputs, start=1):
            row = BatchRowFactory(
                batch=batch,
                number=number,
                input=values,
                result__progress=(
                    RowProgress.NO_ANSWER.value if is_published else RowProgress.NOT_PUBLISHED.value
                ),
            )
            if is_published:
                HITFactory(row=row, published=True)
        if is_published:
            recount(
                batch.rows.values_list("pk", flat=True),
                by=Actor(user=batch.created_by),
                why=LedgerReason.PUBLISHED,
            )
            batch.refresh_from_db(fields=["committed"])
        batch.rows_total = len(inputs)
        batch.rows_no_answer = len(inputs) if is_published else 0
        batch.rows_not_published = 0 if is_published else len(inputs)
        batch.save()


class RowResultFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = RowResult

    team = factory.SelfAttribute("row.team")
    batch = factory.SelfAttribute("row.batch")
    number = factory.SelfAttribute("row.number")


class BatchRowFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = BatchRow
        skip_postgeneration_save = True

    batch = factory.SubFactory(BatchFactory)
    team = factory.SelfAttribute("batch.team")
    number = factory.Sequence(lambda n: n + 1)
    input = factory.LazyAttribute(lambda row: {"text": f"sentence {row.number}"})
    result = factory.RelatedFactory(RowResultFactory, factory_related_name="row")


class HITTypeFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = HITType

    connection = factory.SubFactory(ConnectionFactory)
    digest = factory.Sequence(lambda n: f"{n:064x}")
    properties = factory.LazyFunction(dict)
    mturk_id = factory.Sequence(lambda n: f"3TYPE{n:025d}")


class HITFactory(factory.django.DjangoModelFactory):
    """A queued HIT; `published=True` one that is Assignable on the market."""

    class Meta:
        model = HIT

    class Params:
        published = factory.Trait(
            publish_state="published",
            mturk_id=factory.Sequence(lambda n: f"3HIT{n:026d}"),
            hit_status="Assignable",
            expires_at=NOON + timedelta(days=7),
            first_sent_at=NOON,
            last_sent_at=NOON,
            attempts=1,
            hit_type=factory.SubFactory(HITTypeFactory, connection=factory.SelfAttribute("..connection")),
        )

    row = factory.SubFactory(BatchRowFactory)
    batch = factory.SelfAttribute("row.batch")
    team = factory.SelfAttribute("row.batch.team")
    connection = factory.SelfAttribute("row.batch.connection")
    max_assignments = factory.SelfAttribute("row.batch.max_assignments")
    price_each = factory.LazyAttribute(lambda hit: price_each(hit.batch, hit.max_assignments))
    reserved_on = NOON.date().replace(day=1)
    due_at = NOON
    by = factory.SelfAttribute("row.batch.created_by")


class AssignmentAnswerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = AssignmentAnswer

    fields = factory.LazyFunction(lambda: {"sentiment": ["7"]})
    raw_xml = factory.LazyAttribute(lambda answer: answer_xml(answer.fields))


class AssignmentFactory(factory.django.DjangoModelFactory):
    """A submitted Assignment with an answer; `answer__fields={...}` for another one, `status="Approved"` …

    It leaves counters alone: call `projects.counting.recount` where a test looks at them.
    """

    class Meta:
        model = Assignment
        skip_postgeneration_save = True

    hit = factory.SubFactory(HITFactory, published=True)
    row = factory.SelfAttribute("hit.row")
    batch = factory.SelfAttribute("hit.batch")
    team = factory.SelfAttribute("hit.team")
    connection = factory.SelfAttribute("hit.connection")
    worker = factory.SubFactory(WorkerFactory, connection=factory.SelfAttribute("..connection"))
    mturk_id = factory.Sequence(lambda n: f"3ASSIGNMENT{n:019d}")
    status = "Submitted"
    submitted_at = factory.Sequence(lambda n: NOON + timedelta(seconds=n))
    accepted_at = factory.LazyAttribute(lambda o: o.submitted_at - timedelta(seconds=48))
    deadline_at = factory.LazyAttribute(lambda o: o.accepted_at + timedelta(hours=1))
    auto_approval_at = factory.LazyAttribute(lambda o: o.submitted_at + timedelta(days=3))
    approved_at = factory.LazyAttribute(
        lambda o: o.submitted_at + timedelta(hours=1) if o.status == "Approved" else None
    )
    rejected_at = factory.LazyAttribute(
        lambda o: o.submitted_at + timedelta(hours=1) if o.status == "Rejected" else None
    )
    work_time = timedelta(seconds=48)
    answer = factory.RelatedFactory(AssignmentAnswerFactory, factory_related_name="assignment")


class DecisionFactory(factory.django.DjangoModelFactory):
    """A queued approval."""

    class Meta:
        model = Decision

    assignment = factory.SubFactory(AssignmentFactory)
    team = factory.SelfAttribute("assignment.team")
    connection = factory.SelfAttribute("assignment.connection")
    verdict = "approve"
    due_at = NOON
    by = factory.SubFactory(UserFactory)


class BonusFactory(factory.django.DjangoModelFactory):
    """A queued bonus of half a dollar."""

    class Meta:
        model = Bonus

    assignment = factory.SubFactory(AssignmentFactory)
    team = factory.SelfAttribute("assignment.team")
    batch = factory.SelfAttribute("assignment.batch")
    connection = factory.SelfAttribute("assignment.connection")
    amount = Decimal("0.50")
    reason = "Careful work"
    due_at = NOON
    by = factory.SubFactory(UserFactory)
