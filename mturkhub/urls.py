"""Every address of the dashboard."""

from django.urls import include, path

from mturkhub.health import healthz, readyz
from mturkhub.metrics import metrics
from mturkhub.styleguide import styleguide

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("styleguide/", styleguide, name="styleguide"),
    path("account/", include("allauth.account.urls")),
    path("", include("mturkhub.accounts.urls")),
    path("", include("projects.urls")),
]
