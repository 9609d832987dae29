"""How django-allauth behaves here: people are invited, they do not sign up; second factors are encrypted."""

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from mturkhub.accounts import credentials
from mturkhub.common.errors import ActionRefused

logger = logging.getLogger(__name__)


class ClosedSignupAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Sign-in as allauth does it, with sentences of ours."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": "This person can no longer sign in. Ask an owner of the team.",
        "email_password_mismatch": "Nobody here signs in with this address and this password. Check both.",
        "enter_current_password": "That is not your present password. Type it again.",
        "incorrect_password": "That is not your password. Type it again.",
        "too_many_login_attempts": (
            "There were too many wrong attempts, so none is looked at for some minutes. Wait, then try again; "
            "or ask whoever runs this server for a sign-in link."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:person")

    def get_reset_password_from_key_url(self, key: str) -> str:
        """An address of ours, whatever host the request named."""
        uid, _, rest = key.partition("-")
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": uid, "key": rest})
        return settings.MTURKHUB_URL.rstrip("/") + path

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            logger.error("A mail could not be sent: %s", error)
            raise ActionRefused(
                "The mail server does not take mail at the moment, so nothing was sent. Try again later, or ask "
                "whoever runs this server for a sign-in link.",
                status=503,
            ) from None


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of authenticator apps and recovery codes, at rest under the keys that also hold requesters' keys."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is not right, or has been used. Take the next one and type it again.",
    }

    def encrypt(self, text: str) -> str:
        return credentials.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return credentials.unseal(encrypted_text)
        except InvalidToken:
            raise ActionRefused(
                "Your second factor cannot be read with the encryption keys of this server. Ask whoever runs it "
                "to put the old key back into MTURKHUB_ENCRYPTION_KEYS, or for a sign-in link."
            ) from None
