"""Somebody in the team by a link that works once, for seven days."""

import re
import threading
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from mturkhub.accounts.actions.invitations import LIFETIME, invite, revoke_invitation
from mturkhub.accounts.models import Event, Invitation, Membership, User
from mturkhub.accounts.sessions import BACKEND
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from tests.factories import MembershipFactory, UserFactory

PASSWORD = "correct horse battery"
JOINING = {"name": "Ravi", "password": PASSWORD}


@pytest.fixture
def made(olive, team):
    return invite(team, by=olive.actor, email="Ravi@Example.org", role="reviewer")


def signed_in(user):
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


def test_whoever_has_no_account_makes_one_and_is_in(made, team, client):
    page = client.get(made.link)
    assert "Olive asks" in page.content.decode()

    answer = client.post(made.link, JOINING, follow=True)

    assert "You are in Lab now, as reviewer." in answer.content.decode()
    ravi = User.objects.get(email="ravi@example.org")
    assert (ravi.name, ravi.check_password(PASSWORD)) == ("Ravi", True)
    assert ravi.memberships.get().role == "reviewer"
    assert client.session["_auth_user_id"] == str(ravi.pk)
    event = Event.objects.get(verb="invitation.accepted")
    assert (event.by, event.details) == (ravi, {"role": "reviewer"})


def test_whoever_has_an_account_signs_in_and_joins(made, team):
    user = UserFactory(email="ravi@example.org")
    user.set_password(PASSWORD)
    user.save()
    client = Client()
    page = client.get(made.link).content.decode()
    address = re.search(r'href="([^"]+)">Sign in to join', page)
    assert address

    path = address[1].replace("&amp;", "&")
    back = client.post(path, {"login": user.email, "password": PASSWORD})
    assert back.url in made.link
    client.post(back.url)

    assert user.memberships.get().team == team


def test_looking_uses_nothing_up(made, client):
    for _ in range(2):
        assert client.get(made.link).status_code == 200

    assert not Membership.objects.filter(role="reviewer").exists()


def test_a_link_works_once(made, client):
    client.post(made.link, JOINING)
    second = Client()

    for answer in (second.get(made.link), second.post(made.link, {**JOINING, "name": "Other"})):
        assert answer.status_code == 403
        assert "has been used. Ask Olive for a new one." in answer.content.decode()
    assert User.objects.filter(email="ravi@example.org").count() == 1


def test_a_link_is_good_for_seven_days(made, client):
    clock.advance(LIFETIME)

    answer = client.post(made.link, JOINING)

    assert answer.status_code == 403
    assert "is older than 7 days" in answer.content.decode()
    assert not User.objects.filter(email="ravi@example.org").exists()


def test_an_invitation_taken_back_lets_nobody_in(made, client, olive):
    page = olive.client.get(reverse("accounts:team")).content.decode()
    assert "ravi@example.org" in page

    olive.client.post(reverse("accounts:revoke_invitation", args=[made.invitation.public_id]))

    assert "has been taken back" in client.post(made.link, JOINING).content.decode()
    page = olive.client.get(reverse("accounts:team")).content.decode()
    assert "The invitation of ravi@example.org is taken back" in page
    assert "Invited, not here yet" not in page
    with pytest.raises(ActionRefused, match="over already"):
        revoke_invitation(made.invitation, by=olive.actor)


def test_a_newer_invitation_ends_the_older_one(made, client, olive, team):
    newer = invite(team, by=olive.actor, email="RAVI@example.org", role="viewer")

    assert "has been taken back" in client.get(made.link).content.decode()
    client.post(newer.link, JOINING)
    assert Membership.objects.get(user__email="ravi@example.org").role == "viewer"


def test_somebody_else_who_is_signed_in_is_told_whose_it_is(made, vera):
    page = vera.client.get(made.link).content.decode()
    assert "You are signed in as vera@example.org, and this invitation is for another address." in page

    answer = vera.client.post(made.link)

    assert answer.status_code == 403
    assert "This invitation is for ravi@example.org" in answer.content.decode()
    assert not Invitation.objects.exclude(accepted_at=None).exists()


def test_signing_out_there_leads_back_to_the_invitation(made, vera):
    path = urlsplit(made.link).path
    assert f'name="next" value="{path}"' in vera.client.get(made.link).content.decode()

    back = vera.client.post(reverse("account_logout"), {"next": path}, follow=True)

    assert "Make an account and join" in back.content.decode()


def test_somebody_deactivated_is_told_whom_to_ask(made, client):
    UserFactory(email="ravi@example.org", is_active=False)

    assert "can no longer sign in here. Ask Olive" in client.get(made.link).content.decode()
    client.post(made.link, JOINING)
    assert not Membership.objects.filter(role="reviewer").exists()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"name": "", "password": PASSWORD}, "This field is required"),
        ({"name": "Ravi", "password": "short"}, "at least 10 characters"),
        ({"name": "Ravi", "password": "ravi@example.org"}, "too similar to the email"),
        ({"name": "Ravi", "password": ""}, "This field is required"),
    ],
)
def test_what_was_typed_stays_when_it_is_refused(made, client, typed, sentence):
    page = client.post(made.link, typed)

    assert page.status_code == 400
    assert sentence in page.content.decode()
    assert not User.objects.filter(email="ravi@example.org").exists()
    assert client.post(made.link, JOINING).status_code == 302


def test_a_link_with_a_letter_changed_is_no_invitation(made, client):
    answer = client.get(made.link[:-3] + "AA/")

    assert answer.status_code == 403
    assert "This is not an invitation of this server" in answer.content.decode()


def test_the_link_is_shown_once_and_kept_nowhere(olive, team):
    page = olive.client.post(reverse("accounts:invite"), {"email": "ravi@example.org", "role": "viewer"})

    link = re.search(r"http://[^\"]+/invitations/([^/\"]+)/", page.content.decode())
    assert link
    assert Client().get(link[0]).status_code == 200
    assert "This server sends no mail. Pass the link on yourself." in page.content.decode()
    invitation = Invitation.objects.get()
    stored = [str(value) for value in vars(invitation).values()] + [str(Event.objects.get().details)]
    assert not any(link[1] in value for value in stored)
    assert link[1] not in olive.client.get(reverse("accounts:team")).content.decode()


def test_a_member_is_not_invited_again(olive, vera, team):
    page = olive.client.post(reverse("accounts:invite"), {"email": "VERA@example.org", "role": "owner"})

    assert page.status_code == 400
    assert "vera@example.org is in Lab already." in page.content.decode()


def test_bad_addresses_and_roles_are_refused(olive, team):
    for email, role, sentence in (("ravi", "viewer", "not an e-mail address"), ("r@x.org", "god", "no role")):
        with pytest.raises(ActionRefused, match=sentence):
            invite(team, by=olive.actor, email=email, role=role)


def test_only_owners_see_who_has_been_asked(made, mina, vera):
    for person in (mina, vera):
        assert "ravi@example.org" not in person.client.get(reverse("accounts:team")).content.decode()
        with pytest.raises(ActionRefused, match="may not change the team"):
            invite(person.team, by=person.actor, email="x@example.org", role="viewer")


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_let_one_person_in(made, team):
    answers = []

    def click():
        try:
            answers.append(Client().post(made.link, JOINING).status_code)
        finally:
            database.close()

    clicks = [threading.Thread(target=click) for _ in range(3)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()

    assert answers.count(302) == 1
    assert User.objects.filter(email="ravi@example.org").count() == 1
    assert team.memberships.count() == 2


@pytest.mark.django_db(transaction=True)
def test_joining_twice_at_once_with_an_account_joins_once(made, team):
    user = UserFactory(email="ravi@example.org")
    browsers = [signed_in(user) for _ in range(3)]
    answers = []

    def click(browser):
        try:
            answers.append(browser.post(made.link).status_code)
        finally:
            database.close()

    clicks = [threading.Thread(target=click, args=[browser]) for browser in browsers]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()

    assert sorted(answers) == [302, 403, 403]


def test_who_was_made_a_member_meanwhile_keeps_their_role(made, team):
    user = UserFactory(email="ravi@example.org")
    MembershipFactory(team=team, user=user, role="viewer")

    answer = signed_in(user).post(made.link)

    assert answer.status_code == 409
    assert user.memberships.get().role == "viewer"


# Mail --------------------------------------------------------------------------------------------


def test_the_link_is_also_mailed_where_mail_is_configured(olive, settings):
    settings.MAIL_IS_CONFIGURED = True

    page = olive.client.post(reverse("accounts:invite"), {"email": "ravi@example.org", "role": "viewer"})

    assert "The link has been mailed to ravi@example.org." in page.content.decode()
    [sent] = mail.outbox
    assert sent.to == ["ravi@example.org"]
    assert sent.subject == "Olive asks you to join Lab"
    link = re.search(r"http\S+", sent.body)
    assert link
    assert Client().get(link[0]).status_code == 200


def test_a_mail_server_that_is_away_loses_nothing(olive, settings):
    settings.MAIL_IS_CONFIGURED = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    page = olive.client.post(reverse("accounts:invite"), {"email": "ravi@example.org", "role": "viewer"})

    assert "nothing was sent. Pass the link on yourself." in page.content.decode()
    assert Invitation.objects.exists()
