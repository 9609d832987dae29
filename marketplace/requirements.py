"""Qualification requirements: what may be asked for, and how the API shows it."""

import re
from typing import Any

from marketplace.errors import invalid, request_error
from marketplace.money import MASTERS

MAX_REQUIREMENTS = 10
LOCALE = "00000000000000000071"
# Percentages and counts kept by the market itself, the adult flag, and four ids of the time before 2013.
_SYSTEM_INTEGERS = {
    "00000000000000000040",
    "00000000000000000060",
    "000000000000000000L0",
    "00000000000000000000",
    "00000000000000000070",
    "000000000000000000E0",
    "000000000000000000S0",
}
_KNOWN = _SYSTEM_INTEGERS | MASTERS | {LOCALE}
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


def check_types_exist(requirements: list[dict[str, Any]]) -> None:
    """Raise QualificationTypeDoesNotExist for a requirement that no Worker could ever be checked against."""
    for requirement in requirements:
        type_id = requirement["QualificationTypeId"]
        if type_id not in _KNOWN:
            raise request_error(
                "QualificationTypeDoesNotExist", f"QualificationType {type_id} does not exist."
            )


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
