"""`${name}` in the HTML of a HIT: found, matched with columns, and filled as MTurk's requester site does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mturkhub.common.errors import ActionRefused
from projects.placeholders import as_text, fill, find_placeholders, match_columns, question_for


@pytest.mark.parametrize(
    ("html", "names"),
    [
        ("<p>${text}</p>", ["text"]),
        ("${b} ${a} ${b}", ["b", "a"]),
        ("${image url}", ["image url"]),
        ("${a.b-c_1}", ["a.b-c_1"]),
        ("${größe} ${文字}", ["größe", "文字"]),
        ("${*}", ["*"]),
        ('<img src="${url}">', ["url"]),
        ("<!-- ${inside} -->", ["inside"]),
        ("$${price}", ["price"]),
        # None of these is a placeholder.
        ("${} ${ text} $text {text} $ {text} ${a{b} ${a$b} \\", []),
        ("${never closed", []),
    ],
)
def test_names_are_found_once_in_the_order_of_first_mention(html, names):
    assert [each.name for each in find_placeholders(html)] == names


def test_a_placeholder_knows_where_it_stands_first():
    [found] = find_placeholders("<p>\n  ${text}</p>\n${text}")

    assert (found.line, found.column) == (2, 3)


@pytest.mark.parametrize(
    ("html", "is_in_script"),
    [
        ("<script>let a = `${x}`</script>", True),
        ("<SCRIPT type=module>\n`${x}`\n</SCRIPT >", True),
        ("<script>`${x}`</script><script>`${x}`</script>", True),
        ("<p>${x}</p>", False),
        ("<script>`${x}`</script><p>${x}</p>", False),
        ("<p>${x}</p><script>`${x}`</script>", False),
        ("<script src=a.js></script>${x}", False),
        ('<script src="${x}"></script>', False),
        ("<scripture>${x}</scripture>", False),
        ("<script>${x}", False),
    ],
)
def test_a_name_counts_as_javascripts_only_when_each_mention_is_in_a_script(html, is_in_script):
    [found] = find_placeholders(html)

    assert found.is_in_script is is_in_script


# Columns ------------------------------------------------------------------------------------------


def test_placeholders_are_matched_with_columns_and_the_rest_is_carried_through():
    match = match_columns("${url} ${text}", ["id", "text", "url", "note"])

    assert match.matched == ["url", "text"]
    assert match.surplus == ["id", "note"]
    assert (match.missing, match.doubtful) == ({}, [])


def test_an_unknown_name_refuses_on_the_page_and_only_warns_in_a_script():
    match = match_columns("<p>${text}</p><script>`${count} of ${text}`</script>", ["other"])

    assert list(match.missing) == ["text"]
    assert match.doubtful == ["count"]


@pytest.mark.parametrize(
    ("name", "columns", "nearest"),
    [
        ("image_url", ["id", "imageUrl", "text"], "imageUrl"),
        ("Text", ["text"], "text"),
        ("contents", ["id", "content"], "content"),
        ("text", ["id", "n"], ""),
    ],
)
def test_a_missing_name_comes_with_the_likeliest_column(name, columns, nearest):
    assert match_columns(f"${{{name}}}", columns).missing == {name: nearest}


def test_the_whole_row_needs_no_column_and_uses_none_up():
    match = match_columns("<script>const row = ${*}</script>", ["a", "b"])

    assert (match.matched, match.missing, match.doubtful, match.surplus) == ([], {}, [], ["a", "b"])


# Filling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "values", "page"),
    [
        ("<p>${text}</p>", {"text": "hello"}, "<p>hello</p>"),
        ("${a}${b}${a}", {"a": "1", "b": "2"}, "121"),
        # Raw, as MTurk does: HTML in a cell is HTML on the page.
        ("<p>${text}</p>", {"text": '<b>&amp;"</b>'}, '<p><b>&amp;"</b></p>'),
        ("<p>${text}</p>", {"text": "  two  spaces\n "}, "<p>  two  spaces\n </p>"),
        ("${text}", {"text": ""}, ""),
        # A value is no template.
        ("${a}", {"a": "${b}", "b": "secret"}, "${b}"),
        ("${a}", {"a": r"\1 \g<0> \n"}, r"\1 \g<0> \n"),
        # Unknown names stay: they may be JavaScript's.
        ("`${x}` ${text}", {"text": "hello"}, "`${x}` hello"),
        # JSON Lines hold more than text.
        ("${n} ${x} ${ok}", {"n": 3, "x": 0.5, "ok": True}, "3 0.5 true"),
        ("[${nothing}]", {"nothing": None}, "[]"),
        ("${list}", {"list": ["é", {"a": "</script>"}]}, '["é", {"a": "\\u003c/script>"}]'),
    ],
)
def test_values_go_in_raw(html, values, page):
    assert fill(html, values) == page


def test_the_whole_row_is_json_that_cannot_end_the_script_it_stands_in():
    row = {"text": "</script><script>alert(1)</script>", "quote": '"', "emoji": "😀", "n": None}

    page = fill("<script>const row = ${*};</script>", row)

    written = page.removeprefix("<script>const row = ").removesuffix(";</script>")
    assert "<" not in written
    assert json.loads(written) == row
    # Four bytes each in UTF-8 would be refused.
    assert all(character <= "\uffff" for character in written)


def test_a_column_may_be_called_star():
    assert fill("${*}", {"*": "mine"}) == "mine"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name != "*"), JSON, max_size=4))
def test_any_row_comes_back_from_the_whole_row(row):
    assert json.loads(fill("${*}", row)) == row


@given(st.text())
def test_text_is_text(value):
    assert as_text(value) == value


# The question -------------------------------------------------------------------------------------


def test_a_question_is_the_filled_page_in_its_wrapper():
    question = question_for("<p>${text}</p>", {"text": "a ]]> b"}, ["text"], 650)

    assert "<![CDATA[<p>a ]]]]><![CDATA[> b</p>]]>" in question
    assert "<FrameHeight>650</FrameHeight>" in question


def test_the_whole_row_has_the_columns_in_the_order_of_the_file():
    question = question_for("<script>${*}</script>", {"a": "1", "z": "2"}, ["z", "a"], 0)

    assert '{"z": "2", "a": "1"}' in question


@pytest.mark.parametrize(
    ("html", "row", "sentence"),
    [
        ("${text} ${url}", {"text": "a"}, "The row has no value for ${url}. Add the column"),
        ("${text}", {"text": "x" * 65_535}, "The question would be 65,7"),
        ("${text}", {"text": "a😀"}, "The question: The character 😀 (U+1F600)"),
    ],
)
def test_a_question_mturk_would_not_take_is_refused(html, row, sentence):
    with pytest.raises(ActionRefused) as refused:
        question_for(html, row, list(row), 0)

    assert refused.value.sentence.startswith(sentence)


def test_a_name_that_is_only_in_a_script_does_not_stop_the_question():
    assert "`${x}`" in question_for("<script>`${x}`</script>${text}", {"text": "a"}, ["text"], 0)
