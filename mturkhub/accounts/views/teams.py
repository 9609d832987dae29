"""A team: who is in it, what each may do, and its settings; and which of one's teams one works in."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mturkhub.accounts.actions import invitations, people
from mturkhub.accounts.actions import teams as actions
from mturkhub.accounts.actors import TeamRequest, choose_team
from mturkhub.accounts.invitation_mails import mail_invitation
from mturkhub.accounts.models import Invitation, Membership, Team
from mturkhub.accounts.people_forms import InvitationForm, NewTeamForm, RoleForm, TeamForm
from mturkhub.accounts.permissions import ROLE_PERMISSIONS, Permission, Role, can, check_can, refusal
from mturkhub.accounts.rules import teams as rules
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused


@require_GET
def team(request: TeamRequest) -> HttpResponse:
    """Who is in the team, who has been asked, and what each role may do."""
    return render(request, "accounts/team.html", _people(request, InvitationForm()))


@never_cache
@require_POST
def invite(request: TeamRequest) -> HttpResponse:
    """Invite somebody and show the link, this once."""
    here = _team(request)
    check_can(request.actor, Permission.MEMBER_MANAGE, here)
    form = InvitationForm(request.POST)
    if form.is_valid():
        try:
            made = invitations.invite(here, by=request.actor, **form.cleaned_data)
        except ActionRefused as refused:
            form.add_error(None, refused.sentence)
        else:
            context = {"nav": "team", "made": made, "mail": mail_invitation(made)}
            return render(request, "accounts/invited.html", context)
    return render(request, "accounts/team.html", _people(request, form), status=400)


@require_POST
def revoke_invitation(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    invitation = get_object_or_404(Invitation.objects.for_actor(request.actor), public_id=public_id)
    invitations.revoke_invitation(invitation, by=request.actor)
    messages.success(
        request, f"The invitation of {invitation.email} is taken back: its link no longer works."
    )
    return redirect("accounts:team")


@require_http_methods(["GET", "POST"])
def team_settings(request: TeamRequest) -> HttpResponse:
    here = _team(request)
    check_can(request.actor, Permission.MEMBER_MANAGE, here)
    form = TeamForm(request.POST) if request.method == "POST" else TeamForm.showing(here)
    if form.is_valid():
        actions.change_team(here, by=request.actor, **form.cleaned_data)
        messages.success(request, "The settings of the team are saved.")
        return redirect("accounts:team")
    context = {"nav": "team", "form": form, "back": reverse("accounts:team")}
    return render(request, "accounts/team_settings.html", context, status=400 if form.errors else 200)


# One member ------------------------------------------------------------------------------------


@require_GET
def member(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """What may be done about one member, each with what it would do."""
    membership = _member(request, public_id)
    check_can(request.actor, Permission.MEMBER_MANAGE, membership.team)
    context = {
        "nav": "team",
        "member": membership,
        "is_oneself": membership.user_id == request.user.pk,
        "form": RoleForm(initial={"role": membership.role}),
    }
    return render(request, "accounts/member.html", context)


@require_POST
def change_role(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    membership = actions.change_role(
        _member(request, public_id), request.POST.get("role", ""), by=request.actor
    )
    messages.success(request, f"{membership.user} is now {membership.role} of {membership.team}.")
    return redirect("accounts:team")


@require_POST
def hand_over(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    membership = actions.hand_over(_member(request, public_id), by=request.actor)
    messages.success(request, f"{membership.user} is now owner of {membership.team}, and you are manager.")
    return redirect("accounts:team")


@require_POST
def remove_member(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    membership = _member(request, public_id)
    actions.remove_member(membership, by=request.actor)
    messages.success(request, f"{membership.user} is no longer in {membership.team}.")
    return redirect("accounts:team")


@require_POST
def deactivate_person(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    user = people.deactivate_person(_member(request, public_id), by=request.actor)
    messages.success(request, f"{user} can no longer sign in, and is signed out everywhere.")
    return redirect("accounts:team")


@require_POST
def reactivate_person(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    user = people.reactivate_person(_member(request, public_id), by=request.actor)
    messages.success(request, f"{user} can sign in again.")
    return redirect("accounts:team")


@require_http_methods(["GET", "POST"])
def leave_team(request: TeamRequest) -> HttpResponse:
    """Ask, then leave."""
    here = _team(request)
    if request.method == "POST":
        actions.leave_team(_member(request, request.user.public_id), by=request.actor)
        messages.success(request, f"You have left {here}.")
        return redirect("accounts:person")
    return render(request, "accounts/leave_team.html", {"nav": "team", "back": reverse("accounts:team")})


# Several teams ---------------------------------------------------------------------------------


@require_POST
def switch_team(request: TeamRequest) -> HttpResponse:
    """Work in another of one's teams from now on."""
    wanted = request.POST.get("team", "")
    chosen = next((each.team for each in request.memberships if str(each.team.public_id) == wanted), None)
    if chosen is None:
        raise Http404
    choose_team(request, chosen)
    return redirect("/")


@require_http_methods(["GET", "POST"])
def create_team(request: TeamRequest) -> HttpResponse:
    rules.check_can_make_a_team(request.actor)
    form = NewTeamForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        owner = actions.create_team(form.cleaned_data["name"], by=request.actor)
        choose_team(request, owner.team)
        messages.success(request, f"{owner.team} is made, and it is yours. You work in it now.")
        return redirect("accounts:team")
    context = {"nav": "team", "form": form, "back": reverse("accounts:team")}
    return render(request, "accounts/create_team.html", context, status=400 if form.errors else 200)


def _team(request: TeamRequest) -> Team:
    """The team in force; ActorMiddleware lets nobody here without one."""
    if request.team is None:
        raise Http404
    return request.team


def _member(request: TeamRequest, public_id: uuid.UUID) -> Membership:
    rows = Membership.objects.for_actor(request.actor).select_related("user", "team")
    return get_object_or_404(rows, user__public_id=public_id)


def _people(request: TeamRequest, form: InvitationForm) -> dict[str, Any]:
    roles = [
        {
            "name": role.value,
            "sentence": role.sentence,
            "may": [permission.words for permission in Permission if permission in ROLE_PERMISSIONS[role]],
        }
        for role in Role
    ]
    here = _team(request)
    members = Membership.objects.for_actor(request.actor).select_related("user")
    may_manage = can(request.actor, Permission.MEMBER_MANAGE, here)
    asked = Invitation.objects.for_actor(request.actor).open().select_related("invited_by")
    now = clock.now()
    return {
        "nav": "team",
        "members": members.order_by("created_at", "pk"),
        "roles": roles,
        "form": form,
        "asked": [(each, each.is_expired(now)) for each in asked.order_by("pk")] if may_manage else [],
        "settings_address": reverse("accounts:team_settings"),
        "may_manage": may_manage,
        "why_not": refusal(request.actor, Permission.MEMBER_MANAGE, here),
    }
