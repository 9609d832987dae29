import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test import Client

from mturkhub.accounts.sign_in_links import LIFETIME, new_sign_in_link
from mturkhub.common import clock
from tests.factories import UserFactory


@pytest.fixture
def link(olive):
    return new_sign_in_link(olive.user)


def is_signed_in(client):
    return "_auth_user_id" in client.session


def test_opening_the_link_asks_first_so_that_mail_scanners_use_nothing_up(link, client, olive):
    for _ in range(2):
        page = client.get(link)
        assert page.status_code == 200
        assert olive.user.email in page.content.decode()
        assert not is_signed_in(client)

    assert client.post(link).status_code == 302
    assert client.session["_auth_user_id"] == str(olive.user.pk)


def test_a_link_works_once(link, client):
    client.post(link)
    second = Client()

    for answer in (second.get(link), second.post(link)):
        assert answer.status_code == 403
        assert "has been used" in answer.content.decode()
    assert not is_signed_in(second)


def test_another_sign_in_ends_an_unused_link(link, client, olive):
    client.post(new_sign_in_link(olive.user))

    assert Client().post(link).status_code == 403


def test_a_new_password_ends_an_unused_link(link, client, olive):
    olive.user.set_password("something quite new")
    olive.user.save()

    assert client.post(link).status_code == 403


def test_a_link_is_good_for_a_day(link, client):
    clock.advance(LIFETIME)

    answer = client.post(link)

    assert answer.status_code == 403
    assert "older than 24 hours" in answer.content.decode()


@pytest.mark.parametrize("change", [lambda link: link[:-2] + "/", lambda link: link[:-10] + "AAAAAAAAA/"])
def test_a_changed_link_is_refused(link, client, change):
    answer = client.post(change(link))

    assert answer.status_code == 403
    assert "mturkhub sign-in-link EMAIL" in answer.content.decode()


def test_somebody_who_was_deactivated_cannot_sign_in_by_link(link, client, olive):
    olive.user.is_active = False
    olive.user.save()

    assert client.post(link).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_sign_in_one(link):
    answers = []

    def click():
        try:
            answers.append(Client().post(link).status_code)
        finally:
            database.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()

    assert sorted(answers) == [302, 403, 403, 403]


def test_the_command_prints_a_link_that_works(olive, client, capsys):
    call_command("sign_in_link", olive.user.email.upper())

    assert client.post(capsys.readouterr().out.strip()).status_code == 302


def test_the_command_names_the_addresses_it_knows(db):
    UserFactory(email="olive@example.org")

    with pytest.raises(CommandError, match=r"Known addresses: olive@example\.org"):
        call_command("sign_in_link", "olvie@example.org")
