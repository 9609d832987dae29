"""A project's settings: every limit of MTurk's is a sentence at its field, and nothing typed is lost."""

from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.urls import reverse

from mturkhub.accounts.models import Event
from mturkhub.common.errors import ActionRefused
from projects.actions.projects import create_project, update_project
from projects.forms import ProjectForm
from projects.models import Project
from tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db

GOOD = {
    "name": "Sentiment",
    "title": "How positive is this text?",
    "description": "Read one sentence and give a number.",
    "keywords": "text, sentiment",
    "reward": "0.05",
    "max_assignments": "5",
    "estimated_duration_0": "30",
    "estimated_duration_1": "seconds",
    "assignment_duration_0": "1.5",
    "assignment_duration_1": "hours",
    "lifetime_0": "7",
    "lifetime_1": "days",
    "auto_approval_delay_0": "3",
    "auto_approval_delay_1": "days",
    "approval": "at_once",
    "frame_height": "650",
    "main_field": "sentiment",
    "data_note": "CC BY 4.0",
}


def errors(team, **changes):
    form = ProjectForm({**GOOD, **changes}, instance=Project(team=team))
    form.is_valid()
    return {name: " ".join(sentences) for name, sentences in form.errors.items()}


@pytest.mark.parametrize(
    ("field", "changes", "sentence"),
    [
        ("title", {"title": "x" * 129}, "“Title” takes at most 128 characters; this has 129."),
        ("title", {"title": "  "}, "This field is required."),
        (
            "description",
            {"description": "x" * 2001},
            "“Description” takes at most 2,000 characters; this has 2,001.",
        ),
        ("description", {"description": ""}, "This field is required."),
        (
            "keywords",
            {"keywords": "x" * 1001},
            "“Keywords” takes at most 1,000 characters; this has 1,001.",
        ),
        ("name", {"name": "x" * 101}, "“Project name” takes at most 100 characters; this has 101."),
        # Money.
        ("reward", {"reward": "0.00"}, "The least a reward can be is $0.01."),
        ("reward", {"reward": "-1"}, "The least a reward can be is $0.01."),
        ("reward", {"reward": "0.015"}, "MTurk pays whole cents: at most two decimals."),
        ("reward", {"reward": "five"}, "Write an amount in dollars, such as 0.05."),
        ("reward", {"reward": "NaN"}, "Write an amount in dollars, such as 0.05."),
        ("reward", {"reward": "1000000.00"}, "“Reward per answer” takes at most 8 digits."),
        ("reward", {"reward": ""}, "This field is required."),
        # Answers.
        ("max_assignments", {"max_assignments": "0"}, "Each row needs at least one answer."),
        (
            "max_assignments",
            {"max_assignments": "1000000001"},
            "“Answers per row” must be 1,000,000,000 or less.",
        ),
        ("max_assignments", {"max_assignments": "1.5"}, "Enter a whole number."),
        # Durations.
        (
            "assignment_duration",
            {"assignment_duration_0": "29", "assignment_duration_1": "seconds"},
            "MTurk takes 30 seconds to 365 days. This is 29 seconds.",
        ),
        (
            "lifetime",
            {"lifetime_0": "366", "lifetime_1": "days"},
            "MTurk takes 30 seconds to 365 days. This is 366 days.",
        ),
        (
            "auto_approval_delay",
            {"auto_approval_delay_0": "30.5", "auto_approval_delay_1": "days"},
            "MTurk takes 0 seconds to 30 days. This is 732 hours.",
        ),
        ("lifetime", {"lifetime_0": ""}, "This field is required."),
        ("lifetime", {"lifetime_0": "soon"}, "Enter a number."),
        ("estimated_duration", {"estimated_duration_0": "0"}, "MTurk takes 1 second"),
        # The frame.
        ("frame_height", {"frame_height": "10001"}, "“Height of the frame” must be 10,000 or less."),
        ("frame_height", {"frame_height": "-1"}, "“Height of the frame” must be 0 or more."),
        ("approval", {"approval": "never"}, "Select a valid choice."),
    ],
)
def test_a_value_mturk_would_not_take_is_refused_at_its_field(team, field, changes, sentence):
    found = errors(team, **changes)

    assert list(found) == [field]
    assert sentence in found[field]


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "x" * 128, "description": "x" * 2000, "keywords": "x" * 1000, "name": "x" * 100},
        {"reward": "0.01", "max_assignments": "1000000000"},
        {"assignment_duration_0": "30", "assignment_duration_1": "seconds"},
        {"lifetime_0": "365", "auto_approval_delay_0": "30"},
        {"auto_approval_delay_0": "0", "frame_height": "0"},
        {"estimated_duration_0": "", "keywords": "", "main_field": "", "data_note": ""},
        {"title": "Ümläute, 漢字"},
    ],
)
def test_a_value_at_its_limit_is_taken(team, changes):
    assert errors(team, **changes) == {}


def test_a_name_stands_once_in_a_team_and_may_stand_in_another(team):
    ProjectFactory(name="Sentiment")
    assert errors(team) == {}

    ProjectFactory(team=team, name="Sentiment")

    assert errors(team) == {
        "name": "Your team has a project called “Sentiment” already. Choose another name."
    }


# Pages --------------------------------------------------------------------------------------------


def test_a_new_project_goes_on_to_its_question(mina):
    answer = mina.client.post(reverse("projects:create_project"), GOOD, follow=True)

    project = Project.objects.get()
    assert answer.redirect_chain == [(reverse("projects:edit_template", args=[project.public_id]), 302)]
    assert "“Sentiment” is made. Now write the question." in answer.content.decode()
    assert (project.team, project.created_by, project.reward) == (mina.team, mina.user, Decimal("0.05"))
    assert project.assignment_duration == timedelta(minutes=90)
    assert project.estimated_duration == timedelta(seconds=30)
    assert (project.approval, project.frame_height, project.main_field) == ("at_once", 650, "sentiment")
    assert Event.objects.get(verb="project.created").by == mina.user


@pytest.mark.parametrize("is_new", [True, False])
def test_after_an_error_everything_that_was_typed_stands_there_again(team, mina, is_new):
    project = None if is_new else ProjectFactory(team=team, name="Before", title="Old title")
    address = (
        reverse("projects:create_project")
        if project is None
        else reverse("projects:edit_project", args=[project.public_id])
    )
    typed = {**GOOD, "name": "Kept name", "reward": "0.005", "lifetime_0": "400", "data_note": "<kept note>"}

    answer = mina.client.post(address, typed)

    html = unescape(answer.content.decode())
    assert answer.status_code == 400
    assert "Nothing was saved yet: 2 fields below need another value. What you typed is kept." in html
    assert "MTurk pays whole cents: at most two decimals." in html
    assert "MTurk takes 30 seconds to 365 days. This is 400 days." in html
    for value in ("Kept name", "0.005", "400", "<kept note>", GOOD["title"], GOOD["description"]):
        assert value in html
    assert html.count('aria-invalid="true"') >= 2
    if project is None:
        assert not Project.objects.exists()
    else:
        project.refresh_from_db()
        assert (project.name, project.title) == ("Before", "Old title")


def test_durations_come_back_in_the_largest_unit_that_fits(team, mina):
    project = ProjectFactory(
        team=team,
        assignment_duration=timedelta(minutes=90),
        lifetime=timedelta(days=14),
        auto_approval_delay=timedelta(seconds=100),
    )

    form = mina.client.get(reverse("projects:edit_project", args=[project.public_id])).context["form"]

    assert form["assignment_duration"].subwidgets[0].data["subwidgets"][0]["value"] == "90"
    assert 'value="minutes" selected' in str(form["assignment_duration"])
    assert 'value="14"' in str(form["lifetime"])
    assert 'value="days" selected' in str(form["lifetime"])
    assert 'value="100"' in str(form["auto_approval_delay"])
    assert 'value="seconds" selected' in str(form["auto_approval_delay"])


def test_settings_that_come_back_unchanged_change_nothing(team, mina):
    project = ProjectFactory(team=team, estimated_duration=timedelta(seconds=45))
    address = reverse("projects:edit_project", args=[project.public_id])
    form = mina.client.get(address).context["form"]
    data = {}
    for bound in form:
        value = bound.value()
        if isinstance(value, timedelta):
            data[f"{bound.name}_0"], data[f"{bound.name}_1"] = bound.field.widget.decompress(value)
        else:
            data[bound.name] = value

    mina.client.post(address, data)

    assert Event.objects.get(verb="project.changed").details == {"fields": []}


def test_the_form_says_what_one_answer_costs(team, mina):
    form = mina.client.post(reverse("projects:create_project"), {**GOOD, "title": ""})

    assert "One answer costs $0.06: $0.05 reward and $0.01 fee." in form.content.decode()


@pytest.mark.parametrize("reward", ["", "a lot", "NaN", "1e999999", "-"])
def test_an_amount_that_is_none_has_no_price(team, reward):
    assert ProjectForm({**GOOD, "reward": reward}, instance=Project(team=team)).fee_hint == ""


# Actions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": "x" * 129}, "“title” takes at most 128 characters; this has 129."),
        ({"description": "x" * 2001}, "“description” takes at most 2,000 characters"),
        ({"reward": Decimal("-0.01")}, "“reward” must be 0.00 or more."),
        ({"max_assignments": 0}, "“max_assignments” must be 1 or more."),
        ({"lifetime": timedelta(days=366)}, "“lifetime” must be 365 d or less."),
        ({"auto_approval_delay": timedelta(days=31)}, "“auto_approval_delay” must be 30 d or less."),
    ],
)
def test_scripts_meet_the_same_limits(team, mina, changes, sentence):
    terms = {"name": "S", "title": "T", "description": "D", "reward": Decimal("0.05"), **changes}
    existing = ProjectFactory(team=team)

    with pytest.raises(ActionRefused) as making:
        create_project(team, by=mina.actor, **terms)
    with pytest.raises(ActionRefused) as changing:
        update_project(existing, by=mina.actor, **changes)

    assert making.value.sentence.startswith(sentence)
    assert changing.value.sentence.startswith(sentence)
    assert Project.objects.get() == existing
    assert not Event.objects.exists()


def test_a_change_is_written_down_with_the_fields_it_touched(team, mina):
    project = ProjectFactory(team=team, title="Before")

    update_project(project, by=mina.actor, title="After", reward=Decimal("0.05"))

    assert Event.objects.get().details == {"fields": ["title"]}


@pytest.mark.parametrize("who", ["ravi", "vera", "stan"])
def test_who_may_not_edit_projects_changes_nothing(request, team, who):
    project, by = ProjectFactory(team=team, title="Before"), request.getfixturevalue(who).actor

    for action, subject in [(create_project, team), (update_project, project)]:
        with pytest.raises(ActionRefused, match="may not make or change projects") as refused:
            action(subject, by=by, name="N", title="After", description="D", reward=Decimal("1.00"))
        assert refused.value.status == 403

    assert Project.objects.get().title == "Before"
