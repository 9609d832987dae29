"""Every address of the dashboard."""

from django.urls import include, path
from django.views.generic import RedirectView

from mturkhub.accounts.views.signing_in import reset_password
from mturkhub.api.problems import bad_request, not_found, server_error
from mturkhub.health import healthz, readyz
from mturkhub.metrics import metrics
from mturkhub.styleguide import styleguide

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("styleguide/", styleguide, name="styleguide"),
    # In place of allauth's pages of these addresses: the first one wins.
    path("account/email/", RedirectView.as_view(pattern_name="accounts:person"), name="account_email"),
    path("account/password/reset/", reset_password, name="account_reset_password"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("api/", include("mturkhub.api.urls")),
    path("", include("mturkhub.accounts.urls")),
    path("", include("projects.urls")),
]

# Pages for people, problem documents for scripts.
handler400, handler404, handler500 = bad_request, not_found, server_error
