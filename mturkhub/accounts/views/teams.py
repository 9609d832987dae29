"""A team: who is in it, and what each may do."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.models import Membership
from mturkhub.accounts.permissions import ROLE_PERMISSIONS, Permission, Role


@require_GET
def team(request: TeamRequest) -> HttpResponse:
    """Who is in the team, and what each role may do."""
    roles = [
        {
            "name": role.value,
            "sentence": role.sentence,
            "may": [permission.words for permission in Permission if permission in ROLE_PERMISSIONS[role]],
        }
        for role in Role
    ]
    members = Membership.objects.filter(team_id__in=request.actor.team_ids).select_related("user")
    context = {"nav": "team", "members": members.order_by("created_at", "pk"), "roles": roles}
    return render(request, "accounts/team.html", context)
