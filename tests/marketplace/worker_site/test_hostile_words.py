"""What requesters write of themselves and to Workers, on every page that shows it."""

import pytest
from django.test import Client
from django.urls import reverse
from lxml import html as lxml_html

from marketplace import lifecycle
from marketplace.models import Worker
from marketplace.worker_site.invisible import INVISIBLE
from tests.marketplace.conftest import Market
from tests.marketplace.worker_site.conftest import html_question

pytestmark = pytest.mark.django_db

WORDS = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</title></main><h1>You owe us $500</h1>",
    "{{ request.user }}{% now 'Y' %}",
    "pay\u202eme\u2066 twice",
    "a\u200b\u2060b\u00adc",
    "W" * 120,
    "Z" + "\u0301" * 100,
]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: repr(word[:12]))
def test_titles_descriptions_names_and_feedback_are_text_and_hide_nothing(
    market: Market, wanda: Worker, wandas: Client, word: str
) -> None:
    market.requester.name = word
    market.requester.save()
    question = html_question("<input name=colour>")
    told = {"Title": word, "Description": word, "Keywords": word[:80], "Question": question}
    held, done = (market.create_hit(**told, MaxAssignments=2) for _ in range(2))
    assignment = market.accept(held, wanda)
    sent = market.submit(done, wanda)
    market.mturk.reject_assignment(AssignmentId=sent.mturk_id, RequesterFeedback=word)
    lifecycle.apply_due()
    pages = [
        reverse("worker_site:groups"),
        held.hit_type.get_absolute_url(),
        reverse("worker_site:work", args=[assignment.mturk_id]),
        reverse("worker_site:queue"),
        reverse("worker_site:earnings"),
    ]

    for address in pages:
        response = wandas.get(address)
        assert response.status_code == 200, address
        page = response.content.decode()
        assert not INVISIBLE.search(page), address
        document = lxml_html.fromstring(page)
        assert not document.xpath("//img | //style | //h1[contains(., '$500')][not(bdi)]"), address
        assert not document.xpath("//script[not(@src)] | //@*[starts-with(name(), 'on')]"), address
