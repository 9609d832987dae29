"""The template editor: versions, checks as one types, and the preview beside it."""

from html import unescape

import pytest
from django.urls import reverse

from mturkhub.accounts.models import Event
from mturkhub.common.errors import ActionRefused
from projects.actions.projects import save_template
from projects.actions.uploads import upload_file
from projects.models import HITTemplate
from tests.factories import BatchFactory, HITTemplateFactory, ProjectFactory

pytestmark = pytest.mark.django_db

HTML = "<p>${text}</p>\n<input name=a>"


@pytest.fixture
def project(team, olive):
    return ProjectFactory(team=team, created_by=olive.user, name="Sentiment")


@pytest.fixture
def address(project):
    return reverse("projects:edit_template", args=[project.public_id])


@pytest.fixture
def check(project, mina):
    """What the checks say of HTML that is not saved."""
    address = reverse("projects:check_template", args=[project.public_id])

    def check(html, **more):
        answer = mina.client.post(address, {"html": html, **more}, HTTP_HX_REQUEST="true")
        assert answer.status_code == 200
        return unescape(answer.content.decode())

    return check


# Versions -----------------------------------------------------------------------------------------


def test_the_first_template_begins_with_an_example(address, mina):
    html = mina.client.get(address).content.decode()

    assert "Nothing saved yet: this is an example to begin with." in html
    assert "&lt;blockquote&gt;${text}&lt;/blockquote&gt;" in html


def test_each_save_with_a_change_is_a_version(project, address, mina):
    for html in (HTML, HTML, HTML.replace("\n", "\r\n"), f"{HTML} ", f"{HTML} "):
        answer = mina.client.post(address, {"html": html}, follow=True)

    versions = HITTemplate.objects.order_by("version")
    assert [(each.version, each.html) for each in versions] == [(1, HTML), (2, f"{HTML} ")]
    assert "Nothing has changed, so it is still version 2." in answer.content.decode()
    assert [event.details for event in Event.objects.order_by("pk")] == [{"version": 1}, {"version": 2}]


def test_an_older_version_saved_again_is_a_new_one(project, mina):
    for html in ("<p>a</p>", "<p>b</p>", "<p>a</p>"):
        newest = save_template(project, html, by=mina.actor)

    assert newest.version == 3
    assert project.templates.first() == newest


def test_saving_says_which_version_it_is(address, mina):
    answer = mina.client.post(address, {"html": HTML}, follow=True)

    assert "Saved as version 1. Started batches keep theirs." in answer.content.decode()


def test_the_head_says_which_batches_keep_an_older_version(project, address, mina):
    old = HITTemplateFactory(project=project, version=1)
    BatchFactory(project=project, template=old, name="Pilot", published=True)
    HITTemplateFactory(project=project, version=2)

    html = mina.client.get(address).content.decode()

    assert "Version 2 is what new batches take; saving makes version 3." in html
    assert "Kept by started batches: <bdi>Pilot</bdi> (version 1)." in html


@pytest.mark.parametrize(
    ("html", "sentence"),
    [
        ("", "The template is empty. Write the HTML a Worker shall see."),
        (" \n ", "The template is empty. Write the HTML a Worker shall see."),
        ("kept\n\x00", "Null characters are not allowed."),
        (
            f"kept {'x' * 200_000}",
            "The template has 200,005 bytes; a question may have 65,535 at most. Shorten it.",
        ),
    ],
)
def test_a_template_that_cannot_be_saved_stays_in_the_editor(address, mina, html, sentence):
    answer = mina.client.post(address, {"html": html, "csrfmiddlewaretoken": "x"})

    shown = unescape(answer.content.decode())
    assert answer.status_code == 400
    assert sentence in shown
    assert html.strip().replace("\x00", "") in shown
    assert not HITTemplate.objects.exists()


@pytest.mark.parametrize(
    ("html", "sentence"),
    [
        ("", "The template is empty."),
        ("a\nb\x00", "Line 2 of the template holds the character U+0000."),
        ("\ud800", "Line 1 of the template holds the character U+D800."),
        ("漢" * 70_000, "The template has 210,000 bytes"),
    ],
)
def test_scripts_meet_the_same_limits(project, mina, html, sentence):
    with pytest.raises(ActionRefused) as refused:
        save_template(project, html, by=mina.actor)

    assert refused.value.sentence.startswith(sentence)
    assert not HITTemplate.objects.exists()


@pytest.mark.parametrize(("who", "role"), [("ravi", "Reviewers"), ("vera", "Viewers")])
def test_who_may_not_edit_reads_and_sees_whom_to_ask(request, address, project, who, role):
    HITTemplateFactory(project=project, version=1, html="<p>only read</p>")
    client = request.getfixturevalue(who).client

    shown = client.get(address).content.decode()
    refused = client.post(address, {"html": "<p>mine</p>"})

    assert "&lt;p&gt;only read&lt;/p&gt;" in shown
    assert f'aria-disabled="true" title="{role} may not make or change projects.' in shown
    assert refused.status_code == 403
    assert HITTemplate.objects.count() == 1


def test_a_stranger_gets_neither_the_template_nor_its_checks(project, address, stan):
    check = reverse("projects:check_template", args=[project.public_id])

    assert stan.client.get(address).status_code == 404
    assert stan.client.post(address, {"html": HTML}).status_code == 404
    assert stan.client.post(check, {"html": HTML}).status_code == 404


def test_html_in_the_editor_cannot_leave_its_field(project, address, mina):
    html = "</textarea><script>alert(1)</script>"
    save_template(project, html, by=mina.actor)

    assert html not in mina.client.get(address).content.decode()


# Checks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "sentence"),
    [
        ("<input name=a>😀", "The character 😀 (U+1F600) at line 1, column 15 takes four bytes"),
        ("<input name=a>\n\x0b", "The control character U+000B at line 2, column 1"),
        (f"<input name=a>{'x' * 65_600}", "bytes; 65,535 is the most. Shorten it."),
        (
            "<p>Nothing to fill in</p>",
            "There is no field with a name, so a Worker could not answer anything.",
        ),
        ("<input type=text>", "No field has a name; MTurk drops answers without one."),
    ],
)
def test_what_would_go_wrong_is_said_before_it_costs_money(check, html, sentence):
    assert sentence in check(html)


@pytest.mark.parametrize("html", [HTML, "<crowd-slider name=a>", "<SELECT NAME=a>", "<textarea name='a'>"])
def test_a_template_that_works_is_called_so(check, html):
    assert "Nothing stops and nothing warns." in check(html)


def test_placeholders_are_shown_with_the_first_row_of_the_last_upload(project, check, mina):
    save_template(project, HTML, by=mina.actor)
    data = b'{"text": "hello <b>", "list": [true, null]}\n'
    upload_file(project, by=mina.actor, name="x.jsonl", chunks=[data])

    shown = check("${text} ${list} ${url} <script>${*}</script><input name=a>")

    assert (
        '<dt class="wrap-anywhere"><code><bdi>text</bdi></code></dt><dd class="second wrap-anywhere"><bdi>hello <b></bdi></dd>'
        in shown
    )
    assert "[true, null]" in shown
    assert '{"text": "hello \\u003cb>", "list": [true, null]}' in shown
    assert (
        '<dt class="wrap-anywhere"><code><bdi>url</bdi></code></dt><dd class="second wrap-anywhere"><bdi>no value yet</bdi></dd>'
        in shown
    )
    assert "${url} in line 1, column 17 was no column of your last file." in shown


def test_without_an_upload_a_placeholder_shows_its_own_name(check):
    assert (
        '<dt class="wrap-anywhere"><code><bdi>text</bdi></code></dt><dd class="second wrap-anywhere"><bdi>text</bdi></dd>'
        in check(HTML)
    )


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"text\n", b"a,a\n1,2\n"])
def test_an_upload_that_could_not_be_read_does_not_break_the_editor(project, check, address, mina, data):
    save_template(project, HTML, by=mina.actor)
    upload_file(project, by=mina.actor, name="x.csv", chunks=[data])

    assert "<code><bdi>text</bdi></code>" in check(HTML)
    assert mina.client.get(address).status_code == 200


def test_checking_saves_nothing(check):
    check(HTML)

    assert not HITTemplate.objects.exists()
    assert not Event.objects.exists()
