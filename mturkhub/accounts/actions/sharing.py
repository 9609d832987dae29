"""What a person can ask for: lend the requester account to another team, and take it back."""

import uuid
from collections.abc import Collection

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import AccountGrant, RequesterAccount, Team
from mturkhub.accounts.permissions import Loan, Permission, check_can
from mturkhub.common.errors import ActionRefused


def lend_account(
    account: RequesterAccount, *, by: Actor, share_code: str, permissions: Collection[str]
) -> AccountGrant:
    """Let the team with this share code do these things with the account; lent already, it is these from now on."""
    check_can(by, Permission.ACCOUNT_LEND, account.team_id)
    allowed = [each for each in Loan if each in permissions]
    if not allowed:
        raise ActionRefused("Tick at least one thing the other team may do.", status=400)
    team = _find_team(share_code)
    if team.pk == account.team_id:
        raise ActionRefused("This is the share code of your own team, which owns the account.", status=400)
    with transaction.atomic():
        grant, _ = AccountGrant.objects.update_or_create(
            account=account, team=team, defaults={"permissions": allowed, "granted_by": by.user}
        )
        account, may = grant.account, grant.words
        record(by, "account.lent", account, team_id=account.team_id, team=team.name, may=may)
        # Each team reads of it in its own activity, with the name of the other.
        record(by, "account.lent_here", account, team_id=team.pk, team=account.team.name, may=may)
    return grant


def take_account_back(grant: AccountGrant, *, by: Actor) -> None:
    """The other team publishes nothing more on the account; what it has published it keeps, and reviews."""
    check_can(by, Permission.ACCOUNT_LEND, grant.account.team_id)
    with transaction.atomic():
        # Two clicks at once: the second one finds nothing left to do.
        if AccountGrant.objects.filter(pk=grant.pk).delete()[0]:
            account, team = grant.account, grant.team
            record(by, "account.taken_back", account, team_id=account.team_id, team=team.name)
            record(by, "account.taken_back_here", account, team_id=team.pk, team=account.team.name)


def _find_team(share_code: str) -> Team:
    """The team whose owners handed out this code; every wrong code gets the same answer."""
    try:
        return Team.objects.get(public_id=uuid.UUID(share_code.strip()))
    except (ValueError, Team.DoesNotExist):
        raise ActionRefused(
            "No team has this share code. An owner of the other team finds it on their Connections page; "
            "copy the whole of it.",
            status=400,
        ) from None
