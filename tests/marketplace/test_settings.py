"""What the environment makes of the settings; each case reads them in a process of its own."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

READ = """
import json
from marketplace import settings

shown = {name: value for name, value in vars(settings).items() if name.isupper()}
print(json.dumps(shown, default=lambda value: sorted(value) if isinstance(value, set) else str(value)))
"""


def read(**environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MARKETPLACE_", "MTURKHUB_"))
    }
    return subprocess.run(
        [sys.executable, "-c", READ],
        env=kept | {"MARKETPLACE_SECRET_KEY": "secret"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def settings_of(**environment: str) -> dict[str, Any]:
    done = read(**environment)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_nothing_set_means_loopback_with_test_workers() -> None:
    got = settings_of()

    assert got["MARKETPLACE_URL"] == "http://127.0.0.1:8001"
    assert got["MARKETPLACE_CONTENT_URL"] == "http://127.0.0.1:8001/content/"
    assert (got["TEST_WORKERS"], got["TEST_CLOCK"]) == (True, False)
    assert (got["FEE_SCHEDULE"], got["OPENING_BALANCE"]) == ("mturk", "10000.00")
    assert got["SESSION_COOKIE_NAME"] == "marketplace_sessionid"
    assert got["SESSION_COOKIE_HTTPONLY"]


def test_https_switches_every_secure_flag_and_the_test_clock_off() -> None:
    got = settings_of(MARKETPLACE_URL="https://work.example.org/", MTURKHUB_TEST_CLOCK="1")

    assert got["MARKETPLACE_URL"] == "https://work.example.org"
    assert (got["TEST_WORKERS"], got["TEST_CLOCK"]) == (False, False)
    assert got["SESSION_COOKIE_NAME"] == "__Host-marketplace_sessionid"
    assert got["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert got["SESSION_COOKIE_SECURE"]


@pytest.mark.parametrize(
    ("url", "switch", "on"),
    [
        ("http://127.0.0.1:9000", "", True),
        ("http://localhost:9000", "", True),
        ("http://[::1]:9000", "", True),
        ("http://192.168.0.7:9000", "", False),
        ("http://127.0.0.1.example.org", "", False),
        ("http://192.168.0.7:9000", "1", True),
        ("http://127.0.0.1:9000", "0", False),
    ],
)
def test_test_workers_are_on_by_default_on_loopback_alone(url: str, switch: str, on: bool) -> None:
    assert settings_of(MARKETPLACE_URL=url, MARKETPLACE_TEST_WORKERS=switch)["TEST_WORKERS"] is on


def test_all_three_origins_are_ones_own_hosts() -> None:
    got = settings_of(
        MARKETPLACE_URL="https://work.example.org",
        MARKETPLACE_CONTENT_URL="https://content.example.net/c/",
        MTURKHUB_URL="https://hub.example.org",
    )

    assert got["OWN_HOSTS"] == ["content.example.net", "hub.example.org", "work.example.org"]
    assert got["CONTENT_ORIGIN"] == "https://content.example.net"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MARKETPLACE_FEE_SCHEDULE", "free"),
        ("MARKETPLACE_OPENING_BALANCE", "a lot"),
        ("MARKETPLACE_OPENING_BALANCE", "-1"),
        ("MARKETPLACE_OPENING_BALANCE", "1.005"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_a_sentence(name: str, value: str) -> None:
    done = read(**{name: value})

    assert done.returncode == 1
    assert done.stderr.startswith(f"{name} is “{value}”")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "rate"), [("", None), ("5", [5.0, 5.0]), ("0.5", [0.5, 1.0]), ("5/20", [5.0, 20.0])]
)
def test_a_rate_is_calls_a_second_and_a_burst(given: str, rate: list[float] | None) -> None:
    assert settings_of(MARKETPLACE_RATE=given)["RATE"] == rate


def test_notification_endpoints_end_where_a_host_or_a_folder_ends() -> None:
    given = "sqs=https://sqs.example.org/123 sqs=http://127.0.0.1:9324 post=http://127.0.0.1:9/hook"

    got = settings_of(MARKETPLACE_NOTIFICATION_ENDPOINTS=given)["NOTIFICATION_ENDPOINTS"]

    assert got == {
        "sqs": ["https://sqs.example.org/123/", "http://127.0.0.1:9324/"],
        "sns": [],
        "post": ["http://127.0.0.1:9/hook"],
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MARKETPLACE_RATE", "fast"),
        ("MARKETPLACE_RATE", "0"),
        ("MARKETPLACE_RATE", "5/0"),
        ("MARKETPLACE_NOTIFICATION_ENDPOINTS", "http://127.0.0.1:9324/"),
        ("MARKETPLACE_NOTIFICATION_ENDPOINTS", "sqs=ftp://127.0.0.1/"),
        ("MARKETPLACE_NOTIFICATION_ENDPOINTS", "sqs=http://user@127.0.0.1/"),
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_start_by_name(name: str, value: str) -> None:
    done = read(**{name: value})

    assert done.returncode == 1
    assert name in done.stderr
