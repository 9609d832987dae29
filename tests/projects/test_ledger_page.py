"""The ledger as people read it: filtered, added up, page by page, and as CSV."""

import csv
import io
from decimal import Decimal

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from projects import filters, ledger
from projects.actions.batches import publish_batch
from projects.actions.payments import send_bonus
from projects.actions.reviews import approve_assignment, reject_assignment
from projects.models import Batch, LedgerEntry
from tests.conftest import Person
from tests.factories import BatchFactory, ConnectionFactory
from tests.projects.live import Live
from tests.projects.pages import HOSTILE, is_shown_as_text, words

pytestmark = pytest.mark.django_db
PATH = "/money/ledger/"


@pytest.fixture
def story(live: Live, mina: Person, ravi: Person, no_grace: None) -> Live:
    """Two rows published, one answer approved, one rejected, and a bonus on its way."""
    live.submit(["AWANDA", "AWILL"])
    live.collect()
    first, second = live.answers
    approve_assignment(first, by=ravi.actor)
    reject_assignment(second, by=mina.actor, feedback="Empty.")
    live.send()
    send_bonus(first, by=mina.actor, amount=Decimal("0.50"), reason="Careful")
    return live


def shown(person: Person, query: str = "") -> str:
    response = person.client.get(PATH + query)
    assert response.status_code == 200
    return words(response.content.decode())


def lines(person: Person, query: str = "") -> list[dict[str, str]]:
    response = person.client.get(f"{PATH}ledger.csv{query}")
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def test_an_empty_ledger_says_what_will_stand_there(olive: Person) -> None:
    assert "No money has moved yet." in shown(olive)


def test_each_entry_says_what_how_much_why_and_who_the_newest_first(story: Live, olive: Person) -> None:
    text = shown(olive)

    assert "Held now $0.84 held" in text
    assert "Paid $0.06 to Workers" in text
    assert "Held in all $0.96" in text
    assert "Released $0.06" in text
    entries = [
        "Held $0.60 $0.10 bonus 1",
        "Paid $0.06 $0.01 answer approved 1",
        "Released $0.06 $0.01 answer rejected 1",
        "Held $0.36 $0.06 published 6 answers",
    ]
    places = [text.index(entry) for entry in entries]
    assert places == sorted(places)
    assert "AWANDA Ravi" in text


def test_a_viewer_reads_pseudonyms_on_the_page_and_in_the_file(story: Live, vera: Person) -> None:
    assert "AWANDA" not in shown(vera)
    workers = {line["worker"] for line in lines(vera)} - {""}
    assert {each[:2] for each in workers} == {"W-"}


@pytest.mark.parametrize(
    ("query", "amounts"),
    [
        ("?kind=paid", ["0.06"]),
        ("?kind=held", ["0.60", "0.36"]),
        ("?person=rules", []),
        ("?person={ravi}", ["0.06"]),
        ("?batch={batch}&kind=released", ["0.06"]),
        ("?connection={connection}&kind=paid", ["0.06"]),
        ("?connection=019a0000-0000-7000-8000-000000000000", []),
        ("?batch=019a0000-0000-7000-8000-000000000000", []),
        ("?month={month}&kind=paid", ["0.06"]),
        ("?month=2020-01", []),
        # What makes no sense is left out.
        ("?kind=stolen&month=2026-13&person=x&batch=y", ["0.60", "0.06", "0.06", "0.36"]),
    ],
)
def test_filters_choose_for_page_and_file(
    story: Live, olive: Person, ravi: Person, query: str, amounts: list[str]
) -> None:
    asked = query.format(
        ravi=ravi.user.public_id,
        batch=story.batch.public_id,
        connection=story.connection.public_id,
        month=f"{clock.now():%Y-%m}",
    )

    assert [line["amount"] for line in lines(olive, asked)] == amounts
    text = shown(olive, asked)
    assert f"These {len(amounts)} as CSV" in text


def test_a_month_is_the_teams_own(story: Live, olive: Person) -> None:
    zone = "Pacific/Auckland"
    story.batch.team.time_zone = zone
    story.batch.team.save()
    begins, ends = ledger._month("2026-12", ledger.ZoneInfo(zone))

    assert begins.isoformat() == "2026-12-01T00:00:00+13:00"
    assert ends.isoformat() == "2027-01-01T00:00:00+13:00"


def test_a_file_holds_every_entry_with_what_it_is_about(story: Live, olive: Person) -> None:
    bonus, paid, _released, held = lines(olive)

    assert held["answers"] == "6"
    assert (held["person"], held["row"], held["worker"]) == ("Mina", "", "")
    assert (paid["person"], paid["row"], paid["worker"]) == ("Ravi", "1", "AWANDA")
    assert paid["assignment"] == story.answers[0].mturk_id
    assert (bonus["fee"], bonus["reason"]) == ("0.10", "bonus")


@pytest.mark.parametrize("value", ["=1+1", *HOSTILE])
def test_names_are_text_on_the_page_and_no_formula_in_the_file(
    story: Live, olive: Person, value: str
) -> None:
    Batch.objects.update(name=value[:100])

    assert is_shown_as_text(value, olive.client.get(PATH).content.decode())
    assert all(not line["batch"].startswith("=") for line in lines(olive))


def test_a_longer_ledger_takes_as_many_queries(story: Live, olive: Person, mina: Person) -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as taken:
            shown(olive)
        return len(taken)

    shown(olive)
    short = queries()
    for _ in range(5):
        batch = BatchFactory(project=story.batch.project, connection=story.connection, rows=1)
        publish_batch(batch, by=mina.actor)

    assert queries() == short


def test_older_entries_stand_on_the_next_page(mina: Person, live: Live, connection: Connection) -> None:
    for _ in range(60):
        publish_batch(BatchFactory(project=live.batch.project, connection=connection, rows=1), by=mina.actor)

    first = mina.client.get(PATH).content.decode()
    assert first.count("6 answers") + first.count("3 answers") == filters.PAGE
    older = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    second = words(mina.client.get(PATH + older).content.decode())
    assert "published 6 answers" in second
    assert len(lines(mina)) == 61


def test_beyond_what_is_counted_the_batches_know_what_is_held_and_paid(
    story: Live, olive: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST_COUNTED", 3)

    sums = ledger.sums_of(ledger.LedgerFilter(), olive.team, olive.actor)
    assert (sums.held_now, sums.paid, sums.held) == (Decimal("0.84"), Decimal("0.06"), None)
    of_kind = ledger.sums_of(ledger.LedgerFilter(kind="held"), olive.team, olive.actor)
    assert (of_kind.held_now, of_kind.held) == (None, Decimal("0.96"))


def test_another_teams_entries_do_not_exist(story: Live, stan: Person) -> None:
    assert "No money has moved yet." in shown(stan)
    assert lines(stan, f"?batch={story.batch.public_id}") == []
    assert lines(stan, f"?connection={story.connection.public_id}") == []


def test_two_connections_are_told_apart(story: Live, mina: Person, connection: Connection) -> None:
    other = ConnectionFactory(account=connection.account, name="Second")
    publish_batch(BatchFactory(project=story.batch.project, connection=other, rows=1), by=mina.actor)

    found = lines(mina, f"?connection={other.public_id}")

    assert [(line["connection"], line["amount"]) for line in found] == [("Second", "0.18")]
    assert LedgerEntry.objects.count() == 5


def test_batch_and_money_pages_lead_to_the_ledger(story: Live, mina: Person) -> None:
    of_batch = f"{PATH}?batch={story.batch.public_id}"
    for path, address in (
        ("/money/", PATH),
        (f"/batches/{story.batch.public_id}/", of_batch),
        (f"/batches/{story.batch.public_id}/activity/", of_batch),
    ):
        assert f'href="{address}"' in mina.client.get(path).content.decode()
