"""What a Worker is qualified for: what they were given, what their record here says, and which requirements it meets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Count

from marketplace.models import Qualification, Worker
from marketplace.models.assignment import AssignmentState
from marketplace.money import MASTERS
from marketplace.system_types import (
    ADULT,
    HITS_APPROVED,
    LOCALE,
    PERCENT_ABANDONED,
    PERCENT_APPROVED,
    PERCENT_REJECTED,
    PERCENT_RETURNED,
    PERCENT_SUBMITTED,
    SYSTEM_TYPES,
)

# Below so many submissions one rejection would say too much.
ENOUGH_SUBMITTED = 100
Requirement = Mapping[str, Any]
# What a requirement of each strength keeps from whoever does not meet it.
_GUARDS = {
    "discover": {"DiscoverPreviewAndAccept"},
    "preview": {"DiscoverPreviewAndAccept", "PreviewAndAccept"},
    "accept": {"DiscoverPreviewAndAccept", "PreviewAndAccept", "Accept"},
}


@dataclass
class Record:
    """A Worker as requirements see them, read at most once in two queries; without one, a stranger."""

    worker: Worker | None = None

    def meets(self, requirement: Requirement) -> bool:
        """Whether the requirement holds; without the Qualification only DoesNotExist does."""
        type_id, comparator = requirement["QualificationTypeId"], requirement["Comparator"]
        has_it = self.has(type_id)
        if comparator in {"Exists", "DoesNotExist"}:
            return has_it is (comparator == "Exists")
        if not has_it:
            return False
        if type_id == LOCALE:
            is_there = any(_is_in(self.worker, place) for place in requirement.get("LocaleValues", []))
            return is_there is (comparator in {"EqualTo", "In"})
        return _compare(self.value(type_id), comparator, requirement.get("IntegerValues", []))

    def may(self, act: str, requirements: Iterable[Requirement]) -> bool:
        """Whether all that guard the act (discover, preview or accept) hold."""
        guards = _GUARDS[act]
        return all(self.meets(each) for each in requirements if each["ActionsGuarded"] in guards)

    def has(self, type_id: str) -> bool:
        worker = self.worker
        if type_id == LOCALE:
            return worker is not None and bool(worker.country)
        if type_id == ADULT:
            return worker is not None and worker.is_adult
        if type_id in MASTERS:
            return worker is not None and worker.is_master
        return type_id in self._system if type_id in SYSTEM_TYPES else type_id in self._held

    def value(self, type_id: str) -> int | None:
        """The number of a Qualification that is there; None where it has none."""
        if type_id in {ADULT, *MASTERS}:
            return 1
        return self._system[type_id] if type_id in SYSTEM_TYPES else self._held[type_id]

    @cached_property
    def _held(self) -> dict[str, int | None]:
        held = Qualification.objects.filter(worker=self.worker, revoked_at=None)
        return dict(held.values_list("qualification_type__mturk_id", "value"))

    @cached_property
    def _system(self) -> dict[str, int]:
        if self.worker is None:
            return {}
        counted = self.worker.assignments.order_by().values_list("state").annotate(Count("pk"))
        return system_values({AssignmentState(state): count for state, count in counted})


def _is_in(worker: Worker | None, place: Mapping[str, str]) -> bool:
    return (
        worker is not None
        and place["Country"] == worker.country
        and place.get("Subdivision", worker.subdivision) == worker.subdivision
    )


def system_values(counts: Mapping[AssignmentState, int]) -> dict[str, int]:
    """The market's own figures about a Worker with so many assignments in each state."""
    of = {state: counts.get(state, 0) for state in AssignmentState}
    approved, rejected = of[AssignmentState.APPROVED], of[AssignmentState.REJECTED]
    submitted = approved + rejected + of[AssignmentState.SUBMITTED]
    ended = submitted + of[AssignmentState.RETURNED] + of[AssignmentState.ABANDONED]
    return {
        HITS_APPROVED: approved,
        PERCENT_APPROVED: (
            100 if submitted < ENOUGH_SUBMITTED else _percent(approved, approved + rejected, 100)
        ),
        PERCENT_REJECTED: _percent(rejected, approved + rejected, 0),
        PERCENT_SUBMITTED: _percent(submitted, ended, 100),
        PERCENT_ABANDONED: _percent(of[AssignmentState.ABANDONED], ended, 0),
        PERCENT_RETURNED: _percent(of[AssignmentState.RETURNED], ended, 0),
    }


def _percent(part: int, whole: int, otherwise: int) -> int:
    return 100 * part // whole if whole else otherwise


def _compare(value: int | None, comparator: str, numbers: Sequence[int]) -> bool:
    if value is None:
        return False
    return {
        "LessThan": value < numbers[0],
        "LessThanOrEqualTo": value <= numbers[0],
        "GreaterThan": value > numbers[0],
        "GreaterThanOrEqualTo": value >= numbers[0],
        "EqualTo": value == numbers[0],
        "NotEqualTo": value != numbers[0],
        "In": value in numbers,
        "NotIn": value not in numbers,
    }[comparator]
