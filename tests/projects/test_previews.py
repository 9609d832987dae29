"""The frame that shows somebody's HTML: who may load it, for how long, and what it cannot reach."""

import re
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
from projects.previews import Preview, preview_url
from tests.factories import HITTemplateFactory, ProjectFactory, TeamFactory

HOSTILE = """<p id=said>not run</p><script>
const said = {origin: window.origin};
const attempt = async (name, act) => { try { said[name] = String(await act()) } catch (error) { said[name] = error.name } };
(async () => {
  await attempt("parent", () => parent.document.title);
  await attempt("cookie", () => document.cookie);
  await attempt("storage", () => localStorage.length);
  await attempt("top", () => { if (top !== self) top.location = "about:blank"; return "asked" });
  await attempt("popup", () => window.open("about:blank"));
  await attempt("home", async () => (await fetch("/", {credentials: "include"})).status);
  document.getElementById("said").textContent = JSON.stringify(said);
})();
</script>"""


@pytest.fixture
def url(team, olive):
    """Makes the address of a preview for Olive."""

    def url(html="<p>${text}</p>", values=None, is_accepted=True):
        return preview_url(team.pk, olive.user.pk, Preview(html, values or {}, is_accepted))

    return url


@pytest.mark.django_db
def test_the_page_is_the_filled_html_and_nothing_of_ours(url, olive):
    answer = olive.client.get(url(values={"text": "<b>漢 & ü</b>"}))

    assert answer.status_code == 200
    assert answer.content.decode() == "<p><b>漢 & ü</b></p>"


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


@pytest.mark.django_db(transaction=True)
def test_a_hostile_template_reaches_neither_the_dashboard_nor_the_window(olive, live_server, new_context):
    project = ProjectFactory(team=olive.team, created_by=olive.user)
    HITTemplateFactory(project=project, html=HOSTILE)
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
    address = reverse("projects:edit_template", args=[project.public_id])

    page.goto(address)
    frame = page.frame_locator("iframe.preview-frame")
    frame.locator("#said", has_text=re.compile("^{")).wait_for()
    said = page.frames[1].evaluate("JSON.parse(document.getElementById('said').textContent)")

    assert said == {
        "origin": "null",
        "parent": "SecurityError",
        "cookie": "SecurityError",
        "storage": "SecurityError",
        "top": "SecurityError",
        "popup": "null",
        "home": "TypeError",
    }
    assert page.url == f"{live_server.url}{address}"
    assert len(context.pages) == 1
    # The address by itself, outside of our frame, is as harmless: the answer's own policy holds.
    page.goto(page.frames[1].url)
    page.locator("#said", has_text=re.compile('"origin":"null"')).wait_for()
