"""Qualification requirements: what may be asked for, and how the API shows it."""

import re
from typing import Any

from marketplace.call import Call
from marketplace.errors import (
    hit_type_does_not_exist,
    invalid,
    invalid_qualification_type_state,
    qualification_type_does_not_exist,
)
from marketplace.models import HITType, QualificationType
from marketplace.models.qualification import ACTIVE
from marketplace.money import MASTERS
from marketplace.system_types import LOCALE, SYSTEM_TYPES

MAX_REQUIREMENTS = 10
_PRESENCE = {"Exists", "DoesNotExist"}
_ONE = {"EqualTo", "NotEqualTo"}
_SEVERAL = {"In", "NotIn"}
_MAX_INTEGERS, _MAX_LOCALES = 15, 30
_TWO_LETTERS = re.compile(r"[A-Z]{2}\Z")


def read_requirements(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The requirements as they are stored and shown, or ParameterValidationError."""
    if len(given) > MAX_REQUIREMENTS:
        raise invalid(f"There are {len(given)} QualificationRequirements; {MAX_REQUIREMENTS} are allowed.")
    return [_read(requirement) for requirement in given]


def check_types_usable(call: Call, requirements: list[dict[str, Any]]) -> None:
    """Raise unless new HITs may require these types: the market's, and active ones of any requester.

    In a transaction a type stays as it is until the end, so that nobody deletes it under a HIT being made.
    """
    _check_usable(call, requirements, _lock_types(requirements))


def check_type_in_use(call: Call, hit_type: HITType) -> None:
    """Raise unless new HITs may have this HITType: deleting a qualification type deletes those that require it."""
    found = _lock_types(hit_type.qualification_requirements)
    if any(kind.deleted_at for kind in found.values()):
        raise hit_type_does_not_exist(hit_type.mturk_id)
    _check_usable(call, hit_type.qualification_requirements, found)


def _check_usable(
    call: Call, requirements: list[dict[str, Any]], found: dict[str, QualificationType]
) -> None:
    for type_id in _own_ids(requirements):
        kind = found.get(type_id)
        if kind is None or kind.is_forgotten(call.now):
            raise qualification_type_does_not_exist(type_id)
        if kind.state(call.now) != ACTIVE:
            raise invalid_qualification_type_state(kind.state(call.now), ACTIVE)


def _lock_types(requirements: list[dict[str, Any]]) -> dict[str, QualificationType]:
    ids = _own_ids(requirements)
    return {kind.mturk_id: kind for kind in QualificationType.objects.lock_shared(ids)} if ids else {}


def _own_ids(requirements: list[dict[str, Any]]) -> list[str]:
    ids = {requirement["QualificationTypeId"] for requirement in requirements}
    return sorted(ids - SYSTEM_TYPES.keys())


def _read(given: dict[str, Any]) -> dict[str, Any]:
    _check_values(given)
    if "RequiredToPreview" in given and "ActionsGuarded" in given:
        raise invalid("A QualificationRequirement can have RequiredToPreview or ActionsGuarded, not both.")
    guarded = given.get("ActionsGuarded") or (
        "PreviewAndAccept" if given.get("RequiredToPreview") else "Accept"
    )
    return given | {"ActionsGuarded": guarded, "RequiredToPreview": guarded != "Accept"}


def _check_values(given: dict[str, Any]) -> None:
    comparator, type_id = given["Comparator"], given["QualificationTypeId"]
    integers, locales = given.get("IntegerValues", []), given.get("LocaleValues", [])
    if comparator in _PRESENCE:
        if integers or locales:
            raise invalid(f"The comparator {comparator} takes no IntegerValues and no LocaleValues.")
        return
    if bool(integers) == bool(locales):
        raise invalid(f"The comparator {comparator} needs either IntegerValues or LocaleValues.")
    if type_id in MASTERS:
        raise invalid("The Masters qualification can only be compared with Exists or DoesNotExist.")
    if bool(locales) != (type_id == LOCALE):
        raise invalid(f"LocaleValues belong to the qualification type {LOCALE}, IntegerValues to all others.")
    if locales and comparator not in _ONE | _SEVERAL:
        raise invalid(f"Locales cannot be compared with {comparator}.")
    most = 1 if comparator not in _SEVERAL else _MAX_LOCALES if locales else _MAX_INTEGERS
    if len(integers or locales) > most:
        raise invalid(f"The comparator {comparator} takes at most {most} of these values.")
    for locale in locales:
        _check_locale(locale)


def _check_locale(locale: dict[str, str]) -> None:
    country, subdivision = locale["Country"], locale.get("Subdivision")
    if not _TWO_LETTERS.match(country):
        raise invalid(f'The Country "{country}" must be two capital letters as in ISO 3166.')
    if subdivision is not None and (country != "US" or not _TWO_LETTERS.match(subdivision)):
        raise invalid("A Subdivision must be two capital letters and belongs to the Country US.")
