"""Addresses of people, teams and ways to a market."""

from django.urls import path

from mturkhub.accounts.views import connections, signing_in, teams

app_name = "accounts"
urlpatterns = [
    path("sign-in/<str:token>/", signing_in.sign_in_link, name="sign_in_link"),
    path("team/", teams.team, name="team"),
    path("connections/", connections.connections, name="connections"),
    path("connections/new/", connections.create_connection, name="create_connection"),
    path("connections/<uuid:public_id>/", connections.connection, name="connection"),
    path("connections/<uuid:public_id>/test/", connections.test_connection, name="test_connection"),
    path("connections/<uuid:public_id>/resume/", connections.resume_connection, name="resume_connection"),
    path("connections/<uuid:public_id>/keys/", connections.replace_keys, name="replace_keys"),
]
