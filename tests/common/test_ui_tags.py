"""What templates say in one word: pills, money, durations, times, fields."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.conf import settings
from django.utils import timezone

from mturkhub.common import clock
from mturkhub.common.templatetags import ui
from mturkhub.common.tones import TONES
from mturkhub.intentions.models import IntentionState, JobState
from projects.states import AssignmentStatus, BatchState, HITStatus, RowProgress, Verdict

NOW = datetime(2026, 11, 24, 13, 2, tzinfo=UTC)


@pytest.fixture
def stopped_clock(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Decimal("1234.5"), "$1,234.50"),
        (Decimal("0"), "$0.00"),
        (Decimal("-3.1"), "−$3.10"),
        (Decimal("0.005"), "$0.01"),
        (None, "–"),
    ],
)
def test_money_has_two_decimals_and_what_nobody_knows_is_no_zero(amount, shown):
    assert ui.money(amount) == shown


@pytest.mark.parametrize(("number", "shown"), [(12408, "12,408"), (0, "0"), (None, "–")])
def test_counts_are_grouped(number, shown):
    assert ui.count(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (35, "35 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (120, "2 min"),
        (150, "2 min"),
        (3600, "1 h"),
        (5 * 3600 + 12 * 60, "5 h 12 min"),
        (2 * 86400 + 19 * 3600 + 59 * 60, "2 d 19 h"),
        (86400 + 60, "1 d 1 min"),
    ],
)
def test_durations_say_two_units_at_most(seconds, shown):
    assert ui.duration(timedelta(seconds=seconds)) == shown


def test_an_unknown_duration_is_a_dash():
    assert ui.duration(None) == "–"


@pytest.mark.parametrize(
    ("share", "shown"), [(0.583, "58\u202f%"), (1, "100\u202f%"), (0, "0\u202f%"), (None, "–")]
)
def test_percent_has_no_decimals(share, shown):
    assert ui.percent(share) == shown


def test_a_time_is_the_readers_with_exact_utc_beside_it():
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        shown = ui.when(datetime(2026, 11, 24, 20, 2, 7, tzinfo=UTC))

    assert shown == (
        '<time datetime="2026-11-24T20:02:07+00:00" title="2026-11-24 20:02:07 UTC">Wed 25 Nov, 05:02</time>'
    )


@pytest.mark.parametrize(
    ("ago", "words"), [(0, "just now"), (1, "just now"), (40, "40 s ago"), (3 * 3600, "3 h ago")]
)
def test_an_age_is_told_in_words(stopped_clock, ago, words):
    assert f">{words}</time>" in ui.age(NOW - timedelta(seconds=ago))


@pytest.mark.parametrize(("ahead", "words"), [(20, "in 20 s"), (0, "now"), (-60, "now")])
def test_what_is_due_is_told_in_words(stopped_clock, ahead, words):
    assert ui.until(NOW + timedelta(seconds=ahead)) == words


@pytest.mark.parametrize("tag", [ui.when, ui.age, ui.until])
def test_what_never_happened_is_a_dash(tag):
    assert tag(None) == "–"


# States -------------------------------------------------------------------------------------------

STATES = [
    *[("batch", state) for state in BatchState],
    *[("row", state) for state in RowProgress],
    *[("hit", status) for status in HITStatus],
    *[("assignment", status) for status in AssignmentStatus],
    *[("assignment", verdict) for verdict in Verdict],
    *[("job", state) for state in JobState],
    # A HIT says `published` for done, and no row of one is overtaken.
    *[
        ("publish", state)
        for state in IntentionState
        if state not in {IntentionState.DONE, IntentionState.OVERTAKEN}
    ],
]


@pytest.mark.parametrize(("kind", "state"), STATES)
def test_every_state_has_a_tone_a_label_and_a_sentence(kind, state):
    look = TONES[kind][state]

    assert look.tone in {"grey", "blue", "orange", "green", "red"}
    assert look.label
    assert re.fullmatch(r"[A-Z].*\.", look.meaning)


@pytest.mark.parametrize("status", [*HITStatus, *AssignmentStatus])
def test_mturks_words_are_spelled_as_mturk_spells_them(status):
    kind = "hit" if status in HITStatus else "assignment"

    assert TONES[kind][status].label == status.value


def test_a_state_nobody_has_drawn_is_grey_and_called_by_its_name_as_text():
    assert ui.pill("batch", "<new>") == '<span class="pill pill-grey" title="">&lt;new&gt;</span>'


def test_what_is_believed_is_drawn_differently_from_what_is_done():
    believed, done = ui.pill("assignment", "approve"), ui.pill("assignment", "Approved")

    assert "pill-green pill-pending" in believed
    assert "pill-pending" not in done


@pytest.mark.parametrize("environment", ["local", "sandbox", "production"])
def test_an_environment_has_a_word_and_an_icon_besides_its_colour(environment):
    tag = ui.environment_tag(environment)

    assert f"environment-{environment}" in tag
    assert environment.capitalize() in tag
    assert "<svg" in tag


# Icons and fields ---------------------------------------------------------------------------------


def test_an_icon_is_decoration_unless_it_says_something():
    assert 'aria-hidden="true"' in ui.icon("home")
    assert 'role="img" aria-label="a &quot;b&quot;"' in ui.icon("home", 'a "b"')


def test_every_icon_of_a_template_is_in_the_set():
    known = set(json.loads((settings.BASE_DIR / "static/src/icons.json").read_text()))
    used = {
        name
        for template in Path(settings.BASE_DIR / "templates").rglob("*.html")
        for name in re.findall(r'{% icon "([\w-]+)"', template.read_text())
    }

    assert used - known == set()


class Form(forms.Form):
    name = forms.CharField(label="Name <x>", help_text="For your team alone.")
    note = forms.CharField(required=False)


def test_a_field_ties_hint_and_error_to_the_input_for_screen_readers():
    from django.template import engines

    page = engines["django"].from_string(
        "{% field form.name %}{% field form.note hint='Mine.' unit='dollars' %}"
    )

    html = page.render({"form": Form({"name": ""})})

    assert 'aria-describedby="id_name-hint id_name-error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_name-error"' in html
    assert "Name &lt;x&gt;" in html
    assert 'aria-describedby="id_note-hint"' in html
    assert "(optional)" in html
    assert "dollars" in html


def test_get_reads_a_key_that_is_a_variable():
    assert ui.get({"a": 1}, "a") == 1
    assert ui.get({"a": 1}, "b") is None
