"""Fills a HITLayout in: its `${names}` with a HIT's parameters, as an HTMLQuestion."""

import re
from collections.abc import Mapping

from marketplace.errors import invalid
from marketplace.models import HITLayout
from marketplace.questions import HTML_NAMESPACE

_NAME = re.compile(r"\$\{\s*([\w.-]+)\s*\}")


def names_in(html: str) -> list[str]:
    """The names of the placeholders, each once, in the order they first occur."""
    return list(dict.fromkeys(_NAME.findall(html)))


def fill(layout: HITLayout, values: Mapping[str, str]) -> str:
    """The layout as a Question; values are put in as they are. Raises ParameterValidationError."""
    names = names_in(layout.html)
    if missing := [name for name in names if name not in values]:
        raise invalid(f"The HITLayout {layout} needs the HITLayoutParameters {', '.join(missing)}.")
    if surplus := [name for name in values if name not in names]:
        raise invalid(
            f"The HITLayout {layout} has no place for the HITLayoutParameters {', '.join(surplus)}."
        )
    html = _NAME.sub(lambda found: values[found[1]], layout.html)
    return (
        f'<HTMLQuestion xmlns="{HTML_NAMESPACE}"><HTMLContent><![CDATA[{html.replace("]]>", "]]]]><![CDATA[>")}]]>'
        f"</HTMLContent><FrameHeight>{layout.frame_height}</FrameHeight></HTMLQuestion>"
    )
