"""The main job's shape: 800 rows with ten answers each, and every answer comes out as it went in."""

import csv
import io
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from mturkhub.accounts.models import Connection
from projects import bulk_deciding
from projects.actions.batches import publish_batch
from projects.actions.projects import create_project, save_template
from projects.actions.reviews import decide_many
from projects.actions.uploads import create_batch, upload_file
from projects.collecting import sweep
from projects.models import HIT, Assignment
from projects.publishing import publish_chunk
from projects.results_table import results_csv
from projects.sending import send_decisions
from projects.states import Verdict
from tests.conftest import Person
from tests.fakes.mturk import FakeMTurk

ROWS, ANSWERS, WORKERS = 800, 10, 164
SEED = 20261124
HTML = '<p>${text}</p><form><input type=hidden name=task value="${task}"><input name=label></form>'


def labels() -> Iterator[tuple[str, str, str]]:
    """Task, Worker, label: of each task ten different Workers; some labels are awkward."""
    chance = random.Random(SEED)
    words = ["yes", "no", "a, b", 'say "no"', " two  spaces ", "é 日本", "line\nbreak", "=1+1", "", "a|b"]
    for task in range(ROWS):
        for worker in chance.sample(range(WORKERS), ANSWERS):
            yield f"t{task}", f"AWORKER{worker}", chance.choice(words)


@pytest.mark.django_db
@pytest.mark.usefixtures("no_grace")
def test_eight_thousand_answers_come_out_as_they_went_in(
    olive: Person, connection: Connection, market: FakeMTurk
) -> None:
    by = olive.actor
    project = create_project(
        olive.team,
        by=by,
        name="Main job",
        title="Does it follow?",
        description="Read both sentences.",
        reward="0.02",
        max_assignments=ANSWERS,
    )
    save_template(project, HTML, by=by)
    lines = [b"task,text\n", *(f"t{number},sentence {number}\n".encode() for number in range(ROWS))]
    batch = create_batch(
        upload_file(project, by=by, name="items.csv", chunks=lines), by=by, connection=connection
    )

    publish_batch(batch, by=by)
    while publish_chunk(batch, gateway=market):
        pass
    given = list(labels())
    hit_of = dict(HIT.objects.values_list("row__input__task", "mturk_id"))
    for task, worker, label in given:
        market.submit(hit_of[task], worker, {"task": task, "label": label})
    sweep(connection, gateway=market)
    job = decide_many(batch, Assignment.objects.filter(batch=batch), by=by, verdict=Verdict.APPROVE)
    while bulk_deciding.run_chunk(job):
        pass
    while send_decisions(connection, gateway=market):
        pass
    sweep(connection, gateway=market)

    batch.refresh_from_db()
    assert (batch.state, batch.rows_decided, batch.answers_approved) == ("live", ROWS, ROWS * ANSWERS)
    exported = b"".join(results_csv(batch, by=by)).decode("utf-8-sig")
    got = Counter(
        (row["Input.task"], row["WorkerId"], row["Answer.label"], row["AssignmentStatus"])
        for row in csv.DictReader(io.StringIO(exported, newline=""))
    )
    assert got == Counter((*answer, "Approved") for answer in given)
    # Nothing was asked or sent more often than it takes.
    assert market.calls == {
        "CreateHITType": 1,
        "CreateHITWithHITType": ROWS,
        "ListHITs": 2 * (ROWS // 100 + 1),
        "ListAssignmentsForHIT": ROWS,
        "ApproveAssignment": ROWS * ANSWERS,
    }
