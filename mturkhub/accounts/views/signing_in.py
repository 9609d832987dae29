"""Signing in by a one-time link; the rest of signing in is allauth's."""

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from mturkhub.accounts import sign_in_links


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a one-time link. GET only asks: programs that look at links in mails must not use it up."""
    if request.method == "GET":
        return render(request, "accounts/sign_in_link.html", {"user_to_be": sign_in_links.find_user(token)})
    with transaction.atomic():
        user = sign_in_links.find_user(token, lock=True)
        # Writes last_login, which ends the link.
        login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return redirect("/")
