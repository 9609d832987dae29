"""People, teams and Connections."""

import factory
from django.conf import settings

from mturkhub.accounts.actions.tokens import hash_of
from mturkhub.accounts.credentials import Keys, encrypt
from mturkhub.accounts.models import (
    AccountGrant,
    ApiToken,
    Connection,
    Membership,
    RequesterAccount,
    Team,
    User,
)
from mturkhub.accounts.permissions import Loan, Permission


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


class ApiTokenFactory(factory.django.DjangoModelFactory):
    """A token of the text `text`, with all of the role in its scope; `scope=[...]` for less."""

    class Meta:
        model = ApiToken

    class Params:
        text = factory.Sequence(lambda n: f"mturkhub_of_the_tests_{n}")

    membership = factory.SubFactory(MembershipFactory)
    name = factory.Sequence(lambda n: f"Script {n}")
    token_hash = factory.LazyAttribute(lambda token: hash_of(token.text))
    scope = factory.LazyFunction(lambda: [each.value for each in Permission])


class RequesterAccountFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = RequesterAccount

    team = factory.SubFactory(TeamFactory)
    name = "Main account"


class AccountGrantFactory(factory.django.DjangoModelFactory):
    """An account lent with everything that can be lent; `permissions=[...]` for less."""

    class Meta:
        model = AccountGrant

    account = factory.SubFactory(RequesterAccountFactory)
    team = factory.SubFactory(TeamFactory)
    permissions = factory.LazyFunction(lambda: [each.value for each in Loan])


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
