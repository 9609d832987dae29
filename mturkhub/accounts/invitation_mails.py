"""The mail that carries an invitation's link, where a mail server is configured."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

from mturkhub.accounts.actions.invitations import NewInvitation

logger = logging.getLogger(__name__)


def mail_invitation(made: NewInvitation) -> str:
    """Send the link to who is invited. Returns `sent`, `failed` or `none`: whoever invites still holds the link."""
    if not settings.MAIL_IS_CONFIGURED:
        return "none"
    invitation = made.invitation
    text = (
        f"{invitation.invited_by} asks you to join the team {invitation.team} as {invitation.role}.\n\n"
        f"Open this link to join. It works once, for 7 days:\n\n{made.link}\n\n"
        "If you did not expect this, leave it: nothing happens.\n"
    )
    # A line break in a name must not become a header.
    subject = " ".join(f"{invitation.invited_by} asks you to join {invitation.team}".split())
    try:
        send_mail(subject, text, None, [invitation.email])
    except (OSError, SMTPException) as error:
        logger.error("An invitation could not be mailed: %s", error)
        return "failed"
    return "sent"
