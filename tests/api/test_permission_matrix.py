"""Every address of the API, asked for with a token of each of the cast: what comes back, and that a no changes nothing."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection as database
from django.db import transaction
from django.urls import get_resolver, resolve, reverse

from mturkhub.accounts.models import ApiToken
from tests.api.conftest import Script, script_of
from tests.factories import ApiTokenFactory
from tests.permissions.api import ROWS, SCRIPTS, TABLE, Asked
from tests.test_permission_matrix import names, world  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture
def scripts(request: pytest.FixtureRequest, olive: Any) -> dict[str, Script]:
    told = {
        role: script_of(request.getfixturevalue(role)) for role in SCRIPTS if role not in ("nobody", "narrow")
    }
    ApiTokenFactory(membership=olive.membership, text="narrow", scope=[])
    told |= {"nobody": Script(), "narrow": Script("narrow")}
    for script in told.values():
        # Its first use is noted, which the next ones within the minute are not.
        script.get("projects")
    return told


def everything() -> list[Any]:
    """All rows of all tables of ours, as one hash of each table."""
    rooms = ("accounts", "common", "intentions", "workers", "projects", "api")
    tables = [each._meta.db_table for room in rooms for each in apps.get_app_config(room).get_models()]
    hashes = [
        f"select '{each}', md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from {each} t"
        for each in tables
    ]
    with database.cursor() as cursor:
        cursor.execute(" union all ".join(hashes))
        return sorted(cursor.fetchall())


def ask(script: Script, asked: Asked, world: Any) -> Any:  # noqa: F811
    address = reverse(f"api:{asked.name}", kwargs=asked.arguments(world))
    files = asked.files() if asked.files else None
    return script.ask(asked.method, address, asked.body, files=files)


def test_every_method_of_every_address_stands_in_the_table():
    told = {(each.name, each.method) for each in TABLE}
    offered = set()
    for name in ROWS:
        address = reverse(name, kwargs=TABLE_ARGUMENTS.get(name.partition(":")[2], {}))
        view = resolve(address).func.view_class
        methods = {each for each in ("get", "post", "patch", "put", "delete") if hasattr(view, each)}
        offered |= {(name.partition(":")[2], method) for method in methods}

    assert {each for each in names(get_resolver().url_patterns) if each.startswith("api:")} == {
        *ROWS,
        "api:docs",
    }
    assert offered == told


_NAMED = ("assignment", "approve", "bonus", "overturn", "reject", "undo", "leave_out", "take_back_in")
_ID = {"public_id": "01a21841-adfe-7714-bf26-e06888ecdc9f"}
TABLE_ARGUMENTS: dict[str, dict[str, Any]] = {
    each.name: (
        {}
        if each.name in ("openapi", "balance", "ledger", "projects", "batches")
        else {"name": "x"}
        if each.name in _NAMED
        else {**_ID, "number": 1}
        if each.name == "row_answers"
        else _ID
    )
    for each in TABLE
}


def test_each_script_gets_what_the_table_says_and_a_no_changes_nothing(world, scripts):  # noqa: F811
    before, wrong, changed = everything(), {}, []
    for asked in TABLE:
        for role, status in asked.expected().items():
            # What one of them changes is undone before the next one asks.
            with transaction.atomic():
                answer = ask(scripts[role], asked, world)
                if answer.status_code != status:
                    wrong[asked.name, asked.method, role] = answer.status_code
                if answer.status_code >= 400:
                    assert answer["Content-Type"] == "application/problem+json"
                    if everything() != before:
                        changed.append((asked.name, asked.method, role))
                transaction.set_rollback(True)

    assert wrong == {}
    assert changed == []


def test_a_token_that_is_revoked_gets_nothing_anywhere(world, scripts):  # noqa: F811
    ApiToken.objects.all().delete()

    told = {asked.name: ask(scripts["olive"], asked, world).status_code for asked in TABLE}

    assert {name for name, status in told.items() if status != 401} == {"openapi"}
