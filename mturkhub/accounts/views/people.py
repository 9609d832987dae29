"""A person's own pages: name, address, and the browsers they are signed in with; the rest is allauth's."""

from allauth.account.decorators import reauthentication_required
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mturkhub.accounts.actions import people as actions
from mturkhub.accounts.actors import Actor, TeamRequest, team_not_required
from mturkhub.accounts.people_forms import EmailForm, NameForm
from mturkhub.accounts.rules import teams as rules
from mturkhub.accounts.second_factors import has_second_factor
from mturkhub.accounts.sessions import browser_of, sessions_of
from mturkhub.common.errors import ActionRefused


@team_not_required
@require_http_methods(["GET", "POST"])
def person(request: TeamRequest) -> HttpResponse:
    """Who one is here: name, address, how one signs in, one's teams."""
    form = (
        NameForm(request.POST) if request.method == "POST" else NameForm(initial={"name": request.user.name})
    )
    if form.is_valid():
        actions.change_name(request.user, form.cleaned_data["name"], by=Actor(user=request.user))
        messages.success(request, "Your name is saved.")
        return redirect("accounts:person")
    context = {
        "own": "person",
        "form": form,
        "has_password": request.user.has_usable_password(),
        "has_second_factor": has_second_factor(request.user),
        "may_make_a_team": rules.can_make_a_team(Actor(user=request.user)),
    }
    return render(request, "accounts/person.html", context, status=400 if form.errors else 200)


@team_not_required
@require_http_methods(["GET", "POST"])
@reauthentication_required  # type: ignore[untyped-decorator]
def change_email(request: TeamRequest) -> HttpResponse:
    """Another address to sign in with, for somebody who has just typed their password."""
    form = EmailForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            user = actions.change_email(request.user, form.cleaned_data["email"], by=Actor(user=request.user))
        except ActionRefused as refused:
            form.add_error(None, refused.sentence)
        else:
            messages.success(request, f"You sign in as {user.email} from now on.")
            return redirect("accounts:person")
    context = {"own": "person", "form": form}
    return render(request, "accounts/change_email.html", context, status=400 if form.errors else 200)


@team_not_required
@require_GET
def sessions(request: TeamRequest) -> HttpResponse:
    """Every browser the person is signed in with."""
    rows = [
        {"session": each, "browser": browser_of(each.user_agent), "is_this": each.is_current()}
        for each in sessions_of(request)
    ]
    return render(request, "accounts/sessions.html", {"own": "sessions", "rows": rows})


@team_not_required
@require_POST
def end_session(request: TeamRequest, key: int) -> HttpResponse:
    """Sign one browser out; the present one by its own button."""
    session = get_object_or_404(UserSession.objects.filter(user=request.user), pk=key)
    if session.is_current():
        raise ActionRefused("This is the browser you are using. Sign out at the top of the page instead.")
    session.end()
    messages.success(request, f"{browser_of(session.user_agent)} is signed out.")
    return redirect("accounts:sessions")


@team_not_required
@require_POST
def end_other_sessions(request: TeamRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    others = [each for each in sessions_of(request) if not each.is_current()]
    for each in others:
        each.end()
    messages.success(
        request, f"{len(others)} other browser{'s are' if len(others) != 1 else ' is'} signed out."
    )
    return redirect("accounts:sessions")
