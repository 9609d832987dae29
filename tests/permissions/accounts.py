"""Sign-in, team, connections, and what allauth brings."""

from mturkhub.accounts.sign_in_links import new_sign_in_link
from tests.permissions import EVERYBODY, NOT_THAT_METHOD, NOT_THAT_METHOD_AT_ALL, SIGNED_IN, TEAM, Row

_CONNECTION = {"arguments": lambda world: {"public_id": world.connection.public_id}}
_SENT_ON = "302 302 302 302 302 302"
_OWNERS = "200 403 403 403 404 302"
_OWNERS_POST = "302 403 403 403 404 302"
# Stan owns a team of his own, and changes that one.
_OWNERS_AND_STAN = "200 403 403 403 200 302"
_PERSON = {"arguments": lambda world: {"public_id": world.member.public_id}}
_INVITATION = {"arguments": lambda world: {"public_id": world.invitation.public_id}}
_NONE_THERE = "404 404 404 404 404 302"


def _token(world):
    return {"token": new_sign_in_link(world.newcomer).rstrip("/").rsplit("/", 1)[1]}


_ACCOUNT = {"arguments": lambda world: {"public_id": world.connection.account.public_id}}

ROWS = {
    # Open to everybody: whoever holds the link is signed in by it.
    "accounts:sign_in_link": Row(get=EVERYBODY, post="302 302 302 302 302 302", arguments=_token),
    "accounts:accept_invitation": Row(
        # It is the newcomer's: nobody of the cast may join with it, and Nobody is asked to sign in as them.
        get=EVERYBODY,
        post="403 403 403 403 403 200",
        arguments=lambda world: {"token": world.invitation_link.rstrip("/").rsplit("/", 1)[1]},
    ),
    "healthz": Row(get=EVERYBODY, post=EVERYBODY),
    # Broker and worker need not run while tests do.
    "readyz": Row(get="503 503 503 503 503 503", post="503 503 503 503 503 503"),
    # Behind a token of its own, and not there at all while none is set, as here.
    "metrics": Row(get="404 404 404 404 404 404", post="404 404 404 404 404 404"),
    "styleguide": Row(get=SIGNED_IN, post=SIGNED_IN),
    # Everybody in a team sees it; Stan sees his own.
    "accounts:team": Row(get=SIGNED_IN),
    "accounts:team_settings": Row(get=_OWNERS_AND_STAN, post="400 403 403 403 400 302"),
    "accounts:invite": Row(post="400 403 403 403 400 302"),
    "accounts:revoke_invitation": Row(post=_OWNERS_POST, **_INVITATION),
    "accounts:member": Row(get=_OWNERS, **_PERSON),
    "accounts:change_role": Row(post=_OWNERS_POST, data={"role": "manager"}, **_PERSON),
    "accounts:hand_over": Row(post=_OWNERS_POST, **_PERSON),
    "accounts:remove_member": Row(post=_OWNERS_POST, **_PERSON),
    "accounts:deactivate_person": Row(post=_OWNERS_POST, **_PERSON),
    "accounts:reactivate_person": Row(post=_OWNERS_POST, **_PERSON),
    # Anybody may leave; Olive and Stan are the last owners of theirs.
    "accounts:leave_team": Row(get=SIGNED_IN, post="409 302 302 302 409 302"),
    "accounts:switch_team": Row(
        post="302 302 302 302 404 302", data=lambda world: {"team": world.project.team.public_id}
    ),
    "accounts:create_team": Row(get=_OWNERS_AND_STAN, post="302 403 403 403 302 302", data={"name": "New"}),
    # A person's own: everybody has such pages, and sees nobody else's.
    "accounts:person": Row(get=SIGNED_IN, post=_SENT_ON, data={"name": "Changed"}),
    "accounts:change_email": Row(get=SIGNED_IN, post=_SENT_ON, data={"email": "new@example.org"}),
    "accounts:sessions": Row(get=SIGNED_IN),
    "accounts:end_session": Row(post="404 404 404 404 404 302", arguments=lambda world: {"key": 1}),
    "accounts:end_other_sessions": Row(post=_SENT_ON),
    # Each makes their own; owners end everybody's, and nobody else knows of them.
    "accounts:tokens": Row(get=SIGNED_IN),
    "accounts:create_token": Row(
        post="200 200 200 200 200 302", data={"name": "New", "days": "7", "scope": ["results_export"]}
    ),
    "accounts:revoke_token": Row(
        post="302 302 404 404 404 302", arguments=lambda world: {"public_id": world.token.public_id}
    ),
    "accounts:connections": Row(get=SIGNED_IN),
    "accounts:connection": Row(get=TEAM, **_CONNECTION),
    # Keys are the owners'. Stan owns a team of his own, and may make a connection there.
    "accounts:create_connection": Row(get="200 403 403 403 200 302", post="400 403 403 403 400 302"),
    "accounts:test_connection": Row(post="302 403 403 403 404 302", **_CONNECTION),
    "accounts:resume_connection": Row(post="302 403 403 403 404 302", **_CONNECTION),
    "accounts:replace_keys": Row(get=_OWNERS, post="400 403 403 403 404 302", **_CONNECTION),
    "accounts:set_queue": Row(get=_OWNERS, post="400 403 403 403 404 302", **_CONNECTION),
    # There is no queue to test.
    "accounts:send_test_event": Row(post="409 403 403 403 404 302", **_CONNECTION),
    "accounts:switch_queue_off": Row(post=_OWNERS_POST, **_CONNECTION),
    # Lending is the owners' of the account's home team.
    "accounts:account": Row(get=TEAM, **_ACCOUNT),
    "accounts:lend_account": Row(
        post="302 403 403 403 404 302",
        data=lambda world: {"share_code": str(world.borrower.public_id), "permissions": ["publish"]},
        **_ACCOUNT,
    ),
    "accounts:take_account_back": Row(
        post="302 403 403 403 404 302", arguments=lambda world: {"public_id": world.grant.public_id}
    ),
    # allauth. Whoever is signed in is sent on from the pages for signing in.
    "account_login": Row(get="302 302 302 302 302 200", post="302 302 302 302 302 200"),
    "account_logout": Row(get="200 200 200 200 200 302", post="302 302 302 302 302 302"),
    "account_signup": Row(get="302 302 302 302 302 200", post="302 302 302 302 302 200"),
    "account_inactive": Row(get=EVERYBODY, post=NOT_THAT_METHOD_AT_ALL),
    # Sends on to one's own page.
    "account_email": Row(get=_SENT_ON, post=_SENT_ON),
    # The cast has no passwords: they set one, and have none to change or to confirm it is them.
    "account_set_password": Row(get=SIGNED_IN, post=SIGNED_IN),
    "account_change_password": Row(get=_SENT_ON, post=_SENT_ON),
    "account_reauthenticate": Row(get="403 403 403 403 403 302", post="403 403 403 403 403 302"),
    # No mail server is configured: the page says what to do instead.
    "account_reset_password": Row(get=EVERYBODY, post="409 409 409 409 409 409"),
    "account_reset_password_done": Row(get=EVERYBODY, post=NOT_THAT_METHOD_AT_ALL),
    # With a key that is wrong, the page says so.
    "account_reset_password_from_key": Row(
        get=EVERYBODY, post=EVERYBODY, arguments=lambda world: {"uidb36": "1", "key": "wrong"}
    ),
    "account_reset_password_from_key_done": Row(get=EVERYBODY, post=NOT_THAT_METHOD_AT_ALL),
    # Addresses are not confirmed and codes are not sent here.
    "account_email_verification_sent": Row(get=EVERYBODY, post=NOT_THAT_METHOD_AT_ALL),
    "account_confirm_email": Row(
        get=EVERYBODY, post="404 404 404 404 404 404", arguments=lambda world: {"key": "wrong"}
    ),
    "account_confirm_login_code": Row(get=_SENT_ON, post=_SENT_ON),
    # Second factors, each one's own. The cast has none, and no password to confirm first.
    "mfa_index": Row(get=SIGNED_IN, post=NOT_THAT_METHOD),
    "mfa_activate_totp": Row(get=SIGNED_IN, post=SIGNED_IN),
    "mfa_deactivate_totp": Row(get=_NONE_THERE, post=_NONE_THERE),
    "mfa_view_recovery_codes": Row(get=_NONE_THERE, post=NOT_THAT_METHOD),
    "mfa_download_recovery_codes": Row(get=_NONE_THERE, post=_NONE_THERE),
    "mfa_generate_recovery_codes": Row(get=SIGNED_IN, post=SIGNED_IN),
    "mfa_list_webauthn": Row(get=SIGNED_IN, post=NOT_THAT_METHOD),
    "mfa_add_webauthn": Row(get=SIGNED_IN, post=SIGNED_IN),
    "mfa_edit_webauthn": Row(get=_NONE_THERE, post=_NONE_THERE, arguments=lambda world: {"pk": 1}),
    "mfa_remove_webauthn": Row(get=_NONE_THERE, post=_NONE_THERE, arguments=lambda world: {"pk": 1}),
    "mfa_reauthenticate": Row(get="403 403 403 403 403 302", post="403 403 403 403 403 302"),
    "mfa_reauthenticate_webauthn": Row(get="403 403 403 403 403 302", post="403 403 403 403 403 302"),
    # Only between password and sign-in.
    "mfa_authenticate": Row(get=_SENT_ON, post=_SENT_ON),
    "mfa_login_webauthn": Row(get=_SENT_ON, post=_SENT_ON),
}
