import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mturkhub.gateway.answer_xml import ParsedAnswer, read_answer
from tests.factories.projects import SCHEMA, answer_xml


def document(answers, declaration='<?xml version="1.0" encoding="ASCII"?>'):
    return f'{declaration}<QuestionFormAnswers xmlns="{SCHEMA}">{answers}</QuestionFormAnswers>'


def answer(name, content):
    return f"<Answer><QuestionIdentifier>{name}</QuestionIdentifier>{content}</Answer>"


def crowd(value):
    return read_answer(answer_xml({"taskAnswers": [json.dumps(value)]})).fields


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("<FreeText>7</FreeText>", ["7"]),
        ("<FreeText></FreeText>", [""]),
        ("<FreeText/>", [""]),
        ("", []),
        ("<FreeText>  two\n lines\t</FreeText>", ["  two\n lines\t"]),
        ("<FreeText>a &lt; b &amp;amp; c</FreeText>", ["a < b &amp; c"]),
        ("<FreeText>caf&#233; &#x1F600;</FreeText>", ["café 😀"]),
        ("<FreeText><![CDATA[<b>]]> and more</FreeText>", ["<b> and more"]),
        ("<FreeText>a<!-- no -->b</FreeText>", ["ab"]),
        ("<FreeText>A|B|C</FreeText>", ["A|B|C"]),
        (
            "<SelectionIdentifier>yes</SelectionIdentifier><SelectionIdentifier>no</SelectionIdentifier>",
            ["yes", "no"],
        ),
        (
            "<SelectionIdentifier>yes</SelectionIdentifier><OtherSelectionText>well</OtherSelectionText>",
            ["yes", "well"],
        ),
    ],
)
def test_each_kind_of_answer_becomes_its_values(content, values):
    assert read_answer(document(answer("q", content))) == ParsedAnswer({"q": values})


def test_fields_keep_their_order_and_several_values_of_one_name_stay_together():
    xml = document("".join(answer(name, f"<FreeText>{n}</FreeText>") for n, name in enumerate("zaz")))

    assert read_answer(xml) == ParsedAnswer({"z": ["0", "2"], "a": ["1"]})
    assert list(read_answer(xml).fields) == ["z", "a"]


@pytest.mark.parametrize("xml", ["", "  \n", document("")])
def test_an_answer_with_nothing_in_it_has_no_fields_and_is_not_damaged(xml):
    assert read_answer(xml) == ParsedAnswer()


@pytest.mark.parametrize(
    "xml",
    [
        f'<a:QuestionFormAnswers xmlns:a="{SCHEMA}"><a:Answer><a:QuestionIdentifier>q</a:QuestionIdentifier>'
        "<a:FreeText>ü</a:FreeText></a:Answer></a:QuestionFormAnswers>",
        "<QuestionFormAnswers><Answer><FreeText>ü</FreeText><QuestionIdentifier>q</QuestionIdentifier></Answer>"
        "</QuestionFormAnswers>",
        document(answer("q", "<FreeText>ü</FreeText>"), '<?xml version="1.0" encoding="UTF-16"?>'),
        document("\n  " + answer("q", "<FreeText>ü</FreeText>") + "\n", ""),
    ],
    ids=["prefix", "other order, no namespace", "wrong encoding", "white space between"],
)
def test_prefix_encoding_order_and_white_space_do_not_matter(xml):
    assert read_answer(xml) == ParsedAnswer({"q": ["ü"]})


@pytest.mark.parametrize(
    "xml",
    [
        "not xml",
        "<QuestionFormAnswers>",
        "<html><body>An error page</body></html>",
        document(answer("q", "<FreeText>&undefined;</FreeText>")),
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        + document(answer("q", "<FreeText>&e;</FreeText>"), ""),
        f'<!DOCTYPE x [<!ENTITY e "boom">]>{document(answer("q", "<FreeText>&e;</FreeText>"), "")}',
        "<!DOCTYPE x ["
        + '<!ENTITY a0 "ha">'
        + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
        + "]>"
        + document(answer("q", "<FreeText>&a11;</FreeText>"), ""),
        "<" * 100_000,
        "x" * 10_000_001,
    ],
    ids=[
        "text",
        "unclosed",
        "other root",
        "undefined",
        "file",
        "entity",
        "billion laughs",
        "brackets",
        "too long",
    ],
)
def test_what_cannot_be_read_is_damaged_and_never_an_error(xml):
    assert read_answer(xml) == ParsedAnswer({}, is_damaged=True)


@given(st.text())
def test_no_text_whatever_raises(text):
    read_answer(text)
    read_answer(document(text))
    read_answer(document(answer("taskAnswers", f"<FreeText><![CDATA[{text}]]></FreeText>")))


@pytest.mark.parametrize(
    "bad", ["\x00", "\ud800", "\x0b", "&#0;", "&#xD800;", "&#11;", "&#x110000;", "\uffff"]
)
def test_a_character_that_cannot_be_stored_is_replaced_and_flagged(bad):
    xml = document(answer("q", f"<FreeText>a{bad}b</FreeText>"))

    assert read_answer(xml) == ParsedAnswer({"q": ["a\ufffdb"]}, is_damaged=True)


def test_an_answer_without_a_name_damages_only_itself():
    xml = document("<Answer><FreeText>?</FreeText></Answer>" + answer("q", "<FreeText>7</FreeText>"))

    assert read_answer(xml) == ParsedAnswer({"q": ["7"]}, is_damaged=True)


@pytest.mark.parametrize(
    ("task_answers", "fields"),
    [
        ([{"sentiment": {"label": "Positive"}}], {"sentiment.label": ["Positive"]}),
        ([{"topics": {"labels": ["sport", "politics"]}}], {"topics.labels": ['["sport","politics"]']}),
        (
            [
                {
                    "annotatedResult": {
                        "boundingBoxes": [{"height": 401, "label": "Dog", "left": 243}],
                        "inputImageProperties": {"height": 533, "width": 800},
                    }
                }
            ],
            {
                "annotatedResult.boundingBoxes": ['[{"height":401,"label":"Dog","left":243}]'],
                "annotatedResult.inputImageProperties.height": ["533"],
                "annotatedResult.inputImageProperties.width": ["800"],
            },
        ),
        ([{"tag1": "blue", "tag2": ""}], {"tag1": ["blue"], "tag2": [""]}),
        ([{"comment": "first line\nsecond "}], {"comment": ["first line\nsecond "]}),
        ([{"btn1": {"yes": True}, "btn2": {"no": False}}], {"btn1.yes": ["true"], "btn2.no": ["false"]}),
        ([{"x": 0.5, "y": 12, "z": None}], {"x": ["0.5"], "y": ["12"], "z": [""]}),
        ([{"city": "Zürich 漢"}, {"city": "Bern"}], {"city": ["Zürich 漢", "Bern"]}),
        ({"no": "list"}, {"no": ["list"]}),
        ([], {}),
    ],
)
def test_crowd_form_answers_become_fields_named_as_flattened(task_answers, fields):
    assert crowd(task_answers) == fields


@pytest.mark.parametrize("text", ["yes", "[1, 2]", '"text"', "[{", "[" * 100_000, "9" * 5000])
def test_a_task_answers_field_that_is_not_crowd_forms_stays_as_it_is(text):
    assert read_answer(answer_xml({"taskAnswers": [text]})).fields == {"taskAnswers": [text]}


def test_a_deeply_nested_answer_stays_readable():
    value = "leaf"
    for _ in range(400):
        value = {"a": value}

    (name,), ((text,),) = crowd([value]).keys(), crowd([value]).values()

    assert name == ".".join("a" * 50)
    assert text.endswith('"leaf"' + "}" * 350)


def test_escapes_in_crowd_json_that_jsonb_refuses_are_replaced():
    xml = answer_xml({"taskAnswers": ['[{"na\\u0000me":"a\\ud800b"}]']})

    assert read_answer(xml) == ParsedAnswer({"na\ufffdme": ["a\ufffdb"]}, is_damaged=True)
