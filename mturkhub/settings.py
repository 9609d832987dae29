"""Settings of the dashboard, all from the environment; `.env.example` lists each variable.

The marketplace has settings of its own in `marketplace/settings.py`.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from redis.backoff import NoBackoff
from redis.retry import Retry

from mturkhub.common import logs
from mturkhub.common.broker import for_redis_py

BASE_DIR = Path(__file__).resolve().parent.parent


def _flag(name: str) -> bool:
    return os.environ.get(name, "") == "1"


def _words(name: str) -> list[str]:
    return [word for word in os.environ.get(name, "").replace(",", " ").split() if word]


# Addresses ---------------------------------------------------------------------------------------

MTURKHUB_URL = os.environ.get("MTURKHUB_URL") or f"http://127.0.0.1:{os.environ.get('MTURKHUB_PORT', '8000')}"
MARKETPLACE_URL = (
    os.environ.get("MARKETPLACE_URL") or f"http://127.0.0.1:{os.environ.get('MARKETPLACE_PORT', '8001')}"
)
_SECURE = MTURKHUB_URL.startswith("https://")
_HOST = urlsplit(MTURKHUB_URL).hostname or "127.0.0.1"
ALLOWED_HOSTS = [_HOST, "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [MTURKHUB_URL] if _SECURE else []

# The markets a new Connection may be made for, and where each is reached.
MTURK_ENDPOINTS = {
    "local": os.environ.get("MTURKHUB_ENDPOINT_LOCAL") or MARKETPLACE_URL,
    "sandbox": os.environ.get("MTURKHUB_ENDPOINT_SANDBOX")
    or "https://mturk-requester-sandbox.us-east-1.amazonaws.com",
    "production": os.environ.get("MTURKHUB_ENDPOINT_PRODUCTION")
    or "https://mturk-requester.us-east-1.amazonaws.com",
}
WORKER_SITES = {
    "local": MARKETPLACE_URL,
    "sandbox": "https://workersandbox.mturk.com",
    "production": "https://worker.mturk.com",
}
MTURK_ALLOWED_ENDPOINTS = [*MTURK_ENDPOINTS.values(), *_words("MTURKHUB_ALLOWED_ENDPOINTS")]
# What the URLs of queues with MTurk's events begin with, besides Amazon's own.
MTURK_ALLOWED_QUEUES = [f"{address.rstrip('/')}/" for address in _words("MTURKHUB_ALLOWED_QUEUES")]
# Connections that may use this server's own AWS identity: NAME, or SHARE-CODE/NAME for those of one team.
AMBIENT_AWS = [name.strip() for name in os.environ.get("MTURKHUB_AMBIENT_AWS", "").split(",") if name.strip()]
LOCAL_FEE_SCHEDULE = os.environ.get("MARKETPLACE_FEE_SCHEDULE") or "mturk"

# Secrets -----------------------------------------------------------------------------------------

SECRET_KEY = os.environ["MTURKHUB_SECRET_KEY"]
# Fernet keys for requesters' credentials; the first encrypts, every one decrypts.
ENCRYPTION_KEYS = _words("MTURKHUB_ENCRYPTION_KEYS")

# Django ------------------------------------------------------------------------------------------

DEBUG = False
TEST_CLOCK = _flag("MTURKHUB_TEST_CLOCK") and not _SECURE

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "mturkhub.apps.SiteConfig",
    "mturkhub.common",
    "mturkhub.accounts",
    "mturkhub.intentions",
    "mturkhub.workers",
    "projects",
    "mturkhub.api",
]

MIDDLEWARE = [
    "mturkhub.common.headers.HeadersMiddleware",
    "mturkhub.common.body_size.BodySizeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # After those that answer without us: a stylesheet needs no line in the log.
    "mturkhub.common.request_log.RequestLogMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "mturkhub.common.timezones.TimezoneMiddleware",
    "mturkhub.accounts.actors.ActorMiddleware",
    "mturkhub.common.refusals.RefusalMiddleware",
]

ROOT_URLCONF = "mturkhub.urls"
WSGI_APPLICATION = "mturkhub.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mturkhub.context.frame",
            ],
            "builtins": [
                "django.templatetags.static",
                "django.templatetags.l10n",
                "mturkhub.common.templatetags.ui",
            ],
        },
    }
]

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL", "postgres:///mturkhub"), conn_max_age=60, conn_health_checks=True
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Widgets of our own stand in templates/components.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
# Otherwise anybody could make the server write to anybody by asking for a new password.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_ADAPTER = "mturkhub.accounts.adapter.ClosedSignupAdapter"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_RATE_LIMITS = {
    # Guessing: by address of the browser, and by the e-mail address it signs in with. Right passwords count as nothing.
    "login_failed": "20/10m/ip,5/5m/key",
    # What counts is wrong passwords; a whole lab behind one address may sign in at nine.
    "login": None,
    "reset_password": "20/m/ip,5/h/key",
}
# The proxy in front says who asks; without one anybody could pretend to be somebody else each time.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if _SECURE else 0
MFA_ADAPTER = "mturkhub.accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# Browsers themselves refuse passkeys without https, except on localhost.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _SECURE
# Addresses are not confirmed here: who is in a team was invited to it.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "mturkhub"
# The code before and the one after count as well: telephones' clocks differ.
MFA_TOTP_TOLERANCE = 1
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Static files ------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Served straight from the checkout: no copy to forget, and a restart shows a new build.
WHITENOISE_USE_FINDERS = True

# Cookies and headers -----------------------------------------------------------------------------

_PREFIX = "__Host-" if _SECURE else ""
SESSION_COOKIE_NAME = f"{_PREFIX}mturkhub_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = _SECURE
CSRF_COOKIE_NAME = f"{_PREFIX}mturkhub_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = _SECURE
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
        # The nonce is for the code editor, which writes a style element of its own.
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        # The preview frame is our own URL whose answer carries a sandbox policy of its own.
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Uploads stream to StoredFile in chunks; what is typed into one form stays far below this.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
# The whole of a request, files included; where files are uploaded, a little more than the largest one.
MAX_BODY = 6 * 1024 * 1024
MAX_UPLOAD_BODY = 220 * 1024 * 1024
UPLOAD_PATHS = ("/batches/new/", "/batches")

# Celery, and what all processes count together ---------------------------------------------------

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_QUEUE_PREFIX = os.environ.get("MTURKHUB_QUEUE_PREFIX", "")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": for_redis_py(REDIS_URL),
        "KEY_PREFIX": f"{CELERY_QUEUE_PREFIX}mturkhub-cache",
        # It answers or it does not: a person is waiting.
        "OPTIONS": {"socket_timeout": 3, "socket_connect_timeout": 3, "retry": Retry(NoBackoff(), 0)},
    }
}

# The API for scripts -----------------------------------------------------------------------------

# Everything below it answers with JSON, refusals too.
API_PATH = "/api/v1/"
# Requests a minute with one token.
API_RATE = 600
REST_FRAMEWORK = {
    # Who may ask, how often and in which form stands on `mturkhub.api.base.ApiView`.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "mturkhub.api.problems.answer_to",
    "UNAUTHENTICATED_USER": None,
    # `?format=` chooses the form of results, not a renderer.
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "mturkhub",
    "VERSION": "1",
    "DESCRIPTION": "Everything the dashboard's pages do, for scripts.",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "AUTHENTICATION_WHITELIST": [],
    "APPEND_COMPONENTS": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "SECURITY": [{"token": []}],
    "POSTPROCESSING_HOOKS": ["mturkhub.api.schema.with_problems"],
    "SCHEMA_PATH_PREFIX": "/api/v1/",
}

# Metrics -----------------------------------------------------------------------------------------

METRICS_TOKEN = os.environ.get("MTURKHUB_METRICS_TOKEN", "")

# Mail --------------------------------------------------------------------------------------------

EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if os.environ.get("EMAIL_HOST")
    else "django.core.mail.backends.dummy.EmailBackend"
)
EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
MAIL_IS_CONFIGURED = bool(EMAIL_HOST)
# A person waits while a mail is handed over.
EMAIL_TIMEOUT = 10
EMAIL_PORT = int(os.environ.get("EMAIL_PORT") or 587)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = EMAIL_PORT == 587
DEFAULT_FROM_EMAIL = os.environ.get("MTURKHUB_MAIL_FROM") or f"mturkhub@{_HOST}"

LOGGING = logs.config()
