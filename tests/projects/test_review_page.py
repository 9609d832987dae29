"""Review: one answer beside its input and evidence, decided by a click or a key."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from mturkhub.common import clock
from projects.models import Assignment, Decision
from tests.factories import AssignmentFactory, BatchFactory
from tests.factories.projects import NOON
from tests.projects.pages import (
    HOSTILE,
    answer,
    ask_for_ten,
    count_queries,
    get,
    is_shown_as_text,
    post,
    words,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(olive, connection):
    return BatchFactory(project__team=olive.team, connection=connection, published=True, rows=3)


@pytest.fixture
def three(batch):
    """An answer to each row, in the order they came."""
    return answer(batch, {"sentiment": ["2"]}, {"sentiment": ["5"]}, {"sentiment": ["8"]})


def current(html):
    """The number of the row whose answer is shown."""
    return int(re.search(r"<h2[^>]*>Row (\d+)", html)[1])


def queue(html):
    """The rows of the answers in the queue."""
    return [
        int(number) for number in re.findall(r'answer=[0-9a-f-]{36}"[^>]*>(?:<[^>]*>|\s)*Row (\d+)', html)
    ]


def follow(person, response):
    """The page a click leads to."""
    html = person.client.get(response.url).content.decode()
    assert "<h1>" in html
    return html


# The list of batches ------------------------------------------------------------------------------


def test_batches_in_which_answers_wait_stand_in_one_list_the_longest_waiting_first(olive, connection):
    made = {"project__team": olive.team, "connection": connection, "published": True, "rows": 1}
    young, old = BatchFactory(name="Young", **made), BatchFactory(name="Old", **made)
    decided, pending = BatchFactory(name="Decided", **made), BatchFactory(name="Pending", **made)
    answer(young, {"a": ["1"]}, submitted_at=NOON)
    answer(old, {"a": ["1"]}, submitted_at=NOON - timedelta(days=1))
    answer(decided, {"a": ["1"]}, status="Approved")
    answer(pending, {"a": ["1"]}, pending_verdict="approve")

    html = olive.client.get(reverse("projects:review")).content.decode()

    names = re.findall(r'<th scope="row"><a[^>]*><bdi>(.*?)</bdi></a>', html)
    assert names == ["Old", "Young"]


def test_the_list_says_when_nothing_waits_and_shows_nobody_elses(stan, three):
    html = stan.client.get(reverse("projects:review")).content.decode()

    assert "Nothing waits. New answers appear here as they are collected." in words(html)


# One answer ---------------------------------------------------------------------------------------


def test_the_oldest_waiting_answer_comes_with_its_input_and_evidence(olive, batch, three):
    text = words(get(olive, "review_batch", batch))

    assert "text sentence 1" in text
    assert "sentiment 2" in text
    assert f"Worker {three[0].worker.mturk_id}" in text
    assert "With your team 1 answer, 0 rejected" in text
    assert "Took 48 s from accepting to submitting" in text
    assert "Hourly wage $3.75" in text
    # Reward and fee, on the button that spends them.
    assert "Approve $0.06" in text


def test_the_same_rows_other_answers_stand_below_with_their_state(olive, batch, three):
    answer(batch, {"sentiment": ["9"], "why": ["so"]}, row=1, status="Approved")

    text = words(get(olive, "review_batch", batch))

    assert "The same row’s other answers 1" in text
    assert re.search(r"sentiment 9 why so Approved|why so sentiment 9 Approved", text)


def test_of_very_many_other_answers_the_first_are_shown(olive, batch):
    answer(batch, *[{"sentiment": [str(number)]} for number in range(25)], row=1)

    assert "other answers first 20 of 24" in words(get(olive, "review_batch", batch))


def test_several_values_empty_ones_and_white_space_are_told_apart(olive, batch):
    answer(batch, {"many": ["a", "b"], "none": [], "empty": [""], "space": ["  x\n y"]}, row=1)

    html = get(olive, "review_batch", batch)

    assert "many a b" in words(html)
    assert "none (empty)" in words(html)
    assert "empty (empty)" in words(html)
    assert '<dd class="keep-space"><bdi>  x\n y</bdi></dd>' in html


def test_the_xml_as_it_came_is_kept_at_hand_and_damage_is_named(olive, batch):
    (given,) = answer(batch, {"sentiment": ["2"]}, row=1)
    given.answer.raw_xml, given.answer.is_damaged = "<broken", True
    given.answer.save()

    text = words(get(olive, "review_batch", batch).replace("&lt;broken", "[broken]"))

    assert "cannot be read or stored" in text
    assert "XML as it came [broken]" in text


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3]),
        ("?sort=newest", [3, 2, 1]),
        ("?sort=slowest", [2, 1, 3]),
        ("?text=sentence+2", [2]),
        ("?show=approved", []),
        ("?show=all&sort=newest", [3, 2, 1]),
        ("?show=nonsense&sort=nonsense&at=nonsense&answer=nonsense", [1, 2, 3]),
    ],
)
def test_the_address_says_which_answers_and_in_which_order(olive, batch, three, query, numbers):
    for each, seconds in zip(three, (20, 30, 10), strict=True):
        each.work_time = timedelta(seconds=seconds)
        each.save()

    html = get(olive, "review_batch", batch, query=query)

    assert queue(html) == numbers
    assert not numbers or current(html) == numbers[0]


def test_an_address_with_an_answer_shows_that_one_and_none_of_another_batch(olive, batch, three, connection):
    other = BatchFactory(project__team=olive.team, connection=connection, published=True, rows=1)
    elsewhere = AssignmentFactory(hit=other.hits.get())

    assert current(get(olive, "review_batch", batch, query=f"?answer={three[2].public_id}")) == 3
    assert current(get(olive, "review_batch", batch, query=f"?answer={elsewhere.public_id}")) == 1


def test_where_nothing_waits_it_says_when_the_next_collection_is(olive, batch):
    batch.connection.next_sweep_at = clock.now() + timedelta(minutes=4, seconds=30)
    batch.connection.save()

    assert "Nothing waits. 0 answers so far; next collection in 4 min" in words(
        get(olive, "review_batch", batch)
    )
    assert "No answer matches." in words(get(olive, "review_batch", batch, query="?show=rejected"))


# Deciding -----------------------------------------------------------------------------------------


def place(batch, three, following=1, **more):
    """What the form of the first answer carries."""
    return {
        "show": "waiting",
        "sort": "oldest",
        "worker": "",
        "text": "",
        "next": three[following].public_id,
        **more,
    }


def test_a_click_approves_and_moves_on_in_the_same_list(ravi, batch, three):
    response = post(ravi, "approve", three[0], place(batch, three, sort="newest"))

    html = follow(ravi, response)
    decision = Decision.objects.get()
    assert (decision.assignment, decision.verdict, decision.by) == (three[0], "approve", ravi.user)
    assert "sort=newest" in response.url
    assert current(html) == 2
    assert queue(html) == [3, 2]
    assert "Approving. Undo with Z until MTurk is told." in words(html)
    # Believed is not confirmed.
    assert Assignment.objects.get(pk=three[0].pk).status == "Submitted"
    assert "approving…" in words(get(ravi, "review_batch", batch, query="?show=all"))


def test_approving_the_last_one_leads_to_an_empty_queue_with_undo(ravi, batch):
    (only,) = answer(batch, {"sentiment": ["2"]}, row=1)

    html = follow(ravi, post(ravi, "approve", only))

    assert "Nothing waits." in words(html)
    assert 'data-key="z"' in html


@pytest.mark.parametrize("key", ["a", "l", "r", "j"])
def test_each_decision_has_its_key(olive, batch, three, key):
    assert f'data-key="{key}"' in get(olive, "review_batch", batch)


def test_a_rejection_carries_its_reason(ravi, batch, three):
    html = follow(
        ravi, post(ravi, "reject", three[0], place(batch, three, feedback=" The answer is empty. "))
    )

    decision = Decision.objects.get()
    assert (decision.verdict, decision.feedback) == ("reject", "The answer is empty.")
    assert "Rejecting. Undo with Z" in words(html)


@pytest.mark.parametrize(
    ("feedback", "sentence"),
    [
        ("", "A rejection needs a reason: the Worker reads it."),
        (" \n\t ", "A rejection needs a reason: the Worker reads it."),
        ("x" * 1_500, "MTurk takes 1,024. Shorten it by 476."),
    ],
)
def test_a_rejection_without_a_fit_reason_is_refused_in_words_and_what_was_typed_is_kept(
    ravi, batch, three, feedback, sentence
):
    response = post(ravi, "reject", three[0], place(batch, three, feedback=feedback))

    html = follow(ravi, response)
    assert sentence in words(html)
    assert re.search(r'<dialog id="reject"[^>]* open', html)
    assert feedback.strip() in html
    assert current(html) == 1
    assert not Decision.objects.exists()
    assert Assignment.objects.get(pk=three[0].pk).pending_verdict == ""
    # Said once, and not beside another answer.
    assert sentence not in get(ravi, "review_batch", batch)


def test_a_sentence_in_the_address_is_not_put_into_the_page(olive, batch, three):
    html = get(olive, "review_batch", batch, query="?error=Call+555&feedback=Call+555")

    assert "Call 555" not in html


def test_undo_takes_the_decision_back_and_shows_the_answer_again(ravi, batch, three):
    post(ravi, "approve", three[0], place(batch, three))

    html = follow(ravi, post(ravi, "undo", three[0], place(batch, three)))

    assert "Taken back; it waits for a decision again." in words(html)
    assert current(html) == 1
    assert Decision.objects.get().state == "cancelled"


def test_what_mturk_has_been_told_cannot_be_undone(ravi, batch, three):
    post(ravi, "approve", three[0])
    Decision.objects.update(state="sending", first_sent_at=clock.now())
    page = reverse("projects:review_batch", args=[batch.public_id])

    response = post(ravi, "undo", three[0], from_page=page)

    assert response.status_code == 302
    assert "MTurk has been told already" in words(get(ravi, "review_batch", batch))
    assert Assignment.objects.get(pk=three[0].pk).pending_verdict == "approve"


def test_undo_after_pay_but_leave_out_takes_back_both(ravi, batch, three):
    post(ravi, "leave_out", three[0], place(batch, three))

    post(ravi, "undo", three[0], place(batch, three))

    answer = Assignment.objects.get(pk=three[0].pk)
    assert (answer.pending_verdict, answer.left_out_at) == ("", None)


def test_undo_leaves_out_what_was_left_out_before(ravi, batch, three):
    Assignment.objects.filter(pk=three[0].pk).update(left_out_at=clock.now(), left_out_by=ravi.user)
    post(ravi, "approve", three[0], place(batch, three))

    post(ravi, "undo", three[0], place(batch, three))

    assert Assignment.objects.get(pk=three[0].pk).left_out_at is not None


def test_pay_but_leave_out_approves_and_keeps_it_out_of_the_data_until_taken_back_in(ravi, batch, three):
    post(ravi, "leave_out", three[0], place(batch, three, reason="Joke answer"))

    left_out = Assignment.objects.get(pk=three[0].pk)
    assert (left_out.pending_verdict, left_out.left_out_reason) == ("approve", "Joke answer")
    assert left_out.left_out_by == ravi.user

    html = follow(ravi, post(ravi, "take_back_in", three[0]))

    assert "Counted in the data again." in words(html)
    counted = Assignment.objects.get(pk=three[0].pk)
    # What it is paid is another question.
    assert (counted.left_out_at, counted.pending_verdict) == (None, "approve")


@pytest.mark.parametrize("name", ["approve", "reject"])
@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"status": "Approved"}, "This answer is Approved already. Nothing was changed."),
        ({"status": "Rejected"}, "This answer is Rejected already. Nothing was changed."),
        ({"pending_verdict": "approve"}, "This answer is just being approved."),
        ({"pending_verdict": "reject"}, "This answer is just being rejected."),
    ],
)
def test_what_is_decided_is_not_decided_again(ravi, batch, name, more, sentence):
    (decided,) = answer(batch, {"sentiment": ["2"]}, row=1, **more)

    response = post(ravi, name, decided, {"feedback": "No."}, htmx=True)

    assert response.status_code == 409
    assert response["HX-Retarget"] == "#messages"
    assert sentence in response.content.decode()
    assert not Decision.objects.exists()


@pytest.mark.parametrize("name", ["approve", "reject", "undo", "leave_out", "take_back_in"])
def test_a_viewer_decides_nothing(vera, three, name):
    response = post(vera, name, three[0], {"feedback": "No."}, htmx=True)

    unchanged = Assignment.objects.get(pk=three[0].pk)
    assert response.status_code == 403
    assert "Viewers may not" in response.content.decode()
    assert (unchanged.pending_verdict, unchanged.left_out_at) == ("", None)


def test_a_viewer_sees_the_buttons_greyed_with_the_reason(vera, batch, three):
    html = get(vera, "review_batch", batch)

    assert 'aria-disabled="true" title="Viewers may not approve answers. Ask an owner of the team."' in html
    assert "Approve all" not in html
    assert f'action="{reverse("projects:approve", args=[three[0].public_id])}"' not in html


# Size and harm ------------------------------------------------------------------------------------


def test_a_long_queue_is_paged(olive, batch):
    answer(batch, *[{"sentiment": ["1"]}] * 60)

    html = get(olive, "review_batch", batch)

    assert len(queue(html)) == 50
    assert 'rel="next"' in html
    assert "Approve all 60…" in words(html)


@pytest.mark.parametrize("value", HOSTILE)
def test_what_workers_and_files_hold_is_shown_as_text(olive, connection, value):
    batch = BatchFactory(
        project__team=olive.team, connection=connection, published=True, rows=[{"text": value}]
    )
    answer(batch, {"a": [value]}, {value: [value, "after"]}, feedback=value)

    html = get(olive, "review_batch", batch)

    assert is_shown_as_text(value, html)


def test_an_answer_of_64_kilobytes_is_shown_whole_and_beside_others_cut(olive, batch):
    answer(batch, {"essay": ["first" * 13_000]}, {"essay": ["other" * 13_000]}, row=1)

    html = get(olive, "review_batch", batch)

    # Once as the answer and once in its XML.
    assert html.replace("<wbr>", "").count("first" * 13_000) == 2
    assert 100 < html.count("other") < 300


def test_fifty_answers_take_as_many_queries_as_five(olive, connection):
    made = {"project__team": olive.team, "connection": connection, "published": True, "rows": 2}
    few, many = BatchFactory(**made), BatchFactory(**made)
    answer(few, *[{"sentiment": ["1"]}] * 5)
    answer(many, *[{"sentiment": ["1"]}] * 50)

    assert count_queries(olive, "review_batch", few) == count_queries(olive, "review_batch", many)


# What it costs, and what can be undone ------------------------------------------------------------


def test_the_buttons_say_what_was_reserved_for_the_hit(ravi, batch, three):
    ask_for_ten(three[1].hit)

    small = words(get(ravi, "review_batch", batch, query=f"?answer={three[0].public_id}"))
    large = words(get(ravi, "review_batch", batch, query=f"?answer={three[1].public_id}"))

    assert ("Approve $0.06" in small, "Reject, keep $0.06" in small) == (True, True)
    assert ("Approve $0.07" in large, "Reject, keep $0.07" in large) == (True, True)


def test_undo_last_is_offered_in_the_batch_of_the_decision_alone(ravi, batch, three, connection):
    other = BatchFactory(project=batch.project, connection=connection, published=True, rows=1)
    answer(other, {"sentiment": ["1"]})
    url = reverse("projects:undo", args=[three[0].public_id])
    post(ravi, "approve", three[0])

    assert url in get(ravi, "review_batch", batch)
    elsewhere = get(ravi, "review_batch", other)
    assert url not in elsewhere
    assert "Undo last" not in elsewhere
    nothing_waits = get(ravi, "review_batch", other, query="?text=nothing")
    assert "Undo last" not in nothing_waits
    post(ravi, "undo", three[0])
    assert "Undo last" not in get(ravi, "review_batch", batch)
