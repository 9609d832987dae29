"""Lending the account to another team: who may, to whom, with what, and what both teams read of it."""

from decimal import Decimal

import pytest
from django.urls import reverse

from mturkhub.accounts.actions.sharing import lend_account, take_account_back
from mturkhub.accounts.models import AccountGrant, Connection, Event
from mturkhub.accounts.permissions import Loan
from mturkhub.accounts.rules.connections import allows, balance_seen, check_can_use
from mturkhub.common.errors import ActionRefused
from projects.actions.uploads import upload_file
from projects.models import Batch
from tests.factories import (
    AccountGrantFactory,
    BatchFactory,
    ConnectionFactory,
    HITTemplateFactory,
    ProjectFactory,
    TeamFactory,
)
from tests.projects.pages import words


@pytest.fixture
def account(connection):
    return connection.account


def lend(olive, account, team, *permissions):
    return lend_account(
        account, by=olive.actor, share_code=str(team.public_id), permissions=permissions or list(Loan)
    )


# Lending and taking back -------------------------------------------------------------------------


def test_a_lent_account_exists_for_the_other_team_until_it_is_taken_back(olive, stan, account, connection):
    assert connection not in Connection.objects.for_actor(stan.actor)

    grant = lend(olive, account, stan.team)
    assert connection in Connection.objects.for_actor(stan.actor)

    take_account_back(grant, by=olive.actor)
    assert connection not in Connection.objects.for_actor(stan.actor)


def test_lending_again_changes_what_the_team_may_do(olive, stan, account, connection):
    lend(olive, account, stan.team)
    lend(olive, account, stan.team, Loan.SEE_BALANCE)

    assert AccountGrant.objects.get().permissions == ["see_balance"]
    assert not allows(connection, Loan.PUBLISH, stan.team.pk)
    assert allows(connection, Loan.SEE_BALANCE, stan.team.pk)


def test_both_teams_read_of_it_in_their_own_activity(olive, stan, account):
    take_account_back(lend(olive, account, stan.team, Loan.PUBLISH), by=olive.actor)

    told = [(event.team, event.verb, event.details["team"]) for event in Event.objects.order_by("pk")]
    assert told == [
        (olive.team, "account.lent", "Elsewhere"),
        (stan.team, "account.lent_here", "Lab"),
        (olive.team, "account.taken_back", "Elsewhere"),
        (stan.team, "account.taken_back_here", "Lab"),
    ]


def test_taking_back_twice_is_told_once(olive, stan, account):
    grant = lend(olive, account, stan.team)
    again = AccountGrant.objects.get()

    take_account_back(grant, by=olive.actor)
    take_account_back(again, by=olive.actor)

    assert Event.objects.filter(verb="account.taken_back").count() == 1


@pytest.mark.parametrize("who", ["mina", "ravi", "vera", "stan"])
def test_only_the_accounts_owners_lend_it_and_take_it_back(request, olive, account, who):
    person = request.getfixturevalue(who)
    grant = lend(olive, account, TeamFactory())
    for ask in (
        lambda: lend_account(
            account, by=person.actor, share_code=str(person.team.public_id), permissions=list(Loan)
        ),
        lambda: take_account_back(grant, by=person.actor),
    ):
        with pytest.raises(ActionRefused) as refused:
            ask()
        assert refused.value.status == 403
    assert AccountGrant.objects.get() == grant


@pytest.mark.parametrize("permissions", [[], ["fly"], ["connection_manage"]])
def test_nothing_is_lent_with_nothing_ticked_or_what_cannot_be_lent(olive, stan, account, permissions):
    with pytest.raises(ActionRefused, match="Tick at least one"):
        lend_account(account, by=olive.actor, share_code=str(stan.team.public_id), permissions=permissions)
    assert not AccountGrant.objects.exists()


@pytest.mark.parametrize("code", ["", "Elsewhere", "1", "018f0000-0000-7000-8000-000000000000", "\x00"])
def test_every_wrong_share_code_gets_the_same_answer(olive, stan, account, code):
    with pytest.raises(ActionRefused) as refused:
        lend_account(account, by=olive.actor, share_code=code, permissions=list(Loan))

    assert refused.value.sentence.startswith("No team has this share code.")


def test_the_own_share_code_is_refused(olive, account):
    with pytest.raises(ActionRefused, match="your own team"):
        lend(olive, account, olive.team)


# What may be used --------------------------------------------------------------------------------


def test_who_may_only_see_the_balance_may_not_publish(olive, stan, account, connection):
    lend(olive, account, stan.team, Loan.SEE_BALANCE)

    with pytest.raises(ActionRefused, match="Your team may not publish on Local"):
        check_can_use(connection, stan.team.pk)


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_amazons_connections_must_have_passed_their_test(olive, account, environment):
    untested = ConnectionFactory(account=account, environment=environment, name="Amazon")

    with pytest.raises(ActionRefused, match="has not passed its test"):
        check_can_use(untested, olive.team.pk)

    untested.tested_at = "2026-11-24T12:00Z"
    untested.save()
    check_can_use(untested, olive.team.pk)


def test_a_balance_that_was_not_lent_is_told_nowhere(olive, stan, account, connection):
    connection.balance = Decimal("4321.09")
    connection.save()
    lend(olive, account, stan.team, Loan.PUBLISH)
    draft = BatchFactory(project__team=stan.team, connection=connection, rows=2)
    pages = [
        reverse("accounts:connections"),
        reverse("accounts:connection", args=[connection.public_id]),
        reverse("projects:cost", args=[draft.public_id]),
    ]

    assert balance_seen(connection, stan.team.pk) is None
    for page in pages:
        assert "4,321.09" not in stan.client.get(page).content.decode()
    assert "4,321.09" in olive.client.get(pages[0]).content.decode()
    lend(olive, account, stan.team)
    for page in pages:
        assert "4,321.09" in stan.client.get(page).content.decode()


def test_a_refusal_for_lack_of_funds_does_not_tell_the_balance_either(olive, stan, account, connection):
    connection.balance = Decimal("0.07")
    connection.save()
    lend(olive, account, stan.team, Loan.PUBLISH)
    draft = BatchFactory(project__team=stan.team, connection=connection, rows=2)

    html = stan.client.get(reverse("projects:cost", args=[draft.public_id])).content.decode()

    assert "which the account lent to you does not cover" in html
    assert "0.07" not in html


# Pages -------------------------------------------------------------------------------------------


def test_owners_read_their_share_code_on_the_connections_page_and_others_do_not(olive, mina, connection):
    code = str(olive.team.public_id)

    assert code in olive.client.get(reverse("accounts:connections")).content.decode()
    assert code not in mina.client.get(reverse("accounts:connections")).content.decode()


def test_lending_and_taking_back_by_page(olive, stan, account, connection):
    page = reverse("accounts:account", args=[account.public_id])

    lent = olive.client.post(
        reverse("accounts:lend_account", args=[account.public_id]),
        {"share_code": f" {stan.team.public_id} ", "permissions": ["publish"]},
        follow=True,
    )
    assert "Elsewhere may publish on its connections" in words(lent.content.decode())
    assert "lent by Lab" in words(stan.client.get(reverse("accounts:connections")).content.decode())

    taken = olive.client.post(
        reverse("accounts:take_account_back", args=[AccountGrant.objects.get().public_id]), follow=True
    )
    assert taken.redirect_chain == [(page, 302)]
    assert "No other team uses this account." in words(taken.content.decode())


def test_a_form_that_is_refused_keeps_what_was_typed(olive, account):
    page = olive.client.post(
        reverse("accounts:lend_account", args=[account.public_id]),
        {"share_code": "nobody-at-all", "permissions": ["see_balance"]},
    )

    html = page.content.decode()
    assert page.status_code == 400
    assert "No team has this share code." in html
    assert 'value="nobody-at-all"' in html
    assert html.count("checked") == 1


def test_a_borrower_is_offered_the_connection_and_none_of_its_keys_tests_or_sharing(stan, connection):
    AccountGrantFactory(account=connection.account, team=stan.team)
    draft = BatchFactory(project__team=stan.team, rows=1)

    page = stan.client.get(reverse("accounts:connection", args=[connection.public_id])).content.decode()

    assert "People outside the team may not change keys and connections." in page
    assert "of the team Lab , which has lent it to yours" in words(page)
    assert reverse("accounts:replace_keys", args=[connection.public_id]) not in page
    assert f'value="{connection.pk}"' in (
        stan.client.get(reverse("projects:cost", args=[draft.public_id])).content.decode()
    )


def test_a_new_batch_goes_to_the_teams_own_connection_before_one_that_is_lent(stan, connection):
    AccountGrantFactory(account=connection.account, team=stan.team)
    own = ConnectionFactory(account__team=stan.team)
    project = ProjectFactory(team=stan.team, created_by=stan.user)
    HITTemplateFactory(project=project)
    upload = upload_file(project, by=stan.actor, name="rows.csv", chunks=[b"text\nhello\n"])

    page = stan.client.post(reverse("projects:make_batch", args=[upload.public_id]), follow=True)

    assert Batch.objects.get().connection == own
    assert "lent by Lab" in words(page.content.decode())


def test_only_what_may_be_published_on_is_offered_at_publishing(stan, connection):
    AccountGrantFactory(account=connection.account, team=stan.team, permissions=["see_balance"])
    draft = BatchFactory(project__team=stan.team, rows=1)

    page = stan.client.get(reverse("projects:cost", args=[draft.public_id])).content.decode()

    assert f'name="connection" value="{connection.pk}"' not in page
