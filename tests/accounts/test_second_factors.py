"""A second factor: codes of an app, recovery codes, and what a sign-in link does to them."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from cryptography.fernet import Fernet
from django.test import Client
from django.urls import reverse

from mturkhub.accounts.models import Event
from mturkhub.accounts.sign_in_links import new_sign_in_link

pytestmark = pytest.mark.usefixtures("signing_in")
PASSWORD = "correct horse battery"


@pytest.fixture
def secret():
    return generate_totp_secret()


@pytest.fixture
def person(ravi):
    ravi.user.set_password(PASSWORD)
    ravi.user.save()
    return ravi


@pytest.fixture
def guarded(person, secret):
    """Ravi with an authenticator app and recovery codes."""
    TOTP.activate(person.user, secret)
    RecoveryCodes.activate(person.user)
    return person


def code_of(secret, *, ahead=0):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + ahead))


def sign_in_with_password():
    browser = Client()
    answer = browser.post(reverse("account_login"), {"login": "ravi@example.org", "password": PASSWORD})
    return browser, answer


def is_signed_in(browser):
    return "_auth_user_id" in browser.session


def test_setting_an_app_up_asks_for_the_password_then_for_a_code(person, django_capture_on_commit_callbacks):
    browser, _ = sign_in_with_password()
    address = reverse("mfa_activate_totp")
    browser.post(browser.get(address).url, {"password": PASSWORD})
    page = browser.get(address)
    shown = page.context["form"].secret
    assert "data:image/svg+xml" in page.content.decode()

    wrong = browser.post(address, {"code": "000000" if code_of(shown) != "000000" else "000001"})
    assert "This code is not right" in wrong.content.decode()
    # allauth tells of it after commit.
    with django_capture_on_commit_callbacks(execute=True):
        done = browser.post(address, {"code": code_of(shown)}, follow=True)

    assert "Recovery codes" in done.content.decode()
    kept = Authenticator.objects.get(user=person.user, type="totp").data["secret"]
    assert shown not in kept
    kinds = Event.objects.filter(verb="second_factor.added").values_list("details__kind", flat=True)
    assert set(kinds) == {"totp", "recovery_codes"}


def test_the_password_alone_lets_nobody_in(guarded, secret):
    browser, answer = sign_in_with_password()

    assert answer.url.startswith(reverse("mfa_authenticate"))
    assert not is_signed_in(browser)
    assert browser.get(reverse("projects:home")).status_code == 302

    assert browser.post(answer.url, {"code": code_of(secret)}).status_code == 302
    assert is_signed_in(browser)


def test_a_code_counts_once(guarded, secret):
    code = code_of(secret)
    for expected in (True, False):
        browser, answer = sign_in_with_password()
        page = browser.post(answer.url, {"code": code})
        assert is_signed_in(browser) is expected
    assert "This code is not right, or has been used." in page.content.decode()


def test_a_recovery_code_stands_in_once(guarded):
    code = Authenticator.objects.get(user=guarded.user, type="recovery_codes").wrap().get_unused_codes()[0]
    for expected in (True, False):
        browser, answer = sign_in_with_password()
        browser.post(answer.url, {"code": code})
        assert is_signed_in(browser) is expected


def test_the_sixth_wrong_code_is_not_looked_at(guarded, secret):
    browser, answer = sign_in_with_password()

    said = [browser.post(answer.url, {"code": "12"}).content.decode() for _ in range(6)]

    assert "This code is not right" in said[4]
    assert "There were too many wrong attempts" in said[5]
    browser.post(answer.url, {"code": code_of(secret)})
    assert not is_signed_in(browser)


def test_a_sign_in_link_says_that_it_passes_the_second_factor_by_and_writes_it_down(guarded, client):
    link = new_sign_in_link(guarded.user)
    assert "It does so without your second factor" in client.get(link).content.decode()

    client.post(link)

    assert is_signed_in(client)
    event = Event.objects.get(verb="person.signed_in_by_link")
    assert event.details == {"without_second_factor": True, "new_password": False}
    assert Authenticator.objects.filter(user=guarded.user, type="totp").exists()


def test_who_lost_everything_takes_the_factor_away_after_the_link(guarded, client):
    new = "another horse entirely"
    client.post(new_sign_in_link(guarded.user), {"password": new})

    answer = client.post(reverse("mfa_deactivate_totp"), follow=True)

    assert "The authenticator app is off." in answer.content.decode()
    assert not Authenticator.objects.filter(user=guarded.user).exists()
    guarded.user.refresh_from_db()
    assert guarded.user.check_password(new)
    assert Event.objects.filter(verb="second_factor.removed").count() == 2


def test_a_link_without_a_second_factor_says_nothing_of_one(person, client):
    assert "second factor" not in client.get(new_sign_in_link(person.user)).content.decode()


def test_a_weak_new_password_is_refused_and_uses_the_link_up_not(person, client):
    link = new_sign_in_link(person.user)

    page = client.post(link, {"password": "short"})

    assert page.status_code == 400
    assert "at least 10 characters" in page.content.decode()
    assert not is_signed_in(client)
    assert client.post(link, {"password": "another horse entirely"}).status_code == 302


def test_a_second_factor_nobody_can_decrypt_is_said_in_words(guarded, secret, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    browser, answer = sign_in_with_password()

    refused = browser.post(answer.url, {"code": code_of(secret)})

    assert refused.status_code == 409
    assert "MTURKHUB_ENCRYPTION_KEYS" in refused.content.decode()
    assert not is_signed_in(browser)


def test_a_new_key_in_front_still_opens_old_second_factors(guarded, secret, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    browser, answer = sign_in_with_password()

    browser.post(answer.url, {"code": code_of(secret)})

    assert is_signed_in(browser)
