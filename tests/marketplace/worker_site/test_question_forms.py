"""A QuestionForm drawn and answered: every kind of field, what is refused, and the XML that comes of it."""

import re

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client
from lxml import etree

from marketplace.answers import form_document
from marketplace.models import Assignment, Worker
from marketplace.question_form import read_question_form
from marketplace.worker_site.sheets import Item, blank_sheet, read_sheet
from tests.marketplace.conftest import Market
from tests.marketplace.forms import form, free_text, question, selection

OTHER = "<OtherSelection><Constraints><Length minLength='3'/></Constraints></OtherSelection>"


def item(answer: str, sent: str | None = None, *, more: str = "") -> Item:
    read = read_question_form(form(question("q", answer, more=more)))
    [found] = (blank_sheet(read) if sent is None else read_sheet(read, QueryDict(sent))).items
    return found


def document(answer: str, sent: str) -> list[tuple[str, str]]:
    found = item(answer, sent)
    assert found.error == ""
    root = etree.fromstring(form_document([found.answer()]).encode())
    return [(etree.QName(part).localname, part.text or "") for part in root[0]]


@pytest.mark.parametrize(
    ("answer", "kind", "drawn"),
    [
        (free_text(), "text", "<input name="),
        (free_text("", "<NumberOfLinesSuggestion>3</NumberOfLinesSuggestion>"), "textarea", 'rows="3"'),
        (selection("a", "b"), "radio", 'type="radio"'),
        (selection("a", "b", style="radiobutton"), "radio", 'type="radio"'),
        (selection("a", "b", style="checkbox"), "radio", 'type="radio"'),
        (selection("a", "b", most=2), "checkbox", 'type="checkbox"'),
        (selection("a", "b", most=2, style="checkbox"), "checkbox", 'type="checkbox"'),
        (selection("a", "b", style="dropdown"), "select", "<select name="),
        (selection("a", "b", style="list"), "listbox", 'size="3"'),
        (selection("a", "b", most=2, style="list"), "listbox", "multiple"),
        (selection("a", "b", most=2, style="multichooser"), "listbox", "multiple"),
        (selection("a", "b", style="combobox"), "combobox", "<datalist"),
        (selection("a", "b", most=2, style="combobox"), "checkbox", 'type="checkbox"'),
        # pictures fit into no list
        (selection("a", style="dropdown").replace("<Text>A</Text>", "<FormattedContent>A</FormattedContent>"), "radio", "formatted"),
    ],
)  # fmt: skip
def test_each_answer_is_drawn_as_suggested_where_a_browser_can(answer: str, kind: str, drawn: str) -> None:
    found = item(answer)

    assert found.kind == kind
    assert drawn in render_to_string("_sheet_question.html", {"item": found})


@pytest.mark.parametrize(
    ("answer", "sent", "parts"),
    [
        (free_text(), "q1=two%0D%0Alines", [("FreeText", "two\nlines")]),
        (free_text(), "", [("FreeText", "")]),
        (selection("a", "b"), "q1=1", [("SelectionIdentifier", "b")]),
        (selection("a", "b", most=2), "q1=0&q1=1", [("SelectionIdentifier", "a"), ("SelectionIdentifier", "b")]),
        (selection("a", least=0), "", []),
        (selection("a", other=OTHER), "q1=other&q1-other=mine", [("OtherSelectionText", "mine")]),
        (
            selection("a", most=2, other=OTHER),
            "q1=0&q1=other&q1-other=mine",
            [("SelectionIdentifier", "a"), ("OtherSelectionText", "mine")],
        ),
        # words beside a choice that was not made
        (selection("a", other=OTHER), "q1=0&q1-other=mine", [("SelectionIdentifier", "a")]),
        (selection("a", style="combobox"), "q1=A", [("SelectionIdentifier", "a")]),
        (selection("a", style="combobox", other=OTHER), "q1=mine", [("OtherSelectionText", "mine")]),
    ],
)  # fmt: skip
def test_what_was_sent_becomes_question_form_answers(
    answer: str, sent: str, parts: list[tuple[str, str]]
) -> None:
    assert document(answer, sent) == [("QuestionIdentifier", "q"), *parts]


REQUIRED = "<IsRequired>true</IsRequired>"


@pytest.mark.parametrize(
    ("answer", "sent", "error", "more"),
    [
        (free_text(), "q1=+", "needs one", REQUIRED),
        (free_text("<Length minLength='1'/>"), "", "needs one", ""),
        (free_text("<Length minLength='3' maxLength='5'/>"), "q1=ab", "2 characters. From 3 to 5 characters.", ""),
        (free_text("<Length maxLength='5'/>"), "q1=abcdef", "6 characters. At most 5 characters.", ""),
        (free_text("<IsNumeric/>"), "q1=seven", "“seven” does not fit. A number.", ""),
        (free_text("<IsNumeric minValue='1' maxValue='9'/>"), "q1=9.5", "A number from 1 to 9.", ""),
        (free_text("<IsNumeric minValue='1'/>"), "q1=0", "A number, at least 1.", ""),
        (free_text("<IsNumeric maxValue='1'/>"), "q1=NaN", "A number, at most 1.", ""),
        (free_text("<AnswerFormatRegex regex='^[a-c]+$' errorText='Only a to c.'/>"), "q1=abd", "Only a to c.", ""),
        (free_text("<AnswerFormatRegex regex='a'/><AnswerFormatRegex regex='b'/>"), "q1=a", "Invalid input supplied.", ""),
        (selection("a"), "", "needs one", ""),
        (selection("a", least=0), "", "needs one", REQUIRED),
        (selection("a"), "q1=7", "needs one", ""),
        (selection("a"), "q1=other&q1-other=mine", "needs one", ""),
        (selection("a", "b"), "q1=0&q1=1", "You have chosen 2 answers.", ""),
        (selection("a", "b", "c", least=2, most=3), "q1=0", "You have chosen 1 answer. Choose from 2 to 3.", ""),
        (selection("a", "b", "c", least=2, most=2), "q1=0&q1=1&q1=2", "Choose exactly 2.", ""),
        (selection("a", "b", "c", least=0, most=2), "q1=0&q1=1&q1=2", "Choose up to 2.", ""),
        (selection("a", other=OTHER), "q1=other", "Write an answer", ""),
        (selection("a", other=OTHER), "q1=other&q1-other=no", "At least 3 characters.", ""),
        (selection("a", style="combobox"), "q1=Z", "Choose one of the answers in the list.", ""),
        (selection("a", style="combobox", other=OTHER), "q1=no", "At least 3 characters.", ""),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_told_why(answer: str, sent: str, error: str, more: str) -> None:
    assert error in item(answer, sent, more=more).error


@pytest.mark.parametrize("number", ["5", "-5", "+5.25", ".5", "5.", " 5 "])
def test_numbers_are_taken_as_people_write_them(number: str) -> None:
    assert item(free_text("<IsNumeric/>"), f"q1={number.replace('+', '%2B')}").error == ""


@pytest.mark.parametrize(
    ("answer", "sent", "kept"),
    [
        (free_text(), "q1=%3Cb%3E%22", 'value="&lt;b&gt;&quot;"'),
        (
            free_text("", "<NumberOfLinesSuggestion>2</NumberOfLinesSuggestion>"),
            "q1=%0Ax",
            ">\n\nx</textarea>",
        ),
        (selection("a", "b", style="dropdown"), "q1=1", '<option value="1" selected>'),
        (selection("a", "b", most=2), "q1=1", 'value="1" checked'),
        (selection("a", other=OTHER), "q1=other&q1-other=x", 'value="other" checked'),
        (selection("a", other=OTHER), "q1=other&q1-other=x", 'name="q1-other" value="x"'),
        (selection("a", style="combobox"), "q1=Z", 'value="Z"'),
    ],
)
def test_what_was_filled_in_is_kept(answer: str, sent: str, kept: str) -> None:
    assert kept in render_to_string("_sheet_question.html", {"item": item(answer, sent)})


# As a HIT's question

HIT_FORM = form(
    "<Overview><Title>Colours</Title><List><ListItem>Look</ListItem></List>"
    "<Binary><MimeType><Type>image</Type></MimeType><DataURL>https://pictures.example.org/a.png</DataURL>"
    "<AltText>The sky</AltText></Binary>"
    "<FormattedContent><![CDATA[<p>Be <b>honest</b></p>]]></FormattedContent></Overview>",
    question("sky", selection("blue", "green"), more="<DisplayName>Sky</DisplayName>"),
    question("why", free_text("<Length minLength='2'/>")),
)


def test_a_hit_that_is_a_form_is_previewed_accepted_and_answered(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    hit = market.create_hit(Question=HIT_FORM)
    preview = wandas.get(hit.hit_type.get_absolute_url())
    assert '<fieldset class="sheet" disabled>' in preview.content.decode()
    assert "<p>Be <b>honest</b></p>" in preview.content.decode()
    assert "img-src 'self' data: https://pictures.example.org" in preview.headers["Content-Security-Policy"]
    work = wandas.post(f"{hit.hit_type.get_absolute_url()}/accept").headers["Location"]
    assert 'class="sheet">' in wandas.get(work).content.decode()

    wrong = wandas.post(f"{work}/answer", {"q2": "0", "q3": "x"})
    assert wrong.status_code == 400
    assert "1 characters" in wrong.content.decode()
    assert 'value="0" checked' in wrong.content.decode()
    sent = wandas.post(f"{work}/answer", {"q2": "0", "q3": "because"}, follow=True)

    assert "Sent. The requester will decide about it." in sent.content.decode()
    [assignment] = market.mturk.list_assignments_for_hit(HITId=hit.mturk_id)["Assignments"]
    answers = re.sub(r' xmlns="[^"]+"', "", assignment["Answer"])
    assert answers == (
        "<?xml version='1.0' encoding='ASCII'?>\n<QuestionFormAnswers>"
        "<Answer><QuestionIdentifier>sky</QuestionIdentifier><SelectionIdentifier>blue</SelectionIdentifier></Answer>"
        "<Answer><QuestionIdentifier>why</QuestionIdentifier><FreeText>because</FreeText></Answer>"
        "</QuestionFormAnswers>"
    )


def test_a_form_is_submitted_once_in_time_and_by_its_worker(
    market: Market, wanda: Worker, wandas: Client
) -> None:
    hit = market.create_hit(Question=HIT_FORM, MaxAssignments=3)
    mine, theirs = market.accept(hit, wanda), market.accept(hit)
    fields = {"q2": "0", "q3": "because"}

    assert wandas.post(f"/tasks/{theirs.mturk_id}/answer", fields).status_code == 404
    market.wait(minutes=10)
    page = wandas.post(f"/tasks/{mine.mturk_id}/answer", fields, follow=True)
    assert "ran out" in page.content.decode()
    assert not Assignment.objects.filter(submitted_at__isnull=False).exists()


def test_a_hit_with_html_takes_no_form(market: Market, wanda: Worker, wandas: Client) -> None:
    assignment = market.accept(market.create_hit(), wanda)

    assert wandas.post(f"/tasks/{assignment.mturk_id}/answer", {"q1": "x"}).status_code == 404
