"""Scripts: somebody of the cast asking with a token, and nobody."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from mturkhub.accounts.permissions import Permission
from mturkhub.intentions import claiming
from tests.conftest import Person
from tests.factories import ApiTokenFactory


@dataclass
class Script:
    """What asks `/api/v1` with one token; the answers are Django's, `answer.json()` is what they say."""

    token: str = ""
    client: Client = field(default_factory=lambda: Client(raise_request_exception=True))

    def ask(self, method: str, path: str, body: Any = None, *, files: Any = None, **headers: str) -> Any:
        told = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        address = path if path.startswith(("http", "/")) else f"/api/v1/{path}"
        if files is not None:
            return self.client.post(address, {**(body or {}), **files}, headers=told)
        sent = {"data": "" if body is None else json.dumps(body), "content_type": "application/json"}
        if method == "get":
            sent = {}
        return getattr(self.client, method)(address, **sent, headers=told)

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("get", path, **headers)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.ask("post", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.ask("patch", path, body, **more)


def script_of(person: Person, *scope: Permission) -> Script:
    """A script with a token of this person: all of their role unless told."""
    text = f"mturkhub_test_{person.user.name}_{'_'.join(scope)}"
    more = {"scope": [each.value for each in scope]} if scope else {}
    ApiTokenFactory(membership=person.membership, text=text, **more)
    return Script(text)


@pytest.fixture
def as_olive(olive: Person) -> Script:
    return script_of(olive)


@pytest.fixture
def as_mina(mina: Person) -> Script:
    return script_of(mina)


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Celery listens here."""
    monkeypatch.setattr(claiming, "_ring_now", lambda task, keys, at: None)
