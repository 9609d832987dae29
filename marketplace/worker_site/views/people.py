"""Making an account, signing in and out, working as a test Worker."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from marketplace import clock
from marketplace.identifiers import new_test_worker_id
from marketplace.models import Worker
from marketplace.worker_site.forms import AccountForm, SignInForm, SignUpForm
from marketplace.worker_site.requests import WorkerRequest


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Make a Worker's account and go on to where they wanted to."""
    form = SignUpForm(request.POST or None)
    if form.is_valid():
        login(request, form.save())
        return redirect(_next(request))
    status = 400 if form.is_bound else 200
    return render(request, "sign_up.html", {"form": form, "next": _asked_next(request)}, status=status)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign a Worker in and go on to where they wanted to."""
    form = SignInForm(request.POST or None)
    if form.is_valid():
        login(request, form.worker)
        return redirect(_next(request))
    status = 400 if form.is_bound else 200
    return render(request, "sign_in.html", {"form": form, "next": _asked_next(request)}, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("worker_site:groups")


@require_http_methods(["GET", "POST"])
@login_required
def account(request: WorkerRequest) -> HttpResponse:
    """Where the Worker lives and what they want to see."""
    worker = request.user
    said = {"country": worker.country, "subdivision": worker.subdivision, "is_adult": worker.is_adult}
    form = AccountForm(request.POST or None, initial=said)
    if form.is_valid():
        form.save(worker)
        messages.success(request, _("Kept. Work that asks for it takes note at once."))
        return redirect("worker_site:account")
    return render(request, "account.html", {"form": form}, status=400 if form.is_bound else 200)


@require_GET
def test_worker(request: HttpRequest) -> HttpResponse:
    """Sign in a fresh test Worker and go to the group (a HITGroupId or HITTypeId) that the link names."""
    if not settings.TEST_WORKERS:
        raise Http404
    now = clock.now()
    worker = Worker(mturk_id=new_test_worker_id(), is_test=True, created_at=now)
    worker.set_unusable_password()
    worker.save()
    login(request, worker)
    group = request.GET.get("group", "")
    return redirect(f"{reverse('worker_site:preview_redirect')}?groupId={group}" if group.isalnum() else "/")


def _asked_next(request: HttpRequest) -> str:
    return request.POST.get("next") or request.GET.get("next") or ""


def _next(request: HttpRequest) -> str:
    wanted = _asked_next(request)
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted and is_ours else reverse("worker_site:groups")
