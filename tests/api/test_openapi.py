"""The OpenAPI document and the answers agree: asked whatever the document allows, and much that it forbids.

Schemathesis makes the requests. They are the same in every run, and each is undone before the next one.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mturkhub.api.documents import document
from mturkhub.wsgi import application
from tests.api.conftest import Script
from tests.test_permission_matrix import World, world  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
EXAMPLES = 4


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Requests do not end the test's connection, as Django's own test client sees to."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def test_the_document_is_one() -> None:
    validate(document())


def test_every_operation_says_how_it_is_asked_and_what_it_answers() -> None:
    operations = [each for path in document()["paths"].values() for each in path.values()]

    assert len(operations) > 25
    assert all(
        each["description"] and each["operationId"] and "4XX" in each["responses"] for each in operations
    )
    assert len({each["operationId"] for each in operations}) == len(operations)


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"]
)
def test_answers_are_as_the_document_says(as_olive: Script, world: World, mode: GenerationMode) -> None:  # noqa: F811
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    asked, wrong = {}, {}
    for operation in _operations(schema):
        try:
            asked[operation.label] = _ask(operation, mode, as_olive.token, world)
        except* Failure as failures:
            wrong[operation.label] = [str(each) for each in failures.exceptions]

    assert wrong == {}
    assert sum(asked.values()) > 2 * len(asked)


def _operations(schema: Any) -> Iterator[Any]:
    for found in schema.get_all_operations():
        yield found.ok()


def _ask(operation: Any, mode: GenerationMode, token: str, world: World) -> int:  # noqa: F811
    """Ask for one operation so many times; how many it could be asked for in this mode."""
    asked = 0

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_real=st.integers(0, 3))
    def ask(case: Any, is_real: int) -> None:
        nonlocal asked
        asked += 1
        if is_real and case.path_parameters:
            case.path_parameters = _real(operation.path, world)
        with transaction.atomic():
            response = case.call(headers={"Authorization": f"Bearer {token}"})
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    ask()
    return asked


def _real(path: str, world: World) -> dict[str, Any]:  # noqa: F811
    """Ids of what there is, so that not every answer is 404."""
    if "{name}" in path:
        return {"name": str(world.assignment.public_id)}
    thing: Any = world.batch
    for part, other in {
        "/projects/": world.project,
        "/jobs/": world.job,
        "/connections/": world.connection,
        "/bonuses/": world.refused_bonus,
        "/publish": world.draft,
    }.items():
        thing = other if part in path and "publish-" not in path else thing
    return {"public_id": str(thing.public_id)} | ({"number": 1} if "{number}" in path else {})
