"""A Question read back: the page of an HTMLQuestion, and anything else quoted."""

import pytest

from mturkhub.gateway.question_reading import page_of
from mturkhub.gateway.question_xml import html_question


@pytest.mark.parametrize("html", ["<p>7?</p>", "a ]]> b", "<script>if (a < b && c) {}</script>"])
def test_what_was_written_is_read_back(html):
    assert page_of(html_question(html, 450)) == html


@pytest.mark.parametrize(
    "question",
    [
        "",
        "no XML",
        "<HTMLQuestion/>",
        "<ExternalQuestion><ExternalURL>https://example.org/?a=1</ExternalURL></ExternalQuestion>",
        '<!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]><HTMLQuestion><HTMLContent>&x;</HTMLContent></HTMLQuestion>',
        "<HTMLQuestion>\ud800</HTMLQuestion>",
    ],
)
def test_what_is_no_page_is_quoted(question):
    page = page_of(question)

    assert page.startswith("<p>These HITs have no page of their own.")
    assert "<HTMLQuestion" not in page
    assert "root:" not in page
