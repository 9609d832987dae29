"""The batch page: is it going well, what did it cost, and what can be asked of it."""

from datetime import timedelta

import pytest
from django.urls import reverse

from mturkhub.accounts.models import Event, NotificationQueue
from mturkhub.common import clock
from projects.actions.hits import extend_answers
from projects.counting import recount
from projects.models import HIT
from tests.factories import BatchFactory, HITFactory
from tests.projects.pages import answer, count_queries, get, post, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def make_batch(olive, connection):
    def make(rows=2, **more):
        return BatchFactory(
            project__team=olive.team, connection=connection, rows=rows, **{"published": True, **more}
        )

    return make


@pytest.fixture
def batch(make_batch):
    return make_batch()


def fail(batch, *outcomes):
    """The first rows' HITs could not be created."""
    for hit, outcome in zip(batch.hits.order_by("pk"), outcomes, strict=False):
        HIT.objects.filter(pk=hit.pk).update(publish_state="failed", mturk_id=None, outcome=outcome)
    recount(batch.rows.values_list("pk", flat=True))
    batch.refresh_from_db()


# What is shown ------------------------------------------------------------------------------------


def test_a_draft_leads_to_its_cost(olive, make_batch):
    draft = make_batch(published=False)

    response = olive.client.get(reverse("projects:batch", args=[draft.public_id]))

    assert response.url == reverse("projects:cost", args=[draft.public_id])


def test_a_batch_nobody_has_answered_says_so_and_shows_unknown_as_unknown(olive, batch):
    text = words(get(olive, "batch", batch))

    assert "Answers 0 of 6" in text
    assert "Wait for a decision 0 nobody waits" in text
    assert "Paid $0.00 0 approved" in text
    # Six places at five cents and one cent of fee.
    assert "Held $0.36" in text
    assert "Hourly wage, median –" in text


def test_figures_say_what_came_what_waits_and_what_was_paid(olive, batch):
    answer(batch, {"sentiment": ["1"]}, {"sentiment": ["2"]}, status="Approved")
    answer(batch, {"sentiment": ["3"]}, status="Rejected", row=1)
    answer(batch, {"sentiment": ["4"]}, row=2, auto_approval_at=clock.now() + timedelta(days=2, minutes=5))

    text = words(get(olive, "batch", batch))

    assert "Answers 4 of 6" in text
    assert "Wait for a decision 1 auto-approval in 2 d" in text
    assert "Paid $0.12 2 approved, 1 rejected" in text
    # Three places are decided.
    assert "Held $0.18" in text
    # Five cents in 48 seconds.
    assert "Hourly wage, median $3.75" in text


def test_rows_stand_in_one_bar_whose_numbers_are_filters(olive, make_batch):
    batch = make_batch(rows=3, max_assignments=1)
    answer(batch, {"sentiment": ["1"]}, row=1, status="Approved")
    answer(batch, {"sentiment": ["1"]}, row=2)

    html = get(olive, "batch", batch)

    assert 'aria-label="1 decided, 1 all in, to review, 0 some answers, 1 no answer yet' in html
    rows = reverse("projects:batch_rows", args=[batch.public_id])
    assert f'href="{rows}?progress=to_review"' in html


def test_the_first_ten_rows_stand_below(olive, make_batch):
    text = words(get(olive, "batch", make_batch(rows=12)))

    assert "the first 10 of 12" in text
    assert "sentence 10" in text
    assert "sentence 11" not in text


def test_it_says_when_answers_were_collected_and_when_next(olive, batch):
    batch.connection.last_sweep_at = clock.now() - timedelta(minutes=3)
    batch.connection.next_sweep_at = clock.now() + timedelta(minutes=6, seconds=30)
    batch.connection.save()

    text = words(get(olive, "batch", batch))

    assert "collected 3 min ago , next in 6 min" in text
    assert "last event" not in text


def test_it_says_when_the_last_event_came_where_notifications_are_on(olive, batch):
    NotificationQueue.objects.create(
        connection=batch.connection,
        url="https://sqs.us-east-1.amazonaws.com/123456789012/events",
        last_event_at=clock.now() - timedelta(minutes=3),
    )

    assert ", last event 3 min ago" in words(get(olive, "batch", batch))


@pytest.mark.parametrize(
    ("environment", "has_test_worker"), [("local", True), ("sandbox", False), ("production", False)]
)
def test_the_worker_site_is_one_click_away_and_test_workers_only_where_they_exist(
    olive, batch, environment, has_test_worker
):
    batch.connection.environment = environment
    batch.connection.worker_site_url = "http://workers.example/"
    batch.connection.save()
    group = batch.hits.first().hit_type.mturk_id

    html = get(olive, "batch", batch)

    assert f"http://workers.example/mturk/preview?groupId={group}" in html
    assert (f"http://workers.example/test-worker?group={group}" in html) is has_test_worker


# What went wrong ----------------------------------------------------------------------------------


def test_failed_rows_are_named_with_their_reasons_the_commonest_first(olive, vera, make_batch):
    batch = make_batch(rows=4)
    fail(batch, "Too large.", "Not <b>valid</b>.", "Not <b>valid</b>.")

    html = get(olive, "batch", batch)

    assert "2 rows: Not <b>valid</b>. 1 row: Too large. Try these 3 again" in words(html).replace(" :", ":")
    assert "<b>valid</b>" not in html
    assert "Try these 3 again" not in get(vera, "batch", batch)


def test_a_paused_batch_says_why(olive, make_batch):
    batch = make_batch(state="paused", state_reason="The keys are no longer valid.")

    text = words(get(olive, "batch", batch))

    assert "Paused. The keys are no longer valid. Live HITs go on" in text
    assert "Resume" in text


def test_creating_that_is_paused_for_lack_of_funds_says_so_while_the_batch_publishes(olive, make_batch):
    batch = make_batch(state="publishing")
    batch.connection.creation_paused_at = clock.now()
    batch.connection.creation_paused_reason = "There are not enough funds."
    batch.connection.save()

    assert "Creating is paused. There are not enough funds. Nothing is lost" in words(
        get(olive, "batch", batch)
    )


# What can be asked --------------------------------------------------------------------------------


def test_a_reviewer_asks_for_new_answers_at_once(ravi, batch, bells, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = post(ravi, "collect_now", batch)

    assert response.url == reverse("projects:batch", args=[batch.public_id])
    assert "Asking for new answers" in words(get(ravi, "batch", batch))
    assert bells == ["projects.tasks.collect_connection"]
    batch.connection.refresh_from_db()
    assert batch.connection.sweep_wanted_at


@pytest.mark.parametrize("name", ["collect_now", "pause", "resume", "retry_failed"])
def test_a_viewer_is_refused_in_words_and_nothing_changes(vera, batch, name):
    response = post(vera, name, batch, htmx=True)

    assert response.status_code == 403
    assert response["HX-Retarget"] == "#messages"
    assert "Viewers may not" in response.content.decode()
    assert not Event.objects.exists()


def test_pausing_and_resuming_say_what_happens(mina, make_batch):
    batch = make_batch(state="publishing")

    post(mina, "pause", batch)
    paused = words(get(mina, "batch", batch))
    post(mina, "resume", batch)
    resumed = words(get(mina, "batch", batch))

    assert "Paused: nothing more is created. Live HITs go on." in paused
    assert "Paused by Mina." in paused
    assert "Going on where it was paused." in resumed
    assert "Publishing" in resumed


@pytest.mark.parametrize(
    ("rows", "queued"), [([], [1, 2, 3]), ([2], [2]), ([1, 3], [1, 3]), (["x", "9" * 30], [])]
)
def test_failed_rows_are_tried_again_alone_or_together(mina, make_batch, rows, queued):
    batch = make_batch(rows=4)
    fail(batch, "No.", "No.", "No.")

    response = post(mina, "retry_failed", batch, {"row": rows})

    assert response.status_code == 302
    again = HIT.objects.filter(batch=batch, publish_state="queued").order_by("pk")
    assert list(again.values_list("row__number", flat=True)) == queued


# The live part ------------------------------------------------------------------------------------


def figures(person, batch, was):
    url = reverse("projects:batch_figures", args=[batch.public_id])
    return person.client.get(url, {"was": was}, HTTP_HX_REQUEST="true")


def test_the_figures_come_alone_while_the_head_would_look_the_same(olive, batch):
    response = figures(olive, batch, "live")

    assert "HX-Refresh" not in response
    assert response.content.decode().lstrip().startswith('<div id="figures"')


def test_the_whole_page_comes_anew_when_the_state_changes_or_the_first_answer_comes(olive, make_batch):
    published, answered = make_batch(), make_batch()
    answer(answered, {"sentiment": ["1"]})

    assert figures(olive, published, "publishing")["HX-Refresh"] == "true"
    assert figures(olive, answered, "live")["HX-Refresh"] == "true"
    assert "HX-Refresh" not in figures(olive, answered, "live with answers")


@pytest.mark.parametrize(
    ("state", "wanted", "seconds"), [("live", False, 15), ("publishing", False, 2), ("live", True, 2)]
)
def test_it_looks_again_soon_while_something_happens(olive, make_batch, state, wanted, seconds):
    batch = make_batch(state=state)
    batch.connection.sweep_wanted_at = clock.now() if wanted else None
    batch.connection.save()

    assert f'data-live="{seconds}"' in get(olive, "batch", batch)


@pytest.mark.parametrize("name", ["batch", "batch_figures"])
def test_fifty_rows_take_as_many_queries_as_five(olive, make_batch, name):
    few, many = make_batch(rows=5), make_batch(rows=50)
    for batch, count in ((few, 5), (many, 50)):
        answer(batch, *[{"sentiment": ["1"]}] * count)
        for row in batch.rows.all()[: count // 5]:
            HITFactory(row=row, published=True, round=1)

    assert count_queries(olive, name, few) == count_queries(olive, name, many)


def test_strangers_find_nothing(stan, batch):
    assert stan.client.get(reverse("projects:batch", args=[batch.public_id])).status_code == 404


def test_the_head_says_what_is_asked_for_since(live, mina):
    before = get(mina, "batch", live.batch)
    extend_answers(live.batch, by=mina.actor, answers=2, rows=[1])
    live.operate()

    assert "2 rows × 3 answers · by" in before
    assert "2 rows × 3 answers, 2 more since · by" in get(mina, "batch", live.batch)
