"""One batch full of hostile cells and answers, and every page and file that shows them."""

import csv
import io
import json

import pytest
from django.conf import settings
from django.urls import reverse
from lxml import html as lxml_html

from mturkhub.accounts.activity import record
from mturkhub.common.invisible import INVISIBLE
from mturkhub.intentions.models import Job
from projects.actions.uploads import upload_file
from projects.models import Batch, BatchRow
from tests.factories import BatchFactory, HITTemplateFactory, ProjectFactory
from tests.projects.pages import answer, post

pytestmark = pytest.mark.django_db

ATTACKS = {
    "a script": "<script>window.hacked = 1</script>",
    "an image": '<img src=x onerror="window.hacked = 1">',
    "an end of everything": "</textarea></script></style></title></td></table></main><script>window.hacked = 1</script>",
    "an attribute": '" autofocus onfocus="window.hacked = 1" x=\'',
    "an address": "javascript:window.hacked=1",
    "a template": "{{ request.user }}{% now 'Y' %}{# x #}${text}",
    "an htmx control": '<div hx-get="/account/logout/" hx-trigger="load">',
    "a form": '<form action="https://elsewhere.example"><input name=password type=password>',
    "SVG": "<svg onload=window.hacked=1><animate onbegin=window.hacked=1>",
    "a comment": "<!-- <!--> --!> ]]> <![CDATA[",
    "entities": "&lt;script&gt;&#x3C;b&#62;&amp;",
    "an override": "paid \u202eton \u2066isolated",
    "zero width": "a\u200b\u2060\ufeff\u00adb",
    "controls": "bell\x07 escape\x1b[31m\x7f\x9b",
    "right to left": "שלום, עולם (1) !",
    "a formula": '=HYPERLINK("https://elsewhere.example","x")',
    "line ends": "a\r\nSet-Cookie: b=c\u2028d",
    "one long word": "W" * 64_000,
    "piled accents": "Z" + "\u0301" * 2_000,
    "64 KB of nothing": "\u200b\u202e" * 16_000,
}


@pytest.fixture
def batch(olive, connection) -> Batch:
    """A row for each attack in its cells, and answers whose fields, values, feedback and reasons attack as well."""
    inputs = [{"text": value, "other": value} for value in ATTACKS.values()]
    columns = ["text", "other"]
    batch = BatchFactory(
        project__team=olive.team,
        project__created_by=olive.user,
        project__name=ATTACKS["an override"] + ATTACKS["a script"],
        connection=connection,
        published=True,
        published_by=olive.user,
        rows=inputs,
        columns=columns,
        name=ATTACKS["an override"] + ATTACKS["an image"],
        title=ATTACKS["an override"] + ATTACKS["an attribute"],
    )
    given = [{"sentiment": [value], value[:200]: [value, value]} for value in ATTACKS.values()]
    answer(
        batch,
        *given,
        feedback=ATTACKS["a script"] + ATTACKS["an override"],
        left_out_reason=ATTACKS["an image"] + ATTACKS["zero width"],
    )
    batch.hits.update(outcome=ATTACKS["a script"] + ATTACKS["an override"])
    olive.user.name = ATTACKS["an override"] + ATTACKS["a script"]
    olive.user.save()
    record(olive.actor, "batch.published", batch, team_id=batch.team_id, rows=1, total=ATTACKS["a script"])
    return batch


def assert_harmless(page: str) -> None:
    """Whether nothing of ATTACKS has become an element, an attribute or an address, and nothing of it hides."""
    assert not (found := INVISIBLE.search(page)), (
        hex(ord(found[0][0])),
        page[found.start() - 200 : found.end()],
    )
    document = lxml_html.fromstring(
        page.encode(), parser=lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)
    )
    for element in document.iter():
        if not isinstance(element.tag, str):
            # Comments: none of a page's own either.
            assert "CDATA" not in str(element)
            continue
        assert element.tag not in ("img", "animate", "object", "embed", "base", "style"), element.tag
        if element.tag == "script":
            assert (element.get("src") or "").startswith("/static/"), element.get("src")
            assert not (element.text or "").strip()
        if element.get("type") == "password":
            raise AssertionError("a field for a password")
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on"), (element.tag, name)
            assert name != "style"
            if name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
                assert value.startswith(
                    ("/", "?", "#", "http://127.0.0.1", settings.WORKER_SITES["local"])
                ), value
                assert name != "hx-get" or "logout" not in value


PAGES = [
    "batch",
    "batch_figures",
    "batch_rows",
    "review_batch",
    "batch_export",
    "batch_activity",
    "decide_many",
]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_of_the_batch_lets_anything_through(olive, batch, name):
    response = olive.client.get(reverse(f"projects:{name}", args=[batch.public_id]) + "?show=all")

    assert response.status_code == 200
    assert_harmless(response.content.decode())


@pytest.mark.parametrize("name", ["home", "review", "projects"])
def test_no_page_of_the_team_lets_anything_through(olive, batch, name):
    response = olive.client.get(reverse(f"projects:{name}"))

    assert response.status_code == 200
    assert_harmless(response.content.decode())


@pytest.mark.parametrize("number", range(1, len(ATTACKS) + 1), ids=ATTACKS)
def test_neither_a_rows_page_nor_the_review_of_its_answer_lets_anything_through(olive, batch, number):
    row = olive.client.get(reverse("projects:row", args=[batch.public_id, number]))
    [assignment] = BatchRow.objects.get(batch=batch, number=number).hits.get().assignments.all()
    review = olive.client.get(
        reverse("projects:review_batch", args=[batch.public_id]) + f"?show=all&answer={assignment.public_id}"
    )

    for response in (row, review):
        assert response.status_code == 200
        assert_harmless(response.content.decode())


def test_a_page_of_many_huge_answers_stays_small(olive, connection):
    huge = BatchFactory(
        project__team=olive.team, connection=connection, published=True, rows=[{"text": "W" * 64_000}]
    )
    answer(huge, *[{"sentiment": ["W" * 64_000]}] * 20)

    for name in ("review_batch", "batch_rows"):
        response = olive.client.get(reverse(f"projects:{name}", args=[huge.public_id]))
        # The one row or answer the page is about in full, its neighbours shortened.
        assert len(response.content) < 400_000, name


@pytest.mark.parametrize("given", ATTACKS.values(), ids=ATTACKS)
def test_the_check_of_a_hostile_file_lets_nothing_through(olive, connection, given):
    project = ProjectFactory(team=olive.team, created_by=olive.user)
    HITTemplateFactory(project=project, html="<p>${text}</p><input name=a>")
    out = io.StringIO()
    name = given.replace("\r\n", " ")[:200].strip() or "x"
    csv.writer(out).writerows([["text", name], [given, given], ["too", "many", given], ["\x00", given]])
    upload = upload_file(project, by=olive.actor, name=f"{name[:80]}.csv", chunks=[out.getvalue().encode()])

    response = olive.client.get(reverse("projects:check_upload", args=[upload.public_id]))

    assert response.status_code == 200
    assert_harmless(response.content.decode())


@pytest.mark.parametrize("given", ATTACKS.values(), ids=ATTACKS)
def test_a_hostile_template_lets_nothing_through_to_its_editors_page(olive, given):
    project = ProjectFactory(team=olive.team, created_by=olive.user, name=given[:80])

    checked = post(olive, "check_template", project, {"html": f"<p>${{{given}}}{given}"})

    assert checked.status_code == 200
    assert_harmless(checked.content.decode())


def test_a_job_and_a_refusal_name_hostile_things_harmlessly(olive, batch):
    job = Job.objects.create(
        team=olive.team, kind="decide", by=olive.user, total=1, outcome=ATTACKS["a script"]
    )

    assert_harmless(olive.client.get(reverse("projects:job", args=[job.public_id])).content.decode())
    refused = post(
        olive, "decide_many", batch, {"verdict": "reject", "feedback": ATTACKS["an end of everything"]}
    )
    assert refused.status_code == 400
    assert_harmless(refused.content.decode())


# Files --------------------------------------------------------------------------------------------


def test_every_file_holds_each_value_as_it_came(olive, batch):
    def download(name, query=""):
        response = olive.client.get(reverse(f"projects:{name}", args=[batch.public_id]) + query)
        return b"".join(response.streaming_content).decode()

    csv.field_size_limit(1_000_000)
    exact = list(csv.DictReader(io.StringIO(download("results_csv", "?left_out=1"), newline="")))
    lines = [json.loads(line) for line in download("results_jsonl", "?left_out=1").splitlines()]
    items = json.loads(download("results_json"))

    values = list(ATTACKS.values())
    assert [line["Input.text"] for line in exact] == values
    assert [line["Answer.sentiment"] for line in exact] == values
    assert [line["input"]["text"] for line in lines] == values
    assert [line["output"]["sentiment"] for line in lines] == values
    assert [item["item"]["text"] for item in items] == values
    spreadsheet = csv.reader(io.StringIO(download("results_csv", "?spreadsheet=1")[1:], newline=""))
    assert not [cell for line in spreadsheet for cell in line if cell[:1] in tuple("=+-@\t\r")]


# In a browser -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_no_script_runs_and_no_page_is_wider_than_the_window(olive, batch, live_server, new_context):
    context = new_context(base_url=live_server.url)
    session = olive.client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    page = context.new_page()
    boxes: list[str] = []
    page.on("dialog", lambda box: (boxes.append(box.message), box.dismiss()))
    addresses = [
        reverse(f"projects:{name}", args=[batch.public_id]) + "?show=all"
        for name in PAGES
        if name != "batch_figures"
    ]
    addresses += [reverse("projects:row", args=[batch.public_id, len(ATTACKS) - n]) for n in range(3)]
    addresses += [reverse("projects:home"), reverse("projects:projects")]

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for address in addresses:
            page.goto(address, wait_until="domcontentloaded")
            assert page.evaluate("window.hacked") is None, address
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
    assert boxes == []
