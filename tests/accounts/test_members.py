"""Roles, leaving, handing over, deactivating: and a team always keeps an owner who can sign in."""

import threading

import pytest
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from mturkhub.accounts.actions import people, teams
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Event, Membership
from mturkhub.accounts.sessions import BACKEND
from mturkhub.common.errors import ActionRefused
from tests.conftest import Person
from tests.factories import MembershipFactory, TeamFactory


@pytest.fixture
def oscar(team):
    return Person(MembershipFactory(team=team, user__name="Oscar", user__email="oscar@example.org"))


def roles(team):
    return {str(each.user): each.role for each in team.memberships.select_related("user")}


def verbs(team):
    return list(Event.objects.filter(team=team).order_by("pk").values_list("verb", flat=True))


def test_another_role_is_in_force_with_the_next_page(olive, ravi, team):
    assert ravi.client.get(reverse("projects:create_project")).status_code == 403

    teams.change_role(ravi.membership, "manager", by=olive.actor)

    assert ravi.client.get(reverse("projects:create_project")).status_code == 200
    event = Event.objects.get(verb="member.role_changed")
    assert (event.by, event.target_label) == (olive.user, "Ravi")
    assert event.details == {"before": "reviewer", "role": "manager"}


LAST_OWNER = {
    "be_demoted": lambda olive: teams.change_role(olive.membership, "viewer", by=olive.actor),
    "be_removed": lambda olive: teams.remove_member(olive.membership, by=olive.actor),
    "leave": lambda olive: teams.leave_team(olive.membership, by=olive.actor),
    "be_deactivated": lambda olive: people.deactivate_person(olive.membership, by=olive.actor),
}


@pytest.mark.parametrize("what", LAST_OWNER)
def test_the_last_owner_cannot(what, olive, mina, team):
    with pytest.raises(ActionRefused, match="Olive is the last owner of Lab and cannot"):
        LAST_OWNER[what](olive)

    assert roles(team) == {"Olive": "owner", "Mina": "manager"}
    olive.user.refresh_from_db()
    assert olive.user.is_active
    assert verbs(team) == []


@pytest.mark.parametrize("what", LAST_OWNER)
def test_with_another_owner_it_goes(what, olive, oscar, team):
    LAST_OWNER[what](olive)

    assert len(verbs(team)) == 1


def test_an_owner_who_cannot_sign_in_does_not_count(olive, oscar, team):
    people.deactivate_person(oscar.membership, by=olive.actor)

    with pytest.raises(ActionRefused, match="Olive is the last owner"):
        teams.leave_team(olive.membership, by=olive.actor)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "take", [lambda m, by: teams.change_role(m, "viewer", by=by), lambda m, by: teams.remove_member(m, by=by)]
)
def test_two_owners_who_take_each_others_role_at_once_leave_one(olive, oscar, team, take):
    at_once = threading.Barrier(2)
    refusals = []

    def act(by, whom):
        try:
            at_once.wait(30)
            take(whom.membership, by.actor)
        except ActionRefused as refused:
            refusals.append(refused.sentence)
        finally:
            database.close()

    actors = [threading.Thread(target=act, args=pair) for pair in ((olive, oscar), (oscar, olive))]
    for each in actors:
        each.start()
    for each in actors:
        each.join()

    assert len(refusals) == 1
    assert "Your role in Lab has just been changed" in refusals[0]
    assert list(roles(team).values()).count("owner") == 1


def test_handing_over_makes_one_owner_of_another(olive, mina, team):
    teams.hand_over(mina.membership, by=olive.actor)

    assert roles(team) == {"Olive": "manager", "Mina": "owner"}
    assert verbs(team) == ["team.handed_over"]


def test_a_team_is_not_handed_to_oneself_or_to_somebody_who_cannot_sign_in(olive, mina, team):
    with pytest.raises(ActionRefused, match="yours already"):
        teams.hand_over(olive.membership, by=olive.actor)
    people.deactivate_person(mina.membership, by=olive.actor)
    with pytest.raises(ActionRefused, match="Mina cannot sign in"):
        teams.hand_over(mina.membership, by=olive.actor)

    assert roles(team) == {"Olive": "owner", "Mina": "manager"}


def test_a_removed_member_sees_nothing_of_the_team_and_is_told_so(olive, vera, team):
    teams.remove_member(vera.membership, by=olive.actor)

    page = vera.client.get(reverse("projects:home"))
    assert page.status_code == 403
    assert "You are in no team" in page.content.decode()
    assert "vera@example.org" in page.content.decode()


def test_whoever_is_in_no_team_still_has_their_own_pages(olive, vera):
    teams.leave_team(vera.membership, by=vera.actor)

    for name in ("accounts:person", "accounts:sessions", "mfa_index", "account_set_password"):
        assert vera.client.get(reverse(name)).status_code == 200


def test_nobody_leaves_for_somebody_else(olive, mina, vera):
    with pytest.raises(ActionRefused):
        teams.leave_team(vera.membership, by=mina.actor)


def test_somebody_removed_meanwhile_is_named(olive, vera):
    teams.remove_member(vera.membership, by=olive.actor)
    membership = Membership(pk=vera.membership.pk, user=vera.user, team=vera.team)

    for act in (
        lambda: teams.change_role(membership, "manager", by=olive.actor),
        lambda: people.deactivate_person(membership, by=olive.actor),
    ):
        with pytest.raises(ActionRefused, match="Vera is no longer in Lab"):
            act()


@pytest.mark.parametrize("role", ["manager", "reviewer", "viewer"])
def test_only_owners_change_the_team(role, team, olive, vera):
    other = Person(MembershipFactory(team=team, role=role))

    for act in (
        lambda: teams.change_role(vera.membership, "owner", by=other.actor),
        lambda: teams.remove_member(vera.membership, by=other.actor),
        lambda: teams.hand_over(vera.membership, by=other.actor),
        lambda: people.deactivate_person(vera.membership, by=other.actor),
        lambda: teams.change_team(team, by=other.actor, name="Mine"),
    ):
        with pytest.raises(ActionRefused, match=f"{role.capitalize()}s may not change the team"):
            act()


# Deactivating ------------------------------------------------------------------------------------


def test_a_deactivated_person_is_signed_out_and_cannot_sign_in(olive, ravi):
    ravi.user.set_password("correct horse battery")
    ravi.user.save()
    browser = Client()
    browser.force_login(ravi.user, backend=BACKEND)

    people.deactivate_person(ravi.membership, by=olive.actor)

    assert browser.get(reverse("projects:home")).status_code == 302
    typed = {"login": "ravi@example.org", "password": "correct horse battery"}
    page = Client().post(reverse("account_login"), typed, follow=True)
    assert "_auth_user_id" not in page.client.session
    assert "You cannot sign in any more" in page.content.decode()


def test_a_deactivated_person_can_be_let_in_again(olive, ravi, team):
    people.deactivate_person(ravi.membership, by=olive.actor)
    people.reactivate_person(ravi.membership, by=olive.actor)

    ravi.user.refresh_from_db()
    assert ravi.user.is_active
    assert verbs(team) == ["person.deactivated", "person.reactivated"]


def test_somebody_who_is_also_in_another_team_is_only_removed(olive, ravi, stan):
    MembershipFactory(team=stan.team, user=ravi.user, role="viewer")

    with pytest.raises(ActionRefused, match="also in a team that you do not own") as refused:
        people.deactivate_person(ravi.membership, by=olive.actor)

    assert "Elsewhere" not in refused.value.sentence
    ravi.user.refresh_from_db()
    assert ravi.user.is_active
    teams.remove_member(ravi.membership, by=olive.actor)
    assert Membership.objects.filter(user=ravi.user, team=stan.team).exists()


def test_every_team_of_the_person_is_told(olive, ravi):
    second = TeamFactory(name="Second")
    MembershipFactory(team=second, user=olive.user)
    MembershipFactory(team=second, user=ravi.user, role="viewer")

    people.deactivate_person(ravi.membership, by=olive.actor)

    assert verbs(second) == verbs(olive.team) == ["person.deactivated"]


# Pages -------------------------------------------------------------------------------------------


def test_the_page_of_a_member_changes_the_role(olive, ravi):
    page = olive.client.get(reverse("accounts:member", args=[ravi.user.public_id])).content.decode()
    assert "Save the role" in page

    answer = olive.client.post(
        reverse("accounts:change_role", args=[ravi.user.public_id]), {"role": "viewer"}, follow=True
    )

    assert "Ravi is now viewer of Lab." in answer.content.decode()


def test_a_refusal_comes_back_to_the_page_in_words(olive):
    address = reverse("accounts:leave_team")

    answer = olive.client.post(address, headers={"referer": f"http://testserver{address}"}, follow=True)

    assert "Olive is the last owner of Lab and cannot leave." in answer.content.decode()


def test_an_unknown_role_is_refused(olive, ravi):
    answer = olive.client.post(
        reverse("accounts:change_role", args=[ravi.user.public_id]), {"role": "emperor"}
    )

    assert answer.status_code == 400
    assert "There is no role “emperor”" in answer.content.decode()


def test_who_may_not_change_the_team_sees_why_and_no_buttons(vera, olive):
    page = vera.client.get(reverse("accounts:team")).content.decode()

    assert "Viewers may not change the team. Ask an owner of the team." in page
    assert "Make an invitation link" not in page


def test_actors_of_no_person_change_nobody(olive, vera):
    with pytest.raises(ActionRefused):
        teams.leave_team(vera.membership, by=Actor.system("a rule"))
