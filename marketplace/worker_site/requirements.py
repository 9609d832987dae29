"""The requirements of groups as Workers read them: what is asked for, whether they have it, and how to get it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.models import HITType, QualificationType
from marketplace.qualified import Record
from marketplace.system_types import ADULT, LOCALE, SYSTEM_TYPES
from marketplace.worker_site.places import place_name

_SENTENCES: dict[str, str | Promise] = {
    "LessThan": gettext_lazy("%(name)s: below %(value)s"),
    "LessThanOrEqualTo": gettext_lazy("%(name)s: at most %(value)s"),
    "GreaterThan": gettext_lazy("%(name)s: above %(value)s"),
    "GreaterThanOrEqualTo": gettext_lazy("%(name)s: at least %(value)s"),
    "EqualTo": gettext_lazy("%(name)s: %(value)s"),
    "NotEqualTo": gettext_lazy("%(name)s: not %(value)s"),
    "In": gettext_lazy("%(name)s: one of %(value)s"),
    "NotIn": gettext_lazy("%(name)s: none of %(value)s"),
    "Exists": gettext_lazy("%(name)s"),
    "DoesNotExist": gettext_lazy("Not for those who have: %(name)s"),
}


@dataclass(frozen=True)
class Shown:
    """A requirement in words; `way` leads to how to get what is lacking, where there is a way."""

    sentence: str
    is_met: bool
    way: str = ""


def show_requirements(hit_types: Iterable[HITType], record: Record) -> dict[int, list[Shown]]:
    """The requirements of each type, by its key; two queries at most, however many there are."""
    required = {hit_type.pk: hit_type.qualification_requirements for hit_type in hit_types}
    ids = {each["QualificationTypeId"] for several in required.values() for each in several}
    own = ids - SYSTEM_TYPES.keys()
    kinds = QualificationType.objects.filter(mturk_id__in=own) if own else []
    by_id = {kind.mturk_id: kind for kind in kinds}
    return {key: [_show(each, by_id, record) for each in several] for key, several in required.items()}


def _show(requirement: dict[str, Any], kinds: dict[str, QualificationType], record: Record) -> Shown:
    type_id, comparator = requirement["QualificationTypeId"], requirement["Comparator"]
    kind = kinds.get(type_id)
    # A deleted type's name is of no use to anybody, but the row is there as long as HITs name it.
    name = str(SYSTEM_TYPES[type_id].label) if type_id in SYSTEM_TYPES else kind.name if kind else type_id
    is_met = record.meets(requirement)
    sentence = str(_SENTENCES[comparator]) % {"name": name, "value": _values(requirement)}
    return Shown(sentence, is_met, "" if is_met else _way(requirement, kind, record))


def _values(requirement: dict[str, Any]) -> str:
    if requirement["QualificationTypeId"] == ADULT:
        return _("yes")
    places = [
        place_name(place["Country"], place.get("Subdivision", ""))
        for place in requirement.get("LocaleValues", [])
    ]
    # A place may have a comma of its own.
    return "; ".join(places) or ", ".join(map(str, requirement.get("IntegerValues", [])))


def _way(requirement: dict[str, Any], kind: QualificationType | None, record: Record) -> str:
    if requirement["QualificationTypeId"] in {LOCALE, ADULT} and not record.has(
        requirement["QualificationTypeId"]
    ):
        return reverse("worker_site:account")
    can_be_asked_for = kind is not None and kind.is_active and kind.deleted_at is None
    if kind is not None and can_be_asked_for and requirement["Comparator"] != "DoesNotExist":
        return kind.get_absolute_url()
    return ""
