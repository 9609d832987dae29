"""The pages about a batch that continues another, the item both ask for, and files with the answers of both."""

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from django.urls import reverse

from mturkhub.common.errors import ActionRefused
from projects.actions.batches import publish_batch
from projects.actions.continuing import continue_batch
from projects.exporting import Chosen, results_json, results_jsonl, row_jsonl
from projects.models import Assignment, Batch, Export
from projects.publishing import publish_chunk
from projects.results_table import results_csv
from tests.conftest import Person
from tests.factories import HITTemplateFactory
from tests.projects.live import Live
from tests.projects.pages import count_queries, get, post, words

pytestmark = pytest.mark.django_db
SETTINGS = {
    "name": "Second",
    "reward": "0.10",
    "max_assignments": "10",
    "assignment_duration_0": "1",
    "assignment_duration_1": "hours",
    "lifetime_0": "7",
    "lifetime_1": "days",
    "auto_approval_delay_0": "3",
    "auto_approval_delay_1": "days",
}


@pytest.fixture
def left(live: Live) -> Live:
    """Two rows of three places each; one answer to the second came before they were over."""
    HITTemplateFactory(project=live.batch.project, team=live.batch.team)
    live.submit(["AWANDA"], row=2, sentiment="2")
    live.later(days=8)
    live.collect()
    live.batch.refresh_from_db()
    return live


@pytest.fixture
def linked(left: Live, mina: Person) -> Live:
    """The batch that continues it, with two answers to the second row, one of them with a field of its own."""
    draft = continue_batch(left.batch, by=mina.actor)
    publish_batch(draft, by=mina.actor)
    publish_chunk(draft, gateway=left.market)
    linked = replace(left, batch=draft)
    linked.submit(["AXEL"], row=2, sentiment="4")
    linked.submit(["AYLA"], row=2, sentiment="6", why="it rhymes")
    linked.collect()
    draft.refresh_from_db()
    left.batch.refresh_from_db()
    return linked


def test_what_is_left_becomes_a_draft_with_its_own_price(left: Live, mina: Person) -> None:
    page = words(get(mina, "republish", left.batch))
    assert "Make a draft for 5 answers of 2 rows" in page

    response = post(mina, "continue_batch", left.batch)

    draft = Batch.objects.get(continues=left.batch)
    assert response.url == reverse("projects:cost", args=[draft.public_id])
    text = words(get(mina, "cost", draft))
    assert f"Continues {left.batch} : 2 rows of which 5 answers were missing" in text
    assert "2 rows, 5 answers missing × $0.05" in text
    assert "Publish 2 HITs for $0.30" in text
    again = words(get(mina, "republish", left.batch))
    assert f"Asked for already, and not missing here: {draft} Draft" in again
    assert "Make a draft" not in again


def test_settings_of_the_draft_show_their_price_as_they_are_typed(left: Live, mina: Person) -> None:
    draft = continue_batch(left.batch, by=mina.actor)
    form = {**SETTINGS, "connection": draft.connection_id}

    exactly = words(post(mina, "cost", draft, {**form, "only_missing": "on"}, htmx=True).content.decode())
    each = words(post(mina, "cost", draft, form, htmx=True).content.decode())
    post(mina, "publish_batch", draft, {**form, "only_missing": "on", "total": "0.60"})

    assert "Publish 2 HITs for $0.60" in exactly
    assert "Publish 2 HITs for $2.80" in each
    draft.refresh_from_db()
    assert (draft.state, draft.committed) == ("publishing", Decimal("0.60"))


def test_a_draft_is_cancelled_with_one_click(left: Live, mina: Person) -> None:
    draft = continue_batch(left.batch, by=mina.actor)
    assert "Cancel this draft" in words(get(mina, "cost", draft))

    response = mina.client.post(reverse("projects:cancel", args=[draft.public_id]), follow=True)

    assert "Cancelled: nothing was sent." in words(response.content.decode())
    assert "Cancel this draft" not in response.content.decode()
    assert "Make a draft for 5 answers of 2 rows" in words(get(mina, "republish", left.batch))
    assert "Continued in" not in words(get(mina, "batch", left.batch))


def test_both_batches_name_each_other(linked: Live, left: Live, mina: Person) -> None:
    first = words(get(mina, "batch", left.batch))
    second = words(get(mina, "batch", linked.batch))

    assert f"Continued in {linked.batch}" in first
    assert f"Continues {left.batch}" in second
    assert "2 rows, 5 answers that were missing" in second
    assert f"made {linked.batch} for 5 answers of 2 rows that were missing" in words(
        get(mina, "batch_activity", left.batch)
    )


@pytest.mark.parametrize("where", ["left", "linked"])
def test_the_rows_page_shows_one_item_with_every_answer(
    where: str, linked: Live, left: Live, mina: Person
) -> None:
    batch = {"left": left, "linked": linked}[where].batch
    html = get(mina, "row", batch, 2)

    text = words(html)
    assert "The same item" in text
    assert text.count(f"{linked.batch} 4 ") == 1
    assert "Mean without left out 4.0" in text
    lines = b"".join(row_jsonl(batch.rows.get(number=2), by=mina.actor)).decode().splitlines()
    assert [json.loads(line)["output"]["sentiment"] for line in lines] == ["2", "4", "6"]
    assert "4.0" in words(get(mina, "batch_rows", left.batch))


def test_a_draft_is_no_part_of_the_item_yet(left: Live, mina: Person) -> None:
    continue_batch(left.batch, by=mina.actor)

    assert "The same item" not in words(get(mina, "row", left.batch, 2))


def test_one_json_item_has_the_answers_of_both(linked: Live, left: Live, mina: Person) -> None:
    whole = json.loads(b"".join(results_json(left.batch, by=mina.actor, chosen=Chosen(continued=True))))
    own = json.loads(b"".join(results_json(left.batch, by=mina.actor)))

    assert whole[1]["answers"] == [2, 4, 6]
    assert whole[1]["avg_answer"] == 4.0
    assert whole[1]["assignments_submitted_count"] == 3
    assert whole[1]["hit_id"] == linked.hit_id(2)
    assert len(whole) == 2
    assert own[1]["answers"] == [2]


def test_the_csv_appends_what_came_elsewhere_under_one_header(linked: Live, left: Live, mina: Person) -> None:
    def lines(chosen: Chosen) -> list[dict[str, str]]:
        text = b"".join(results_csv(left.batch, by=mina.actor, chosen=chosen)).decode()
        return list(csv.DictReader(io.StringIO(text)))

    own, both = lines(Chosen()), lines(Chosen(continued=True))

    assert [line["Answer.sentiment"] for line in own] == ["2"]
    assert [line["Answer.sentiment"] for line in both] == ["2", "4", "6"]
    assert [line["Answer.why"] for line in both] == ["", "", "it rhymes"]
    assert {line["Input.text"] for line in both} == {"sentence 2"}
    assert [line["HITId"] for line in both] == [left.hit_id(2), linked.hit_id(2), linked.hit_id(2)]
    assert "Answer.why" not in own[0]


def test_json_lines_name_the_batch_and_the_first_batchs_row(linked: Live, left: Live, mina: Person) -> None:
    found = results_jsonl(left.batch, by=mina.actor, chosen=Chosen(continued=True))

    told = [json.loads(line) for line in found]
    assert [(each["row"], each["batch"]) for each in told] == [
        (2, left.batch.name),
        (2, linked.batch.name),
        (2, linked.batch.name),
    ]


def test_the_export_page_offers_both_and_remembers_which_it_was(
    linked: Live, left: Live, mina: Person
) -> None:
    assert "With batches that continue it 2 answers in" in words(get(mina, "batch_export", left.batch))
    assert "With batches that continue it" not in words(get(mina, "batch_export", linked.batch))

    def fetched(name: str, query: str = "") -> bytes:
        address = reverse(f"projects:{name}", args=[left.batch.public_id]) + query
        return b"".join(mina.client.get(address).streaming_content)

    assert len(json.loads(fetched("results_json"))[1]["answers"]) == 3
    assert len(json.loads(fetched("results_json", "?continued=0"))[1]["answers"]) == 1
    assert len(fetched("results_csv").splitlines()) == 2
    assert len(fetched("results_csv", "?continued=1").splitlines()) == 4
    assert len(fetched("results_jsonl", "?continued=1").splitlines()) == 3
    assert Export.objects.get().continued
    linked.submit(["AZRA"], row=1)
    linked.collect()
    # The whole test is one transaction, and an answer carries the time at which its transaction began.
    Assignment.objects.filter(row__number=1).update(collected_at=Export.objects.get().until)
    assert len(fetched("results_jsonl", "?new=1").splitlines()) == 1


def test_a_chain_takes_no_more_queries_for_more_rows(linked: Live, left: Live, mina: Person) -> None:
    few = count_queries(mina, "batch_rows", left.batch)
    linked.submit(["ABEL", "ACE"], row=1)
    linked.collect()

    assert count_queries(mina, "batch_rows", left.batch) == few


def test_stan_continues_nothing(left: Live, stan: Person) -> None:
    assert post(stan, "continue_batch", left.batch).status_code == 404
    with pytest.raises(ActionRefused):
        continue_batch(left.batch, by=stan.actor)
