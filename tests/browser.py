"""Chromium for tests, as a pytest plugin: where it is and how it is started. A missing one is an error."""

import os
import shutil
from typing import Any

import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser's file: MTURKHUB_CHROMIUM, which `dev.py test` sets, or one on PATH."""
    names = (os.environ.get("MTURKHUB_CHROMIUM", ""), "chromium", "google-chrome", "chromium-browser")
    for name in filter(None, names):
        if found := shutil.which(name):
            return found
    raise FileNotFoundError(
        "No Chromium. Run `python3 dev.py test`, which fetches one, or set MTURKHUB_CHROMIUM."
    )


@pytest.fixture(scope="session")
def browser_type_launch_args(chromium_path: str) -> dict[str, Any]:
    """What pytest-playwright starts the browser with."""
    return {"executable_path": chromium_path, "args": list(FLAGS), "headless": True}
