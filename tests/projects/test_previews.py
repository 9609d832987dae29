"""The frame that shows somebody's HTML: who may load it, for how long, and what it cannot reach."""

import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.core import signing
from django.test import Client
from django.urls import reverse

from mturkhub.accounts.models import Membership
from mturkhub.common import clock
from mturkhub.common.models import StoredFile
from mturkhub.common.stored_files import delete_expired_files
from projects import previews
from projects.previews import Preview, preview_response, preview_url
from tests import attacks
from tests.factories import BatchFactory, HITTemplateFactory, ProjectFactory, TeamFactory

HEARTBEAT = '<script src="/static/js/heartbeat.js"></script>'


@pytest.fixture
def url(team, olive):
    """Makes the address of a preview for Olive."""

    def url(html="<p>${text}</p>", values=None, is_accepted=True):
        return preview_url(team.pk, olive.user.pk, Preview(html, values or {}, is_accepted))

    return url


@pytest.mark.django_db
def test_the_page_is_the_filled_html_and_one_script_of_ours(url, olive):
    answer = olive.client.get(url(values={"text": "<b>漢 & ü</b>"}))

    assert answer.status_code == 200
    assert answer.content.decode() == f"{HEARTBEAT}<p><b>漢 & ü</b></p>"


@pytest.mark.django_db
def test_the_answer_makes_its_origin_opaque_and_only_we_may_frame_it(url, olive):
    answer = olive.client.get(url())

    policy = answer["Content-Security-Policy"]
    assert policy == "sandbox allow-scripts allow-forms; frame-ancestors 'self'"
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "no-store"
    assert settings.CSRF_COOKIE_NAME not in answer.cookies


@pytest.mark.django_db
def test_our_own_pages_load_nothing_from_elsewhere_and_frame_only_ourselves(olive):
    policy = olive.client.get("/")["Content-Security-Policy"]

    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["frame-src"] == directives["form-action"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_accepted", "assignment"),
    [(True, "3PREVIEW00000000000000000000000"), (False, "ASSIGNMENT_ID_NOT_AVAILABLE")],
)
def test_the_address_tells_the_page_where_it_is_as_mturk_does(url, is_accepted, assignment):
    assert f"?assignmentId={assignment}&hitId=" in url(is_accepted=is_accepted)


# Who may load it ----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["mina", "ravi", "vera", "stan"])
def test_it_is_for_the_one_person_it_was_made_for(request, url, who):
    assert request.getfixturevalue(who).client.get(url()).status_code == 404


@pytest.mark.django_db
def test_it_needs_the_session_besides_the_address(url, olive):
    address = url()

    assert Client().get(address).status_code == 302
    olive.client.logout()
    assert olive.client.get(address).status_code == 302


@pytest.mark.django_db
def test_who_has_left_the_team_sees_nothing_of_it(url, olive):
    address = url()
    Membership.objects.filter(user=olive.user).update(team=TeamFactory())

    assert olive.client.get(address).status_code == 404


@pytest.mark.django_db
def test_after_ten_minutes_it_is_gone(url, olive, monkeypatch):
    address = url()
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 599)
    assert olive.client.get(address).status_code == 200

    monkeypatch.setattr(signing.time, "time", lambda: now + 601)

    assert olive.client.get(address).status_code == 404


@pytest.mark.django_db
def test_its_file_is_deleted_when_its_time_is_over(url, olive):
    address = url()
    [file] = StoredFile.objects.all()
    assert file.expires_at is not None
    assert timedelta(minutes=9) < file.expires_at - clock.now() <= timedelta(minutes=10)

    clock.advance(timedelta(minutes=11))
    delete_expired_files()

    assert not StoredFile.objects.exists()
    assert olive.client.get(address).status_code == 404


@pytest.mark.django_db
def test_a_forged_address_is_refused(url, team, olive):
    file = StoredFile.objects.create(team_id=team.pk, name="texts.csv")
    told = {"file": str(file.public_id), "user": olive.user.pk}
    forged = [
        url().replace("/preview/", "/preview/x"),
        reverse("projects:preview", args=["nonsense"]),
        # Signed by us, for something else.
        reverse("projects:preview", args=[signing.dumps(told, salt="other")]),
        reverse(
            "projects:preview",
            args=[signing.dumps({**told, "file": str(uuid.uuid4())}, salt=previews.SALT)],
        ),
    ]

    assert [olive.client.get(address).status_code for address in forged] == [404] * 4


# In a browser -------------------------------------------------------------------------------------


@pytest.fixture
def open_editor(olive, live_server, new_context):
    """Opens the editor of a project with this template, with somebody signed in."""

    def open_editor(html):
        project = ProjectFactory(team=olive.team, created_by=olive.user)
        HITTemplateFactory(project=project, html=html)
        context = new_context(base_url=live_server.url)
        session = olive.client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies(
            [
                {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url},
                # One that scripts of our own origin could read.
                {"name": "mturkhub_tz", "value": "Europe/Zurich", "url": live_server.url},
            ]
        )
        page = context.new_page()
        # Something to go back to.
        page.goto("/projects/")
        page.goto(reverse("projects:edit_template", args=[project.public_id]))
        return page

    return open_editor


@pytest.mark.django_db(transaction=True)
def test_a_hostile_template_reaches_neither_the_dashboard_nor_the_window(open_editor, olive):
    page = open_editor("<p>not yet</p>")
    page.frame_locator(".preview-frame").get_by_text("not yet").wait_for()
    address, title = page.url, page.title()
    editor = page.locator(".cm-content")

    with attacks.watched(page) as noticed:
        editor.fill(attacks.EVERYTHING)
        page.frame_locator(".preview-frame").get_by_text("all tried").wait_for()
        said = attacks.tried_by(page.frames[1])
        page.keyboard.type("still here")

    assert said == attacks.REFUSED
    assert noticed == attacks.Noticed()
    assert (page.url, page.title()) == (address, title)
    # Nor did it get what is typed: the keyboard stays where it was.
    assert "still here" in page.locator("textarea[name=html]").input_value()


@pytest.mark.django_db(transaction=True)
def test_its_address_by_itself_is_as_harmless_for_the_answers_own_policy_holds(open_editor):
    page = open_editor("<p>Hello</p>")
    page.frame_locator(".preview-frame").get_by_text("Hello").wait_for()

    page.goto(page.frames[1].url)

    assert page.evaluate("self.origin") == "null"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("script", attacks.NEVER_ENDING.values(), ids=attacks.NEVER_ENDING)
def test_a_preview_that_hangs_is_stopped_and_said_so_while_the_page_lives(open_editor, script):
    page = open_editor(attacks.page_that(script))
    note = page.get_by_text("did not answer for 5 seconds")

    note.wait_for()

    assert page.locator("iframe").count() == 0
    # Mended, it is shown again.
    page.locator(".cm-content").fill("<p>Mended</p>")
    page.frame_locator(".preview-frame").get_by_text("Mended").wait_for()
    assert not note.is_visible()


@pytest.mark.django_db(transaction=True)
def test_a_preview_in_the_place_of_a_hanging_one_is_stopped_too(open_editor):
    """The browser gives it the same process, so that it never says a word."""
    page = open_editor(attacks.page_that("document.title = 'hangs'; for (;;);"))
    page.wait_for_timeout(1000)

    page.get_by_label("Before accepting").check(force=True)

    page.get_by_text("did not answer for 5 seconds").wait_for()
    assert page.locator("iframe").count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_stopped_preview_can_be_loaded_again_and_is_watched_again(open_editor):
    page = open_editor(attacks.page_that("for (;;);"))
    note = page.get_by_text("did not answer for 5 seconds")
    note.wait_for()

    page.get_by_role("button", name="Load it again").click()

    assert page.locator("iframe").count() == 1
    assert note.is_hidden()
    note.wait_for()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "script",
    [attacks.FLOOD, attacks.FLOOD_THAT_ANSWERS, attacks.FLOOD_FROM_WITHIN],
    ids=["in a loop", "while it answers", "from a frame within"],
)
def test_a_preview_that_floods_the_page_with_messages_is_stopped(open_editor, script):
    page = open_editor(attacks.page_that(script))

    page.locator("[data-stopped]:visible").wait_for()

    assert page.locator("iframe").count() == 0
    page.get_by_role("link", name="Home").first.click()
    page.wait_for_url("**/")


@pytest.mark.django_db(transaction=True)
def test_a_form_in_a_preview_sends_nothing_in_the_persons_name(open_editor, olive):
    batch = BatchFactory(project__team=olive.team, project__created_by=olive.user, rows=1)
    target = reverse("projects:publish_batch", args=[batch.public_id])
    page = open_editor(f'<form method=post action="{target}"><button>Win a prize</button></form>')

    with page.expect_response(f"**{target}") as answered:
        page.frame_locator(".preview-frame").get_by_role("button").click()

    assert answered.value.status == 403
    assert "cookie" not in answered.value.request.all_headers()
    batch.refresh_from_db()
    assert batch.state == "draft"


# Where our script stands --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "start"),
    [
        ("<p>x", ""),
        ("<!DOCTYPE html><html><p>x", "<!DOCTYPE html>"),
        (
            "\n<!-- a --><!-- <!doctype b> -->\n<!doctype html>x",
            "\n<!-- a --><!-- <!doctype b> -->\n<!doctype html>",
        ),
        ("<!-- <!doctype html> -->x", ""),
        # No regular expression may take for ever over it.
        ("<!-- -->" * 8000, ""),
    ],
)
def test_what_makes_a_page_one_of_todays_html_stays_first(page, start):
    content = preview_response(page).content.decode()

    assert content.startswith(f'{start}<script src="/static/js/heartbeat.js"></script>')
    assert content.removeprefix(start).removeprefix(HEARTBEAT) == page.removeprefix(start)
