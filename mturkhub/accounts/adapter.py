"""How django-allauth behaves here: people are invited, they do not sign up."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedSignupAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Sign-in as allauth does it; `account/signup_closed.html` says whom to ask for an invitation."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
