"""People, teams, ways to a market, and who did what."""

from mturkhub.accounts.models.api_token import ApiToken
from mturkhub.accounts.models.event import Event
from mturkhub.accounts.models.invitation import Invitation
from mturkhub.accounts.models.notification_queue import NotificationQueue
from mturkhub.accounts.models.requester_account import (
    AccountGrant,
    Connection,
    Environment,
    FeeSchedule,
    RequesterAccount,
)
from mturkhub.accounts.models.team import Membership, Team
from mturkhub.accounts.models.user import User

__all__ = [
    "AccountGrant",
    "ApiToken",
    "Connection",
    "Environment",
    "Event",
    "FeeSchedule",
    "Invitation",
    "Membership",
    "NotificationQueue",
    "RequesterAccount",
    "Team",
    "User",
]
