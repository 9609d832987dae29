"""A person's own pages: name, address, password, and the browsers they are signed in with."""

import pytest
from django.test import Client
from django.urls import reverse

from mturkhub.accounts.actions.people import change_email, change_name
from mturkhub.accounts.models import Event
from mturkhub.accounts.sessions import browser_of
from mturkhub.common.errors import ActionRefused

pytestmark = pytest.mark.usefixtures("signing_in")
PASSWORD = "correct horse battery"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def with_password(vera):
    vera.user.set_password(PASSWORD)
    vera.user.save()
    return vera


def browser_with_password(person, **more):
    browser = Client(**more)
    browser.post(reverse("account_login"), {"login": person.user.email, "password": PASSWORD})
    assert "_auth_user_id" in browser.session
    return browser


def test_a_new_name_stands_wherever_the_person_does(vera):
    answer = vera.client.post(reverse("accounts:person"), {"name": "Vera Viewer"}, follow=True)

    assert "Your name is saved." in answer.content.decode()
    assert "Vera Viewer" in vera.client.get(reverse("accounts:team")).content.decode()
    assert Event.objects.get(verb="person.renamed").details == {"before": "Vera"}


def test_another_address_asks_for_the_password_first(with_password):
    browser = browser_with_password(with_password)
    address = reverse("accounts:change_email")
    asked = browser.get(address)
    assert asked.url.startswith(reverse("account_reauthenticate"))

    wrong = browser.post(asked.url, {"password": "mistyped"})
    assert "That is not your password." in wrong.content.decode()
    assert browser.post(asked.url, {"password": PASSWORD}).url == address
    answer = browser.post(address, {"email": "Vera@New.example.org"}, follow=True)

    assert "You sign in as vera@new.example.org from now on." in answer.content.decode()
    with_password.user.refresh_from_db()
    assert with_password.user.email == "vera@new.example.org"
    browser_with_password(with_password)


def test_somebody_elses_address_is_refused(vera, olive):
    page = vera.client.post(reverse("accounts:change_email"), {"email": "OLIVE@example.org"})

    assert page.status_code == 400
    assert "Somebody else signs in as olive@example.org." in page.content.decode()


def test_nobody_changes_somebody_else(vera, olive):
    with pytest.raises(ActionRefused):
        change_name(vera.user, "Other", by=olive.actor)
    with pytest.raises(ActionRefused):
        change_email(vera.user, "other@example.org", by=olive.actor)


def test_a_new_password_signs_every_other_browser_out(with_password):
    here, elsewhere = (browser_with_password(with_password) for _ in range(2))
    new = "another horse entirely"

    answer = here.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
        follow=True,
    )

    assert "The password is changed." in answer.content.decode()
    assert here.get(reverse("accounts:person")).status_code == 200
    assert elsewhere.get(reverse("accounts:person")).status_code == 302


# Sessions ----------------------------------------------------------------------------------------


def test_ending_a_session_signs_that_browser_out(with_password):
    here, elsewhere = (
        browser_with_password(with_password, headers={"user-agent": agent}) for agent in ("curl/8", FIREFOX)
    )
    page = here.get(reverse("accounts:sessions"))
    assert "Firefox on Linux" in page.content.decode()
    [other] = [row["session"] for row in page.context["rows"] if not row["is_this"]]

    answer = here.post(reverse("accounts:end_session", args=[other.pk]), follow=True)

    assert "Firefox on Linux is signed out." in answer.content.decode()
    assert elsewhere.get(reverse("accounts:person")).status_code == 302
    assert here.get(reverse("accounts:person")).status_code == 200


def test_all_other_sessions_end_at_once(with_password):
    browsers = [browser_with_password(with_password) for _ in range(3)]

    answer = browsers[0].post(reverse("accounts:end_other_sessions"), follow=True)

    assert "2 other browsers are signed out." in answer.content.decode()
    assert [each.get(reverse("accounts:person")).status_code for each in browsers] == [200, 302, 302]


def test_the_present_browser_is_listed_however_it_was_signed_in(vera):
    page = vera.client.get(reverse("accounts:sessions"))

    assert [row["is_this"] for row in page.context["rows"]] == [True]


def test_nobody_ends_somebody_elses_session(with_password, olive):
    page = browser_with_password(with_password).get(reverse("accounts:sessions"))
    session = page.context["rows"][0]["session"]

    assert olive.client.post(reverse("accounts:end_session", args=[session.pk])).status_code == 404


def test_the_present_session_ends_by_signing_out_only(vera):
    session = vera.client.get(reverse("accounts:sessions")).context["rows"][0]["session"]

    answer = vera.client.post(reverse("accounts:end_session", args=[session.pk]))

    assert answer.status_code == 409
    assert vera.client.get(reverse("accounts:person")).status_code == 200


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) Version/18 Safari/604", "Safari on iPhone"),
        ("", "A program"),
    ],
)
def test_browsers_are_called_by_their_names(agent, name):
    assert browser_of(agent) == name


def test_the_person_menu_leads_to_each_of_these(vera):
    page = vera.client.get(reverse("accounts:team")).content.decode()

    for name in (
        "accounts:person",
        "account_set_password",
        "mfa_index",
        "accounts:sessions",
        "account_logout",
    ):
        assert reverse(name) in page
