"""A site for test_patience: it reads what it is sent, by threads that wait for a second."""

from collections.abc import Iterable
from typing import Any

from mturkhub.command.patience import PatientWorker


class Impatient(PatientWorker):
    silence = 1


def site(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    try:
        size = len(environ["wsgi.input"].read())
    except OSError:
        size = -1
    start_response("200 OK", [("Content-Length", str(len(str(size))))])
    return [str(size).encode()]
