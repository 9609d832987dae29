"""The set-up checklist: what is ticked, and which step each refusal of Amazon's says is missing."""

import re
from html import unescape

import pytest
from django.urls import reverse

from mturkhub.accounts.actions.connections import replace_keys, try_connection
from mturkhub.accounts.models import Connection
from mturkhub.accounts.setup import checklist, checklists
from tests.factories import AccountGrantFactory, ConnectionFactory
from tests.fakes.mturk import FakeMTurk, refusal, unreachable
from tests.projects.pages import words

pytestmark = pytest.mark.django_db

AMAZON = ["aws", "requester", "link", "policy", "keys", "test"]
LINKING = "Your AWS account must be linked to your Amazon Mechanical Turk Account."


@pytest.fixture(params=["sandbox", "production"])
def amazon(request, team) -> Connection:
    return ConnectionFactory(account__team=team, name="Amazon", environment=request.param)


def states(row: Connection) -> dict[str, str]:
    return {step.name: step.state for step in checklist(row.environment, row).steps}


def failing(kind: str, message: str = "", code: str = "") -> FakeMTurk:
    market = FakeMTurk()
    market.fail("GetAccountBalance", lambda operation: refusal(operation, code, message, kind))
    return market


def test_every_environment_has_its_own_steps():
    for environment in ("sandbox", "production"):
        assert [step.name for step in checklist(environment, None).steps] == AMAZON
    assert [step.name for step in checklist("local", None).steps] == ["requester", "keys", "test"]
    sandbox, production = (
        {step.link for step in checklist(name, None).steps} for name in ("sandbox", "production")
    )
    assert "https://requestersandbox.mturk.com/" in sandbox - production
    assert "https://requester.mturk.com/" in production - sandbox


def test_before_the_test_only_the_keys_are_known_to_be_there(amazon):
    assert [name for name, state in states(amazon).items() if state == "done"] == ["keys"]


def test_a_test_that_passes_ticks_everything(olive, amazon):
    try_connection(amazon, by=olive.actor, gateway=FakeMTurk())

    assert set(states(amazon).values()) == {"done"}
    assert checklist(amazon.environment, amazon).is_done


@pytest.mark.parametrize(
    ("refused", "missing", "done"),
    [
        (["UnrecognizedClientException"], "keys", set()),
        (["InvalidSignatureException"], "keys", set()),
        (["SignatureDoesNotMatch"], "keys", set()),
        (["ExpiredTokenException"], "keys", set()),
        (["AccessDeniedException"], "policy", {"aws", "keys"}),
        (["OptInRequired"], "link", {"aws", "policy", "keys"}),
        (["SubscriptionRequiredException"], "link", {"aws", "policy", "keys"}),
        (["RequestError", LINKING], "link", {"aws", "policy", "keys"}),
        (["RequestError", "This account is not registered."], "link", {"aws", "policy", "keys"}),
        # A step of the server's, not of the requester's.
        (["InvalidSignatureException", "Signature expired: 2026"], "test", {"keys"}),
        (["RequestError", "Something else."], "test", {"keys"}),
    ],
)
def test_each_refusal_is_one_missing_step_with_its_sentence(olive, amazon, refused, missing, done):
    try_connection(amazon, by=olive.actor, gateway=failing(*refused))

    amazon.refresh_from_db()
    found = states(amazon)
    assert [name for name, state in found.items() if state == "missing"] == [missing]
    assert {name for name, state in found.items() if state == "done"} == done
    html = olive.client.get(reverse("accounts:connection", args=[amazon.public_id])).content.decode()
    at_step = re.search(r'<span class="step-missing">.*?</li>', html, re.S)[0]
    assert amazon.problem in unescape(at_step)
    assert ("Enter the keys again" in at_step) == (missing == "keys")
    assert ("Done, test again" in at_step) == (missing != "keys")


def test_a_market_out_of_reach_is_missing_nothing_but_the_test(olive, amazon):
    market = FakeMTurk()
    market.fail("GetAccountBalance", unreachable)

    try_connection(amazon, by=olive.actor, gateway=market)

    assert states(amazon)["test"] == "missing"
    assert amazon.missing == ""


def test_doing_the_missing_step_and_testing_again_goes_on(olive, amazon):
    try_connection(amazon, by=olive.actor, gateway=failing("AccessDeniedException"))
    try_connection(amazon, by=olive.actor, gateway=failing("RequestError", LINKING))
    assert states(amazon)["link"] == "missing"

    try_connection(amazon, by=olive.actor, gateway=FakeMTurk())

    amazon.refresh_from_db()
    assert (amazon.problem, amazon.missing) == ("", "")


def test_new_keys_forget_what_the_old_ones_lacked(olive, amazon):
    try_connection(amazon, by=olive.actor, gateway=failing("AccessDeniedException"))

    replaced = replace_keys(amazon, by=olive.actor, access_key_id="AKIANEW", secret_access_key="new")

    assert (replaced.problem, replaced.missing) == ("", "")
    assert states(replaced)["test"] == "open"


# The page ----------------------------------------------------------------------------------------


def test_of_several_connections_the_list_is_about_the_one_that_works_else_the_newest(team, olive):
    old, new = (ConnectionFactory(account__team=team, environment="sandbox") for _ in range(2))
    assert checklists([old, new])[1].connection == new

    try_connection(old, by=olive.actor, gateway=FakeMTurk())

    assert [each.connection for each in checklists([old, new])] == [None, old, None]


def test_the_page_has_a_list_for_each_environment_with_links(olive, connection):
    html = olive.client.get(reverse("accounts:connections")).content.decode()

    assert html.count("AmazonMechanicalTurkFullAccess") == 2
    assert "https://requestersandbox.mturk.com/developer" in html
    assert "https://requester.mturk.com/developer" in html
    assert "us-east-1" in html
    assert "The sandbox is linked separately" in html
    assert html.count("Enter keys") == 2
    assert "Test Local" in html


def test_whoever_may_not_enter_keys_sees_the_list_without_its_buttons(mina, connection):
    html = mina.client.get(reverse("accounts:connections")).content.decode()

    assert "AmazonMechanicalTurkFullAccess" in html
    assert "Enter keys" not in html
    assert "Test Local" not in html


def test_a_borrower_is_not_asked_to_set_up_what_is_not_theirs(stan, amazon):
    amazon.problem = "The keys are refused."
    amazon.save()
    AccountGrantFactory(account=amazon.account, team=stan.team)

    page = words(stan.client.get(reverse("accounts:connection", args=[amazon.public_id])).content.decode())
    listed = stan.client.get(reverse("accounts:connections")).content.decode()

    assert "The keys are refused." in page
    assert "Set-up" not in page
    assert reverse("accounts:test_connection", args=[amazon.public_id]) not in listed
