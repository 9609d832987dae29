"""Several teams of one person, and what a team can be set to."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from mturkhub.accounts.actions.teams import change_team, create_team
from mturkhub.accounts.models import Event, Membership, Team
from mturkhub.common.errors import ActionRefused
from tests.factories import MembershipFactory, ProjectFactory, TeamFactory


@pytest.fixture
def second(olive):
    """Olive is a viewer there."""
    team = TeamFactory(name="Second")
    MembershipFactory(team=team, user=olive.user, role="viewer")
    return team


def switch(person, team):
    return person.client.post(reverse("accounts:switch_team"), {"team": team.public_id})


def test_only_the_team_in_force_is_seen_and_worked_in(olive, second):
    here = ProjectFactory(team=olive.team, name="Of the lab", created_by=olive.user)
    there = ProjectFactory(team=second, name="Of the second", created_by=olive.user)
    assert "Of the lab" in olive.client.get(reverse("projects:projects")).content.decode()

    assert switch(olive, second).status_code == 302

    page = olive.client.get(reverse("projects:projects")).content.decode()
    assert "Of the second" in page
    assert "Of the lab" not in page
    assert olive.client.get(reverse("projects:project", args=[here.public_id])).status_code == 404
    # A viewer here, whatever she is elsewhere.
    assert olive.client.get(reverse("projects:edit_project", args=[there.public_id])).status_code == 403


def test_the_choice_stays_and_can_be_taken_back(olive, second):
    switch(olive, second)
    assert "Second" in olive.client.get(reverse("accounts:team")).content.decode()

    switch(olive, olive.team)

    assert olive.client.get(reverse("accounts:team_settings")).status_code == 200


def test_nobody_switches_into_a_team_that_is_not_theirs(olive, stan):
    assert switch(olive, stan.team).status_code == 404
    assert olive.client.post(reverse("accounts:switch_team"), {"team": "nonsense"}).status_code == 404


def test_who_loses_the_chosen_team_works_in_another(olive, second):
    switch(olive, second)
    Membership.objects.filter(team=second).delete()

    assert "Lab" in olive.client.get(reverse("accounts:team")).content.decode()


def test_with_one_team_there_is_nothing_to_switch(mina):
    page = mina.client.get(reverse("accounts:team")).content.decode()

    assert reverse("accounts:switch_team") not in page


def test_an_owner_makes_a_further_team_and_works_in_it(olive):
    page = olive.client.post(reverse("accounts:create_team"), {"name": "Newsroom"}, follow=True)

    assert "Newsroom is made, and it is yours." in page.content.decode()
    made = Team.objects.get(name="Newsroom")
    assert made.memberships.get().user == olive.user
    assert made.memberships.get().role == "owner"
    assert Event.objects.get(team=made).verb == "team.made"


def test_who_owns_no_team_makes_none(mina, olive):
    with pytest.raises(ActionRefused, match="Only owners of a team may make another one"):
        create_team("Mine", by=mina.actor)

    assert not Team.objects.filter(name="Mine").exists()
    assert "New team" not in mina.client.get(reverse("accounts:person")).content.decode()


def test_an_owner_elsewhere_makes_a_team_while_working_as_a_viewer(olive, second):
    switch(olive, second)

    assert olive.client.post(reverse("accounts:create_team"), {"name": "Third"}).status_code == 302


# Settings ----------------------------------------------------------------------------------------


def test_the_settings_of_a_team_are_changed_and_what_changed_is_recorded(olive, team):
    typed = {
        "name": "Lab of words",
        "time_zone": "Europe/Berlin",
        "grace_time": "30",
        "target_hourly_wage": "15.00",
    }

    page = olive.client.post(reverse("accounts:team_settings"), typed, follow=True)

    assert "The settings of the team are saved." in page.content.decode()
    team.refresh_from_db()
    assert (team.name, team.time_zone) == ("Lab of words", "Europe/Berlin")
    assert (team.grace_time, team.target_hourly_wage) == (timedelta(seconds=30), Decimal("15.00"))
    assert Event.objects.get(verb="team.changed").details["target_hourly_wage"] == ["12.00", "15.00"]


def test_saving_the_same_settings_records_nothing(olive, team):
    change_team(team, by=olive.actor, name=team.name)

    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"name": " "}, "1 to 100 characters"),
        ({"time_zone": "Mars/Olympus"}, "There is no time zone “Mars/Olympus”"),
        ({"grace_time": timedelta(hours=1)}, "0 seconds up to 10 minutes"),
        ({"target_hourly_wage": Decimal(-1)}, "between"),
        ({"owner": "me"}, "A team has no setting owner"),
    ],
)
def test_settings_that_make_no_sense_are_refused(olive, team, setting, sentence):
    with pytest.raises(ActionRefused, match=sentence):
        change_team(team, by=olive.actor, **setting)

    team.refresh_from_db()
    assert team.name == "Lab"


def test_what_was_typed_stands_beside_what_is_wrong(olive):
    page = olive.client.post(reverse("accounts:team_settings"), {"name": "Kept", "grace_time": "7000"})

    assert page.status_code == 400
    assert 'value="Kept"' in page.content.decode()
