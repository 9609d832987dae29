"""Tables of text: what is read, and how each line that cannot be used is named."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mturkhub.common.errors import ActionRefused
from mturkhub.common.tabular import MAX_CELL, MAX_LINE_BYTES, Issue, Row, csv_line, read_table


def read(data, name="texts.csv"):
    data = data.encode() if isinstance(data, str) else data
    table = read_table(io.BytesIO(data), name)
    return table, list(table.records)


def rows(data, name="texts.csv"):
    """The values of each row; a line that cannot be used fails the test."""
    _, records = read(data, name)
    assert [record for record in records if isinstance(record, Issue)] == []
    return [record.values for record in records]


def issues(data, name="texts.csv"):
    return [record for record in read(data, name)[1] if isinstance(record, Issue)]


def refusal(data, name="texts.csv"):
    with pytest.raises(ActionRefused) as refused:
        read(data, name)
    assert refused.value.status == 400
    return refused.value.sentence


# Formats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "format"),
    [
        ("texts.csv", "text,note\nhello,1\n", "CSV"),
        ("texts.CSV", "text;note\nhello;1\n", "CSV"),
        ("texts.tsv", "text\tnote\nhello\t1\n", "TSV"),
        ("texts.txt", "text\tnote\nhello\t1\n", "TSV"),
        ("texts.txt", "text,note\nhello,1\n", "CSV"),
        ("texts.jsonl", '{"text": "hello", "note": "1"}\n', "JSON Lines"),
        ("texts.ndjson", '{"text": "hello", "note": "1"}', "JSON Lines"),
        ("input.manifest", '{"text": "hello", "note": "1"}', "JSON Lines"),
        # Pasted text has no ending: its first line says what it is.
        ("pasted text", "text,note\r\nhello,1\r\n", "CSV"),
        ("pasted text", "text\tnote\nhello\t1", "TSV"),
        ("pasted text", ' {"text": "hello", "note": "1"}', "JSON Lines"),
    ],
)
def test_the_format_follows_from_the_name_or_from_the_first_line(name, data, format):
    table, records = read(data, name)

    assert (table.format, table.columns) == (format, ["text", "note"])
    assert [record.values for record in records] == [{"text": "hello", "note": "1"}]


@pytest.mark.parametrize("name", ["texts.csv", "texts.tsv", "texts.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(name):
    line = '{"text": "hello"}' if name == "texts.jsonl" else "text\nhello\n"

    assert rows(b"\xef\xbb\xbf" + line.encode(), name) == [{"text": "hello"}]


def test_a_comma_in_the_header_makes_semicolons_ordinary_text():
    assert rows("text,note\na;b,c\n") == [{"text": "a;b", "note": "c"}]


def test_columns_keep_the_order_of_the_file():
    assert read("zeta,alpha,mid\n1,2,3\n")[0].columns == ["zeta", "alpha", "mid"]
    assert list(rows('{"z": 1, "a": 2}\n{"a": 3, "z": 4}\n', "x.jsonl")[1]) == ["z", "a"]


def test_the_examples_of_the_manual_are_two_ways_to_write_the_same_rows():
    manual = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
    csv_example = manual.split("```csv\n")[1].split("```")[0]
    json_example = manual.split("```json\n")[1].split("```")[0]

    assert rows(csv_example) == rows(json_example, "x.jsonl")
    assert rows(csv_example)[1] == {"content": 'She said "no", and left', "source": "print"}


# Cells --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ("  spaces kept  ", "  spaces kept  "),
        ('"comma, inside"', "comma, inside"),
        ('"a ""quoted"" word"', 'a "quoted" word'),
        ('"two\nlines"', "two\nlines"),
        ('"two\r\nlines"', "two\r\nlines"),
        ('" "', " "),
        ('""', ""),
        ("", ""),
        ("\\N", "\\N"),
        ("=1+1", "=1+1"),
        ("<b>käse</b> 漢字 😀", "<b>käse</b> 漢字 😀"),
        ('5" nail', '5" nail'),
    ],
)
def test_a_cell_is_taken_as_it_is_written(written, cell):
    assert rows(f"text,note\n{written},x\n") == [{"text": cell, "note": "x"}]


def test_the_spaces_around_a_columns_name_are_no_part_of_it():
    assert rows(" text , note\n a , b\n") == [{"text": " a ", "note": " b"}]


def test_each_row_knows_the_line_it_begins_on():
    _, records = read('text\none\n\n"two\nlines"\nthree')

    assert [record.line for record in records] == [2, 4, 6]


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
            min_size=2,
            max_size=2,
        ),
        max_size=8,
    )
)
def test_what_was_written_as_csv_is_read_back(cells):
    data = csv_line(["a", "b"]) + "".join(csv_line(line) for line in cells)

    assert rows(data) == [{"a": a, "b": b} for a, b in cells]


def test_json_lines_keep_their_values_and_not_only_text():
    values = {"text": " hello ", "n": 3, "x": 0.5, "ok": True, "none": None, "list": ["a", {"b": []}]}

    assert rows(json.dumps(values) + "\n\n", "x.jsonl") == [values]


def test_an_escaped_emoji_in_json_is_one_character():
    assert rows('{"text": "\\ud83d\\ude00"}', "x.jsonl") == [{"text": "😀"}]


# Files of which no line can be used ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "The file is empty. Its first line names the columns, each further line is a row."),
        (b"\xef\xbb\xbf", "The file is empty"),
        ("\ntext\nhello\n", "Line 1 is empty. It must name the columns; delete the empty line."),
        # Names.
        ("text,,note\na,b,c\n", "Column 2 has no name in line 1. Name it, or delete the column."),
        ("text, \na,b\n", "Column 2 has no name in line 1."),
        ("a,b,a,a\n1,2,3,4\n", "Line 1 names the column “a” 3 times. Give each column a name of its own."),
        ("a, a\n1,2\n", "Line 1 names the column “a” 2 times."),
        ('"text\nhello\n', "The quote opened in line 1 is never closed."),
        # No text.
        (
            "text\n".encode("utf-16"),
            "The file is UTF-16 text. Say so, or save it as UTF-8, then upload it again.",
        ),
        ("text\n".encode("utf-16-be"), "The file is no UTF-8 text: its first line holds NUL bytes."),
        (b"PK\x03\x04\x14\x00", "This is a spreadsheet or an archive, and not a text file: no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "This is a picture, and not a text file: no rows"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "This is an old spreadsheet or document, and not a text file: no rows",
        ),
        (b"%PDF-1.7\n", "This is a PDF, and not a text file: no rows"),
        (b"\x1f\x8b\x08\x00", "This is a compressed file, and not a text file: no rows"),
        (b"\x89\r\n\x1a\n", "Line 1 is not UTF-8 text: byte 0x89 at position 1."),
        (
            b"text\nok\ncaf\xe9\n",
            "Line 3 is not UTF-8 text: byte 0xe9 at position 4. Choose its encoding, or save",
        ),
        (b"text\n\xed\xa0\x80\n", "Line 2 is not UTF-8 text: byte 0xed at position 1."),
        ("text\rhello\r", "Line 1 holds a carriage return that ends no line."),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_a_sentence(data, sentence):
    assert refusal(data).startswith(sentence)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("[1, 2]", "The file is one JSON list. Write its objects one a line"),
        ('[\n {"text": "a"}\n]', "The file is one JSON list."),
        ("{}", 'Line 1 is not a JSON object with at least one key, such as {"text": "…"}.'),
        ("7", "Line 1 is not a JSON object"),
        ('{"": 1}', "Column 1 has no name in line 1."),
        ('{"a": 1, "a": 2}', "Line 1 cannot be used: the key “a” stands there twice."),
        ('{"a\\u0000": 1}', "The name of column 1 holds the character U+0000. Take it out."),
        ('{"\\ud800": 1, "\\ud800": 2}', "Line 1 cannot be used: the key “\ufffd” stands there twice."),
        (
            "text\nhello\n",
            "Line 1 is not JSON: Expecting value at character 1. Each line is one JSON object.",
        ),
    ],
)
def test_json_lines_that_are_none_are_refused_in_a_sentence(data, sentence):
    assert refusal(data, "x.jsonl").startswith(sentence)


def test_a_header_alone_is_a_table_without_rows():
    table, records = read("text,note\n")

    assert (table.columns, records) == (["text", "note"], [])


# Lines that cannot be used ------------------------------------------------------------------------


def test_a_ragged_line_is_named_and_the_others_are_read():
    _, records = read("a,b\n1,2\nlonely\n1,2,3\n4,5\n")

    assert [type(record) for record in records] == [Row, Issue, Issue, Row]
    short, long = records[1:3]
    assert (short.line, short.found) == (3, "lonely")
    assert short.sentence == (
        "Line 3 has 1 cell, the header has 2 cells. Quote cells that hold the separator, or fill in what is missing."
    )
    assert (long.line, long.found) == (4, "1 | 2 | 3")
    assert short.kind == long.kind


def test_a_forgotten_quote_costs_its_own_line_and_not_those_that_follow():
    _, records = read('a,b\n1,2\n"never closed,2\n3,4\n5,6\n')

    assert [record.line for record in records] == [2, 3, 4, 5]
    issue = records[1]
    assert issue.sentence == (
        "The quote opened in line 3 is never closed. Close it, or double quotes inside the cell."
    )
    assert issue.found == '"never closed,2'
    assert records[3].values == {"a": "5", "b": "6"}


def test_a_forgotten_quote_is_given_up_long_before_the_end_of_a_long_file():
    following = ["word\n"] * (MAX_CELL // 2)
    _, records = read("text\n" + '"never closed\n' + "".join(following))

    assert [record.line for record in records if isinstance(record, Issue)] == [2]
    assert len(records) == 1 + len(following)
    assert records[-1].line == 2 + len(following)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('"a" b,2', "Line 2: text follows a closing quote. Double the quotes inside the cell (“””)."),
        (
            '"a\n"b,2',
            "Line 3: text follows a closing quote. Double the quotes inside the cell (“””), or close",
        ),
        ("a\rb,2", "Line 2 holds a carriage return that ends no line."),
    ],
)
def test_a_line_with_a_broken_cell_is_named(line, sentence):
    _, records = read(f"a,b\n{line}\n3,4\n")

    issue, row = records
    assert issue.line == 2
    assert issue.sentence.replace('""', "”").startswith(sentence)
    assert row.values == {"a": "3", "b": "4"}


@pytest.mark.parametrize(
    ("data", "name", "shown"),
    [
        ("text,note\nfine,fine\nfine,a\x00b\n", "x.csv", "a␀b"),
        ('{"text": 1, "note": 2}\n\n{"text": 3, "note": "a\\u0000b"}\n', "x.jsonl", "a␀b"),
        ('{"text": 1, "note": 2}\n\n{"text": 3, "note": "a\\ud800b"}\n', "x.jsonl", "a\ufffdb"),
        ('{"text": 1, "note": 2}\n\n{"text": 3, "note": ["a\\udfffb"]}\n', "x.jsonl", "a\ufffdb"),
        ('{"text": 1, "note": 2}\n\n{"text": 3, "note": [1, {"x": "a\\u0000b"}]}\n', "x.jsonl", "a␀b"),
        ('{"text": 1, "note": 2}\n\n{"text": 3, "note": [{"a\\u0000b": null}]}\n', "x.jsonl", "a␀b"),
    ],
)
def test_a_character_that_cannot_be_stored_is_named_with_line_and_column(data, name, shown):
    [issue] = issues(data, name)

    assert (issue.line, issue.column, issue.found) == (3, "note", shown)
    assert issue.sentence.startswith("Line 3, column “note”, holds the character U+")
    assert issue.sentence.endswith("which cannot be stored. Take it out.")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("not json", "Line 2 is not JSON: Expecting value at character 1."),
        ('{"a": 1, "b": 2', "Line 2 is not JSON: Expecting ',' delimiter"),
        ("[1]", "Line 2 is not a JSON object"),
        ('{"a": 1}', "Line 2 lacks “b”. Every line needs the keys of the first: a, b."),
        ('{"a": 1, "b": 2, "c": 3}', "Line 2 has “c” besides. Every line"),
        ('{"a": 1, "\\u0000": 2}', "Line 2 lacks “b” and has “␀” besides."),
        ('{"a": 1, "a": 2, "b": 3}', "Line 2 cannot be used: the key “a” stands there twice."),
        ('{"a": NaN, "b": 1}', "Line 2 cannot be used: NaN is no JSON value."),
        ('{"a": -Infinity, "b": 1}', "Line 2 cannot be used: -Infinity is no JSON value."),
        ('{"a": 1e999, "b": 1}', "Line 2 cannot be used: the number 1e999 is too large."),
        (f'{{"a": {"9" * 5000}, "b": 1}}', "Line 2 cannot be used: a number has 5,000 digits."),
        (f'{{"a": {"[" * 200}{"]" * 200}, "b": 1}}', "Line 2 is nested more than 100 deep. Make it flatter."),
        (f'{{"a": {"[" * 99999}', "Line 2 is nested more than 100 deep."),
        ('{"a": "\x00", "b": 1}', "Line 2 is not JSON: Invalid control character at at character 8."),
    ],
)
def test_a_line_of_json_that_cannot_be_used_is_named_and_the_others_are_read(line, sentence):
    _, records = read(f'{{"a": 1, "b": 2}}\n{line}\n{{"b": 3, "a": 4}}\n', "x.jsonl")

    first, issue, last = records
    assert issue.sentence.startswith(sentence)
    assert (first.values, last.values) == ({"a": 1, "b": 2}, {"a": 4, "b": 3})


def test_what_is_found_can_be_stored_and_shown_whatever_it_is():
    found = issues("a,b\nx\x00y\n") + issues('{"a": 1}\n"\x00"\n{"\\udc00": 1}\n', "x.jsonl")

    assert len(found) == 3
    for issue in found:
        assert "\x00" not in issue.found + issue.column + issue.sentence
        (issue.found + issue.column + issue.sentence).encode()


def test_a_cell_longer_than_any_question_is_named_with_its_column():
    [issue] = issues(f"a,b\n1,{'x' * (MAX_CELL + 1)}\n")

    assert (issue.line, issue.column) == (2, "b")
    assert issue.sentence == "Line 2, column “b”, has 200,001 characters; no question may be that long."
    assert len(issue.found) < 100


def test_ten_thousand_bad_lines_are_ten_thousand_issues_of_one_kind():
    found = issues("a,b\n" + "lonely\n" * 10_000)

    assert [issue.line for issue in found] == list(range(2, 10_002))
    assert len({issue.kind for issue in found}) == 1


# Memory -------------------------------------------------------------------------------------------


class EndlessFile(io.RawIOBase):
    """A header and then rows for ever; it counts what was taken."""

    def __init__(self, head: bytes, again: bytes) -> None:
        self.head, self.again, self.taken = head, again, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        part = (self.head or self.again * (len(buffer) // len(self.again) + 1))[: len(buffer)]
        self.head = self.head[len(part) :]
        buffer[: len(part)] = part
        self.taken += len(part)
        return len(part)


@pytest.mark.parametrize(
    ("name", "head", "again"),
    [("x.csv", b"text\n", b"hello\n"), ("x.jsonl", b'{"text": "a"}\n', b'{"text": "b"}\n')],
)
def test_rows_come_before_the_file_has_been_read(name, head, again):
    endless = EndlessFile(head, again)
    table = read_table(io.BufferedReader(endless, 4096), name)

    for _ in range(100):
        assert isinstance(next(table.records), Row)

    assert endless.taken <= 8192


def test_a_line_without_an_end_is_refused_and_not_read_to_its_end():
    endless = EndlessFile(b"text\n", b"x" * 997)

    with pytest.raises(ActionRefused) as refused:
        list(read_table(io.BufferedReader(endless, 4096), "x.csv").records)

    assert refused.value.sentence.startswith("Line 2 has more than 3,200,000 bytes")
    assert endless.taken <= MAX_LINE_BYTES + 8192


# Writing ------------------------------------------------------------------------------------------


def test_csv_is_written_as_rfc_4180_has_it():
    assert csv_line(["a", 'b "c"', "d,e", ""]) == 'a,"b ""c""","d,e",\r\n'
    assert csv_line(["a", 1], quote_all=True) == '"a","1"\r\n'
