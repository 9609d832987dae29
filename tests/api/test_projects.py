"""Projects by script: the names of MTurk's fields, the rules and sentences of the page's form."""

from datetime import timedelta

import pytest

from mturkhub.accounts.models import Event
from projects.models import Project
from tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db

HTML = "<p>${text}</p><form><input name=sentiment type=number></form>"
BODY = {
    "name": "Tweets",
    "title": "How positive is it?",
    "description": "Read a tweet and give it a number.",
    "keywords": "text, sentiment",
    "reward": "0.05",
    "max_assignments": 5,
    "assignment_duration": 600,
    "lifetime": 3600,
    "auto_approval_delay": 86400,
    "html": HTML,
}


def test_a_project_is_made_with_its_question(as_mina, mina):
    made = as_mina.post("projects", BODY)

    assert made.status_code == 201
    told = made.json()
    assert {name: told[name] for name in BODY} == BODY
    project = Project.objects.get(public_id=told["id"])
    assert (project.team, project.created_by) == (mina.team, mina.user)
    assert (project.assignment_duration, project.lifetime) == (timedelta(minutes=10), timedelta(hours=1))
    assert [each.html for each in project.templates.all()] == [HTML]
    assert Event.objects.get(verb="project.created").details["by_token"]
    assert as_mina.get(f"projects/{told['id']}").json() == told


def test_what_is_not_given_is_as_on_the_page(as_mina):
    told = as_mina.post("projects", {"title": "Rate a text", "reward": 0.05}).json()

    assert (told["name"], told["description"], told["html"]) == ("Rate a text", "Rate a text", "")
    assert (told["max_assignments"], told["assignment_duration"]) == (1, 3600)
    assert (told["lifetime"], told["auto_approval_delay"]) == (7 * 86400, 3 * 86400)
    # The title of another project is no reason to refuse this one.
    assert (
        as_mina.post("projects", {"title": "Rate a text", "reward": "0.05"}).json()["name"] == "Rate a text 2"
    )
    assert (
        as_mina.post("projects", {"title": "Rate a text", "reward": "0.05"}).json()["name"] == "Rate a text 3"
    )


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"reward": "0.051"}, "reward", "MTurk pays whole cents: at most two decimals."),
        ({"reward": "0"}, "reward", "The least a reward can be is $0.01."),
        ({"reward": "a lot"}, "reward", "A valid number is required."),
        ({"max_assignments": 0}, "max_assignments", "Each row needs at least one answer."),
        ({"max_assignments": "many"}, "max_assignments", "A valid integer is required."),
        ({"lifetime": 10}, "lifetime", "MTurk takes 30 seconds to 365 days. This is 10 seconds."),
        ({"auto_approval_delay": 31 * 86400}, "auto_approval_delay", "This is 31 days."),
        ({"lifetime": -(10**30)}, "lifetime", "greater than or equal to 0"),
        ({"lifetime": 10**30}, "lifetime", "less than or equal to 1000000000"),
        ({"max_assignments": 10**30}, "max_assignments", "must be 1,000,000,000 or less"),
        ({"frame_height": -1}, "frame_height", "must be 0 or more"),
        ({"reward": "1e30"}, "reward", "less than or equal to"),
        ({"title": "x" * 129}, "title", "at most 128 characters"),
        ({"title": 7}, "title", "Not a valid string."),
        ({"title": "a\x00b"}, "title", "Null characters are not allowed."),
        ({"title": "a\ud800b"}, "title", "Surrogate characters are not allowed"),
        ({"max_asignments": 9}, "max_asignments", "There is no such field. Did you mean max_assignments?"),
        ({"colour": "red"}, "colour", "There is no such field. There are: "),
        ({"name": "Taken"}, "name", "Your team has a project called “Taken” already."),
    ],
)
def test_each_wrong_field_is_named_with_the_pages_sentence(as_mina, mina, change, field, sentence):
    ProjectFactory(team=mina.team, name="Taken")

    refused = as_mina.post("projects", {**BODY, **change})

    assert refused.status_code == 400
    assert refused["Content-Type"] == "application/problem+json"
    told = refused.json()
    assert list(told["errors"]) == [field]
    assert sentence in told["errors"][field][0]
    assert told["detail"].startswith(f"{field}: ")
    assert Project.objects.count() == 1


def test_a_question_that_is_none_leaves_no_project_behind(as_mina):
    refused = as_mina.post("projects", {**BODY, "html": "  "})

    assert refused.status_code == 400
    assert "Write the HTML a Worker shall see." in refused.json()["detail"]
    assert not Project.objects.exists()


def test_what_is_given_is_changed_and_the_rest_stays(as_mina):
    address = f"projects/{as_mina.post('projects', BODY).json()['id']}"

    told = as_mina.patch(address, {"reward": "0.10", "html": HTML.replace("<p>", "<h1>")}).json()

    assert (told["reward"], told["title"], told["template_version"]) == ("0.10", BODY["title"], 2)
    assert as_mina.patch(address, {"html": told["html"]}).json()["template_version"] == 2
    assert as_mina.patch(address, {}).json() == told
    refused = as_mina.patch(address, {"lifetime": 1})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["lifetime"])


def test_projects_come_in_pages_newest_first(as_mina, mina, stan):
    names = [f"Project {number}" for number in range(5)]
    for name in names:
        ProjectFactory(team=mina.team, name=name)
    ProjectFactory(team=stan.team)

    told, address = [], "projects?page_size=2"
    while address:
        page = as_mina.get(address).json()
        told.append([each["name"] for each in page["results"]])
        address = page["next"]

    assert told == [["Project 4", "Project 3"], ["Project 2", "Project 1"], ["Project 0"]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page_size=501", "page_size"),
        ("page_size=0", "page_size"),
        ("at=%3Enowhere", None),
        ("sort=name", "sort"),
    ],
)
def test_a_page_that_is_none_is_refused(as_mina, query, field):
    refused = as_mina.get(f"projects?{query}")

    assert refused.status_code == 400
    assert list(refused.json().get("errors", {None: 0})) == [field]
