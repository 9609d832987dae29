import pytest
from django.test import override_settings

from marketplace.errors import ApiError
from marketplace.questions import check_question

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
HTML, EXTERNAL, FORM = (
    f"{SCHEMAS}2011-11-11/HTMLQuestion.xsd",
    f"{SCHEMAS}2006-07-14/ExternalQuestion.xsd",
    f"{SCHEMAS}2017-11-06/QuestionForm.xsd",
)


def html(content: str = "<![CDATA[<p>]]>", height: str = "0", namespace: str = HTML) -> str:
    return (
        f'<HTMLQuestion xmlns="{namespace}"><HTMLContent>{content}</HTMLContent>'
        f"<FrameHeight>{height}</FrameHeight></HTMLQuestion>"
    )


def external(url: str) -> str:
    return (
        f'<ExternalQuestion xmlns="{EXTERNAL}"><ExternalURL>{url}</ExternalURL>'
        "<FrameHeight>0</FrameHeight></ExternalQuestion>"
    )


def form(inside: str, namespace: str = FORM) -> str:
    return f'<QuestionForm xmlns="{namespace}">{inside}</QuestionForm>'


@pytest.mark.parametrize(
    "question",
    [
        html(),
        html(height=" 600 "),
        html("&lt;p&gt;"),
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- note -->' + html("<![CDATA[grün 🙂]]>"),
        html()
        .replace("xmlns", "xmlns:m")
        .replace("<H", "<m:H")
        .replace("</H", "</m:H")
        .replace("<F", "<m:F")
        .replace("</F", "</m:F"),
        external("https://example.org/task?a=1&amp;b=2"),
        external("http://localhost.example.org/"),
        form("<Overview><Text>x</Text></Overview>"),
        form("<Overview><Text>x</Text></Overview>", f"{SCHEMAS}2005-10-01/QuestionForm.xsd"),
    ],
)
def test_a_question_a_worker_can_be_shown_is_taken(question: str) -> None:
    check_question(question)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        # no XML
        ("", "parsing the XML"),
        ("What is it?", "parsing the XML"),
        (html()[:-3], "parsing the XML"),
        (html("<![CDATA[\x01]]>"), "parsing the XML"),
        # entities
        ('<!DOCTYPE q [<!ENTITY e "x">]>' + html("&e;"), "document type"),
        ('<!DOCTYPE q SYSTEM "file:///etc/passwd">' + html(), "document type"),
        ("<!DOCTYPE HTMLQuestion>" + html(), "document type"),
        (html("&unknown;"), "parsing the XML"),
        # which kind
        ("<p>x</p>", "HTMLQuestion, ExternalQuestion or QuestionForm"),
        (html(namespace=EXTERNAL), "namespace"),
        (html().replace(f' xmlns="{HTML}"', ""), "namespace"),
        # parts
        (html().replace("<FrameHeight>0</FrameHeight>", ""), "in this order"),
        (
            html().replace("<FrameHeight>0</FrameHeight>", "<FrameHeight>0</FrameHeight><More/>"),
            "in this order",
        ),
        (html("<p>x</p>"), "CDATA"),
        (html(""), "HTMLContent is empty"),
        (html(" \n"), "HTMLContent is empty"),
        (html(height=""), "FrameHeight"),
        (html(height="-1"), "FrameHeight"),
        (html(height="1.5"), "FrameHeight"),
        (html(height="600px"), "FrameHeight"),
        (html(height="٣"), "FrameHeight"),
        (form(""), "lacks Overview or Question"),
        (form("<p/>"), "must have Overview or Question here"),
        # addresses
        (external("javascript:alert(1)"), "ExternalURL"),
        (external("/task"), "ExternalURL"),
        (external("https://"), "ExternalURL"),
        (external("https://[::1"), "ExternalURL"),
        (external("https://example.org; script-src *"), "ExternalURL"),
        (external("https://example.org;script-src/"), "ExternalURL"),
        # ours: frames there would run beside our cookies
        (external("http://127.0.0.1:9999/task"), "127.0.0.1"),
        (external("http://user@127.0.0.1./task"), "127.0.0.1"),
        # size
        (html("é" * 32_768), "65535 are allowed"),
    ],
)
def test_any_other_question_is_refused_in_words(question: str, says: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_question(question)
    assert caught.value.kind == "ParameterValidationError"
    assert says in caught.value.message


def test_a_marketplace_on_https_frames_no_page_that_is_not() -> None:
    with override_settings(MARKETPLACE_URL="https://market.example.org"):
        check_question(external("https://example.org/task"))
        with pytest.raises(ApiError, match="https"):
            check_question(external("http://example.org/task"))


def test_exactly_65535_bytes_are_taken() -> None:
    frame = len(html("").encode())

    check_question(html("x" * (65_535 - frame)))
    with pytest.raises(ApiError):
        check_question(html("x" * (65_536 - frame)))
