"""The worker site's addresses, MTurk's own where MTurk has one."""

from django.urls import path

from marketplace.worker_site.origins import CONTENT_PATH
from marketplace.worker_site.views import (
    content,
    earnings,
    finding,
    messages,
    people,
    qualifications,
    working,
)

app_name = "worker_site"
urlpatterns = [
    path("", finding.groups, name="groups"),
    path("projects", finding.groups),
    path("projects/<str:group>/tasks", finding.preview, name="preview"),
    path("projects/<str:group>/tasks/accept", working.accept, name="accept"),
    path("mturk/preview", finding.preview_redirect, name="preview_redirect"),
    path("mturk/externalSubmit", content.external_submit, name="external_submit"),
    path("tasks", working.queue, name="queue"),
    path("tasks/next", working.choose_next, name="choose_next"),
    path("tasks/<str:assignment_id>", working.work, name="work"),
    path("tasks/<str:assignment_id>/state", working.state, name="state"),
    path("tasks/<str:assignment_id>/answer", working.answer, name="answer"),
    path("tasks/<str:assignment_id>/go-on", working.go_on, name="go_on"),
    path("tasks/<str:assignment_id>/return", working.give_back, name="return"),
    path("qualifications", qualifications.qualifications, name="qualifications"),
    path("qualifications/<str:type_id>", qualifications.qualification, name="qualification"),
    path("qualifications/<str:type_id>/ask", qualifications.ask, name="ask"),
    path(
        "qualifications/requests/<str:request_id>",
        qualifications.qualification_request,
        name="qualification_request",
    ),
    path("earnings", earnings.earnings, name="earnings"),
    path("messages", messages.messages, name="messages"),
    path("sign-in", people.sign_in, name="sign_in"),
    path("sign-up", people.sign_up, name="sign_up"),
    path("sign-out", people.sign_out, name="sign_out"),
    path("account", people.account, name="account"),
    path("test-worker", people.test_worker, name="test_worker"),
    # Last, because the operator may have put it at the root of a host of its own.
    path(f"{CONTENT_PATH.lstrip('/')}<str:token>/", content.content, name="content"),
]
