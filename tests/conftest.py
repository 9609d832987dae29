"""The cast: Olive owns the team, Mina manages, Ravi reviews, Vera views, and Stan is a stranger."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pytest
from django.db import connection as database
from django.test import Client
from pytest_django import DjangoDbBlocker

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.credentials import Keys, encrypt
from mturkhub.accounts.models import Connection, Membership, Team, User
from tests.factories import ConnectionFactory, MembershipFactory, TeamFactory
from tests.servers import MarketplaceServer


@dataclass
class Person:
    """Somebody of the cast: `by=olive.actor` for actions, `olive.client` for pages."""

    membership: Membership

    @property
    def user(self) -> User:
        return self.membership.user

    @property
    def team(self) -> Team:
        return self.membership.team

    @cached_property
    def actor(self) -> Actor:
        return Actor.person(self.membership)

    @cached_property
    def client(self) -> Client:
        """A browser in which the person has signed in."""
        client = Client()
        client.force_login(self.user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Threads of a live server give their connections back, or the test database could not be dropped."""
    database.settings_dict["CONN_MAX_AGE"] = 0


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database. A session of a process that a test killed may outlive it, and would keep it from going."""
    yield
    if not str(database.settings_dict["NAME"]).startswith("test_"):
        return  # no test of this run has asked for one
    with django_db_blocker.unblock(), database.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="session", autouse=True)
def _database_before_browser(django_db_setup: None) -> None:
    """Under a browser's event loop Django opens connections of another context, which nobody would close."""


def _join(team: Team, name: str, role: str) -> Person:
    email = f"{name.lower()}@example.org"
    return Person(MembershipFactory(team=team, user__name=name, user__email=email, role=role))


@pytest.fixture
def team(db: None) -> Team:
    return TeamFactory(name="Lab")


@pytest.fixture
def connection(team: Team) -> Connection:
    """The team's `local` Connection, with keys of nobody; `marketplace_connection` has real ones."""
    return ConnectionFactory(account__team=team, name="Local")


@pytest.fixture
def marketplace_connection(team: Team, marketplace_server: MarketplaceServer) -> Connection:
    """The team's `local` Connection to the marketplace that really runs, as its first requester."""
    keys = Keys(marketplace_server.access_key, marketplace_server.secret_key)
    return ConnectionFactory(
        account__team=team, name="Marketplace", endpoint=marketplace_server.url, credentials=encrypt(keys)
    )


@pytest.fixture
def olive(team: Team) -> Person:
    return _join(team, "Olive", "owner")


@pytest.fixture
def mina(team: Team) -> Person:
    return _join(team, "Mina", "manager")


@pytest.fixture
def ravi(team: Team) -> Person:
    return _join(team, "Ravi", "reviewer")


@pytest.fixture
def vera(team: Team) -> Person:
    return _join(team, "Vera", "viewer")


@pytest.fixture
def stan(db: None) -> Person:
    """Owns a team of his own and has no business in ours."""
    return _join(TeamFactory(name="Elsewhere"), "Stan", "owner")
