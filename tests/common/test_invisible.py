"""Text from outside: what it hides is named, and it cannot reorder what stands around it."""

import pytest

from mturkhub.common.invisible import INVISIBLE, visible
from mturkhub.common.templatetags.ui import outside


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ü 漢 👍🏽\n\tnext", "plain, ü 漢 👍🏽\n\tnext"),
        ("invoice\u202excod.exe", "invoice[U+202E]xcod.exe"),
        ("a\u2066b\u2069", "a[U+2066]b[U+2069]"),
        ("a\u200bb", "a[U+200B]b"),
        ("\u200b" * 12, "[U+200B ×12]"),
        ("\u202e\u2066\u202e", "[U+202E… ×3]"),
        ("\ufeffstart", "[U+FEFF]start"),
        ("a\x00b\x1b[31m", "a[U+0000]b[U+001B][31m"),
        ("soft\u00adhyphen", "soft[U+00AD]hyphen"),
        ("tag\U000e0041", "tag[U+E0041]"),
        # Joiners have work to do in emoji and in many scripts, and none between Latin letters.
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("می‌خواهم", "می‌خواهم"),
        ("adm\u200din", "adm[U+200D]in"),
        ("\u200cx", "[U+200C]x"),
        ("👩\u200d", "👩[U+200D]"),
    ],
)
def test_what_hides_or_reorders_is_named_and_what_scripts_need_is_left(text, shown):
    assert visible(text) == shown


def test_on_a_page_it_is_isolated_escaped_and_explained():
    assert outside("<b>\u202e&") == (
        '<bdi>&lt;b&gt;<span class="named-character" title="Right-to-left override">U+202E</span>&amp;</bdi>'
    )


def test_values_that_are_no_text_are_shown_as_before():
    assert outside(12) == "<bdi>12</bdi>"
    assert outside({"a": "<"}) == "<bdi>{&#x27;a&#x27;: &#x27;&lt;&#x27;}</bdi>"


@pytest.mark.parametrize("text", ["\u202e\u200b" * 32_000, "\u200d" * 64_000, "a\u200d" * 32_000])
def test_a_value_of_nothing_else_takes_no_more_room_than_its_length_allows(text):
    assert len(visible(text)) <= 10 * len(text)
    assert INVISIBLE.search(visible(text)) is None
    assert outside(text).count("<span") <= 200


def test_a_long_word_can_be_broken_everywhere_a_browser_could_not_find_soon_enough():
    shown = outside("W" * 250 + "<" + "V" * 20 + " next")

    assert shown == f"<bdi>{'W' * 100}<wbr>{'W' * 100}<wbr>{'W' * 50}&lt;{'V' * 20} next</bdi>"
    assert outside("W" * 100) == f"<bdi>{'W' * 100}</bdi>"
