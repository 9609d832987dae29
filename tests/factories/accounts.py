"""People, teams and Connections."""

import factory
from django.conf import settings

from mturkhub.accounts.credentials import Keys, encrypt
from mturkhub.accounts.models import Connection, Membership, RequesterAccount, Team, User


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    name = ""
    # Nobody signs in with a password in a unit test, and hashing one takes a quarter of a second.
    password = "!"


class TeamFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Team

    name = factory.Sequence(lambda n: f"Team {n}")


class MembershipFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Membership

    team = factory.SubFactory(TeamFactory)
    user = factory.SubFactory(UserFactory)
    role = "owner"


class RequesterAccountFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = RequesterAccount

    team = factory.SubFactory(TeamFactory)
    name = "Main account"


class ConnectionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Connection

    account = factory.SubFactory(RequesterAccountFactory)
    name = factory.Sequence(lambda n: f"Local {n}")
    environment = "local"
    endpoint = factory.LazyFunction(lambda: settings.MTURK_ENDPOINTS["local"])
    worker_site_url = factory.LazyFunction(lambda: settings.WORKER_SITES["local"])
    fee_schedule = "mturk"
    credentials = factory.LazyFunction(lambda: encrypt(Keys("AKIATEST", "secret-of-the-tests")))
