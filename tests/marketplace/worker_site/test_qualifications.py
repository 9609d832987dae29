"""Qualifications as Workers meet them: locked groups, asking, tests, and what became of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace import granting
from marketplace.models import HIT, QualificationRequest, Worker
from tests.marketplace.conftest import Market
from tests.marketplace.forms import TEST_KEY
from tests.marketplace.test_granting import give, take
from tests.marketplace.test_qualification_types import TESTED, make, update
from tests.marketplace.test_requirements import LOCALE, needs


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def guarded(market: Market, guard: str, **more: Any) -> HIT:
    """A HIT for holders of “Colours” with at least 80."""
    kind = make(market, **more)
    requirement = needs(kind["QualificationTypeId"], "GreaterThanOrEqualTo", 80, guarded=guard)
    return market.create_hit(QualificationRequirements=[requirement])


def kind_of(hit: HIT) -> dict[str, str]:
    return {"QualificationTypeId": hit.hit_type.qualification_requirements[0]["QualificationTypeId"]}


# Locked groups


@pytest.mark.parametrize(
    ("guard", "is_listed", "is_previewed"),
    [
        ("Accept", True, True),
        ("PreviewAndAccept", True, False),
        ("DiscoverPreviewAndAccept", False, False),
    ],
)
@pytest.mark.parametrize("who", ["visitor", "worker"])
def test_what_is_guarded_is_kept_from_whoever_lacks_the_qualification(
    market: Market, client: Client, wandas: Client, who: str, guard: str, is_listed: bool, is_previewed: bool
) -> None:
    browser = client if who == "visitor" else wandas
    hit = guarded(market, guard)
    address = hit.hit_type.get_absolute_url()

    assert ("Name the colour" in browser.get("/").content.decode()) is is_listed
    preview = browser.get(address)
    assert preview.status_code == (200 if is_listed else 404)
    assert ("<iframe" in preview.content.decode()) is is_previewed
    assert "Accept for" not in preview.content.decode()
    if who == "worker":
        answer = browser.post(f"{address}/accept", {"hit": hit.mturk_id})
        assert answer.headers["Location"] == address
        assert not hit.assignments.exists()


@pytest.mark.parametrize("guard", ["Accept", "PreviewAndAccept", "DiscoverPreviewAndAccept"])
def test_holders_find_preview_and_accept(market: Market, wanda: Worker, wandas: Client, guard: str) -> None:
    hit = guarded(market, guard)
    give(market, kind_of(hit), wanda, IntegerValue=80)
    address = hit.hit_type.get_absolute_url()

    assert "Name the colour" in wandas.get("/").content.decode()
    assert "Accept for $0.50" in wandas.get(address).content.decode()
    assert "/tasks/" in wandas.post(f"{address}/accept").headers["Location"]


def test_a_group_says_what_it_asks_for_what_is_lacking_and_how_to_get_it(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    kind = make(market, Name="Spanish")
    private = make(market, Name="Chosen few")
    update_private = [needs(private["QualificationTypeId"], "Exists")]
    hit = market.create_hit(
        QualificationRequirements=[
            needs(kind["QualificationTypeId"], "GreaterThanOrEqualTo", 80),
            needs(LOCALE, "In", {"Country": "DE"}, {"Country": "US", "Subdivision": "WA"}),
            needs("000000000000000000L0", "GreaterThan", 95),
            *update_private,
        ]
    )
    update(market, private, QualificationTypeStatus="Inactive")

    for address in ("/", hit.hit_type.get_absolute_url()):
        page = wandas.get(address)
        said = text(page)
        assert "You lack this: Spanish: at least 80 · how to get it" in said
        assert (
            "You lack this: Where you live: one of Germany; Washington, United States · how to get it" in said
        )
        assert "You have this: Approval rate: above 95" in said
        assert "You lack this: Chosen few" in said
        assert f'href="/qualifications/{kind["QualificationTypeId"]}"' in page.content.decode()
        assert private["QualificationTypeId"] not in page.content.decode()

    wandas.post("/account", {"country": "US", "subdivision": "WA"})
    give(market, kind, wanda, IntegerValue=80)
    give(market, private, wanda)
    assert "Accept for" in text(wandas.get(hit.hit_type.get_absolute_url()))


def test_a_worker_comes_back_to_a_group_that_is_closed_to_them_now(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    """The usual way to have each Worker once: those who did it are given what the group does not want."""
    kind = make(market, Name="Did it")
    requirement = needs(kind["QualificationTypeId"], "DoesNotExist", guarded="DiscoverPreviewAndAccept")
    hit = market.create_hit(QualificationRequirements=[requirement], MaxAssignments=5)
    assignment = market.submit(hit, wanda)
    give(market, kind, wanda)

    page = wandas.post(f"/tasks/{assignment.mturk_id}/go-on", follow=True)

    assert "There is nothing left for you in this group." in text(page)
    assert "Name the colour" not in text(wandas.get("/"))


def test_the_list_reads_a_worker_once_for_all_groups(
    market: Market, wandas: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    kind = make(market)
    for number in range(30):
        market.create_hit(
            Title=f"Group {number}",
            QualificationRequirements=[
                needs(kind["QualificationTypeId"], "DoesNotExist"),
                needs("00000000000000000040", "EqualTo", 0),
            ],
        )

    # Session, Worker and their standing; what is due, the time, counts, types, medians; what they hold,
    # their record, and the names of what is required.
    with django_assert_max_num_queries(14):
        page = wandas.get("/").content.decode()

    assert page.count("<h2>") == 25


# Asking


def test_an_auto_granted_qualification_is_there_at_once(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    kind = make(market, AutoGranted=True, AutoGrantedValue=7)
    address = f"/qualifications/{kind['QualificationTypeId']}"
    assert "Ask for it" in text(wandas.get(address))

    page = wandas.post(f"{address}/ask", follow=True)

    assert "You were given this qualification with the value 7." in text(page)
    assert "You hold this qualification already." in text(wandas.get(address))
    assert "You hold this qualification already." in text(wandas.post(f"{address}/ask", follow=True))


def test_a_request_waits_and_its_answer_is_told_with_the_reason(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    kind = make(market)
    address = f"/qualifications/{kind['QualificationTypeId']}"

    page = wandas.post(f"{address}/ask", follow=True)
    assert "Your request waits for the requester." in text(page)
    assert "waits for the requester" in text(wandas.get("/qualifications"))

    [request] = QualificationRequest.objects.all()
    market.mturk.reject_qualification_request(
        QualificationRequestId=request.mturk_id, Reason="Come back <b>later</b>"
    )
    for each in (request.get_absolute_url(), "/qualifications"):
        assert "Come back &lt;b&gt;later&lt;/b&gt;" in wandas.get(each).content.decode()
    assert "lets everybody ask only once" in text(wandas.get(address))


def test_the_list_shows_what_is_held_taken_back_and_open_to_asking(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    held, revoked, other = (make(market, Name=name) for name in ("Held", "Revoked", "Other one"))
    make(market, Name="Hidden", QualificationTypeStatus="Inactive")
    give(market, held, wanda, IntegerValue=42)
    give(market, revoked, wanda)
    take(market, revoked, wanda, Reason="Guessed")

    page = text(wandas.get("/qualifications"))

    mine, open_ones = page.split("You can ask for")
    assert "Held 42" in mine
    assert "Revoked taken back" in mine
    assert "Guessed" in mine
    assert "Other one" in open_ones
    assert "Held" not in open_ones
    assert "Hidden" not in page
    assert "Other one" not in text(wandas.get("/qualifications?q=nothing"))
    assert other["Name"] in text(wandas.get("/qualifications?q=other"))


def test_nobody_hears_of_a_type_that_is_not_offered(market: Market, wanda: Worker, wandas: Client) -> None:
    kind = make(market, QualificationTypeStatus="Inactive")
    address = f"/qualifications/{kind['QualificationTypeId']}"

    assert wandas.get(address).status_code == 404
    assert "cannot be asked for now" in text(wandas.post(f"{address}/ask", follow=True))
    give(market, kind, wanda)
    assert "You hold this qualification with the value 1." in text(wandas.get(address))


# Tests


@pytest.fixture
def testing(market: Market, wandas: Client) -> Callable[..., str]:
    """Wanda starts a test; gives its address."""

    def start(**members: Any) -> str:
        kind = make(market, **TESTED | members)
        answer = wandas.post(f"/qualifications/{kind['QualificationTypeId']}/ask")
        return str(answer.headers["Location"])

    return start


def test_a_test_is_taken_scored_and_granted(
    market: Market, wanda: Worker, wandas: Client, testing: Callable[..., str]
) -> None:
    address = testing(AnswerKey=TEST_KEY)
    page = wandas.get(address).content.decode()
    assert re.search(r'data-left="(599|600)"', page)
    assert "Colours</bdi></h2>" in page

    done = wandas.post(address, {"q2": "0", "q3": "1"}, follow=True)

    assert "You were given this qualification with the value 100." in text(done)
    assert wanda.qualifications.get().value == 100


def test_an_incomplete_test_is_shown_again_with_everything_kept(
    wanda: Worker, wandas: Client, testing: Callable[..., str]
) -> None:
    address = testing(AnswerKey=TEST_KEY)

    answer = wandas.post(address, {"q2": "1"})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Choose an answer; this question needs one." in page
    assert '<input type="radio" name="q2" value="1" checked>' in page
    assert not wanda.qualifications.exists()


def test_a_test_without_a_key_waits_and_one_whose_time_is_over_says_so(
    market: Market, wandas: Client, testing: Callable[..., str]
) -> None:
    waiting = testing(Name="Unscored")
    assert "Your request waits" in text(wandas.post(waiting, {"q2": "0", "q3": "0"}, follow=True))
    assert "submitted already" in text(wandas.post(waiting, {"q2": "0", "q3": "0"}, follow=True))

    lapsed = testing()
    market.wait(minutes=10)
    assert "The time for this test ran out" in text(wandas.post(lapsed, {"q2": "0", "q3": "1"}, follow=True))
    assert "ran out before it was submitted" in text(wandas.get(lapsed))


def test_a_test_that_was_begun_is_found_again(
    market: Market, wanda: Worker, wandas: Client, testing: Callable[..., str]
) -> None:
    address = testing()
    kind = QualificationRequest.objects.get().qualification_type

    assert f'href="{address}"' in wandas.get(kind.get_absolute_url()).content.decode()
    assert wandas.post(f"{kind.get_absolute_url()}/ask").headers["Location"] == address


def test_a_test_is_nobody_elses(
    market: Market, testing: Callable[..., str], browser_of: Callable[[Worker], Client]
) -> None:
    address = testing()
    stranger = browser_of(market.worker())

    assert stranger.get(address).status_code == 404
    assert stranger.post(address, {"q2": "0", "q3": "1"}).status_code == 404


# Where a Worker lives


def test_a_worker_says_where_they_live_and_what_they_want_to_see(wanda: Worker, wandas: Client) -> None:
    answer = wandas.post("/account", {"country": "US", "subdivision": "CA", "is_adult": "on"}, follow=True)

    assert "Kept." in text(answer)
    wanda.refresh_from_db()
    assert (wanda.country, wanda.subdivision, wanda.is_adult) == ("US", "CA", True)
    assert '<option value="CA" selected>' in answer.content.decode()


@pytest.mark.parametrize(
    "wrong", [{"country": "DE", "subdivision": "CA"}, {"country": "XX"}, {"subdivision": "CA"}]
)
def test_a_place_that_is_none_is_refused(wanda: Worker, wandas: Client, wrong: dict[str, str]) -> None:
    assert wandas.post("/account", wrong).status_code == 400
    wanda.refresh_from_db()
    assert wanda.country == ""


def test_a_new_worker_can_say_it_at_once(client: Client, db: None) -> None:
    told = {"email": "new@example.org", "password": "a good long one", "country": "US", "subdivision": "WA"}
    client.post("/sign-up", told)

    assert Worker.objects.get(email="new@example.org").subdivision == "WA"


def test_lapsed_requests_are_no_obstacle_to_looking(market: Market, wanda: Worker) -> None:
    kind = make(market, **TESTED, RetryDelayInSeconds=0)
    request = granting.ask(kind["QualificationTypeId"], wanda)
    market.wait(minutes=10)

    assert granting.ask(kind["QualificationTypeId"], wanda).pk != request.pk
