"""Tokens for scripts: made by each member for themself, shown once, kept as a hash, ended by its maker or an owner."""

from datetime import timedelta

import pytest
from django.urls import reverse

from mturkhub.accounts.actions.people import deactivate_person, reactivate_person
from mturkhub.accounts.actions.teams import change_role, remove_member
from mturkhub.accounts.actions.tokens import MOST, NewToken, find_token, make_token, revoke_token
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import ApiToken, Event, Membership
from mturkhub.accounts.permissions import ROLE_PERMISSIONS, Permission, Role, check_can
from mturkhub.accounts.sentences import sentence
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from tests.conftest import Person
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db

PUBLISH = [Permission.BATCH_PUBLISH]


def make(person: Person, *, name="notebook", scope=PUBLISH, days=30) -> NewToken:
    return make_token(person.membership, by=person.actor, name=name, scope=scope, lives=timedelta(days=days))


def acting(made: NewToken) -> Actor:
    found = find_token(made.text)
    assert found is not None
    return Actor.token(found)


# What it opens -----------------------------------------------------------------------------------


def test_a_token_acts_as_its_maker_within_its_scope(mina):
    actor = acting(make(mina))

    assert (actor.user, actor.team_ids) == (mina.user, [mina.team.pk])
    assert actor.permissions_in(mina.team.pk) == {Permission.BATCH_PUBLISH}
    with pytest.raises(
        ActionRefused, match="The token “notebook” may not upload batches: that is outside its scope"
    ):
        check_can(actor, Permission.BATCH_CREATE, mina.team)
    # What the role forbids is refused as to the person.
    with pytest.raises(ActionRefused, match="Managers may not change the team"):
        check_can(actor, Permission.MEMBER_MANAGE, mina.team)


def test_a_token_opens_nothing_in_another_team_of_its_maker(olive):
    elsewhere = MembershipFactory(user=olive.user)

    actor = acting(make(olive))

    assert actor.role_in(elsewhere.team_id) is None


@pytest.mark.parametrize("role", Role)
def test_no_scope_is_wider_than_the_role(team, role):
    person = Person(MembershipFactory(team=team, role=role.value))
    everything = make(person, name="all", scope=ROLE_PERMISSIONS[role])
    assert acting(everything).permissions_in(team.pk) == ROLE_PERMISSIONS[role]

    for permission in set(Permission) - ROLE_PERMISSIONS[role]:
        with pytest.raises(ActionRefused, match="may not do more than you") as refused:
            make(person, name="more", scope=[permission])
        assert refused.value.status == 400


def test_a_narrower_role_narrows_the_token(olive, mina):
    made = make(mina, scope=[Permission.BATCH_PUBLISH, Permission.ASSIGNMENT_APPROVE])

    change_role(mina.membership, "reviewer", by=olive.actor)

    assert acting(made).permissions_in(mina.team.pk) == {Permission.ASSIGNMENT_APPROVE}


# What ends it ------------------------------------------------------------------------------------


def test_it_stops_when_its_time_is_over(mina):
    made = make(mina, days=7)
    clock.advance(timedelta(days=6, hours=23))
    assert find_token(made.text) is not None

    clock.advance(timedelta(hours=2))

    assert find_token(made.text) is None


def test_it_stops_when_it_is_revoked_and_stays_in_the_activity(mina):
    made = make(mina)

    revoke_token(made.token, by=mina.actor)
    revoke_token(made.token, by=mina.actor)

    assert find_token(made.text) is None
    told = [sentence(event) for event in Event.objects.filter(verb__startswith="token.").order_by("pk")]
    assert told == ["made the token notebook, which may publish", "revoked the token notebook of Mina"]


def test_it_stops_while_its_maker_is_deactivated(olive, mina):
    made = make(mina)

    deactivate_person(mina.membership, by=olive.actor)
    assert find_token(made.text) is None

    reactivate_person(mina.membership, by=olive.actor)
    assert find_token(made.text) is not None


def test_it_goes_with_the_membership(olive, mina):
    made = make(mina)

    remove_member(mina.membership, by=olive.actor)

    assert find_token(made.text) is None
    assert not ApiToken.objects.exists()


def test_owners_see_and_revoke_everybodys_and_others_only_their_own(olive, mina, ravi, stan):
    made = make(mina)

    assert set(ApiToken.objects.for_actor(olive.actor)) == {made.token}
    for other in (ravi, stan):
        assert not ApiToken.objects.for_actor(other.actor)
        with pytest.raises(ActionRefused) as refused:
            revoke_token(made.token, by=other.actor)
        assert refused.value.status == 403
    assert find_token(made.text) is not None
    revoke_token(made.token, by=olive.actor)
    assert find_token(made.text) is None


# How it is kept ----------------------------------------------------------------------------------


def test_only_its_hash_is_kept(mina):
    made = make(mina)

    stored = ApiToken.objects.values().get()

    assert made.text not in str(stored)
    assert made.text not in repr(made)
    assert not any(made.text in str(event) for event in Event.objects.values())
    assert len(made.text) > 45


def test_its_last_use_is_noted_to_the_minute(mina, django_assert_num_queries):
    made = make(mina)
    assert made.token.last_used_at is None
    find_token(made.text)
    first = ApiToken.objects.get().last_used_at
    assert first is not None

    find_token(made.text)
    assert ApiToken.objects.get().last_used_at == first

    clock.advance(timedelta(minutes=2))
    find_token(made.text)
    assert ApiToken.objects.get().last_used_at > first


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "  "}, "1 to 100 characters"),
        ({"days": 400}, "up to a year"),
        ({"days": 0}, "up to a year"),
        ({"scope": ["everything"]}, "may not do more than you: everything"),
    ],
)
def test_what_makes_no_sense_is_refused(mina, change, sentence):
    with pytest.raises(ActionRefused, match=sentence):
        make(mina, **change)
    assert not ApiToken.objects.exists()


def test_names_tell_them_apart_until_one_is_over(mina):
    first = make(mina)
    with pytest.raises(ActionRefused, match="called notebook already"):
        make(mina)

    revoke_token(first.token, by=mina.actor)

    assert make(mina).token != first.token


def test_there_is_an_end_to_how_many(mina):
    rows = [ApiToken(membership=mina.membership, name=str(n), token_hash=str(n)) for n in range(MOST)]
    ApiToken.objects.bulk_create(rows)

    with pytest.raises(ActionRefused, match="You have 50 tokens"):
        make(mina)


def test_nobody_makes_a_token_for_somebody_else_nor_a_token_another_one(olive, mina):
    with pytest.raises(ActionRefused, match="Only the person themselves"):
        make_token(mina.membership, by=olive.actor, name="x", scope=[], lives=timedelta(days=1))
    with pytest.raises(ActionRefused, match="cannot make another"):
        make_token(mina.membership, by=acting(make(mina)), name="x", scope=[], lives=timedelta(days=1))


def test_what_is_done_with_a_token_says_so(mina):
    from projects.actions.projects import create_project

    made = make(mina, scope=[Permission.PROJECT_EDIT], name="{odd} name")
    create_project(
        mina.team, by=acting(made), name="Tweets", title="Rate", description="Rate it.", reward="0.05"
    )

    event = Event.objects.get(verb="project.created")
    assert event.by == mina.user
    assert sentence(event) == "made the project Tweets (by the token “{odd} name”)"


# The page ----------------------------------------------------------------------------------------


def test_the_page_makes_a_token_and_shows_it_once(mina):
    form = {"name": "notebook", "days": "30", "scope": ["batch_publish"]}

    made = mina.client.post(reverse("accounts:create_token"), form)

    token = ApiToken.objects.get()
    page = made.content.decode()
    assert made.status_code == 200
    text = page.partition('id="token" value="')[2].partition('"')[0]
    assert find_token(text) == token
    assert "no-store" in made["Cache-Control"]
    listed = mina.client.get(reverse("accounts:tokens")).content.decode()
    assert "notebook" in listed
    assert text not in listed


def test_the_page_offers_what_the_role_allows(vera):
    page = vera.client.get(reverse("accounts:tokens"))

    assert [value for value, _ in page.context["form"].fields["scope"].choices] == ["results_export"]
    form = {"name": "x", "days": "30", "scope": ["batch_publish"]}
    refused = vera.client.post(reverse("accounts:create_token"), form)
    assert refused.status_code == 400
    assert not ApiToken.objects.exists()


def test_owners_find_the_others_tokens_below_their_own(olive, mina, vera):
    make(mina, name="minas")
    make(olive, name="olives")

    page = olive.client.get(reverse("accounts:tokens"))

    assert [row["token"].name for row in page.context["mine"]] == ["olives"]
    assert [row["token"].name for row in page.context["others"]] == ["minas"]
    assert vera.client.get(reverse("accounts:tokens")).context["others"] == []


def test_tokens_whose_time_is_over_stay_for_a_while(mina):
    make(mina, days=7)
    clock.advance(timedelta(days=8))
    assert [row["is_expired"] for row in mina.client.get(reverse("accounts:tokens")).context["mine"]] == [
        True
    ]

    clock.advance(timedelta(days=31))

    # So long away, one signs in anew.
    mina.__dict__.pop("client", None)
    assert mina.client.get(reverse("accounts:tokens")).context["mine"] == []


def test_somebody_in_no_team_has_no_tokens(mina):
    Membership.objects.filter(pk=mina.membership.pk).delete()

    assert mina.client.get(reverse("accounts:tokens")).status_code == 403
