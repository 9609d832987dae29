"""Who asks: whoever made the token in the header. Sessions of browsers count for nothing here, so no page can ask."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from structlog.contextvars import bind_contextvars

from mturkhub.accounts.actions.tokens import find_token
from mturkhub.accounts.models import ApiToken, User

OPENS_NOTHING = (
    "This token opens nothing: it is mistyped, revoked, its time is over, or its maker can no longer sign in. Make "
    "another one on your own page, under Tokens."
)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = find_token(text.strip())
        if token is None:
            raise AuthenticationFailed(OPENS_NOTHING)
        of = token.membership
        bind_contextvars(user=str(of.user.public_id), team=str(of.team.public_id))
        return of.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
