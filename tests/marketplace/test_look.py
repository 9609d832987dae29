"""The worker site and the operator's page in both themes, on a desk and on a phone, as the dashboard is looked at."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, reverse
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from marketplace import clock, granting, letters, lifecycle
from marketplace.answers import FormAnswer
from marketplace.models import HIT, Worker
from marketplace.operator_site.signing_in import new_link
from tests.look.looking import faults_of, looked_at
from tests.marketplace.conftest import Market
from tests.marketplace.forms import TEST, TEST_KEY, form, free_text, question, selection
from tests.marketplace.operator_site.test_operator import path_of
from tests.marketplace.test_qualification_types import make
from tests.marketplace.test_requirements import needs
from tests.marketplace.worker_site.conftest import html_question

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "The ferry to the island was cancelled for the third time this week. " * 5
# What answers with something else than a page of its own.
NO_PAGES = {
    "worker_site:accept",
    "worker_site:answer",
    "worker_site:ask",
    "worker_site:choose_next",
    "worker_site:content",
    "worker_site:external_submit",
    "worker_site:go_on",
    "worker_site:preview_redirect",
    "worker_site:return",
    "worker_site:sign_out",
    "worker_site:state",
    "worker_site:test_worker",
    "operator_site:add_key",
    "operator_site:add_requester",
    "operator_site:deposit",
    "operator_site:revoke_key",
    "operator_site:rotate_key",
    "operator_site:sign_out",
}
Window = Callable[[Client | None], Page]


@pytest.fixture
def window_of(live_server: LiveServer, new_context: Callable[..., BrowserContext]) -> Window:
    """A browser's page of somebody who is signed in; of a stranger with None."""

    def open_page(client: Client | None) -> Page:
        context = new_context(base_url=live_server.url)
        if client:
            name = settings.SESSION_COOKIE_NAME
            value = client.cookies[name].value
            context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
        return context.new_page()

    return open_page


@pytest.fixture
def wanda(market: Market) -> Worker:
    """Wanda, who works here."""
    return market.worker()


@pytest.fixture
def wandas(wanda: Worker) -> Client:
    """A browser in which Wanda is signed in."""
    client = Client()
    client.force_login(wanda)
    return client


@pytest.fixture
def sheet(market: Market) -> HIT:
    """A HIT whose question is a form of all kinds of fields."""
    return market.create_hit(
        Question=form(
            question("sky", selection("blue", "grey")),
            question("birds", selection("lark", "wren", "rook", least=1, most=3, style="checkbox")),
            question("why", free_text(more="<NumberOfLinesSuggestion>4</NumberOfLinesSuggestion>")),
        ),
        Title="Sky and birds",
        MaxAssignments=3,
    )


@pytest.fixture
def guarded(market: Market) -> str:
    """A type with a test, which a HIT requires; its id."""
    kind = make(market, Name="Colours", Test=TEST, TestDurationInSeconds=600, AnswerKey=TEST_KEY)
    type_id = str(kind["QualificationTypeId"])
    market.create_hit(Title="Only for experts", QualificationRequirements=[needs(type_id, "Exists")])
    return type_id


def test_pages_of_a_worker_at_work(
    market: Market, sheet: HIT, guarded: str, wanda: Worker, wandas: Client, window_of: Window
) -> None:
    hit = market.create_hit(
        Question=html_question("<form><input name=colour aria-label=Colour></form>"), Title=LONG[:128]
    )
    framed, form_work = market.accept(hit, wanda), market.accept(sheet, wanda)
    request = granting.ask(guarded, wanda)
    letters.write(market.requester.pk, [wanda], LONG[:200], LONG, now=clock.now())
    window = window_of(wandas)

    assert (
        faults_of(
            window,
            [
                reverse("worker_site:groups"),
                reverse("worker_site:preview", args=[sheet.hit_type.group_mturk_id]),
                reverse("worker_site:queue"),
                reverse("worker_site:work", args=[framed.mturk_id]),
                reverse("worker_site:work", args=[form_work.mturk_id]),
                reverse("worker_site:qualifications"),
                reverse("worker_site:qualification", args=[guarded]),
                reverse("worker_site:qualification_request", args=[request.mturk_id]),
                reverse("worker_site:messages"),
                reverse("worker_site:account"),
            ],
        )
        == []
    )
    lifecycle.submit_assignment(framed.mturk_id, [("colour", "red")])
    right = [FormAnswer("sky", ("blue",)), FormAnswer("grass", ("green",))]
    granting.submit_test(request.mturk_id, wanda, right)
    assert (
        faults_of(
            window,
            [
                reverse("worker_site:earnings"),
                reverse("worker_site:qualification", args=[guarded]),
                reverse("worker_site:qualification_request", args=[request.mturk_id]),
            ],
        )
        == []
    )


def test_pages_with_nothing_on_them(market: Market, wandas: Client, window_of: Window) -> None:
    names = ("groups", "queue", "qualifications", "earnings", "messages")
    assert faults_of(window_of(wandas), [reverse(f"worker_site:{name}") for name in names]) == []


def test_pages_of_a_stranger_and_what_is_not_there(market: Market, sheet: HIT, window_of: Window) -> None:
    assert (
        faults_of(
            window_of(None),
            [
                reverse("worker_site:groups"),
                reverse("worker_site:preview", args=[sheet.hit_type.group_mturk_id]),
                reverse("worker_site:sign_in"),
                reverse("worker_site:sign_up"),
                "/projects/nowhere/tasks",
                reverse("operator_site:overview"),
            ],
        )
        == []
    )


def test_pages_of_the_operator(market: Market, wanda: Worker, window_of: Window) -> None:
    letters.write(market.requester.pk, [wanda], "Thank you", LONG, now=clock.now())
    window = window_of(None)
    link = path_of(new_link())
    assert faults_of(window, [link]) == []
    window.get_by_role("button", name="Open the operator's page").click()
    sent = reverse("operator_site:sent_messages", args=[market.requester.mturk_id])

    def add(page: Page) -> None:
        page.get_by_role("button", name="Add a key").first.click()

    assert faults_of(window, [reverse("operator_site:overview"), sent]) == []
    assert faults_of(window, [reverse("operator_site:overview")], prepare=add) == []


def test_every_page_was_looked_at(request: pytest.FixtureRequest) -> None:
    ran = {item.originalname for item in request.session.items if isinstance(item, pytest.Function)}
    if not {name for name in globals() if name.startswith("test_")} <= ran:
        pytest.skip("only some of the looks were asked for")
    resolvers = get_resolver().namespace_dict
    pages = {
        f"{space}:{name}"
        for space in ("worker_site", "operator_site")
        for name in resolvers[space][1].reverse_dict
        if isinstance(name, str)
    }

    assert pages - NO_PAGES - looked_at == set()
