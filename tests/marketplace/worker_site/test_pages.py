"""Finding work, accepting, working, returning, earning: each page as Workers and strangers get it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.template import TemplateDoesNotExist
from django.template.loader import get_template, render_to_string
from django.test import Client
from django.urls import get_resolver
from pytest_django import DjangoAssertNumQueries

from marketplace import lifecycle
from marketplace.models import HIT, Assignment, Worker
from marketplace.models.assignment import AssignmentState
from tests.marketplace.conftest import TYPE, Market
from tests.marketplace.worker_site.conftest import external_question


def frame_url(page: str) -> str:
    found = re.search(r'<iframe[^>]* src="([^"]+)"', page)
    assert found, page
    return found[1].replace("&amp;", "&")


def test_the_list_shows_what_pays_best_by_the_hour_first(market: Market, client: Client) -> None:
    quick = market.create_hit(Title="Quick", MaxAssignments=20)
    market.create_hit(Title="Fresh", MaxAssignments=2)
    slow = market.create_hit(Title="Slow", Reward="1.00", MaxAssignments=20)
    for hit, seconds in ((quick, 60), (slow, 600)):
        for _ in range(10):
            assignment = market.submit(hit)
            Assignment.objects.filter(pk=assignment.pk).update(
                accepted_at=assignment.submitted_at - timedelta(seconds=seconds)
            )

    page = client.get("/").content.decode()

    assert re.findall(r"<h2><a [^>]*><bdi>(\w+)</bdi></a>", page) == ["Quick", "Slow", "Fresh"]
    assert "<b>$30.00</b> an hour" in page
    assert "<b>$6.00</b> an hour" in page
    assert "half the people need about 1 min" in page
    assert "<b>new</b>" in page


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("q=colour+lab", ["Name the colour"]),
        ("q=nothing+of+the+kind", []),
        ("sort=reward", ["Dear", "Name the colour"]),
        ("sort=no-such-order", ["Dear", "Name the colour"]),
        ("page=99", ["Dear", "Name the colour"]),
    ],
)
def test_the_list_is_searched_and_sorted(
    market: Market, client: Client, query: str, titles: list[str]
) -> None:
    market.create_hit()
    market.create_hit(Title="Dear", Reward="9.00")

    page = client.get(f"/?{query}").content.decode()

    assert re.findall(r"<h2><a [^>]*><bdi>([^<]+)</bdi></a>", page) == titles


def test_the_list_asks_as_little_for_many_groups_as_for_few(
    market: Market, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        market.create_hit(Title=f"Group {number}")

    with django_assert_max_num_queries(6):
        page = client.get("/").content.decode()

    assert page.count("<h2>") == 25
    assert "Page 1 of 2" in page


def test_what_a_worker_has_done_is_not_offered_again(
    market: Market, hit: HIT, wanda: Worker, wandas: Client
) -> None:
    market.submit(hit, wanda)

    assert "No work for you right now." in wandas.get("/projects").content.decode()
    preview = wandas.get(hit.hit_type.get_absolute_url()).content.decode()
    assert "There is nothing left for you in this group." in preview


def test_links_made_for_mturk_lead_to_the_preview(hit: HIT, client: Client) -> None:
    for group in (hit.hit_type.mturk_id, hit.hit_type.group_mturk_id):
        answer = client.get("/mturk/preview", {"groupId": group})
        assert answer.headers["Location"] == hit.hit_type.get_absolute_url()
    assert client.get("/mturk/preview?groupId=nobody").status_code == 404


def test_a_link_may_name_the_hit_to_preview(market: Market, client: Client) -> None:
    first, second = market.create_hit(), market.create_hit()
    address = f"/mturk/preview?groupId={first.hit_type.mturk_id}&hitId="

    for wanted, shown in ((second.mturk_id, second), (first.mturk_id, first), ("3GONE", first)):
        page = client.get(f"{address}{wanted}", follow=True).content.decode()
        assert f"hitId={shown.mturk_id}" in frame_url(page)


def test_a_preview_tells_its_frame_that_no_assignment_is_available(hit: HIT, client: Client) -> None:
    url = frame_url(client.get(hit.hit_type.get_absolute_url()).content.decode())

    assert "assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE" in url
    assert f"hitId={hit.mturk_id}" in url
    assert "workerId" not in url


def test_accepting_leads_to_the_page_to_work_on(
    hit: HIT, wanda: Worker, wandas: Client, settings: object
) -> None:
    answer = wandas.post(f"{hit.hit_type.get_absolute_url()}/accept", {"hit": hit.mturk_id})

    assignment = Assignment.objects.get()
    assert answer.headers["Location"] == f"/tasks/{assignment.mturk_id}"
    page = wandas.get(answer.headers["Location"]).content.decode()
    url = frame_url(page)
    assert f"assignmentId={assignment.mturk_id}" in url
    assert f"workerId={wanda.mturk_id}" in url
    assert "turkSubmitTo=http%3A%2F%2F127.0.0.1%3A" in url
    assert re.search(r'data-left="(599|600)"', page)


def test_accepting_a_hit_that_is_gone_gives_another_of_its_group(market: Market, wandas: Client) -> None:
    gone, other = market.create_hit(), market.create_hit()
    market.accept(gone)

    wandas.post(f"{gone.hit_type.get_absolute_url()}/accept", {"hit": gone.mturk_id})

    assert Assignment.objects.filter(hit=other).count() == 1


def test_when_nothing_is_left_the_preview_says_so(market: Market, wandas: Client) -> None:
    hit = market.create_hit()
    market.accept(hit)

    answer = wandas.post(f"{hit.hit_type.get_absolute_url()}/accept", {"hit": hit.mturk_id}, follow=True)

    assert "There are no HITs left here." in answer.content.decode()


def test_a_visitor_is_asked_to_sign_in_and_comes_back_to_the_preview(
    hit: HIT, wanda: Worker, client: Client
) -> None:
    address = hit.hit_type.get_absolute_url()

    answer = client.post(f"{address}/accept")
    assert answer.headers["Location"] == f"/sign-in?next={address}"

    answer = client.post(
        answer.headers["Location"], {"email": "WANDA@example.org", "password": "colours and numbers"}
    )
    assert answer.headers["Location"] == address


def test_only_the_worker_who_holds_it_sees_an_assignment(
    market: Market, hit: HIT, wandas: Client, browser_of: Callable[[Worker], Client]
) -> None:
    theirs = market.accept(hit)
    strangers = {"GET": ("", "/state"), "POST": ("/go-on", "/return")}

    for method, ends in strangers.items():
        for end in ends:
            assert wandas.generic(method, f"/tasks/{theirs.mturk_id}{end}").status_code == 404, end
    theirs.refresh_from_db()
    assert theirs.state == AssignmentState.ACCEPTED
    assert browser_of(theirs.worker).get(f"/tasks/{theirs.mturk_id}").status_code == 200


def test_returning_frees_the_slot(market: Market, hit: HIT, wanda: Worker, wandas: Client) -> None:
    assignment = market.accept(hit, wanda)

    page = wandas.post(f"/tasks/{assignment.mturk_id}/return", follow=True).content.decode()

    assert "You returned this HIT." in page
    hit.refresh_from_db()
    assert hit.available_count == 2


def test_the_page_asks_how_the_assignment_stands_and_goes_on(
    market: Market, hit: HIT, wanda: Worker, wandas: Client
) -> None:
    assignment = market.accept(hit, wanda)
    address = f"/tasks/{assignment.mturk_id}"
    assert wandas.get(f"{address}/state").json()["state"] == "accepted"

    lifecycle.submit_assignment(assignment.mturk_id, [("colour", "red")])

    assert wandas.get(f"{address}/state").json()["state"] == "submitted"
    assert wandas.post(f"{address}/go-on").headers["Location"] == hit.hit_type.get_absolute_url()
    assert "Sent." in wandas.get(address, follow=True).content.decode()


def test_the_next_hit_is_accepted_by_itself_where_the_worker_wants_it(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    first, second = market.create_hit(), market.create_hit()
    assert wandas.post("/tasks/next", {"on": "1"}).status_code == 204
    assignment = market.submit(first, wanda)

    answer = wandas.post(f"/tasks/{assignment.mturk_id}/go-on")

    following = Assignment.objects.get(hit=second)
    assert answer.headers["Location"] == f"/tasks/{following.mturk_id}"
    lifecycle.submit_assignment(following.mturk_id, [("colour", "blue")])
    page = wandas.post(f"/tasks/{following.mturk_id}/go-on", follow=True).content.decode()
    assert "There are no HITs left here." in page


def test_a_hit_whose_time_ran_out_leaves_the_queue_and_says_so(
    market: Market, hit: HIT, wanda: Worker, wandas: Client
) -> None:
    assignment = market.accept(hit, wanda)
    assert assignment.mturk_id in wandas.get("/tasks").content.decode()
    market.wait(seconds=601)

    assert "You hold no HIT." in wandas.get("/tasks").content.decode()
    page = wandas.get(f"/tasks/{assignment.mturk_id}", follow=True).content.decode()
    assert "ran out" in page


def test_earnings_show_what_is_owed_what_waits_and_why_something_was_rejected(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    paid, waiting, rejected = (market.submit(market.create_hit(), wanda) for _ in range(3))
    market.mturk.approve_assignment(AssignmentId=paid.mturk_id)
    market.mturk.reject_assignment(AssignmentId=rejected.mturk_id, RequesterFeedback="It was <b>green</b>.")

    page = wandas.get("/earnings").content.decode()

    assert waiting.state == AssignmentState.SUBMITTED
    assert '<p class="owed">$0.50</p>' in page
    assert "<dt>waiting</dt><dd>$0.50</dd>" in re.sub(r"\s*\n\s*", "", page)
    assert "It was &lt;b&gt;green&lt;/b&gt;." in page
    assert "3 sent: 1 approved, 1 waiting, 1 rejected" in page


def test_a_bonus_is_owed_and_shown_with_its_reason(market: Market, wanda: Worker, wandas: Client) -> None:
    assignment = market.submit(market.create_hit(), wanda)
    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
    market.mturk.send_bonus(
        WorkerId=wanda.mturk_id,
        AssignmentId=assignment.mturk_id,
        BonusAmount="1.25",
        Reason="Well <b>done</b>",
    )

    page = wandas.get("/earnings").content.decode()

    assert '<p class="owed">$1.75</p>' in page
    assert "<b>$1.75</b>" in page
    assert "$1.25 in bonuses" in page
    assert "Well &lt;b&gt;done&lt;/b&gt;" in page


def test_messages_are_counted_until_they_have_been_seen(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    assignment = market.submit(market.create_hit(), wanda)
    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
    for number in range(26):
        market.mturk.notify_workers(
            Subject=f"Study {number}",
            MessageText="Dear <i>you</i>,\n\ncome back.",
            WorkerIds=[wanda.mturk_id],
        )

    def unread() -> str:
        found = re.search(r'Messages</span><span class="count">(\d+)<', wandas.get("/tasks").content.decode())
        return found[1] if found else ""

    assert unread() == "26"
    page = wandas.get("/messages").content.decode()
    assert page.index("Study 25") < page.index("Study 24")
    assert "Dear &lt;i&gt;you&lt;/i&gt;" in page
    assert page.count(">New<") == 25
    assert unread() == "1"
    assert "Study 0" in wandas.get("/messages?page=2").content.decode()
    assert unread() == ""
    assert ">New<" not in wandas.get("/messages").content.decode()


def test_nobody_sees_anothers_messages(
    market: Market, wanda: Worker, browser_of: Callable[[Worker], Client]
) -> None:
    assignment = market.submit(market.create_hit(), wanda)
    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
    market.mturk.notify_workers(Subject="Secret", MessageText="x", WorkerIds=[wanda.mturk_id])

    assert "Nobody has written to you yet." in browser_of(market.worker()).get("/messages").content.decode()


def test_a_blocked_worker_finds_nothing_of_that_requester(
    market: Market, make_market: Callable[[str], Market], wanda: Worker, wandas: Client
) -> None:
    hit = market.create_hit(Title="Theirs")
    make_market("Newsroom").create_hit(Title="Another's")
    market.mturk.create_worker_block(WorkerId=wanda.mturk_id, Reason="spam")

    found = wandas.get("/").content.decode()
    assert "Another&#x27;s" in found
    assert "Theirs" not in found
    preview = wandas.get(hit.hit_type.get_absolute_url()).content.decode()
    assert "There is nothing left for you in this group." in preview
    answer = wandas.post(f"{hit.hit_type.get_absolute_url()}/accept", {"hit": hit.mturk_id}, follow=True)
    assert "There are no HITs left here" in answer.content.decode()
    assert not wanda.assignments.exists()


def test_an_external_question_is_framed_from_its_own_host_alone(market: Market, client: Client) -> None:
    question = external_question("https://survey.example.org/go?study=7&amp;arm=2#start")
    hit = market.create_hit(Question=question)

    answer = client.get(hit.hit_type.get_absolute_url())

    url = frame_url(answer.content.decode())
    assert url.startswith(
        "https://survey.example.org/go?study=7&arm=2&assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&"
    )
    assert url.endswith("#start")
    frames = re.search(r"frame-src ([^;]*)", answer.headers["Content-Security-Policy"])
    assert frames
    assert "https://survey.example.org" in frames[1]
    assert "https://survey.example.org" not in client.get("/").headers["Content-Security-Policy"]


@pytest.mark.parametrize("who", ["visitor", "worker"])
def test_what_is_not_there_is_said_on_a_page_of_the_worker_site(
    client: Client, wandas: Client, who: str
) -> None:
    answer = (wandas if who == "worker" else client).get("/projects/3NOTHING/tasks")

    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()
    assert "Find work" in answer.content.decode()


@pytest.mark.parametrize("name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"])
def test_each_error_has_its_page_even_where_nothing_else_is_known(name: str) -> None:
    assert "Find work" in render_to_string(name)


def test_the_dashboards_templates_are_out_of_reach() -> None:
    with pytest.raises(TemplateDoesNotExist):
        get_template("base_app.html")


def test_titles_and_names_are_text(market: Market, client: Client) -> None:
    hit = market.create_hit(Title="<script>alert(1)</script>", Description="<img src=x onerror=alert(2)>")

    for address in ("/", hit.hit_type.get_absolute_url()):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img" not in page


def test_every_page_has_a_strict_policy_and_cannot_be_framed(hit: HIT, wandas: Client) -> None:
    for address in (
        "/",
        hit.hit_type.get_absolute_url(),
        "/tasks",
        "/earnings",
        "/qualifications",
        "/account",
        "/messages",
        "/sign-in",
        "/sign-up",
    ):
        answer = wandas.get(address)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "DENY"


# Who may ask for what without signing in. A new page stands here or this test fails.
OPEN = {
    "groups": "/",
    "preview": "/projects/{group}/tasks",
    "preview_redirect": "/mturk/preview?groupId={group}",
    "external_submit": "/mturk/externalSubmit",
    "sign_in": "/sign-in",
    "sign_up": "/sign-up",
    "test_worker": "/test-worker",
    "content": "/content/{token}/",
    "accept": "/projects/{group}/tasks/accept",
    "sign_out": "/sign-out",
}
NEEDS_A_WORKER = {
    "queue": ("GET", "/tasks"),
    "choose_next": ("POST", "/tasks/next"),
    "work": ("GET", "/tasks/{assignment}"),
    "state": ("GET", "/tasks/{assignment}/state"),
    "go_on": ("POST", "/tasks/{assignment}/go-on"),
    "return": ("POST", "/tasks/{assignment}/return"),
    "earnings": ("GET", "/earnings"),
    "answer": ("POST", "/tasks/{assignment}/answer"),
    "qualifications": ("GET", "/qualifications"),
    "qualification": ("GET", "/qualifications/3NONE"),
    "ask": ("POST", "/qualifications/3NONE/ask"),
    "qualification_request": ("GET", "/qualifications/requests/3NONE"),
    "account": ("GET", "/account"),
    "messages": ("GET", "/messages"),
}


def test_every_address_is_either_open_on_purpose_or_needs_a_worker(
    market: Market, hit: HIT, client: Client
) -> None:
    names = {
        name for name in get_resolver().namespace_dict["worker_site"][1].reverse_dict if isinstance(name, str)
    }
    assert names == set(OPEN) | set(NEEDS_A_WORKER)

    assignment = market.accept(hit)
    for method, address in NEEDS_A_WORKER.values():
        answer = client.generic(method, address.format(assignment=assignment.mturk_id))
        assert answer.status_code == 302, address
        assert answer.headers["Location"].startswith("/sign-in?next="), address
    assignment.refresh_from_db()
    assert assignment.state == AssignmentState.ACCEPTED


def test_forms_need_the_csrf_token(hit: HIT, wanda: Worker) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(wanda)

    answer = strict.post(f"{hit.hit_type.get_absolute_url()}/accept")

    assert answer.status_code == 403
    assert "Nothing was sent. Go back" in answer.content.decode()
    assert not Assignment.objects.exists()


def test_a_dead_page_is_told_apart_from_a_live_one(market: Market, client: Client) -> None:
    # The HIT's type exists before its first HIT does.
    kind = market.mturk.create_hit_type(**TYPE | {"Title": "Empty"})  # type: ignore[arg-type]

    page = client.get(f"/mturk/preview?groupId={kind['HITTypeId']}", follow=True).content.decode()

    assert "There are no HITs in this group yet." in page


@pytest.mark.parametrize(
    "address", ["/tasks/%00", "/projects/%00/tasks", "/mturk/preview?groupId=%00", "/?text=%00"]
)
def test_an_address_with_a_nul_in_it_is_nothing(market: Market, client: Client, address: str) -> None:
    client.force_login(market.worker())

    assert client.get(address).status_code == 404
