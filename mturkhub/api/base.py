"""What every address of the API has in common: JSON in and out, a token, and everything seen through it."""

import uuid
from typing import Any, TypeVar, cast

from django.db import models
from django.http import Http404
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from mturkhub.accounts.actors import NOBODY, Actor
from mturkhub.accounts.models import ApiToken, Team
from mturkhub.api.authentication import TokenAuthentication
from mturkhub.api.throttling import TokenThrottle

ModelT = TypeVar("ModelT", bound=models.Model)


class BoundedJSONParser(JSONParser):
    """JSON that is nested too deep is no JSON."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None


class WhateverIsAccepted(DefaultContentNegotiation):
    """Each address answers in its one form; an Accept header that asks for another is no reason to refuse."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """A view whose `actor` is the token's maker within its scope."""

    authentication_classes: Any = (TokenAuthentication,)
    permission_classes: Any = (IsAuthenticated,)
    throttle_classes = (TokenThrottle,)
    parser_classes: Any = (BoundedJSONParser, FormParser)
    content_negotiation_class = WhateverIsAccepted
    metadata_class = None
    http_method_names = ["get", "head", "post", "patch", "put", "delete"]

    actor: Actor = NOBODY

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = super().as_view(**initkwargs)
        # A browser's session, and whether its person is in a team, is nothing to us.
        view.team_required = False  # type: ignore[attr-defined]
        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.auth is not None:
            self.actor = Actor.token(self.token)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        final: Response = super().finalize_response(request, response, *args, **kwargs)
        # What was read with a token is nobody else's to keep.
        final["Cache-Control"] = "no-store"
        return final

    @property
    def token(self) -> ApiToken:
        return cast(ApiToken, self.request.auth)

    @property
    def team(self) -> Team:
        """The token's."""
        return self.token.membership.team

    def body(self, kind: type[Serializer[Any]], **more: Any) -> dict[str, Any]:
        """What was sent, checked: only the fields that were given. Raises a refusal that names each wrong one."""
        data = self.request.data
        # A form's fields come in lists; of several with one name the last counts.
        read = kind(data=data.dict() if hasattr(data, "dict") else data, **more)
        read.is_valid(raise_exception=True)
        given: dict[str, Any] = read.validated_data
        return given

    def query(self, kind: type[Serializer[Any]]) -> dict[str, Any]:
        """The parameters of the address, checked in the same way."""
        read = kind(data=self.request.query_params.dict())
        read.is_valid(raise_exception=True)
        given: dict[str, Any] = read.validated_data
        return given


def find(rows: models.QuerySet[ModelT], public_id: uuid.UUID) -> ModelT:
    """The row with this id among those that exist for the actor, else 404."""
    found = rows.filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found
