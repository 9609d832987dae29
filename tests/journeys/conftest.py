"""What journeys share: people in real browsers, Workers at the real marketplace, and an ear for complaints."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from mturkhub.command.settings import dashboard, marketplace, read_settings
from tests.servers import Stack, run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Backstage:
    """What happens without a browser: Workers answer, an operator types, something stands there already."""

    stack: Stack

    @cached_property
    def _everything(self) -> dict[str, str]:
        return read_settings(self.stack.env, folder=self.stack.home.parent).everything()

    def manage(self, *command: str) -> str:
        """Run a management command of the marketplace; returns what it printed."""
        return run([sys.executable, "-m", "django", *command], marketplace(self._everything))

    def answer(self, answers: Iterable[tuple[str, str, Mapping[str, str]]]) -> list[str]:
        """Workers accept and submit: HITId, WorkerId, fields each; returns the AssignmentIds."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.journeys.acting"],
            input="".join(f"{json.dumps(answer)}\n" for answer in answers),
            env=marketplace(self._everything),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.split()

    def make(self, *command: str) -> str:
        """Have `tests.journeys.making` make something on the dashboard's side; returns its address."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.journeys.making", *command],
            env=dashboard(self._everything),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()


@pytest.fixture(scope="session")
def backstage(stack: Stack) -> Backstage:
    return Backstage(stack)


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What a browser complains about: broken scripts, refused content, failed requests. None is expected."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture
def listen(complaints: list[str]) -> Callable[[Page], Page]:
    """Note down whatever goes wrong in a page from now on."""

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(
                f"{message.type} on {message.page.url if message.page else '?'}: {message.text}"
            )

    def listen_to(page: Page) -> Page:
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(f"on {page.url}: {error}"))
        page.on(
            "response",
            lambda got: complaints.append(f"{got.status} {got.url}") if got.status >= 500 else None,
        )
        return page

    return listen_to


def sign_in(page: Page, link: str) -> Page:
    """Open a sign-in link and press its one button."""
    page.goto(link)
    page.get_by_role("button", name="Sign in as").click()
    page.wait_for_url("**/")
    return page


@pytest.fixture(scope="session")
def olives_cookies(stack: Stack, browser: Browser) -> dict[str, object]:
    """The owner signed in, once for all journeys."""
    context = browser.new_context()
    sign_in(context.new_page(), stack.sign_in_link)
    state = context.storage_state()
    context.close()
    return dict(state)


@pytest.fixture
def refused(complaints: list[str]) -> Iterator[None]:
    """For a journey in which the server says no: Chromium complains about each 4xx."""
    yield
    complaints[:] = [
        complaint for complaint in complaints if "the server responded with a status of 4" not in complaint
    ]


@pytest.fixture
def olive(
    stack: Stack,
    olives_cookies: dict[str, object],
    new_context: Callable[..., BrowserContext],
    listen: Callable[[Page], Page],
) -> Page:
    """The owner's browser, on Home."""
    page = listen(new_context(storage_state=olives_cookies, base_url=stack.url).new_page())
    page.goto("/")
    return page
