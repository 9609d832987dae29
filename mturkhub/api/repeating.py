"""Idempotency-Key: a request that is sent again with the same key and body happens once, and gets the same answer.

The answer is kept in the transaction in which the request happens, so neither exists without the other. Of two at
once the second waits for the first. A request that was refused may be tried again with the same key.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.core.files.uploadedfile import UploadedFile
from django.db import OperationalError, connection, transaction
from django.utils.encoding import force_str
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.models import ApiToken
from mturkhub.api.models import KeptAnswer
from mturkhub.api.problems import Refused
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.stored_files import ArrivedFile

P = ParamSpec("P")

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=48)
# A request of ours that takes longer than this while another one waits for it.
PATIENCE = "30s"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def once(
    answer: Callable[Concatenate[Any, Request, P], Response],
) -> Callable[Concatenate[Any, Request, P], Response]:
    """Have the handler answer a repeated request, told by its Idempotency-Key, with what it answered first."""

    @wraps(answer)
    def answer_once(view: Any, request: Request, *args: P.args, **kwargs: P.kwargs) -> Response:
        key = request.headers.get(HEADER, "")
        if not key:
            return answer(view, request, *args, **kwargs)
        if not _KEY.fullmatch(key):
            raise ActionRefused(
                f"{HEADER} is 1 to 255 letters, digits and signs without spaces; a UUID does well.",
                status=400,
            )
        fingerprint = _fingerprint(request)
        try:
            with transaction.atomic():
                kept = _locked(view.token, key, fingerprint)
                if kept.status:
                    return _repeated(kept, fingerprint)
                response = answer(view, request, *args, **kwargs)
                kept.status = response.status_code
                kept.body = force_str(JSONRenderer().render(response.data))
                kept.save(update_fields=["status", "body"])
                return response
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", "") != "55P03":  # lock_not_available
                raise
            raise ActionRefused(
                f"A request with the same {HEADER} is still being answered. Ask again in a moment."
            ) from None

    return answer_once  # type: ignore[return-value]  # it has the names of its arguments besides


def _locked(token: ApiToken, key: str, fingerprint: str) -> KeptAnswer:
    """The row of this key, made or found, and ours until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, true)", [PATIENCE])
    row = KeptAnswer(token=token, key=key, fingerprint=fingerprint)
    # Waits while another transaction is making the same row.
    KeptAnswer.objects.bulk_create([row], ignore_conflicts=True)
    kept = KeptAnswer.objects.select_for_update().get(token=token, key=key)
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', '0', true)")
    return kept


def _repeated(kept: KeptAnswer, fingerprint: str) -> Response:
    if kept.fingerprint != fingerprint:
        raise Refused(
            f"This {HEADER} belongs to another request: its address or its body was different. Take a new key for each "
            "request you mean to happen.",
            status=422,
        )
    return Response(json.loads(kept.body), status=kept.status, headers={"Idempotent-Replayed": "true"})


def _fingerprint(request: Request) -> str:
    """Of method, address and what was sent; of a file its name and its bytes."""
    data = request.data
    sent = dict(data.lists()) if hasattr(data, "lists") else data
    told = [request.method, request.path, sent]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=_of_file).encode()).hexdigest()


def _of_file(value: Any) -> Any:
    if isinstance(value, ArrivedFile):
        return [value.name, value.stored.sha256]
    return [value.name, value.size] if isinstance(value, UploadedFile) else str(value)


def forget_old_answers() -> int:
    """Delete what was kept longer than two days; returns how many."""
    return KeptAnswer.objects.filter(created_at__lt=clock.now() - KEPT).delete()[0]
