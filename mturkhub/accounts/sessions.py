"""Browsers in which a person is signed in: begun, listed and ended. allauth keeps the list."""

from allauth.account.internal.flows.login import record_authentication
from allauth.usersessions.models import UserSession
from django.contrib.auth import login
from django.http import HttpRequest

from mturkhub.accounts.models import User

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def sign_in(request: HttpRequest, user: User, *, method: str) -> None:
    """Sign a person in who has just proved who they are by other means than a password.

    For five minutes they count as having done so, and may set up a second factor or take one away.
    """
    login(request, user, backend=BACKEND)
    record_authentication(request, user, method=method, reauthenticated=True)
    UserSession.objects.create_from_request(request)


def sessions_of(request: HttpRequest) -> list[UserSession]:
    """Where the person is signed in, this browser first, then the newest."""
    # A session that began elsewhere than on the sign-in page is not on allauth's list yet.
    UserSession.objects.create_from_request(request)
    sessions = UserSession.objects.purge_and_list(request.user)
    return sorted(sessions, key=lambda each: (not each.is_current(), -each.created_at.timestamp()))


def end_sessions(user: User) -> None:
    """Sign the person out everywhere."""
    for session in UserSession.objects.filter(user=user):
        session.end()


# The first that fits: others pretend to be Chrome and Safari, which pretend to be each other.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser_of(user_agent: str) -> str:
    """“Firefox on Linux”, as far as the browser says so."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "A program")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
