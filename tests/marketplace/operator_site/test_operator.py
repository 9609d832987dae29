"""The operator's page: who gets in, what it shows, what its buttons do."""

import re
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import Client
from django.urls import get_resolver, reverse

from marketplace import clock
from marketplace.letters import write
from marketplace.models import AccessKey, Notification, Requester
from marketplace.operator_site.signing_in import new_link
from tests.marketplace.conftest import Market, mturk_client
from tests.marketplace.refusals import refused
from tests.marketplace.test_commands import run


def path_of(link: str) -> str:
    return "/" + link.split("/", 3)[3]


@pytest.fixture
def operator(db: None) -> Client:
    """A browser that has used an operator's link."""
    client = Client()
    client.post(path_of(new_link()))
    return client


# Who gets in ---------------------------------------------------------------------------------------

# Everything else of the operator's needs them; leaving does not.
OPEN = {"sign_in", "sign_out"}
READ = {"overview", "sent_messages"}
ARGUMENTS: dict[str, dict[str, str]] = {
    "deposit": {"requester_id": "A1"},
    "sent_messages": {"requester_id": "A1"},
    "add_key": {"requester_id": "A1"},
    "rotate_key": {"key_id": "AKIA1"},
    "revoke_key": {"key_id": "AKIA1"},
}


def test_every_address_needs_the_operator(market: Market, client: Client) -> None:
    names = {
        name
        for name in get_resolver().namespace_dict["operator_site"][1].reverse_dict
        if isinstance(name, str)
    }
    client.force_login(market.worker())

    for name in names - OPEN:
        address = reverse(f"operator_site:{name}", kwargs=ARGUMENTS.get(name))
        answer = client.get(address) if name in READ else client.post(address, {"name": "x", "amount": 1})
        assert answer.status_code == 403, name
        assert "operator_link" in answer.content.decode()
    assert Requester.objects.count() == AccessKey.objects.filter(revoked_at=None).count() == 1


def test_a_link_asks_before_it_is_used_and_works_once(market: Market, client: Client) -> None:
    [link] = run("operator_link")
    for _ in range(2):
        assert client.get(path_of(link)).status_code == 200

    assert client.post(path_of(link), follow=True).redirect_chain == [("/operator/", 302)]
    assert "Lab" in client.get("/operator/").content.decode()

    other = Client()
    for answer in (other.get(path_of(link)), other.post(path_of(link))):
        assert answer.status_code == 403
        assert "has been used" in answer.content.decode()
    assert other.get("/operator/").status_code == 403


@pytest.mark.parametrize("what", ["old", "replaced", "made up"])
def test_a_link_that_is_old_replaced_or_made_up_opens_nothing(
    market: Market, client: Client, what: str
) -> None:
    link = new_link()
    if what == "old":
        market.wait(minutes=61)
    if what == "replaced":
        new_link()
    if what == "made up":
        link = f"{link[:-1]}x/"

    assert client.post(path_of(link)).status_code == 403
    assert client.get("/operator/").status_code == 403


def test_it_ends_after_eight_hours_or_by_leaving(market: Market, operator: Client) -> None:
    operator.post("/operator/sign-out/")
    assert operator.get("/operator/").status_code == 403

    operator.post(path_of(new_link()))
    assert operator.get("/operator/").status_code == 200
    market.wait(hours=8)
    assert operator.get("/operator/").status_code == 403


# What it does --------------------------------------------------------------------------------------


def keys_in(page: str) -> tuple[str, str]:
    key_id, secret = re.findall(r"<dd><code>([^<]+)</code></dd>", page)
    return key_id, secret


def test_a_requester_is_added_with_a_key_that_is_shown_once(operator: Client) -> None:
    answer = operator.post("/operator/requesters/", {"name": "Newsroom"})

    keys = keys_in(answer.content.decode())
    assert answer.headers["Cache-Control"] == "no-store"
    assert mturk_client(*keys).get_account_balance()["AvailableBalance"] == "10000.00"
    again = operator.get("/operator/").content.decode()
    assert keys[0] in again
    assert keys[1] not in again


@pytest.mark.parametrize("name", ["", "Lab", "x" * 201])
def test_a_name_that_cannot_be_is_said_beside_the_field_and_kept(
    market: Market, operator: Client, name: str
) -> None:
    answer = operator.post("/operator/requesters/", {"name": name})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert f'value="{name}"' in page or not name
    assert "errorlist" in page
    assert Requester.objects.count() == 1


def test_keys_are_added_replaced_and_revoked(market: Market, operator: Client) -> None:
    def post(address: str) -> Any:
        return operator.post(f"/operator/{address}/")

    added = keys_in(post(f"requesters/{market.requester.mturk_id}/keys").content.decode())
    replaced = keys_in(post(f"keys/{added[0]}/rotate").content.decode())
    assert mturk_client(*replaced).get_account_balance()
    assert post(f"keys/{market.keys.key_id}/revoke").status_code == 302

    for old in (added, (market.keys.key_id, market.keys.secret)):
        with refused() as refusal:
            mturk_client(*old).get_account_balance()
        assert refusal.kind == "UnrecognizedClientException"
    for gone in (f"keys/{added[0]}/rotate", f"keys/{added[0]}/revoke", "keys/AKIANONE/revoke"):
        assert post(gone).status_code == 404


def test_dollars_are_deposited_and_nonsense_is_not(market: Market, operator: Client) -> None:
    address = f"/operator/requesters/{market.requester.mturk_id}/deposit/"
    for amount in ("", "-1", "0", "1.005", "<b>", "1e30"):
        answer = operator.post(address, {"amount": amount})
        assert answer.status_code == 400
        assert "is no amount" in answer.content.decode()
    assert operator.post("/operator/requesters/A1/deposit/", {"amount": "1"}).status_code == 404

    assert operator.post(address, {"amount": "250.50"}).status_code == 302

    assert "$10,250.50 available" in operator.get("/operator/").content.decode()


def test_what_could_not_be_delivered_is_shown_with_the_reason(market: Market, operator: Client) -> None:
    Notification.objects.create(
        requester=market.requester,
        transport="SQS",
        destination="http://127.0.0.1:1/queue",
        event={"EventType": "HITCreated"},
        created_at=clock.now(),
        due_at=clock.now(),
        attempts=3,
        error="Nobody answered.",
    )

    page = operator.get("/operator/").content.decode()

    assert "http://127.0.0.1:1/queue" in page
    assert "Nobody answered." in page


# The same from the command line --------------------------------------------------------------------


def test_the_commands_add_list_rotate_and_revoke_keys(market: Market) -> None:
    added = run("add_key", "Lab")
    assert mturk_client(*added).get_account_balance()
    rotated = run("rotate_key", added[0])
    assert run("revoke_key", market.keys.key_id) == [f"{market.keys.key_id} of Lab is revoked."]

    [line] = run("list_requesters")
    assert line == f"{market.requester.mturk_id}  Lab  10000.00 available, 0.00 on hold  {rotated[0]}"
    run("revoke_key", rotated[0])
    assert run("list_requesters")[0].endswith("  no access key")


@pytest.mark.parametrize(
    "command", [("add_key", "Nobody"), ("rotate_key", "AKIANONE"), ("revoke_key", "AKIANONE")]
)
def test_a_command_that_finds_nothing_says_so(market: Market, command: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match="There is no"):
        run(*command)


# Sent mail -----------------------------------------------------------------------------------------


def test_what_a_requester_wrote_is_kept(market: Market, operator: Client) -> None:
    requester = Requester.objects.get()
    address = f"/operator/requesters/{requester.mturk_id}/messages/"
    assert "has not written to anybody" in operator.get(address).content.decode()
    worker = market.worker()
    write(requester.pk, [worker], "Thank you <b>", "Well\ndone", now=clock.now())

    shown = operator.get(address).content.decode()

    assert worker.mturk_id in shown
    assert "Thank you &lt;b&gt;" in shown
    assert "Well<br>done" in shown
    assert address in operator.get("/operator/").content.decode()
    assert operator.get("/operator/requesters/ANOBODY/messages/").status_code == 404
