"""Sign-in, team, connections, and what allauth brings."""

from mturkhub.accounts.sign_in_links import new_sign_in_link
from tests.permissions import EVERYBODY, NOT_THAT_METHOD_AT_ALL, SIGNED_IN, TEAM, Row

_CONNECTION = {"arguments": lambda world: {"public_id": world.connection.public_id}}
_SENT_ON = "302 302 302 302 302 302"
_OWNERS = "200 403 403 403 404 302"


def _token(world):
    return {"token": new_sign_in_link(world.newcomer).rstrip("/").rsplit("/", 1)[1]}


ROWS = {
    # Open to everybody: whoever holds the link is signed in by it.
    "accounts:sign_in_link": Row(get=EVERYBODY, post="302 302 302 302 302 302", arguments=_token),
    "healthz": Row(get=EVERYBODY, post=EVERYBODY),
    # Broker and worker need not run while tests do.
    "readyz": Row(get="503 503 503 503 503 503", post="503 503 503 503 503 503"),
    "styleguide": Row(get=SIGNED_IN, post=SIGNED_IN),
    # Everybody in a team sees it; Stan sees his own.
    "accounts:team": Row(get=SIGNED_IN),
    "accounts:connections": Row(get=SIGNED_IN),
    "accounts:connection": Row(get=TEAM, **_CONNECTION),
    # Keys are the owners'. Stan owns a team of his own, and may make a connection there.
    "accounts:create_connection": Row(get="200 403 403 403 200 302", post="400 403 403 403 400 302"),
    "accounts:test_connection": Row(post="302 403 403 403 404 302", **_CONNECTION),
    "accounts:resume_connection": Row(post="302 403 403 403 404 302", **_CONNECTION),
    "accounts:replace_keys": Row(get=_OWNERS, post="400 403 403 403 404 302", **_CONNECTION),
    # allauth. Whoever is signed in is sent on from the pages for signing in.
    "account_login": Row(get="302 302 302 302 302 200", post="302 302 302 302 302 200"),
    "account_logout": Row(get="200 200 200 200 200 302", post="302 302 302 302 302 302"),
    "account_signup": Row(get="302 302 302 302 302 200", post="302 302 302 302 302 200"),
    "account_inactive": Row(get=EVERYBODY, post=NOT_THAT_METHOD_AT_ALL),
    "account_email": Row(get=SIGNED_IN, post=_SENT_ON),
    # The cast has no passwords: they set one, and have none to change or to confirm it is them.
    "account_set_password": Row(get=SIGNED_IN, post=SIGNED_IN),
    "account_change_password": Row(get=_SENT_ON, post=_SENT_ON),
    "account_reauthenticate": Row(get="403 403 403 403 403 302", post="403 403 403 403 403 302"),
    "account_reset_password": Row(get=EVERYBODY, post=EVERYBODY),
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
}
