"""Text in other encodings: what is offered, and how it reads under the one that was chosen."""

import io

import pytest

from mturkhub.common.encodings import ENCODINGS, UTF_8, as_utf8, offered_encodings
from mturkhub.common.errors import ActionRefused
from mturkhub.common.tabular import Issue, read_table


def offers(data):
    return {offer.encoding: offer.samples for offer in offered_encodings(io.BytesIO(data))}


TEXTS = {
    "utf-16": "naïve 漢字",
    "utf-16-le": "naïve",
    "utf-16-be": "naïve",
    "cp1252": "café – “déjà”",
    "mac_roman": "café",
    "cp1250": "žluťoučký kůň",
    "cp1251": "привет",
    "cp932": "こんにちは、世界",
    "gb18030": "你好，世界",
    "cp950": "你好，世界",
    "cp949": "안녕하세요",
}


@pytest.mark.parametrize(("encoding", "text"), TEXTS.items())
def test_the_true_encoding_is_among_those_offered_with_its_lines_decoded(encoding, text):
    data = f"text,note\nplain,1\n{text},2\nplain,3\n{text},4\n{text},5\n{text},6\n".encode(encoding)

    assert offers(data)[encoding] == [f"{text},2", f"{text},4", f"{text},5"]


def test_every_encoding_but_utf_8_can_be_offered():
    assert set(TEXTS) | {UTF_8, "latin-1"} == set(ENCODINGS)


def test_latin_1_is_offered_only_where_windows_1252_has_no_character():
    assert "latin-1" not in offers(b"text\ncaf\xe9\n")
    assert "latin-1" in offers(b"text\ncaf\xe9\x81\n")
    assert "cp1252" not in offers(b"text\ncaf\xe9\x81\n")


def test_an_encoding_that_fails_anywhere_in_the_file_is_not_offered():
    japanese = "こんにちは\n".encode("cp932")

    assert "cp932" in offers(japanese * 20_000)
    assert "cp932" not in offers(japanese * 20_000 + b"\x82 \n")


def test_a_sample_of_a_long_line_shows_what_ascii_lacks():
    sample, *_ = offers(b"text" + b"x" * 100_000 + b" caf\xe9 " + b"y" * 100_000)["cp1252"]

    assert "café" in sample
    assert len(sample) <= 120


@pytest.mark.parametrize("encoding", list(TEXTS))
def test_text_reads_the_same_across_the_edge_of_a_block(encoding):
    text = TEXTS[encoding] * 40_000

    assert as_utf8(io.BytesIO(text.encode(encoding)), encoding).read().decode() == text


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "cp932"])
def test_line_numbers_count_the_breaks_inside_quotes_in_every_encoding(encoding):
    text = 'text,note\r\n"one\r\ntwo\nthree",1\r\nlonely\r\n"four\nfive",2\n'.encode(encoding)
    table = read_table(io.BytesIO(text), "texts.csv", encoding)

    records = list(table.records)

    assert [record.line for record in records] == [2, 5, 6]
    assert [isinstance(record, Issue) for record in records] == [False, True, False]
    assert records[0].values["text"] == "one\r\ntwo\nthree"


def test_a_chosen_encoding_that_does_not_hold_names_the_line():
    data = "text\nこんにちは\n".encode("cp932") + b"ok\n\x82 \n"

    with pytest.raises(ActionRefused) as refused:
        list(read_table(io.BytesIO(data), "x.csv", "cp932").records)

    assert refused.value.sentence.startswith("Line 4 is no text in Shift-JIS (Japanese). Choose another")
