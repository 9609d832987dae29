"""Which Workers a requirement lets in: what they hold, what their record says, where they live."""

from typing import Any

import pytest

from marketplace import lifecycle
from marketplace.models import Worker
from marketplace.models.assignment import AssignmentState
from marketplace.qualified import Record, system_values
from marketplace.system_types import (
    HITS_APPROVED,
    LOCALE,
    PERCENT_ABANDONED,
    PERCENT_APPROVED,
    PERCENT_REJECTED,
    PERCENT_RETURNED,
    PERCENT_SUBMITTED,
)
from tests.marketplace.conftest import Market
from tests.marketplace.test_granting import give, take
from tests.marketplace.test_qualification_types import make, require
from tests.marketplace.test_working import code_of

MASTERS = "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH"
ADULT = "00000000000000000060"


def needs(type_id: str, comparator: str, *values: Any, guarded: str = "Accept") -> dict[str, Any]:
    requirement = {"QualificationTypeId": type_id, "Comparator": comparator, "ActionsGuarded": guarded}
    if values:
        requirement["LocaleValues" if type_id == LOCALE else "IntegerValues"] = list(values)  # type: ignore[assignment]
    return requirement


# What a Worker holds


@pytest.mark.parametrize(
    ("comparator", "numbers", "with_50", "without_value", "without"),
    [
        ("LessThan", [51], True, False, False),
        ("LessThan", [50], False, False, False),
        ("LessThanOrEqualTo", [50], True, False, False),
        ("LessThanOrEqualTo", [49], False, False, False),
        ("GreaterThan", [49], True, False, False),
        ("GreaterThan", [50], False, False, False),
        ("GreaterThanOrEqualTo", [50], True, False, False),
        ("GreaterThanOrEqualTo", [51], False, False, False),
        ("EqualTo", [50], True, False, False),
        ("EqualTo", [51], False, False, False),
        ("NotEqualTo", [51], True, False, False),
        ("NotEqualTo", [50], False, False, False),
        ("In", [1, 50], True, False, False),
        ("In", [1, 2], False, False, False),
        ("NotIn", [1, 2], True, False, False),
        ("NotIn", [1, 50], False, False, False),
        ("Exists", [], True, True, False),
        ("DoesNotExist", [], False, False, True),
    ],
)
def test_each_comparator(
    market: Market, comparator: str, numbers: list[int], with_50: bool, without_value: bool, without: bool
) -> None:
    kind = make(market)
    holder, valueless, revoked, nobody = (market.worker() for _ in range(4))
    give(market, kind, holder, IntegerValue=50)
    give(market, kind, valueless)
    valueless.qualifications.update(value=None)
    give(market, kind, revoked, IntegerValue=50)
    take(market, kind, revoked)

    requirement = needs(kind["QualificationTypeId"], comparator, *numbers)

    met = [Record(worker).meets(requirement) for worker in (holder, valueless, revoked, nobody, None)]
    assert met == [with_50, without_value, without, without, without]


# Where a Worker lives

US, WA, DE = {"Country": "US"}, {"Country": "US", "Subdivision": "WA"}, {"Country": "DE"}


@pytest.mark.parametrize(
    ("comparator", "places", "us_wa", "us_ca", "us", "de", "nowhere"),
    [
        ("EqualTo", [US], True, True, True, False, False),
        ("EqualTo", [WA], True, False, False, False, False),
        ("EqualTo", [DE], False, False, False, True, False),
        ("NotEqualTo", [US], False, False, False, True, False),
        ("NotEqualTo", [WA], False, True, True, True, False),
        ("In", [WA, DE], True, False, False, True, False),
        ("NotIn", [WA, DE], False, True, True, False, False),
        ("Exists", [], True, True, True, True, False),
        ("DoesNotExist", [], False, False, False, False, True),
    ],
)
def test_each_comparator_of_places(
    comparator: str,
    places: list[dict[str, str]],
    us_wa: bool,
    us_ca: bool,
    us: bool,
    de: bool,
    nowhere: bool,
) -> None:
    lives = [("US", "WA"), ("US", "CA"), ("US", ""), ("DE", ""), ("", "")]
    workers = [Worker(country=country, subdivision=subdivision) for country, subdivision in lives]

    met = [Record(worker).meets(needs(LOCALE, comparator, *places)) for worker in workers]

    assert met == [us_wa, us_ca, us, de, nowhere]


# What the market knows

STATES = AssignmentState


@pytest.mark.parametrize(
    ("counts", "values"),
    [
        ({}, {HITS_APPROVED: 0, PERCENT_APPROVED: 100, PERCENT_REJECTED: 0, PERCENT_SUBMITTED: 100}),
        # below a hundred submissions the rate stays
        ({STATES.APPROVED: 9, STATES.REJECTED: 90}, {HITS_APPROVED: 9, PERCENT_APPROVED: 100, PERCENT_REJECTED: 90}),
        ({STATES.APPROVED: 99, STATES.REJECTED: 1}, {PERCENT_APPROVED: 99, PERCENT_REJECTED: 1}),
        ({STATES.APPROVED: 199, STATES.REJECTED: 1}, {PERCENT_APPROVED: 99}),
        # what waits counts for neither side
        ({STATES.APPROVED: 80, STATES.SUBMITTED: 20}, {PERCENT_APPROVED: 100}),
        ({STATES.SUBMITTED: 200}, {PERCENT_APPROVED: 100}),
        (
            {STATES.APPROVED: 5, STATES.RETURNED: 3, STATES.ABANDONED: 2, STATES.ACCEPTED: 7},
            {PERCENT_SUBMITTED: 50, PERCENT_RETURNED: 30, PERCENT_ABANDONED: 20},
        ),
    ],
)  # fmt: skip
def test_the_markets_own_figures(counts: dict[AssignmentState, int], values: dict[str, int]) -> None:
    computed = system_values(counts)

    assert {name: computed[name] for name in values} == values


def test_they_come_from_the_workers_record_with_all_requesters(market: Market, make_market: Any) -> None:
    worker = market.worker()
    for owner, verdict in ((market, "approve"), (make_market("Newsroom"), "approve"), (market, "reject")):
        assignment = owner.submit(owner.create_hit(Title=verdict), worker)
        if verdict == "approve":
            owner.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
        else:
            owner.mturk.reject_assignment(AssignmentId=assignment.mturk_id, RequesterFeedback="no")
    lifecycle.return_assignment(market.accept(market.create_hit(Title="Returned"), worker).mturk_id)

    record = Record(worker)

    assert [record.value(each) for each in (HITS_APPROVED, PERCENT_REJECTED, PERCENT_RETURNED)] == [2, 33, 25]


def test_masters_and_adults_are_what_they_are_said_to_be() -> None:
    plain, chosen = Worker(), Worker(is_master=True, is_adult=True)

    for requirement in (needs(MASTERS, "Exists"), needs(ADULT, "EqualTo", 1)):
        assert [Record(each).meets(requirement) for each in (plain, chosen, None)] == [False, True, False]
    assert Record(plain).meets(needs(MASTERS, "DoesNotExist"))


# Accepting


def test_a_hit_goes_only_to_workers_who_meet_all_its_requirements(market: Market) -> None:
    kind, other = make(market), make(market, Name="Did it before")
    hit = market.create_hit(
        MaxAssignments=5,
        QualificationRequirements=[
            needs(kind["QualificationTypeId"], "GreaterThanOrEqualTo", 80),
            needs(kind["QualificationTypeId"], "LessThan", 90),
            needs(other["QualificationTypeId"], "DoesNotExist", guarded="DiscoverPreviewAndAccept"),
        ],
    )
    right, too_much, lacking, before = (market.worker() for _ in range(4))
    give(market, kind, right, IntegerValue=85)
    give(market, kind, too_much, IntegerValue=90)
    for known in (right, before):
        give(market, kind, known, IntegerValue=85)
    give(market, other, before)

    assert market.accept(hit, right)
    for worker in (too_much, lacking, before):
        assert code_of(lambda worker=worker: market.accept(hit, worker)) == "not_qualified"
        assert code_of(lambda worker=worker: lifecycle.accept_any(hit.hit_type, worker)) == "not_qualified"
    assert market.status(hit)[1:3] == (4, 1)


def test_what_a_worker_loses_later_takes_no_work_away(market: Market) -> None:
    kind, worker = make(market), market.worker()
    hit = market.create_hit(**require(kind))
    give(market, kind, worker)
    assignment = market.accept(hit, worker)
    take(market, kind, worker)

    assert market.accept(hit, worker) == assignment
    assert lifecycle.submit_assignment(assignment.mturk_id, [("a", "b")]).state == "submitted"


def test_a_worker_is_read_once_however_many_requirements_there_are(
    market: Market, django_assert_num_queries: Any
) -> None:
    kinds = [make(market, Name=f"Type {number}") for number in range(5)]
    worker = market.worker()
    requirements = [needs(kind["QualificationTypeId"], "Exists") for kind in kinds] + [
        needs(HITS_APPROVED, "EqualTo", 0),
        needs(PERCENT_APPROVED, "EqualTo", 100),
    ]
    record = Record(worker)

    with django_assert_num_queries(2):
        assert [record.meets(each) for each in requirements * 20] == ([False] * 5 + [True] * 2) * 20
