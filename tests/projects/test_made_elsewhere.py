"""HITs made on the account without us: listed from the pages a sweep fetches anyway, and shown to its owners alone."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mturkhub.common import clock
from mturkhub.common.models import Installation
from mturkhub.gateway.question_xml import html_question
from projects.checking import latest_template
from projects.collecting import sweep
from projects.models import HIT, ForeignHIT
from tests.factories import (
    AccountGrantFactory,
    BatchFactory,
    ConnectionFactory,
    HITTemplateFactory,
    ProjectFactory,
)
from tests.fakes.mturk import unreachable
from tests.projects.live import make_live
from tests.projects.pages import count_queries, get, post, words

pytestmark = pytest.mark.django_db

SITE = "BatchId:412;OriginalHitTemplateId:98;"


def make_elsewhere(
    market, *, annotation=SITE, title="Rate a tweet", reward="0.05", slots=3, html="<p>7?</p>"
):
    """Somebody else's HIT on the same account; its HITId."""
    hit_type_id = market.create_hit_type(
        title=title,
        description="Read one tweet.",
        keywords="tweets",
        reward=Decimal(reward),
        assignment_duration=timedelta(minutes=10),
        auto_approval_delay=timedelta(days=3),
    )
    return market.create_hit_with_hit_type(
        hit_type_id=hit_type_id,
        question=html_question(html, 0),
        lifetime=timedelta(days=1),
        max_assignments=slots,
        requester_annotation=annotation,
        unique_request_token=str(uuid.uuid4()),
    ).hit_id


def annotated(installation, hit=None):
    return f"BatchId:7;OriginalHitTemplateId:3;Mturkhub:{installation}/{hit or uuid.uuid4()};"


def look(connection, market):
    done = sweep(connection, gateway=market)
    assert done.is_complete, done.problem
    return done


def listed(connection):
    return {row.mturk_id: row for row in ForeignHIT.objects.listed().filter(connection=connection)}


# Noted in a sweep ---------------------------------------------------------------------------------


def test_a_hit_made_elsewhere_is_listed_as_mturk_shows_it(connection, market):
    hit_id = make_elsewhere(market)
    market.submit(hit_id, "AWANDA")

    look(connection, market)

    row = listed(connection)[hit_id]
    assert (row.title, row.reward, row.max_assignments, row.hit_status) == (
        "Rate a tweet",
        Decimal("0.05"),
        3,
        "Assignable",
    )
    assert (row.available, row.pending, row.completed) == (2, 0, 0)
    assert (row.annotation, row.origin, row.installation) == (SITE, "BatchId:412", None)


def test_listing_costs_no_call_and_writes_nothing_where_nothing_changed(connection, market):
    for number in range(3):
        make_elsewhere(market, title=f"Title {number}")
    look(connection, market)
    calls = market.calls.copy()

    with CaptureQueriesContext(database) as queries:
        look(connection, market)

    assert market.calls - calls == {"ListHITs": 2}
    about = [query["sql"] for query in queries if "foreignhit" in query["sql"]]
    assert [sql for sql in about if sql.startswith(("INSERT", "UPDATE"))] == []
    # One look-up a page, and one for what is gone.
    assert len(about) == 2


def test_what_changed_is_written_in_one_statement_a_page(connection, market):
    hits = [make_elsewhere(market, title=f"Title {number}") for number in range(5)]
    look(connection, market)
    for hit_id in hits[:3]:
        market.submit(hit_id, "AWANDA")

    with CaptureQueriesContext(database) as queries:
        look(connection, market)

    written = [
        query["sql"] for query in queries if query["sql"].startswith('INSERT INTO "projects_foreignhit"')
    ]
    assert len(written) == 1
    waiting = ForeignHIT.objects.listed().awaiting_review()
    assert set(waiting.values_list("mturk_id", flat=True)) == set(hits[:3])


def test_our_own_hits_are_not_among_them(live, market):
    live.collect()

    assert listed(live.connection) == {}


def test_a_hit_of_another_connection_here_is_not_listed(live, market, team):
    other = ConnectionFactory(account__team=team, name="The same account")

    look(other, market)

    assert listed(other) == {}


def test_a_hit_of_another_team_here_is_not_listed(stan, connection, market, team):
    theirs = ConnectionFactory(account__team=stan.team)
    batch = make_live(stan, theirs, market).batch

    look(connection, market)

    assert HIT.objects.filter(batch=batch).count() == 2
    assert listed(connection) == {}


def test_whose_it_is_follows_from_the_annotation(connection, market):
    other = uuid.uuid4()
    nobodys = make_elsewhere(market, annotation="my script")
    theirs = make_elsewhere(market, annotation=annotated(other))
    after_backup = make_elsewhere(market, annotation=annotated(Installation.current_id()))

    look(connection, market)

    rows = listed(connection)
    assert rows[nobodys].installation is None
    assert rows[theirs].installation == other
    assert rows[after_backup].installation == Installation.current_id()
    free = ForeignHIT.objects.listed().of_nobody_else()
    assert set(free.values_list("mturk_id", flat=True)) == {nobodys, after_backup}


def test_a_hit_that_is_no_longer_listed_is_gone_and_comes_back_when_it_is(connection, market):
    hit_id = make_elsewhere(market)
    look(connection, market)
    hidden = market.hits.pop(hit_id)

    look(connection, market)
    assert listed(connection) == {}
    assert ForeignHIT.objects.get(mturk_id=hit_id).gone_at
    market.hits[hit_id] = hidden
    look(connection, market)

    assert list(listed(connection)) == [hit_id]


def test_a_sweep_that_was_cut_off_takes_nothing_for_gone(connection, market):
    make_elsewhere(market)
    look(connection, market)
    market.fail("ListHITs", unreachable)

    sweep(connection, gateway=market)

    assert len(listed(connection)) == 1


# The page -----------------------------------------------------------------------------------------


def test_the_page_says_that_nobody_has_looked_and_asks_for_a_look(olive, connection):
    assert "Nobody has looked yet" in words(get(olive, "made_elsewhere", connection))

    answer = post(olive, "look_elsewhere", connection)

    assert answer.status_code == 302
    connection.refresh_from_db()
    assert connection.sweep_wanted_at
    assert "Looking through the account now" in words(get(olive, "made_elsewhere", connection))


def test_an_account_without_such_hits_says_so(olive, connection, market):
    look(connection, market)

    assert "Nothing on this account was made elsewhere." in words(get(olive, "made_elsewhere", connection))


def test_the_page_lists_them_with_the_answers_that_wait(olive, connection, market):
    hit_id = make_elsewhere(market, title="<b>Rate</b> a tweet")
    market.submit(hit_id, "AWANDA")
    look(connection, market)

    html = get(olive, "made_elsewhere", connection)

    assert "&lt;b&gt;Rate&lt;/b&gt; a tweet" in html
    assert hit_id in html
    assert "1 of 1; 1 answer waits" in words(html)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?text=zeppelin", ["Zeppelins"]),
        ("?text=nothing", []),
        ("?show=waiting", ["Tweets"]),
        ("?show=Reviewable", []),
        ("?show=gone", []),
    ],
)
def test_the_list_is_searched_and_filtered(olive, connection, market, query, found):
    make_elsewhere(market, title="Zeppelins")
    market.submit(make_elsewhere(market, title="Tweets"), "AWANDA")
    look(connection, market)

    html = get(olive, "made_elsewhere", connection, query=query)

    assert [title for title in ("Zeppelins", "Tweets") if title in html] == found


def test_one_is_found_by_its_id(olive, connection, market):
    hit_id = make_elsewhere(market, title="Zeppelins")
    make_elsewhere(market, title="Tweets")
    look(connection, market)

    html = get(olive, "made_elsewhere", connection, query=f"?text={hit_id}")

    assert "Zeppelins" in html
    assert "Tweets" not in html


def test_those_of_another_installation_are_counted_and_shown_only_to_who_confirms(olive, connection, market):
    other = uuid.uuid4()
    make_elsewhere(market, annotation=annotated(other), title="Theirs")
    look(connection, market)

    plain = get(olive, "made_elsewhere", connection)
    unticked = get(olive, "made_elsewhere", connection, query=f"?maker={other}")
    confirmed = get(olive, "made_elsewhere", connection, query=f"?maker={other}&confirmed=1")

    assert f"1 HIT of another installation of mturkhub, {other} , with 0 answers that wait" in words(plain)
    assert "Theirs" not in plain
    assert "Theirs" not in unticked
    assert "Theirs" in confirmed


def test_those_made_after_a_backup_are_named(olive, connection, market):
    make_elsewhere(market, annotation=annotated(Installation.current_id()))
    look(connection, market)

    assert "1 HIT carries this installation’s own name and has no row here" in words(
        get(olive, "made_elsewhere", connection)
    )


def fill_account(connection, number):
    """So many old HITs, written by Postgres itself."""
    with database.cursor() as cursor:
        cursor.execute(
            """
            insert into projects_foreignhit (
                public_id, connection_id, mturk_id, hit_type_id, hit_group_id, title, reward, max_assignments,
                available, pending, completed, hit_status, mturk_created_at, expires_at, annotation, origin,
                first_seen_at, changed_at
            )
            select gen_random_uuid(), %s, '3OLD' || n, '3TYPE' || n %% 20, '', 'Old work ' || n %% 20, 0.05, 3,
                0, 0, case when n %% 10 = 0 then 2 else 3 end, 'Reviewable', %s, %s, '', '', %s, %s
            from generate_series(1, %s) n
            """,
            [connection.pk, *[clock.now()] * 4, number],
        )
        cursor.execute("analyze projects_foreignhit")


def test_a_page_of_fifty_thousand_asks_as_many_queries_as_an_empty_one(olive, connection, market):
    look(connection, market)
    few = count_queries(olive, "made_elsewhere", connection)
    fill_account(connection, 50_000)

    assert count_queries(olive, "made_elsewhere", connection) <= few
    assert count_queries(olive, "made_elsewhere", connection, query="?text=work") <= few + 2
    assert "more than 10,000 of 50,000; 5,000 answers wait" in words(get(olive, "made_elsewhere", connection))


def test_every_hit_of_a_full_list_is_reached_by_its_pages(olive, connection):
    fill_account(connection, 120)
    seen, query = [], ""

    while True:
        html = get(olive, "made_elsewhere", connection, query=query)
        seen += [part.split("<")[0] for part in html.split('<td class="mono">')[1:]]
        if 'rel="next"' not in html:
            break
        query = html.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&gt;", ">")

    assert len(seen) == len(set(seen)) == 120


def test_home_and_the_connection_name_answers_that_wait_elsewhere(olive, mina, connection, market):
    make = make_elsewhere(market)
    market.submit(make, "AWANDA")
    look(connection, market)

    said = "answers to HITs that were made elsewhere wait for a decision"
    assert said in words(olive.client.get(reverse("projects:home")).content.decode())
    assert said not in words(mina.client.get(reverse("projects:home")).content.decode())
    assert "1 HIT of this account was not made here, with 1 answer that waits" in words(
        get(olive, "elsewhere_count", connection)
    )


def test_a_team_to_which_the_account_is_lent_sees_nothing_of_it(stan, connection):
    AccountGrantFactory(account=connection.account, team=stan.team)

    answer = stan.client.get(reverse("projects:made_elsewhere", args=[connection.public_id]))

    assert answer.status_code == 403


def test_a_draft_takes_no_question_that_was_adopted_where_one_was_written_here(team, olive):
    project = ProjectFactory(team=team)
    written = BatchFactory(project=project).template
    HITTemplateFactory(project=project, version=written.version + 1, is_adopted=True)

    assert latest_template(project) == written
