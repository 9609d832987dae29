import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.question_xml import (
    check_question,
    find_forbidden_character,
    html_question,
    question_bytes,
)

NAMESPACE = "{http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd}"


def read_back(question):
    root = etree.fromstring(question.encode())
    assert root.tag == f"{NAMESPACE}HTMLQuestion"
    content, height = root
    assert (content.tag, height.tag) == (f"{NAMESPACE}HTMLContent", f"{NAMESPACE}FrameHeight")
    return content.text or "", int(height.text)


@pytest.mark.parametrize(
    "html",
    [
        "<p>Plain</p>",
        "<script>if (a[b[0]]>1) go()</script>",
        "]]>",
        "]]>]]>",
        "]]]]>>",
        "<![CDATA[inside]]>",
        "café &amp; «ü» 漢字\n\tTab",
        "",
    ],
)
def test_the_page_arrives_as_it_was_written(html):
    assert read_back(html_question(html, 650)) == (html, 650)


@given(
    st.text(st.characters(max_codepoint=0xFFFD, exclude_categories=["Cs", "Cc"]) | st.sampled_from("]>[!\n"))
)
def test_any_page_without_forbidden_characters_arrives(html):
    assert find_forbidden_character(html) is None
    assert read_back(check_question(html, 0)) == (html, 0)


def test_the_whole_question_counts_to_the_byte():
    room = 65_535 - question_bytes(html_question("", 0))

    assert question_bytes(check_question("x" * room, 0)) == 65_535
    with pytest.raises(ActionRefused) as refused:
        check_question("x" * (room + 1), 0, where="The question of line 17")

    assert refused.value.sentence == (
        "The question of line 17 would be 65,536 bytes; 65,535 is the most. Shorten it by 1 byte."
    )


def test_bytes_count_and_not_characters():
    with pytest.raises(ActionRefused):
        check_question("漢" * 22_000, 0)


@pytest.mark.parametrize(
    ("html", "character", "line", "column"),
    [
        ("<p>😀</p>", "😀", 1, 4),
        ("one\ntwo\n  \x00", "\x00", 3, 3),
        ("a\x0bb", "\x0b", 1, 2),
        ("lone \ud800", "\ud800", 1, 6),
        ("first 𝒳 then \x01", "𝒳", 1, 7),
    ],
)
def test_a_character_no_question_can_hold_is_found_where_it_stands(html, character, line, column):
    found = find_forbidden_character(html)

    assert (found.character, found.line, found.column) == (character, line, column)


def test_a_four_byte_character_is_refused_with_what_to_write_instead():
    with pytest.raises(ActionRefused) as refused:
        check_question("<p>\n 😀</p>", 0)

    assert "U+1F600" in refused.value.sentence
    assert "line 2, column 2" in refused.value.sentence
    assert "&#x1F600;" in refused.value.sentence
