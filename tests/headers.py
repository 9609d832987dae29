"""What the tests of both sites ask of headers, and settings as they are read behind https."""

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.conf import settings
from django.http import HttpResponseBase
from django.test import override_settings

# For a check of Django's; the tests' own is too short for a real one.
LONG_KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@contextmanager
def settings_read_with(file: str, environment: dict[str, str]) -> Iterator[None]:
    """Settings as this environment makes them, for middleware that is loaded from now on; databases stay."""
    with mock.patch.dict("os.environ", environment):
        read = runpy.run_path(file)
    kept = {"DATABASES", "STATICFILES_DIRS", "LOGGING", "REDIS_URL"}
    changed = {
        name: value
        for name, value in read.items()
        if name.isupper() and name not in kept and getattr(settings, name, None) != value
    }
    with override_settings(**changed):
        yield


def missing_headers(response: HttpResponseBase, *, is_file: bool = False, https: bool = False) -> list[str]:
    """Which of the headers that securityheaders.com and Mozilla's Observatory ask for are missing or weak."""
    wanted = {
        "X-Content-Type-Options": lambda value: value == "nosniff",
        "Referrer-Policy": lambda value: value in ("same-origin", "no-referrer"),
        "Cross-Origin-Opener-Policy": lambda value: value == "same-origin",
        "Cross-Origin-Resource-Policy": lambda value: value == ("cross-origin" if is_file else "same-origin"),
        "Permissions-Policy": lambda value: (
            {"camera=()", "microphone=()", "geolocation=()"} <= set(value.split(", "))
        ),
        "Content-Security-Policy": is_strict,
    }
    if not is_file:
        wanted["Cache-Control"] = lambda value: "no-store" in value or value == "private, no-cache"
    if https:
        wanted["Strict-Transport-Security"] = lambda value: (
            value == "max-age=31536000; includeSubDomains; preload"
        )
    wrong = [
        f"{name}: {response.get(name)}"
        for name, is_right in wanted.items()
        if not is_right(response.get(name, ""))
    ]
    for cookie in response.cookies.values():
        if not (cookie["httponly"] and cookie["samesite"] == "Lax"):
            wrong.append(f"cookie {cookie.key}")
        if https and not (cookie.key.startswith("__Host-") and cookie["secure"] and cookie["path"] == "/"):
            wrong.append(f"cookie {cookie.key} without __Host-")
    return wrong + [f"{name} tells versions" for name in ("Server", "X-Powered-By") if name in response]


def is_strict(policy: str) -> bool:
    """Whether it names what may run and who may frame it, and lets nothing written into a page run."""
    if policy.startswith("sandbox allow-scripts allow-forms; frame-ancestors "):
        return "allow-same-origin" not in policy and "*" not in policy
    told = dict(each.strip().partition(" ")[::2] for each in policy.split(";"))
    return (
        told.get("default-src") == "'none'"
        and told.get("object-src") == told.get("base-uri") == "'none'"
        and "frame-ancestors" in told
        and "form-action" in told
        and "unsafe" not in policy
        and "*" not in policy
    )
