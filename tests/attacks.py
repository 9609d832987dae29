"""Requesters' pages that attack whoever shows them, for tests in a browser on the dashboard and on the worker site."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Dialog, Frame, Page, expect

# Each line is one attempt: its name, what it does, and how a browser must answer.
ATTEMPTS = [
    # What belongs to the page around, and to the person.
    ("cookies", "document.cookie", "SecurityError"),
    ("setting a cookie", "document.cookie = 'mturkhub_session=stolen'", "SecurityError"),
    ("local storage", "localStorage.length", "SecurityError"),
    ("session storage", "sessionStorage.length", "SecurityError"),
    ("databases", "indexedDB.open('x')", "SecurityError"),
    ("caches", "caches.keys()", "SecurityError"),
    ("service worker", "navigator.serviceWorker.register('/static/js/heartbeat.js')", "SecurityError"),
    ("the parent's page", "parent.document.title", "SecurityError"),
    ("the top page", "top.document.body.innerHTML = 'mine'", "SecurityError"),
    ("the parent's address", "parent.location.href", "SecurityError"),
    ("the parent's globals", "parent.htmx", "SecurityError"),
    ("its element", "frameElement", "null"),
    ("the origin", "self.origin", "null"),
    ("the domain", "document.domain = 'localhost'", "SecurityError"),
    ("fetching our pages", "fetch('/', {credentials: 'include'})", "TypeError"),
    # Going elsewhere with the window, and opening others.
    ("top navigation", "top.location = '/account/logout/'", "SecurityError"),
    ("top replaced", "top.location.replace('https://elsewhere.example/')", "SecurityError"),
    ("closing the top", "top.close()", "undefined"),
    ("going back", "history.back()", "undefined"),
    ("a window", "open('https://elsewhere.example/')", "null"),
    ("a link to the top", "press('<a target=_top href=/account/logout/>x</a>')", "done"),
    ("a link to the parent", "press('<a target=_parent href=/account/logout/>x</a>')", "done"),
    ("a link to a window", "press('<a target=_blank href=/>x</a>')", "done"),
    ("a form to the top", "press('<form target=_top action=/x><button>x</button></form>', 'button')", "done"),
    (
        "a form to a window",
        "press('<form target=_blank action=/x><button>x</button></form>', 'button')",
        "done",
    ),
    ("a script's address to the top", "press('<a target=_top href=\"javascript:alert(1)\">x</a>')", "done"),
    (
        "a download",
        "press('<a download=invoice.exe href=\"data:application/octet-stream,x\">x</a>')",
        "done",
    ),
    # Boxes of the browser, which look as if they were ours.
    ("an alert", "alert('boo')", "undefined"),
    ("a question", "prompt('Your password?')", "null"),
    ("a confirmation", "confirm('Sure?')", "false"),
    ("printing", "print()", "undefined"),
    ("the whole screen", "document.documentElement.requestFullscreen()", "TypeError"),
    ("the clipboard", "navigator.clipboard.readText()", "NotAllowedError"),
    ("the keyboard's focus", "press('<input id=thief>', 'input', 'focus')", "done"),
    # Documents within the document.
    ("a base", "add('<base href=https://elsewhere.example/ target=_top>')", "done"),
    ("a policy", 'add(`<meta http-equiv=Content-Security-Policy content="default-src *">`)', "done"),
    ("a refresh", 'add(`<meta http-equiv=refresh content="86400; url=https://elsewhere.example/">`)', "done"),
    ("a frame with a page of ours", "add('<iframe src=/></iframe>')", "done"),
    (
        "a frame in the frame",
        "add('<iframe srcdoc=\"<script>try { top.document.title = 1 } catch { top.location = `/x` }</script>\"></iframe>')",
        "done",
    ),
    (
        "an SVG document",
        "add('<iframe src=\"data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22>"
        "<script>top.location=%22/x%22</script></svg>\"></iframe>')",
        "done",
    ),
    (
        "an object",
        "add('<object data=\"data:text/html,<script>top.document.title=1</script>\"></object>')",
        "done",
    ),
    # Messages the page around might believe.
    ("a forged submission", "parent.postMessage({mturkhub: 'submitted'}, '*')", "undefined"),
    ("a forged height", "parent.postMessage({mturkhub: 'height', height: 1e12}, '*')", "undefined"),
    ("a forged heartbeat", "parent.postMessage({mturkhub: 'heartbeat', heartbeat: ''}, '*')", "undefined"),
    ("a message of nothing", "parent.postMessage(null, '*')", "undefined"),
]

_PAGE = """<!doctype html><title>Hostile</title><p id=said>not run</p><div id=place></div><script>
const said = {};
const press = (html, what = "*", act = "click") => {
  const box = document.createElement("div");
  box.innerHTML = html;
  document.getElementById("place").append(box);
  box.querySelector(what)[act]();
  return "done";
};
const add = (html) => { document.getElementById("place").insertAdjacentHTML("beforeend", html); return "done" };
const tell = async (name, act) => {
  try { said[name] = String(await act()) } catch (error) { said[name] = error.name }
};
(async () => {
  ATTEMPTS
  document.getElementById("said").textContent = "all tried";
})();
</script>"""


def _in_script(code: str) -> str:
    """The code as it can stand within a script element."""
    return code.replace("</", "<\\/")


# All of them in one page, one after the other.
EVERYTHING = _PAGE.replace(
    "ATTEMPTS",
    "\n  ".join(f"await tell({json.dumps(name)}, () => {_in_script(act)});" for name, act, _ in ATTEMPTS),
)
REFUSED = {name: answer for name, _, answer in ATTEMPTS}

# Pages that never end, each begun a moment after loading, so that the page around has seen them alive.
NEVER_ENDING = {
    "an endless loop": "for (;;);",
    "a loop that answers first": (
        "const ask = (ping) => parent.postMessage({mturkhub: 'heartbeat', heartbeat: ping}, '*');"
        "for (let n = 0; n < 100; n++) ask(n); for (;;);"
    ),
    "a huge page": "for (;;) document.body.append(document.createElement('input'));",
}
FLOOD = "for (;;) parent.postMessage({mturkhub: 'submitted', much: 'x'.repeat(100)}, '*');"
FLOOD_THAT_ANSWERS = "setInterval(() => { for (let n = 0; n < 5000; n++) parent.postMessage({mturkhub: 'submitted'}, '*') }, 1);"
FLOOD_FROM_WITHIN = (
    'document.body.insertAdjacentHTML("beforeend", `<iframe srcdoc="<script>'
    "setInterval(() => { for (let n = 0; n < 5000; n++) top.postMessage(n, '*') }, 1)</script>\"></iframe>`);"
)


def page_that(script: str) -> str:
    """A page that does this as soon as it stands."""
    return f"<!doctype html><p>Hello</p><script>setTimeout(() => {{ {_in_script(script)} }}, 300)</script>"


@dataclass
class Noticed:
    """What a person would have noticed around the frame."""

    windows: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    went_to: list[str] = field(default_factory=list)


@contextmanager
def watched(page: Page) -> Iterator[Noticed]:
    """What happens to the page around a frame, which must be nothing at all."""
    noticed = Noticed()

    def answer(box: Dialog) -> None:
        noticed.boxes.append(box.message)
        box.dismiss()

    listeners: list[tuple[Any, str, Callable[..., None]]] = [
        (page.context, "page", lambda other: noticed.windows.append(other.url)),
        (page, "dialog", answer),
        (page, "download", lambda file: noticed.downloads.append(file.suggested_filename)),
        (
            page,
            "framenavigated",
            lambda frame: noticed.went_to.append(frame.url) if frame == page.main_frame else None,
        ),
    ]
    for thing, event, listener in listeners:
        thing.on(event, listener)
    yield noticed
    for thing, event, listener in listeners:
        thing.remove_listener(event, listener)


def tried_by(frame: Frame) -> dict[str, str]:
    """What the browser answered to each attempt of EVERYTHING."""
    expect(frame.locator("#said")).to_have_text("all tried", timeout=30_000)
    said: dict[str, str] = frame.evaluate("said")
    return said
