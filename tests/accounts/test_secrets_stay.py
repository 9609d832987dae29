"""A secret access key goes in by one form and comes out nowhere: no page, log, error, event, export or repr."""

import ast
import logging
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database
from django.test import RequestFactory
from django.urls import reverse
from django.views.debug import SafeExceptionReporterFilter

from mturkhub.accounts.credentials import Keys, encrypt, gateway_for
from mturkhub.accounts.models import Connection, Event
from mturkhub.accounts.views import connections as views
from mturkhub.gateway.errors import MTurkError

KEY_ID = "AKIASTAYSINSIDE"
SECRET = "stays/inside+where=it.belongs"


@pytest.fixture
def told(caplog):
    """All that was logged, at every level, with what the loggers were given."""
    caplog.set_level(logging.DEBUG)
    # botocore logs each request it signs at this level; nobody runs the server so.
    caplog.set_level(logging.INFO, logger="botocore")
    return lambda: "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)


def typed(server, **changes):
    return {
        "name": "New",
        "environment": "local",
        "endpoint": server.url,
        "fee_schedule": "mturk",
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
        **changes,
    }


def test_keys_that_the_market_refuses_are_on_no_page_in_no_log_and_no_event(olive, marketplace_server, told):
    page = olive.client.post(reverse("accounts:create_connection"), typed(marketplace_server), follow=True)

    html = page.content.decode()
    assert "does not know this access key" in html
    everything = html + told() + str(list(Event.objects.values())) + str(list(Connection.objects.values()))
    assert SECRET not in everything
    assert KEY_ID not in everything


@pytest.mark.parametrize("wrong", [{"environment": "moon"}, {"name": ""}, {"endpoint": "http://x"}])
def test_a_form_that_comes_back_has_no_secret_in_it(olive, marketplace_server, told, wrong):
    page = olive.client.post(reverse("accounts:create_connection"), typed(marketplace_server, **wrong))

    assert page.status_code == 400
    assert SECRET not in page.content.decode() + told()


def test_an_error_page_and_its_log_have_none(olive, connection, marketplace_server, told, monkeypatch):
    def break_down(*_args, **_more):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(views.actions, "create_connection", break_down)
    monkeypatch.setattr(views.actions, "replace_keys", break_down)
    olive.client.raise_request_exception = False
    for address in (
        reverse("accounts:create_connection"),
        reverse("accounts:replace_keys", args=[connection.public_id]),
    ):
        page = olive.client.post(address, typed(marketplace_server))

        assert page.status_code == 500
        assert SECRET not in page.content.decode()
    logged = told()
    assert "a fault of ours" in logged
    assert SECRET not in logged


@pytest.mark.parametrize("view", [views.create_connection, views.replace_keys])
def test_an_error_report_leaves_the_secret_out(view, monkeypatch):
    request = RequestFactory().post("/", {"secret_access_key": SECRET, "name": "New"})
    monkeypatch.setattr(views, "_team_id", lambda request: 0)
    with pytest.raises(Exception):  # noqa: B017, PT011 - nobody has signed in; only the mark on the request counts
        view(request, public_id=None) if view is views.replace_keys else view(request)

    shown = SafeExceptionReporterFilter().get_post_parameters(request)

    assert SECRET not in str(shown)


def test_what_is_stored_and_what_is_printed_has_none(connection):
    connection.credentials = encrypt(Keys(KEY_ID, SECRET))
    connection.save()
    gateway = gateway_for(connection)

    with database.cursor() as cursor:
        cursor.execute("select row_to_json(c)::text from accounts_connection c")
        stored = str(cursor.fetchall())

    for text in (stored, repr(connection), repr(gateway), repr(Keys(KEY_ID, SECRET)), str(gateway)):
        assert SECRET not in text
    assert KEY_ID not in stored + repr(connection) + repr(gateway)


def test_an_error_of_the_market_has_none(connection, marketplace_server):
    connection.endpoint = marketplace_server.url
    connection.credentials = encrypt(Keys(KEY_ID, SECRET))

    with pytest.raises(MTurkError) as refused:
        gateway_for(connection).get_account_balance()

    error = refused.value
    assert SECRET not in f"{error!r} {error} {error.details}"
    assert KEY_ID not in f"{error!r} {error} {error.details}"


def test_no_download_has_any(olive, connection):
    connection.credentials = encrypt(Keys(KEY_ID, SECRET))
    connection.save()
    for name in ("accounts:connections", "projects:activity", "projects:download_activity"):
        page = olive.client.get(reverse(name))
        text = (page.getvalue() if page.streaming else page.content).decode()
        assert SECRET not in text
        assert KEY_ID not in text


def test_only_the_module_of_credentials_reads_what_is_stored():
    """Others may hand encrypted keys on; none but it names the column to read it."""
    readers = set()
    for room in ("mturkhub", "projects"):
        for file in (Path(settings.BASE_DIR) / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                reads = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
                if reads and node.attr in ("credentials", "ENCRYPTION_KEYS"):
                    readers.add(file.relative_to(settings.BASE_DIR).as_posix())

    assert readers == {"mturkhub/accounts/credentials.py"}
