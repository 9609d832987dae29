"""Addresses of people, teams and ways to a market."""

from django.urls import path

from mturkhub.accounts.views import connections, sharing, signing_in, teams

app_name = "accounts"
urlpatterns = [
    path("sign-in/<str:token>/", signing_in.sign_in_link, name="sign_in_link"),
    path("team/", teams.team, name="team"),
    path("connections/", connections.connections, name="connections"),
    path("connections/new/", connections.create_connection, name="create_connection"),
    path("connections/<uuid:public_id>/", connections.connection, name="connection"),
    path("connections/<uuid:public_id>/test/", connections.test_connection, name="test_connection"),
    path("connections/<uuid:public_id>/keys/", connections.replace_keys, name="replace_keys"),
    path("accounts/<uuid:public_id>/", sharing.account, name="account"),
    path("accounts/<uuid:public_id>/lend/", sharing.lend_account, name="lend_account"),
    path("accounts/lent/<uuid:public_id>/take-back/", sharing.take_account_back, name="take_account_back"),
]
