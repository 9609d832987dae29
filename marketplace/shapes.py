"""Checks requests and answers against botocore's own description of MTurk.

botocore clients check types and minima before they send; maxima, patterns and enums they leave to the server.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape

from marketplace.errors import ApiError, invalid, invalid_value, serialization_error

Check = Callable[[Any, str], Any]
# Ids of questions are the requester's own words, and so MTurk shows them, whatever the description says.
_NO_ENTITY_ID = ("ReviewResultDetail", "QuestionId")

_INTEGER_RANGE = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
# Seconds from 1970 that fit a datetime on both sides: years 1 to 9999, less a day for time zones.
_EPOCH_RANGE = (-62_135_510_400, 253_402_214_400)


@cache
def service() -> ServiceModel:
    """MTurk as botocore describes it."""
    return ServiceModel(Loader().load_service_model("mturk", "service-2"), "mturk")


@cache
def operation_names() -> frozenset[str]:
    return frozenset(service().operation_names)


def read_request(operation: str, members: Any) -> dict[str, Any]:
    """The request's members, checked, times as datetimes; unknown members and nulls are dropped, as AWS does.

    Raises SerializationException for a wrong type, else ParameterValidationError.
    """
    read: dict[str, Any] = _request_check(operation)(members, "")
    return read


def write_answer(operation: str, members: dict[str, Any]) -> dict[str, Any]:
    """The answer's members as JSON can carry them, without those that have no value.

    Raises AssertionError where the answer is not what the description promises: a fault of ours.
    """
    shape = _operation(operation).output_shape
    if shape is None:
        if members:
            raise AssertionError(f"{operation} answers nothing, and was given {members}")
        return {}
    written: dict[str, Any] = _writer(shape)(members, operation)
    return written


def _operation(name: str) -> OperationModel:
    return service().operation_model(name)


# Requests ----------------------------------------------------------------------------------------


@cache
def _request_check(operation: str) -> Check:
    return _reader(_operation(operation).input_shape)


@cache
def _reader(shape: Shape) -> Check:
    if isinstance(shape, StructureShape):
        return _structure_reader(shape)
    if isinstance(shape, ListShape):
        return _list_reader(shape)
    if isinstance(shape, StringShape):
        return _string_reader(shape)
    return {
        "integer": _integer_reader,
        "long": _integer_reader,
        "boolean": _boolean_reader,
        "timestamp": _timestamp_reader,
    }[shape.type_name](shape)


def _structure_reader(shape: StructureShape) -> Check:
    readers = {name: _reader(member) for name, member in shape.members.items()}
    required = shape.required_members

    def read(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise serialization_error(f"{name or 'The request'} must be a JSON object.")
        for member in required:
            if value.get(member) is None:
                raise invalid(f"The parameter {member} is missing.")
        return {
            member: reader(value[member], member)
            for member, reader in readers.items()
            if value.get(member) is not None
        }

    return read


def _list_reader(shape: ListShape) -> Check:
    reader = _reader(shape.member)
    check_length = _length_check(shape)

    def read(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list):
            raise serialization_error(f"{name} must be a JSON array.")
        check_length(value, name)
        return [reader(member, name) for member in value]

    return read


def _string_reader(shape: StringShape) -> Check:
    # Anchors in the description are Java's: `$` must not let a final line break through.
    pattern = (
        re.compile(shape.metadata["pattern"].removesuffix("$") + r"\Z")
        if "pattern" in shape.metadata
        else None
    )
    enum = frozenset(shape.enum)
    check_length = _length_check(shape)

    def read(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise serialization_error(f"{name} must be a JSON string.")
        if enum and value not in enum:
            raise invalid_value(name, value)
        if pattern and not pattern.match(value):
            raise invalid_value(name, value)
        check_length(value, name)
        # Postgres stores neither NUL nor half a surrogate pair.
        if not value.isascii() or "\0" in value:
            try:
                value.encode()
            except UnicodeEncodeError:
                raise invalid_value(name, value) from None
            if "\0" in value:
                raise invalid_value(name, value)
        return value

    return read


def _length_check(shape: Shape) -> Callable[[Any, str], None]:
    minimum, maximum = shape.metadata.get("min", 0), shape.metadata.get("max")

    def check(value: Any, name: str) -> None:
        if len(value) < minimum or (maximum is not None and len(value) > maximum):
            raise invalid_value(name, value)

    return check


def _integer_reader(shape: Shape) -> Check:
    smallest, largest = _INTEGER_RANGE[shape.type_name]
    minimum, maximum = shape.metadata.get("min", smallest), shape.metadata.get("max", largest)

    def read(value: Any, name: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= largest:
            raise serialization_error(f"{name} must be a whole number.")
        if not minimum <= value <= maximum:
            raise invalid_value(name, value)
        return value

    return read


def _boolean_reader(shape: Shape) -> Check:
    def read(value: Any, name: str) -> bool:
        if not isinstance(value, bool):
            raise serialization_error(f"{name} must be true or false.")
        return value

    return read


def _timestamp_reader(shape: Shape) -> Check:
    def read(value: Any, name: str) -> datetime:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise serialization_error(f"{name} must be a number of seconds since 1970.")
        if not _EPOCH_RANGE[0] <= value <= _EPOCH_RANGE[1]:
            raise invalid_value(name, value)
        return datetime.fromtimestamp(value, UTC)

    return read


# Answers -----------------------------------------------------------------------------------------


@cache
def _writer(shape: Shape) -> Check:
    if isinstance(shape, StructureShape):
        return _structure_writer(shape)
    if isinstance(shape, ListShape):
        return _list_writer(shape)
    if shape.type_name == "timestamp":
        return _write_timestamp
    return _scalar_writer(shape)


def _structure_writer(shape: StructureShape) -> Check:
    writers = {
        name: _write_text if (shape.name, name) == _NO_ENTITY_ID else _writer(member)
        for name, member in shape.members.items()
    }
    required = shape.required_members

    def write(value: Any, name: str) -> dict[str, Any]:
        for member in required:
            if value.get(member) is None:
                raise AssertionError(f"{name} lacks {member}")
        # A name the description does not know is a KeyError: a fault of ours.
        return {
            member: writers[member](given, member)
            for member, given in value.items()
            if given is not None or member not in writers
        }

    return write


def _list_writer(shape: ListShape) -> Check:
    writer = _writer(shape.member)

    def write(value: Any, name: str) -> list[Any]:
        return [writer(member, name) for member in value]

    return write


def _write_timestamp(value: datetime, name: str) -> int | float:
    # Whole milliseconds, the finest that MTurk shows.
    milliseconds = round(value.timestamp() * 1000)
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000


def _write_text(value: str, name: str) -> str:
    return value


def _scalar_writer(shape: Shape) -> Check:
    read = _reader(shape)

    def write(value: Any, name: str) -> Any:
        try:
            return read(value, name)
        except ApiError as error:
            raise AssertionError(f"{name}: {error.message}") from error

    return write
