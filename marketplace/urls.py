"""Where the marketplace's pages are. `POST /` is the API, which `wire.ApiMiddleware` answers before this."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from marketplace.metrics import metrics


def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process lives, and nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("metrics", metrics, name="metrics"),
    path("operator/", include("marketplace.operator_site.urls")),
    path("", include("marketplace.worker_site.urls")),
]
