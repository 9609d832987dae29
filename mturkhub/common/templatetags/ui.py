"""What templates say in one word: icons, pills, money, times, fields."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from mturkhub.common import clock, invisible, request_log
from mturkhub.common.money import dollars
from mturkhub.common.tones import tone_of

register = template.Library()

# Of what a value hides, this many are explained; a page of a hundred thousand elements would hang.
MOST_MARKS = 200
_LONG_WORD = re.compile(r"\S{100}(?=\S)")


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A line icon; without a label it is decoration."""
    href = f"{static('dist/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, href
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', href)


@register.simple_tag
def reference() -> str:
    """The id under which this request stands in the log."""
    return request_log.reference()


@register.simple_tag
def pill(kind: str, state: str) -> SafeString:
    """A state with its tone; its meaning is in the tooltip. `kind` is a key of `tones.TONES`."""
    look = tone_of(kind, state)
    form = f" pill-{look.form}" if look.form else ""
    return format_html(
        '<span class="pill pill-{}{}" title="{}">{}</span>', look.tone, form, look.meaning, look.label
    )


@register.simple_tag
def status_word(kind: str, state: str) -> SafeString:
    """MTurk's own word in plain text, explained in place."""
    look = tone_of(kind, state)
    return format_html('<span class="explained" title="{}">{}</span>', look.meaning, look.label)


_ENVIRONMENTS = {
    "local": ("home", "Local"),
    "sandbox": ("flask", "Sandbox"),
    "production": ("world", "Production"),
}


@register.simple_tag
def environment_tag(environment: str) -> SafeString:
    """Which market, in its own colour, shape and icon."""
    name, label = _ENVIRONMENTS[environment]
    return format_html(
        '<span class="environment environment-{}">{} {}</span>', environment, icon(name), label
    )


@register.filter
def outside(value: Any) -> SafeString:
    """Somebody else's text: it cannot reorder what stands around it, and what it hides is named in place."""
    text = str(value)
    parts, end = [], 0
    for found in islice(invisible.INVISIBLE.finditer(text), MOST_MARKS):
        mark = format_html('<span class="named-character" title="{1}">{0}</span>', *invisible.named(found[0]))
        parts += [_breakable(text[end : found.start()]), mark]
        end = found.end()
    rest = _breakable(invisible.visible(text[end:]))
    return mark_safe(f"<bdi>{''.join(parts)}{rest}</bdi>")  # noqa: S308 (each part is escaped)


def _breakable(text: str) -> str:
    """Escaped, with places to break a long word: a browser needs minutes to find those of one of 64 KB by itself."""
    ends = [0, *(found.end() for found in _LONG_WORD.finditer(text)), len(text)]
    return "<wbr>".join(escape(text[start:end]) for start, end in pairwise(ends))


@register.filter
def visible(value: Any) -> str:
    """The same where no markup can stand, such as a page's title."""
    return invisible.visible(str(value))


@register.filter
def money(amount: Decimal | None) -> str:
    """`$1,234.56`, or a dash where nobody knows."""
    return "–" if amount is None else dollars(Decimal(amount))


@register.filter
def count(number: int | None) -> str:
    """`12,408`, or a dash where nobody knows."""
    return "–" if number is None else f"{number:,}"


@register.filter
def duration(length: timedelta | None) -> str:
    """`35 s`, `2 min`, `5 h 12 min`, `2 d 19 h`."""
    if length is None:
        return "–"
    seconds = round(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    units = [("d", 86400), ("h", 3600), ("min", 60)]
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


@register.filter
def percent(share: float | None) -> str:
    """`58 %` with a narrow space."""
    return "–" if share is None else f"{round(share * 100)}\u202f%"


@register.simple_tag
def when(moment: datetime | None) -> SafeString | str:
    """`Tue 24 Nov, 14:02` in the reader's zone, exact UTC in the tooltip."""
    if moment is None:
        return "–"
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        f"{local:%a} {local.day} {local:%b}, {local:%H:%M}",
    )


@register.simple_tag
def age(moment: datetime | None) -> SafeString | str:
    """`40 s ago`, or a dash where it never happened."""
    if moment is None:
        return "–"
    passed = clock.now() - moment
    words = "just now" if passed < timedelta(seconds=2) else f"{duration(passed)} ago"
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), words)


@register.simple_tag
def until(moment: datetime | None) -> str:
    """`in 20 s`, or `now` where it is due."""
    if moment is None:
        return "–"
    left = moment - clock.now()
    return f"in {duration(left)}" if left > timedelta(0) else "now"


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, hint: str = "", unit: str = "") -> dict[str, Any]:
    """A form field with its label, hint, unit and errors, tied together for screen readers."""
    described = [f"{bound.id_for_label}-hint"] if hint or bound.help_text else []
    if bound.errors:
        described.append(f"{bound.id_for_label}-error")
        bound.field.widget.attrs["aria-invalid"] = "true"
    if described:
        bound.field.widget.attrs["aria-describedby"] = " ".join(described)
    return {"field": bound, "hint": hint or bound.help_text, "unit": unit}


@register.filter
def get(values: dict[str, Any], key: str) -> Any:
    """The value at a key that is itself a variable; nothing where there is none."""
    return values.get(key)
