"""What a QuestionForm may be, to the letter of its schema and beyond, and how it is read."""

import pytest

from marketplace.errors import ApiError
from marketplace.question_form import Choice, FreeText, Pattern, Piece, QuestionForm, read_question_form
from tests.marketplace.forms import FORM, SCHEMAS, form, free_text, question, selection

IMAGE = (
    "<Binary><MimeType><Type>image</Type><SubType>png</SubType></MimeType>"
    "<DataURL>https://example.org/a.png</DataURL><AltText>A map</AltText></Binary>"
)
EMBEDDED = (
    "<EmbeddedBinary><EmbeddedMimeType><Type>video</Type><SubType>mp4</SubType></EmbeddedMimeType>"
    "<DataURL>https://video.example.org/a.mp4</DataURL><AltText>A film</AltText><Width>320</Width>"
    "<Height>200</Height><ApplicationParameter><Name>a</Name><Value>b</Value></ApplicationParameter>"
    "</EmbeddedBinary>"
)


def overview(content: str) -> str:
    return form(f"<Overview>{content}</Overview>")


def formatted(xhtml: str) -> str:
    return overview(f"<FormattedContent><![CDATA[{xhtml}]]></FormattedContent>")


def pieces(xml: str) -> tuple[Piece, ...]:
    part = read_question_form(xml).parts[0]
    assert isinstance(part, tuple)
    return part


def refusal(xml: str) -> str:
    with pytest.raises(ApiError) as caught:
        read_question_form(xml)
    assert caught.value.kind == "ParameterValidationError"
    return caught.value.message


# Contents


def test_every_kind_of_content_is_read_in_order() -> None:
    read = pieces(
        overview(
            "<Title>T</Title><Text>a &amp; b</Text><List><ListItem>1</ListItem><ListItem>2</ListItem></List>"
            f"{IMAGE}{EMBEDDED}<FormattedContent><![CDATA[<p>x</p>]]></FormattedContent>"
        )
    )

    assert [piece.kind for piece in read] == ["title", "text", "list", "image", "video", "formatted"]
    assert (read[1].text, read[2].items) == ("a & b", ("1", "2"))
    assert (read[3].url, read[3].text) == ("https://example.org/a.png", "A map")
    assert (read[4].width, read[4].height) == (320, 200)


def test_a_form_names_the_origins_it_loads_from() -> None:
    read = read_question_form(
        overview(
            f"{IMAGE}{EMBEDDED}<FormattedContent><![CDATA[<img src='http://Pictures.example.org:8080/x' alt=''/>"
            "<iframe src='https://maps.example.org/'/>]]></FormattedContent>"
        )
    )

    assert read.sources == {
        "img-src": ["http://pictures.example.org:8080", "https://example.org"],
        "media-src": ["https://video.example.org"],
        "frame-src": ["https://maps.example.org"],
    }


@pytest.mark.parametrize(
    ("xhtml", "html"),
    [
        ("plain &lt; text", "plain &lt; text"),
        ("<p>a<br/>b</p>", "<p>a<br>b</p>"),
        ("<p title='a &quot;b&quot;'>x &amp; y</p>", '<p title="a &quot;b&quot;">x &amp; y</p>'),
        ("caf&eacute;&nbsp;&copy;", "café\xa0©"),
        (
            "<table border='1'><tr><th scope='col'>h</th></tr></table>",
            '<table border="1"><tr><th scope="col">h</th></tr></table>',
        ),
        (
            "<dl><dt>t</dt><dd><ul><li>l</li></ul></dd></dl>",
            "<dl><dt>t</dt><dd><ul><li>l</li></ul></dd></dl>",
        ),
        ('<p xmlns="http://www.w3.org/1999/xhtml" xml:lang="de">x</p>', '<p lang="de">x</p>'),
        (
            "<a href='https://example.org/' target='_top'>x</a>",
            '<a href="https://example.org/" target="_blank" rel="noopener noreferrer">x</a>',
        ),
        (
            "<map id='m'><area alt='x' href='mailto:a@b.c'/></map>",
            '<map id="m"><area alt="x" href="mailto:a@b.c" target="_blank" rel="noopener noreferrer"></map>',
        ),
        (
            "<iframe src='https://example.org/a' name='Map'></iframe>",
            '<iframe src="https://example.org/a" name="Map" sandbox="allow-scripts" '
            'referrerpolicy="no-referrer" title="Map"></iframe>',
        ),
    ],
)
def test_formatted_content_is_written_anew(xhtml: str, html: str) -> None:
    assert pieces(formatted(xhtml))[0].text == html


@pytest.mark.parametrize(
    ("xhtml", "says"),
    [
        ("<p>x", "not well-formed"),
        ("a & b", "not well-formed"),
        ("&nosuch;", "not well-formed"),
        ("<script>1</script>", "element script"),
        ("<style>p{}</style>", "element style"),
        ("<form/>", "element form"),
        ("<input/>", "element input"),
        ("<object/>", "element object"),
        ("<div>x</div>", "element div"),
        ("<svg:p xmlns:svg='http://www.w3.org/2000/svg'/>", "element p"),
        ("<!-- x -->", "comments"),
        ("<?php x ?>", "comments"),
        ("<p class='x'>x</p>", "attribute class on p"),
        ("<p style='x'>x</p>", "attribute style on p"),
        ("<p id='x'>x</p>", "attribute id on p"),
        ("<p onclick='x'>x</p>", "attribute onclick on p"),
        ("<map><area alt='x'/></map>", "attribute id on map"),
        ("<img src='https://example.org/x'/>", "attribute alt on img"),
        ("<img alt='x'/>", "attribute src on img"),
        ("<map id='m'><area/></map>", "attribute alt on area"),
        ("<img alt='x' src='javascript:1'/>", "src of img"),
        ("<img alt='x' src='data:image/png;base64,'/>", "src of img"),
        ("<img alt='x' src='/x.png'/>", "src of img"),
        ("<img alt='x' src='https://a;b/'/>", "src of img"),
        ("<img alt='x' src='https://user@example.org/'/>", "src of img"),
        ("<iframe src='file:///etc'/>", "src of iframe"),
        ("<a href='javascript:1'>x</a>", "href of a"),
        ("<a href='JAVASCRIPT:1'>x</a>", "href of a"),
        ("<a href='#x'>x</a>", "href of a"),
        ("<a href=' javascript:1'>x</a>", "href of a"),
        ("<ul>x</ul>", "text in ul"),
        ("<ul><p>x</p></ul>", "p in ul"),
        ("<li>x</li>", "li in no element"),
        ("<table><td>x</td></table>", "td in table"),
        ("<p><p>x</p></p>", "p in p"),
        ("<b><table><tr><td/></tr></table></b>", "table in b"),
        ("<a href='https://a.b/'><b><a href='https://a.b/'>x</a></b></a>", "a link in a link"),
        ("<br>x</br>", "must be empty"),
    ],
)
def test_nothing_else_gets_into_formatted_content(xhtml: str, says: str) -> None:
    assert says in refusal(formatted(xhtml))


# Answers


def answer_of(answer: str) -> FreeText | Choice:
    read: QuestionForm = read_question_form(form(question("q", answer)))
    return read.questions[0].answer


def test_what_is_left_out_has_its_default() -> None:
    read = read_question_form(form(question("q", free_text()))).questions[0]

    assert (read.name, read.is_required, read.answer) == ("", False, FreeText())
    assert answer_of(selection("a", "b")) == Choice(
        answer_of(selection("a", "b")).selections,  # type: ignore[union-attr]
        least=1,
        most=1,
        style="",
        other=None,
    )


def test_every_part_of_a_free_text_answer_is_read() -> None:
    text = answer_of(
        free_text(
            '<IsNumeric minValue="-3" maxValue="4"/><Length minLength="1" maxLength="9"/>'
            '<AnswerFormatRegex regex="^\\d" errorText="A digit first." flags="i"/><AnswerFormatRegex regex="x"/>',
            "<DefaultText>5</DefaultText><NumberOfLinesSuggestion>3</NumberOfLinesSuggestion>",
        )
    )

    assert text == FreeText(
        is_numeric=True,
        min_value=-3,
        max_value=4,
        min_length=1,
        max_length=9,
        patterns=(Pattern("^\\d", True, "A digit first."), Pattern("x", False, "Invalid input supplied.")),
        default="5",
        lines=3,
    )


def test_every_part_of_a_selection_answer_is_read() -> None:
    choice = answer_of(
        selection(
            "a",
            "b",
            least=0,
            most=3,
            style="checkbox",
            other="<OtherSelection><Constraints><Length maxLength='5'/></Constraints></OtherSelection>",
        )
    )

    assert isinstance(choice, Choice)
    assert [each.identifier for each in choice.selections] == ["a", "b"]
    assert (choice.least, choice.most, choice.style) == (0, 3, "checkbox")
    assert choice.other == FreeText(max_length=5)


@pytest.mark.parametrize("style", ["radiobutton", "dropdown", "checkbox", "list", "combobox", "multichooser"])
def test_every_style_is_taken(style: str) -> None:
    choice = answer_of(selection("a", style=style))

    assert isinstance(choice, Choice)
    assert choice.style == style


def test_a_pattern_that_runs_away_is_stopped_and_held_against_nobody() -> None:
    assert Pattern("^(a|aa)+$", False, "").fits("a" * 60 + "b") is True
    assert Pattern("^[a-c]+$", False, "no").fits("abd") is False
    assert Pattern("^[a-c]+$", True, "no").fits("ABC") is True


# Refusals

OTHER_NAMESPACE = f"<Overview xmlns='{SCHEMAS}2005-10-01/QuestionForm.xsd'><Text>x</Text></Overview>"


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ("<QuestionForm/>", "namespace"),
        (form(), "lacks Overview or Question"),
        (form("text"), "text between"),
        (form("<p/>"), "must have Overview or Question here, and has p"),
        (form(OTHER_NAMESPACE), "another namespace"),
        (form("<Overview/>"), "Overview lacks Title or Text"),
        (form("<Overview a='1'><Text>x</Text></Overview>"), "no attribute a"),
        (overview("<Text><b>x</b></Text>"), "text, not elements"),
        (overview("<List/>"), "lacks ListItem"),
        (overview("<Application/>"), "neither Flash nor applets"),
        (overview(IMAGE.replace("image", "flash")), "image, audio or video"),
        (overview(IMAGE.replace("https:", "ftp:")), "DataURL must be"),
        (overview(IMAGE.replace("<AltText>A map</AltText>", "")), "lacks AltText"),
        (overview(EMBEDDED.replace("<SubType>mp4</SubType>", "")), "lacks SubType"),
        (overview(EMBEDDED.replace("320", "wide")), "Width must be a whole number"),
        ("<!DOCTYPE x>" + overview("<Text>x</Text>"), "document type"),
        (form("<Overview><Text>" + "x" * 65_535 + "</Text></Overview>"), "65535 are allowed"),
        # questions
        (form(question("", free_text())), "QuestionIdentifier is empty"),
        (form(question("q", free_text()), question("q", free_text())), "“q” is there twice"),
        (form(question("q", free_text(), more="<IsRequired>yes</IsRequired>")), "true or false"),
        (form(question("q", free_text(), more="<IsRequired>1</IsRequired><DisplayName>n</DisplayName>")), "QuestionContent here"),
        (form(question("q", "")), "AnswerSpecification lacks"),
        (form(question("q", free_text() + free_text())), "may not have FreeTextAnswer here"),
        (
            form(
                question(
                    "q",
                    "<FileUploadAnswer><MaxFileSizeInBytes>9</MaxFileSizeInBytes>"
                    "<MinFileSizeInBytes>1</MinFileSizeInBytes></FileUploadAnswer>",
                )
            ),
            "FileUploadAnswer is not supported",
        ),
        # free text
        (form(question("q", free_text("<Length minLength='3' maxLength='2'/>"))), "minLength is more"),
        (form(question("q", free_text("<Length minLength='-1'/>"))), "minLength must be a whole number"),
        (form(question("q", free_text("<IsNumeric minValue='1.5'/>"))), "minValue must be a whole number"),
        (form(question("q", free_text("<IsNumeric>x</IsNumeric>"))), "IsNumeric must be empty"),
        (form(question("q", free_text("<Length/><IsNumeric/>"))), "may not have IsNumeric here"),
        (form(question("q", free_text("<AnswerFormatRegex/>"))), "needs the attribute regex"),
        (form(question("q", free_text("<AnswerFormatRegex regex='('/>"))), "no regular expression"),
        (form(question("q", free_text(f"<AnswerFormatRegex regex='{'(' * 3000}x{')' * 3000}'/>"))), "no regular expression"),
        (form(question("q", free_text("<AnswerFormatRegex regex='x' flags='g'/>"))), "can only be i"),
        (form(question("q", free_text("", "<NumberOfLinesSuggestion>0</NumberOfLinesSuggestion>"))), "from 1"),
        # selections
        (form(question("q", selection())), "lacks Selection"),
        (form(question("q", selection("a", "a"))), "“a” is there twice"),
        (form(question("q", selection("a", least=-1))), "MinSelectionCount must be"),
        (form(question("q", selection("a", most=0))), "MaxSelectionCount must be"),
        (form(question("q", selection("a", "b", least=2))), "MinSelectionCount is more"),
        (form(question("q", selection("a", "b", most=3))), "there are 2 selections"),
        (form(question("q", selection("a", style="slider"))), "StyleSuggestion must be one of"),
        (form(question("q", selection("a", "b", most=2, style="radiobutton"))), "takes one selection"),
        (form(question("q", selection("a", "b", most=2, style="dropdown"))), "takes one selection"),
    ],
)  # fmt: skip
def test_any_other_form_is_refused_in_words(xml: str, says: str) -> None:
    assert says in refusal(xml)


def test_a_refusal_names_the_line() -> None:
    assert refusal(
        f'<QuestionForm xmlns="{FORM}">\n<Overview>\n<Wrong/></Overview></QuestionForm>'
    ).startswith("Line 3:")


@pytest.mark.parametrize(
    "xml",
    [
        overview("<Text>x</Text>").replace(
            "<QuestionForm",
            "<QuestionForm xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b'",
        ),
        "<!-- note -->" + overview("<!-- note --><Text>x<!-- note --></Text>"),
        form("<Overview><Text>x</Text></Overview>", namespace=f"{SCHEMAS}2005-10-01/QuestionForm.xsd"),
        form(question("q", selection("a", "b", most=3, other="<OtherSelection/>"))),
        form(question("q", free_text(), more="<DisplayName>Q1</DisplayName><IsRequired>0</IsRequired>")),
    ],
)
def test_what_the_schema_lets_be_is_taken(xml: str) -> None:
    read_question_form(xml)
