"""Passwords: how often one may guess, what happens without Valkey, and what to do about a forgotten one."""

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from mturkhub.common.broker import for_redis_py

pytestmark = pytest.mark.usefixtures("signing_in")
PASSWORD = "correct horse battery"
WRONG = "Nobody here signs in with this address and this password."
TOO_MANY = "There were too many wrong attempts"


@pytest.fixture
def ravi_with_password(ravi):
    ravi.user.set_password(PASSWORD)
    ravi.user.save()
    return ravi.user


def try_password(password, *, email="ravi@example.org", address="10.0.0.1"):
    """What the page says to somebody in a fresh browser."""
    browser = Client(REMOTE_ADDR=address)
    answer = browser.post(reverse("account_login"), {"login": email, "password": password})
    return answer.content.decode() if answer.status_code == 200 else "signed in"


def test_the_sixth_wrong_password_for_an_address_is_not_looked_at(ravi_with_password):
    # From everywhere: who guesses one person's password has many machines.
    said = [try_password("mistyped", address=f"10.0.0.{n}") for n in range(6)]

    assert all(WRONG in page for page in said[:5])
    assert TOO_MANY in said[5]
    assert "sign-in link" in said[5]
    assert TOO_MANY in try_password(PASSWORD)


def test_others_sign_in_meanwhile(ravi_with_password, vera):
    vera.user.set_password(PASSWORD)
    vera.user.save()
    for _ in range(6):
        try_password("mistyped")

    assert try_password(PASSWORD, email="vera@example.org") == "signed in"


def test_the_twenty_first_guess_of_one_browsers_address_is_not_looked_at(db):
    said = [try_password("mistyped", email=f"person{n}@example.org") for n in range(21)]

    assert all(WRONG in page for page in said[:20])
    assert TOO_MANY in said[20]


def test_right_passwords_are_not_counted(ravi_with_password):
    assert [try_password(PASSWORD) for _ in range(6)] == ["signed in"] * 6


def test_without_valkey_signing_in_is_refused_in_words(ravi_with_password, settings):
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": for_redis_py("redis+socket:///nowhere/v.sock")}
    }
    browser = Client()
    address = reverse("account_login")
    typed = {"login": "ravi@example.org", "password": PASSWORD}

    alone = browser.post(address, typed)
    from_the_page = browser.post(
        address, typed, headers={"referer": f"http://testserver{address}"}, follow=True
    )

    assert alone.status_code == 503
    for answer in (alone, from_the_page):
        assert "does not answer, so nothing was tried" in answer.content.decode()
    assert "_auth_user_id" not in browser.session


@pytest.mark.parametrize(
    ("written", "for_redis"),
    [
        ("redis+socket:///run/v.sock?virtual_host=3", "unix:///run/v.sock?db=3"),
        ("redis+socket://:secret@/run/v.sock", "unix://:secret@/run/v.sock?db=0"),
        ("rediss://user:secret@redis.example.org:6380/2", "rediss://user:secret@redis.example.org:6380/2"),
    ],
)
def test_addresses_of_sockets_are_spelt_for_redis_py(written, for_redis):
    assert for_redis_py(written) == for_redis


# Forgotten ---------------------------------------------------------------------------------------


def test_without_mail_the_page_says_whom_to_ask(ravi, client):
    address = reverse("account_reset_password")

    for answer in (client.get(address), client.post(address, {"email": "ravi@example.org"})):
        assert "mturkhub sign-in-link EMAIL" in answer.content.decode()
    assert mail.outbox == []


def test_with_mail_a_link_sets_a_new_password_once(ravi_with_password, client, settings):
    settings.MAIL_IS_CONFIGURED = True
    settings.MTURKHUB_URL = "http://testserver"
    client.post(reverse("account_reset_password"), {"email": "Ravi@example.org"})
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["ravi@example.org"], "A new password for mturkhub")
    link = re.search(r"http://testserver\S+", sent.body)
    assert link

    form = client.get(link[0], follow=True)
    new = "another horse entirely"
    done = client.post(form.wsgi_request.path, {"password1": new, "password2": new}, follow=True)

    assert "Your new password is set" in done.content.decode()
    assert try_password(new) == "signed in"
    assert "This link does not work" in Client().get(link[0]).content.decode()


def test_nobody_learns_who_has_an_account(ravi, client, settings):
    settings.MAIL_IS_CONFIGURED = True

    pages = [
        client.post(reverse("account_reset_password"), {"email": email}, follow=True).content.decode()
        for email in ("ravi@example.org", "nobody@example.org")
    ]

    assert "Look into your mail" in pages[0]
    assert "Look into your mail" in pages[1]
    assert [each.to for each in mail.outbox] == [["ravi@example.org"]]


def test_a_mail_server_that_is_away_is_said_in_words(ravi, client, settings):
    settings.MAIL_IS_CONFIGURED = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    answer = client.post(reverse("account_reset_password"), {"email": "ravi@example.org"})

    assert answer.status_code == 503
    assert "The mail server does not take mail at the moment" in answer.content.decode()
