"""Settings of the marketplace, all from the environment; it shares none with the dashboard."""

import os
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF

from marketplace import logs

BASE_DIR = Path(__file__).resolve().parent.parent
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _hosts(*urls: str) -> set[str]:
    return {host for url in urls if (host := urlsplit(url).hostname)}


# Addresses ---------------------------------------------------------------------------------------

MARKETPLACE_URL = (
    os.environ.get("MARKETPLACE_URL") or f"http://127.0.0.1:{os.environ.get('MARKETPLACE_PORT') or '8001'}"
).rstrip("/")
# Where requesters' HTML is served: an origin of its own if the operator has one, without cookies in any case.
MARKETPLACE_CONTENT_URL = (
    f"{(os.environ.get('MARKETPLACE_CONTENT_URL') or f'{MARKETPLACE_URL}/content').rstrip('/')}/"
)
CONTENT_ORIGIN = _origin(MARKETPLACE_CONTENT_URL)
_SECURE = MARKETPLACE_URL.startswith("https://")
_ON_LOOPBACK = _hosts(MARKETPLACE_URL) <= _LOOPBACK
_DASHBOARD_URL = (
    os.environ.get("MTURKHUB_URL") or f"http://127.0.0.1:{os.environ.get('MTURKHUB_PORT') or '8000'}"
)
# An ExternalQuestion in a frame would get the cookies of any of these hosts, whatever its port.
OWN_HOSTS = _hosts(MARKETPLACE_URL, MARKETPLACE_CONTENT_URL, _DASHBOARD_URL)
# Whether requesters' HTML may keep its origin: only on a host that has no cookie of ours, and answers nothing else.
CONTENT_HAS_OWN_HOST = not _hosts(MARKETPLACE_CONTENT_URL) & _hosts(MARKETPLACE_URL, _DASHBOARD_URL)
ALLOWED_HOSTS = sorted({*_hosts(MARKETPLACE_URL, MARKETPLACE_CONTENT_URL), "127.0.0.1", "localhost", "[::1]"})
CSRF_TRUSTED_ORIGINS = [_origin(MARKETPLACE_URL)] if _SECURE else []

# The market --------------------------------------------------------------------------------------

_opening_balance = os.environ.get("MARKETPLACE_OPENING_BALANCE") or "10000.00"
if not re.fullmatch(r"\d{1,9}(\.\d{1,2})?", _opening_balance):
    raise SystemExit(
        f"MARKETPLACE_OPENING_BALANCE is “{_opening_balance}”; write dollars with two decimals, such as 10000.00."
    )
OPENING_BALANCE = Decimal(_opening_balance)
FEE_SCHEDULE = os.environ.get("MARKETPLACE_FEE_SCHEDULE") or "mturk"
if FEE_SCHEDULE not in {"mturk", "none"}:
    raise SystemExit(f"MARKETPLACE_FEE_SCHEDULE is “{FEE_SCHEDULE}”; it can be “mturk” or “none”.")
# Anybody may work as a fresh test Worker; meant for people who look at their own HITs.
TEST_WORKERS = (os.environ.get("MARKETPLACE_TEST_WORKERS") or ("1" if _ON_LOOPBACK else "0")) == "1"
TEST_CLOCK = os.environ.get("MTURKHUB_TEST_CLOCK") == "1" and not _SECURE

# MTurk's habits that are off unless an operator wants to see their programs meet them.
HIDDEN_TOKENS = os.environ.get("MARKETPLACE_HIDDEN_TOKENS") == "1"
REVIEWABLE_HITS_IN_FULL = os.environ.get("MARKETPLACE_REVIEWABLE_HITS_IN_FULL") == "1"
# As in MTurk's sandbox: the balance is always 10000.00, and nothing is refused for lack of money.
FIXED_BALANCE = os.environ.get("MARKETPLACE_FIXED_BALANCE") == "1"
# How long new HITs and types stay out of lists.
_lag = os.environ.get("MARKETPLACE_LAG") or "0"
if not re.fullmatch(r"\d{1,4}", _lag):
    raise SystemExit(f"MARKETPLACE_LAG is “{_lag}”; write whole seconds, such as 15, or 0 for none.")
LAG = timedelta(seconds=int(_lag))
# Calls a second for each requester, and how many of them may come at once; None is no limit.
RATE: tuple[float, float] | None = None
if _rate := os.environ.get("MARKETPLACE_RATE"):
    _found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(?:/(\d{1,6}))?", _rate)
    if _found is None or float(_found[1]) == 0 or _found[2] == "0":
        raise SystemExit(
            f"MARKETPLACE_RATE is “{_rate}”; write calls a second, such as 5, or with the burst allowed, 5/20."
        )
    RATE = (float(_found[1]), float(_found[2] or max(1.0, float(_found[1]))))

# Where notifications may be sent: addresses that queue URLs begin with, where topics are published, and addresses
# that take a plain POST.
NOTIFICATION_ENDPOINTS: dict[str, list[str]] = {"sqs": [], "sns": [], "post": []}
for _entry in (os.environ.get("MARKETPLACE_NOTIFICATION_ENDPOINTS") or "").split():
    _kind, _, _address = _entry.partition("=")
    if _kind not in NOTIFICATION_ENDPOINTS or not re.fullmatch(r"https?://[^/@\s]+(/\S*)?", _address):
        raise SystemExit(
            f"MARKETPLACE_NOTIFICATION_ENDPOINTS has “{_entry}”; write sqs=, sns= or post= and an address, "
            "such as sqs=http://127.0.0.1:9324/."
        )
    NOTIFICATION_ENDPOINTS[_kind].append(_address if _kind == "post" else f"{_address.rstrip('/')}/")
NOTIFICATION_KEYS = (
    os.environ.get("MARKETPLACE_NOTIFICATION_ACCESS_KEY_ID") or "",
    os.environ.get("MARKETPLACE_NOTIFICATION_SECRET_ACCESS_KEY") or "",
)

# Django ------------------------------------------------------------------------------------------

METRICS_TOKEN = os.environ.get("MARKETPLACE_METRICS_TOKEN", "")
# Also the root of the key that encrypts requesters' secret access keys.
SECRET_KEY = os.environ["MARKETPLACE_SECRET_KEY"]
DEBUG = False

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "marketplace",
]

MIDDLEWARE = [
    "marketplace.headers.HeadersMiddleware",
    # So early, because a signed API call needs nothing of what follows: no session, no CSRF, no page policy.
    "marketplace.wire.ApiMiddleware",
    "marketplace.body_size.BodySizeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "marketplace.logs.RequestLogMiddleware",
    "marketplace.worker_site.origins.ContentHostMiddleware",
    "marketplace.nul.NulMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates" / "marketplace"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "marketplace.worker_site.context.frame",
            ],
            "builtins": [
                "django.templatetags.static",
                "django.templatetags.i18n",
                "marketplace.templatetags.worker_ui",
            ],
        },
    }
]

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("MARKETPLACE_DATABASE_URL") or "postgres:///marketplace",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Only Workers sign in here; requesters have access keys.
AUTH_USER_MODEL = "marketplace.Worker"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LOGIN_URL = "worker_site:sign_in"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Static files ------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

# Cookies and headers -----------------------------------------------------------------------------

_PREFIX = "__Host-" if _SECURE else ""
SESSION_COOKIE_NAME = f"{_PREFIX}marketplace_sessionid"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = _SECURE
CSRF_COOKIE_NAME = f"{_PREFIX}marketplace_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = _SECURE
LANGUAGE_COOKIE_NAME = "marketplace_language"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_SSL_REDIRECT = _SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _SECURE else None
SECURE_HSTS_SECONDS = 31_536_000 if _SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _SECURE
SECURE_HSTS_PRELOAD = _SECURE
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "object-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF, CONTENT_ORIGIN],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# A Question of 65,535 bytes written as JSON escapes stays below this, and so does any form.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
# The whole of a request. Of files only the names are kept, but a form may send a picture along.
MAX_BODY = 12 * 1024 * 1024

LOGGING = logs.config()
