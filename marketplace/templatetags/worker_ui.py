"""What the worker site's templates say in one word: icons, money, times."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice

from django import template
from django.templatetags.static import static
from django.utils.formats import date_format, number_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from marketplace import logs
from marketplace.worker_site import invisible

register = template.Library()

# Of what a value hides, this many are explained; a page of a hundred thousand elements would hang.
MOST_MARKS = 200


@register.simple_tag
def icon(name: str) -> SafeString:
    """A line icon, as decoration."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("dist/icons.svg"), name
    )


@register.simple_tag
def reference() -> str:
    """The id under which this request stands in the log."""
    return logs.reference()


@register.filter
def outside(value: object) -> SafeString:
    """Somebody else's text: it cannot reorder what stands around it, and what it hides is named in place."""
    text = str(value)
    parts, end = [], 0
    for found in islice(invisible.INVISIBLE.finditer(text), MOST_MARKS):
        mark = format_html('<span class="named-character" title="{1}">{0}</span>', *invisible.named(found[0]))
        parts += [escape(text[end : found.start()]), mark]
        end = found.end()
    rest = escape(invisible.visible(text[end:]))
    return mark_safe(f"<bdi>{''.join(parts)}{rest}</bdi>")  # noqa: S308 (each part is escaped)


@register.filter
def visible(value: object) -> str:
    """The same where no markup can stand, such as a page's title."""
    return invisible.visible(str(value))


@register.filter
def money(amount: Decimal | None) -> str:
    """`$1,234.56`."""
    return f"${number_format(amount or Decimal(0), decimal_pos=2, use_l10n=True, force_grouping=True)}"


@register.filter
def duration(length: timedelta | None) -> str:
    """`35 s`, `2 min`, `5 h 12 min`."""
    seconds = round(length.total_seconds()) if length else 0
    if seconds < 60:
        return gettext("%(n)d s") % {"n": seconds}
    units = [(gettext("%(n)d d"), 86400), (gettext("%(n)d h"), 3600), (gettext("%(n)d min"), 60)]
    parts = []
    for words, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(words % {"n": count})
    return " ".join(parts[:2])


@register.filter
def day(moment: datetime | None) -> SafeString | str:
    """A day and hour; the reader's own by script, UTC without."""
    if moment is None:
        return ""
    shown = date_format(moment, "DATETIME_FORMAT", use_l10n=True)
    return format_html('<time datetime="{}" data-local>{} UTC</time>', moment.isoformat(), shown)
