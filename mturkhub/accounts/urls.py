"""Addresses of people, teams and ways to a market."""

from django.urls import path

from mturkhub.accounts.views import (
    connections,
    invitations,
    notifications,
    people,
    sharing,
    signing_in,
    teams,
    tokens,
)

app_name = "accounts"
urlpatterns = [
    path("sign-in/<str:token>/", signing_in.sign_in_link, name="sign_in_link"),
    path("invitations/<str:token>/", invitations.accept_invitation, name="accept_invitation"),
    path("me/", people.person, name="person"),
    path("me/email/", people.change_email, name="change_email"),
    path("me/sessions/", people.sessions, name="sessions"),
    path("me/sessions/end-others/", people.end_other_sessions, name="end_other_sessions"),
    path("me/sessions/<int:key>/end/", people.end_session, name="end_session"),
    path("me/tokens/", tokens.tokens, name="tokens"),
    path("me/tokens/new/", tokens.create_token, name="create_token"),
    path("me/tokens/<uuid:public_id>/revoke/", tokens.revoke_token, name="revoke_token"),
    path("team/", teams.team, name="team"),
    path("team/settings/", teams.team_settings, name="team_settings"),
    path("team/invite/", teams.invite, name="invite"),
    path("team/invitations/<uuid:public_id>/revoke/", teams.revoke_invitation, name="revoke_invitation"),
    path("team/people/<uuid:public_id>/", teams.member, name="member"),
    path("team/people/<uuid:public_id>/role/", teams.change_role, name="change_role"),
    path("team/people/<uuid:public_id>/hand-over/", teams.hand_over, name="hand_over"),
    path("team/people/<uuid:public_id>/remove/", teams.remove_member, name="remove_member"),
    path("team/people/<uuid:public_id>/deactivate/", teams.deactivate_person, name="deactivate_person"),
    path("team/people/<uuid:public_id>/reactivate/", teams.reactivate_person, name="reactivate_person"),
    path("team/leave/", teams.leave_team, name="leave_team"),
    path("teams/switch/", teams.switch_team, name="switch_team"),
    path("teams/new/", teams.create_team, name="create_team"),
    path("connections/", connections.connections, name="connections"),
    path("connections/new/", connections.create_connection, name="create_connection"),
    path("connections/<uuid:public_id>/", connections.connection, name="connection"),
    path("connections/<uuid:public_id>/test/", connections.test_connection, name="test_connection"),
    path("connections/<uuid:public_id>/resume/", connections.resume_connection, name="resume_connection"),
    path("connections/<uuid:public_id>/keys/", connections.replace_keys, name="replace_keys"),
    path("connections/<uuid:public_id>/queue/", notifications.set_queue, name="set_queue"),
    path("connections/<uuid:public_id>/queue/test/", notifications.send_test_event, name="send_test_event"),
    path("connections/<uuid:public_id>/queue/off/", notifications.switch_queue_off, name="switch_queue_off"),
    path("accounts/<uuid:public_id>/", sharing.account, name="account"),
    path("accounts/<uuid:public_id>/lend/", sharing.lend_account, name="lend_account"),
    path("accounts/lent/<uuid:public_id>/take-back/", sharing.take_account_back, name="take_account_back"),
]
