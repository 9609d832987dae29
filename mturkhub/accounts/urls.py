"""Addresses of people, teams and ways to a market."""

from django.urls import path

from mturkhub.accounts import views

app_name = "accounts"
urlpatterns = [
    path("sign-in/<str:token>/", views.sign_in_link, name="sign_in_link"),
    path("team/", views.team, name="team"),
    path("connections/", views.connections, name="connections"),
    path("connections/new/", views.create_connection, name="create_connection"),
    path("connections/<uuid:public_id>/", views.connection, name="connection"),
    path("connections/<uuid:public_id>/test/", views.test_connection, name="test_connection"),
    path("connections/<uuid:public_id>/keys/", views.replace_keys, name="replace_keys"),
]
