"""The page behind an invitation's link: join, sign in to join, or make an account and join."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from mturkhub.accounts.actions import invitations as actions
from mturkhub.accounts.actors import Actor, TeamRequest, choose_team, team_not_required
from mturkhub.accounts.models import Invitation, Membership, User
from mturkhub.accounts.people_forms import JoinForm
from mturkhub.accounts.permissions import Role
from mturkhub.accounts.sessions import sign_in
from mturkhub.common.errors import ActionRefused


@login_not_required
@team_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def accept_invitation(request: TeamRequest, token: str) -> HttpResponse:
    """GET only asks: programs that look at links in mails must not use it up."""
    invitation = actions.find_invitation(token)
    if request.user.is_authenticated:
        return _as_whoever_is_signed_in(request, token, invitation)
    user = User.objects.filter(email__iexact=invitation.email).first()
    if user is not None:
        back = urlencode({"next": request.path})
        return _page(request, invitation, known=user, sign_in_address=f"{reverse('account_login')}?{back}")
    return _as_new_person(request, token, invitation)


def _as_whoever_is_signed_in(request: TeamRequest, token: str, invitation: Invitation) -> HttpResponse:
    if request.method == "POST":
        return _joined(request, actions.accept_invitation(token, by=Actor(user=request.user)))
    is_theirs = request.user.email.lower() == invitation.email.lower()
    return _page(request, invitation, is_theirs=is_theirs)


def _as_new_person(request: TeamRequest, token: str, invitation: Invitation) -> HttpResponse:
    form = JoinForm(request.POST if request.method == "POST" else None, user=User(email=invitation.email))
    if form.is_valid():
        try:
            membership = actions.join_as_new_person(token, **form.cleaned_data)
        except ActionRefused as refused:
            form.add_error(None, refused.sentence)
        else:
            sign_in(request, membership.user, method="invitation")
            return _joined(request, membership)
    return _page(request, invitation, form=form, status=400 if form.errors else 200)


def _joined(request: TeamRequest, membership: Membership) -> HttpResponse:
    choose_team(request, membership.team)
    messages.success(request, f"You are in {membership.team} now, as {membership.role}.")
    return redirect("/")


def _page(
    request: TeamRequest, invitation: Invitation, *, status: int = 200, **context: object
) -> HttpResponse:
    context |= {"invitation": invitation, "sentence": Role(invitation.role).sentence}  # type: ignore[call-arg]  # by value
    return render(request, "accounts/accept_invitation.html", context, status=status)
