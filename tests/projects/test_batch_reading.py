"""The check of an uploaded file against a template."""

import io

import pytest

from mturkhub.common.tabular import Issue
from mturkhub.gateway.question_xml import MAX_BYTES, html_question, question_bytes
from projects.batch_reading import BatchReport, check_file, first_rows

HTML = "<p>${text}</p><input name=a>"


def check(data, html=HTML, name="texts.csv", frame_height=0):
    data = data.encode() if isinstance(data, str) else data
    return check_file(io.BytesIO(data), name, html, frame_height)


def test_a_clean_file_is_counted_and_nothing_stops_it():
    report = check("id,text\n1,hello\n2,good bye\n")

    assert (report.format, report.columns) == ("CSV", ["id", "text"])
    assert (report.rows, report.bad_lines, report.stops) == (2, 0, [])
    assert (report.matched, report.surplus) == (["text"], ["id"])


@pytest.mark.parametrize(
    ("data", "html", "stops"),
    [
        ("", HTML, ["The file is empty. Its first line names the columns, each further line is a row."]),
        (
            "text\n",
            HTML,
            ["The file has a header and no rows. Add at least one line below the column names."],
        ),
        (
            "a,text\nlonely\n",
            HTML,
            ["No line of the file can be used. Mend the lines named below, then upload it again."],
        ),
        (
            "texts\nhello\n",
            HTML,
            ["The template asks for ${text}, and the file has no such column. Did you mean “texts”?"],
        ),
        (
            "x\nhello\n",
            "${text} ${url}",
            [
                "The template asks for ${text}, and the file has no such column.",
                "The template asks for ${url}, and the file has no such column.",
            ],
        ),
        ("a,a\n1,2\n", HTML, ["Line 1 names the column “a” 2 times. Give each column a name of its own."]),
    ],
)
def test_what_stops_a_file_is_said_in_sentences(data, html, stops):
    assert check(data, html).stops == stops


def test_a_file_that_turns_out_to_be_no_text_is_refused_as_a_whole():
    report = check(b"text\n" + b"hello\n" * 500 + b"caf\xe9\n")

    assert report.stops == [report.refusal]
    assert report.refusal.startswith("Line 502 is not UTF-8 text")
    assert (report.rows, report.columns) == (0, [])


def test_a_name_in_a_script_is_doubtful_and_stops_nothing():
    report = check("text\nhello\n", "${text}<script>`${count}`</script>")

    assert (report.doubtful, report.stops) == (["count"], [])


def test_bad_lines_do_not_stop_a_file_for_they_may_be_dropped():
    report = check("id,text\n1,hello\nlonely\n2,good bye\n")

    assert (report.rows, report.bad_lines, report.stops) == (2, 1, [])


def test_ten_thousand_bad_lines_are_counted_and_fifty_are_kept():
    data = "id,text\n1,hello\n" + "lonely\n" * 9_990 + "1,a\x00b\n" * 10

    report = check(data)

    assert (report.rows, report.bad_lines) == (1, 10_000)
    assert [issue.line for issue in report.issues] == list(range(3, 53))
    assert report.kinds == {
        "a different number of cells than the header": 9_990,
        "a character that cannot be stored": 10,
    }


def test_empty_cells_are_counted_by_placeholder_with_their_first_lines():
    report = check("id,text\n" + "1,\n" * 12 + "2,  \n,hello\n")

    assert report.empty_cells == {"text": 13}
    assert report.empty_lines == {"text": [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}
    assert report.rows == 14


# The question of each line ------------------------------------------------------------------------


def test_the_largest_question_is_told_in_bytes_with_its_line():
    report = check("text\nshort\nlänger\nx\n", "<p>${text}</p>", frame_height=650)

    assert report.largest_question == question_bytes(html_question("<p>länger</p>", 650))
    assert report.largest_line == 3


def test_a_column_that_stands_in_the_question_twice_is_to_be_shortened_by_half_as_much():
    room = MAX_BYTES - question_bytes(html_question("", 0))

    [issue] = check(f"text\n{'x' * (room // 2 + 100)}\n", "${text}${text}").issues

    assert "Shorten “text” by 100 bytes." in issue.sentence


def test_a_question_may_have_exactly_as_many_bytes_as_mturk_takes():
    room = MAX_BYTES - question_bytes(html_question("", 0))

    report = check(f"text\n{'x' * room}\n{'x' * (room + 1)}\n", "${text}")

    assert (report.rows, report.bad_lines, report.largest_question) == (1, 1, MAX_BYTES)
    [issue] = report.issues
    assert (issue.line, issue.column) == (3, "text")
    assert issue.sentence == (
        "The question in line 3 would be 65,536 bytes; 65,535 is the most. Shorten “text” by 1 byte."
    )


def test_a_split_cdata_section_counts_with_all_its_bytes():
    room = MAX_BYTES - question_bytes(html_question("]]>", 0))

    report = check(f"text\n]]>{'x' * room}\n]]>{'x' * (room + 1)}\n", "${text}")

    assert (report.rows, report.bad_lines) == (1, 1)


def test_the_longest_cell_is_the_one_to_shorten():
    [issue] = check(f"a,b,c\n{'x' * 30},{'漢' * 22_000},{'y' * 40_000}\n", "${a}${b}${c}").issues

    assert issue.column == "b"


def test_a_column_that_is_not_shown_may_hold_what_no_question_can():
    report = check(f"text,note\nhello,😀\nhello,{'x' * 70_000}\n", "${text}")

    assert (report.rows, report.bad_lines) == (2, 0)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("a😀", "takes four bytes, and MTurk refuses such characters"),
        ("a\x0b", "The control character U+000B"),
    ],
)
def test_a_character_mturk_refuses_is_named_with_line_and_column(cell, words):
    [issue] = check(f"id,text\n1,fine\n2,{cell}\n").issues

    assert (issue.line, issue.column, issue.found) == (3, "text", cell)
    assert issue.sentence.startswith("Line 3, column “text”: ")
    assert words in issue.sentence


def test_a_character_of_the_templates_own_is_not_blamed_on_the_file():
    [issue] = check("text\nhello\n", "😀${text}").issues

    assert (issue.column, issue.found) == ("", "")
    assert issue.sentence.startswith("The template: The character 😀")


def test_the_whole_row_may_hold_any_character_for_it_is_escaped():
    report = check("text\n😀\n", "<script>const row = ${*}</script>")

    assert (report.rows, report.bad_lines) == (1, 0)


# The report ---------------------------------------------------------------------------------------


def test_a_report_survives_being_stored():
    report = check("id,texts\n1,a\x00b\nlonely\n3,c\n", "${text}${id}<script>${x}</script>")

    assert BatchReport.from_json(report.as_json()) == report
    assert isinstance(BatchReport.from_json(report.as_json()).issues[0], Issue)


def test_the_first_rows_pass_over_lines_that_cannot_be_read():
    rows = first_rows(io.BytesIO(b"a,b\nlonely\n1,2\n3,4\n5,6\n"), "x.csv", 2)

    assert [(row.line, row.values["a"]) for row in rows] == [(3, "1"), (4, "3")]


@pytest.mark.parametrize("data", [b"", b"a,a\n1,2\n", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_has_no_first_rows(data):
    assert first_rows(io.BytesIO(data), "x.csv", 2) == []
