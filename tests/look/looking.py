"""What is wrong with a page as a browser draws it: axe-core's findings, and pages wider than the window.

With `PICTURES=1` in the environment each look is kept in `tests/screenshots/look`, for people to look at.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from django.urls import Resolver404, resolve
from playwright.sync_api import ConsoleMessage, Page

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
PICTURES = Path(__file__).resolve().parents[1] / "screenshots" / "look"
# Names of the addresses that were looked at in this process.
looked_at: set[str] = set()
# Each theme in each width; 390 is a phone.
LOOKS = [(theme, width) for width in (1280, 390) for theme in ("light", "dark")]
# The frames hold other people's pages; what is seen there is theirs.
RUN = """async () => (await axe.run(document, {
  iframes: false, resultTypes: ["violations"], rules: {"target-size": {enabled: true}}
})).violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) =>
  `${id} at ${target.join(" ")}: ${failureSummary.split("\\n").slice(1).join(";")}`))"""


@cache
def axe() -> str:
    """axe-core's source; a missing one is an error, for the look would go unlooked at."""
    return AXE.read_text(encoding="utf-8")


def faults_of(
    page: Page, addresses: Iterable[str], *, prepare: Callable[[Page], object] | None = None
) -> list[str]:
    """All that is wrong with these pages in any look; `prepare` does something on the page first."""
    return [fault for address in addresses for fault in _faults(page, address, prepare)]


def _faults(page: Page, address: str, prepare: Callable[[Page], object] | None) -> Iterator[str]:
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # Chromium calls each answer that is a refusal an error; those pages are looked at as well.
        if (
            message.type in ("error", "warning")
            and "the server responded with a status of 4" not in message.text
        ):
            said.append(message.text)

    page.on("console", hear)
    page.goto(address)
    if prepare:
        prepare(page)
    picture = _picture(address, "after" if prepare else "")
    page.evaluate(axe())
    for theme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.wait_for_function("theme => document.documentElement.dataset.bsTheme === theme", arg=theme)
        # Colours pass over in a moment even where motion is reduced; axe reads them as drawn.
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        where = f"{address} ({theme}, {width})"
        # What axe finds depends on the theme or on the width, hardly on both: two looks have each of them.
        if (theme == "light") == (width > 390):
            yield from (f"{where}: {fault}" for fault in page.evaluate(RUN))
        if os.environ.get("PICTURES"):
            page.screenshot(path=PICTURES / f"{picture}-{theme}-{width}.png", full_page=True)
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            yield f"{where}: {wide} pixels wide"
    page.remove_listener("console", hear)
    yield from (f"{address}: {text}" for text in said)


def _picture(address: str, state: str) -> str:
    """The name of a page's pictures: its test, its address without ids, and what was done on it first."""
    path = address.partition("?")[0]
    with contextlib.suppress(Resolver404):
        looked_at.add(resolve(path).view_name)
    test = os.environ["PYTEST_CURRENT_TEST"].partition("::test_")[2].partition("[")[0].partition(" ")[0]
    words = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[\w-]{30,}", "id", address)
    return "-".join(filter(None, [test, *re.findall(r"[a-z0-9]+", words.lower()), state]))
