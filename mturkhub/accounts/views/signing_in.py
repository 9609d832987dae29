"""Ways in that are not allauth's: a one-time link, and what may be done about a forgotten password."""

from allauth.account import views as allauth_views
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from mturkhub.accounts import sign_in_links
from mturkhub.accounts.activity import record_in_teams
from mturkhub.accounts.actors import Actor, team_not_required
from mturkhub.accounts.people_forms import NewPasswordForm
from mturkhub.accounts.second_factors import has_second_factor
from mturkhub.accounts.sessions import sign_in


@login_not_required
@team_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a one-time link, without the second factor: whoever runs the server vouches for the person.

    GET only asks: programs that look at links in mails must not use it up.
    """
    with transaction.atomic():
        user = sign_in_links.find_user(token, lock=request.method == "POST")
        form = NewPasswordForm(request.POST if request.method == "POST" else None, user=user)
        if form.is_valid():
            if password := form.cleaned_data["password"]:
                user.set_password(password)
                user.save(update_fields=["password"])
            # Writes last_login, which ends the link.
            sign_in(request, user, method="sign_in_link")
            record_in_teams(
                Actor(user=user),
                "person.signed_in_by_link",
                user,
                without_second_factor=has_second_factor(user),
                new_password=bool(password),
            )
            return redirect("/")
    context = {"user_to_be": user, "form": form, "has_second_factor": has_second_factor(user)}
    return render(request, "accounts/sign_in_link.html", context, status=400 if form.errors else 200)


@login_not_required
def reset_password(request: HttpRequest) -> HttpResponse:
    """allauth's page where mail can be sent; else one that says what to do instead."""
    if settings.MAIL_IS_CONFIGURED:
        answer: HttpResponse = allauth_views.password_reset(request)
        return answer
    return render(request, "accounts/no_reset.html", status=409 if request.method == "POST" else 200)
