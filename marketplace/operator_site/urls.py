"""The operator's addresses. Everything but the link itself needs the operator."""

from django.urls import path

from marketplace.operator_site import views

app_name = "operator_site"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("sign-in/<str:token>/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("requesters/", views.add_requester, name="add_requester"),
    path("requesters/<str:requester_id>/deposit/", views.deposit, name="deposit"),
    path("requesters/<str:requester_id>/messages/", views.sent_messages, name="sent_messages"),
    path("requesters/<str:requester_id>/keys/", views.add_key, name="add_key"),
    path("keys/<str:key_id>/rotate/", views.rotate_key, name="rotate_key"),
    path("keys/<str:key_id>/revoke/", views.revoke_key, name="revoke_key"),
]
