"""HITs that wait for a review, HITs that change their type, and HITLayouts."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from marketplace import clock, lifecycle
from marketplace.models import HIT
from marketplace.worker_site.frames import read_question
from tests.marketplace.conftest import TYPE, Market
from tests.marketplace.refusals import refused
from tests.marketplace.test_money import check_agreement, spend_to

PAST = datetime(1970, 1, 1, tzinfo=UTC)


# Reviewable and Reviewing --------------------------------------------------------------------------


def reviewable(market: Market, **members: Any) -> list[str]:
    pages = market.mturk.get_paginator("list_reviewable_hits").paginate(MaxResults=2, **members)
    return [hit["HITId"] for page in pages for hit in page["HITs"]]


def test_hits_nobody_works_on_any_more_are_listed_newest_first(market: Market) -> None:
    market.create_hit()
    market.accept(market.create_hit())
    done, expired, deleted = market.create_hit(), market.create_hit(), market.create_hit()
    market.submit(done)
    for hit in (expired, deleted):
        market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)
    market.mturk.delete_hit(HITId=deleted.mturk_id)

    assert reviewable(market) == [expired.mturk_id, done.mturk_id]
    market.wait(days=2)
    assert len(reviewable(market)) == 4


def test_only_ids_are_listed_unless_the_operator_says_otherwise(market: Market, settings: Settings) -> None:
    hit = market.create_hit()
    market.submit(hit)

    assert market.mturk.list_reviewable_hits()["HITs"] == [{"HITId": hit.mturk_id}]
    settings.REVIEWABLE_HITS_IN_FULL = True
    assert market.mturk.list_reviewable_hits()["HITs"] == [market.mturk.get_hit(HITId=hit.mturk_id)["HIT"]]


def test_a_hit_goes_to_reviewing_and_back(market: Market) -> None:
    hit = market.create_hit()
    market.submit(hit)

    market.mturk.update_hit_review_status(HITId=hit.mturk_id)
    assert market.status(hit)[0] == "Reviewing"
    assert (reviewable(market), reviewable(market, Status="Reviewing")) == ([], [hit.mturk_id])

    market.mturk.update_hit_review_status(HITId=hit.mturk_id, Revert=True)
    assert (reviewable(market), reviewable(market, Status="Reviewing")) == ([hit.mturk_id], [])


@pytest.mark.parametrize(
    ("is_done", "goes_first", "revert", "status", "allowed"),
    [
        (False, False, False, "Assignable", "Reviewable"),
        (True, False, True, "Reviewable", "Reviewing"),
        (True, True, False, "Reviewing", "Reviewable"),
    ],
)
def test_from_any_other_status_it_cannot(
    market: Market, is_done: bool, goes_first: bool, revert: bool, status: str, allowed: str
) -> None:
    hit = market.create_hit()
    if is_done:
        market.submit(hit)
    if goes_first:
        market.mturk.update_hit_review_status(HITId=hit.mturk_id)

    with refused() as refusal:
        market.mturk.update_hit_review_status(HITId=hit.mturk_id, Revert=revert)

    assert refusal.code == "InvalidHITState"
    assert refusal.message == (
        f"This HIT is currently in the state '{status}'.  "
        f"This operation can be called with a status of: {allowed}"
    )


def test_one_type_can_be_asked_for(market: Market, make_market: Callable[[str], Market]) -> None:
    hit, other = market.create_hit(), market.create_hit(Title="Another")
    for each in (hit, other):
        market.submit(each)

    assert reviewable(market, HITTypeId=hit.hit_type.mturk_id) == [hit.mturk_id]
    with refused() as refusal:
        make_market("Newsroom").mturk.list_reviewable_hits(HITTypeId=hit.hit_type.mturk_id)
    assert refusal.code == "HITTypeDoesNotExist"


def test_more_slots_bring_a_hit_back_from_reviewing(market: Market) -> None:
    hit = market.create_hit()
    market.submit(hit)
    market.mturk.update_hit_review_status(HITId=hit.mturk_id)

    market.mturk.create_additional_assignments_for_hit(HITId=hit.mturk_id, NumberOfAdditionalAssignments=1)
    market.submit(hit)

    assert market.status(hit)[0] == "Reviewable"


# Another type --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reward", "held"), [("1.00", "3.60"), ("0.10", "0.36"), ("0.50", "1.80")])
def test_a_hit_takes_over_everything_from_its_new_type(market: Market, reward: str, held: str) -> None:
    hit = market.create_hit(MaxAssignments=3)
    type_id = market.mturk.create_hit_type(**TYPE | {"Title": "New", "Reward": reward})["HITTypeId"]

    market.mturk.update_hit_type_of_hit(HITId=hit.mturk_id, HITTypeId=type_id)

    shown = market.mturk.get_hit(HITId=hit.mturk_id)["HIT"]
    assert (shown["HITTypeId"], shown["Title"], shown["Reward"]) == (type_id, "New", reward)
    assert shown["HITGroupId"] != hit.hit_type.group_mturk_id
    assert market.balance == (Decimal(10_000) - Decimal(held), Decimal(held))
    check_agreement()


def test_a_dearer_type_must_be_affordable(market: Market) -> None:
    hit = market.create_hit()
    type_id = market.mturk.create_hit_type(**TYPE | {"Reward": "5.00"})["HITTypeId"]
    spend_to(market, "5.39")

    with refused() as refusal:
        market.mturk.update_hit_type_of_hit(HITId=hit.mturk_id, HITTypeId=type_id)
    assert refusal.code == "InsufficientFunds"
    assert HIT.objects.get().hit_type_id == hit.hit_type_id

    spend_to(market, "5.40")
    market.mturk.update_hit_type_of_hit(HITId=hit.mturk_id, HITTypeId=type_id)


@pytest.mark.parametrize("then", [None, "submit", "return"])
def test_once_somebody_has_accepted_the_type_stays(market: Market, then: str | None) -> None:
    hit = market.create_hit(MaxAssignments=2)
    assignment = market.accept(hit)
    if then == "submit":
        lifecycle.submit_assignment(assignment.mturk_id, [("colour", "red")])
    if then == "return":
        lifecycle.return_assignment(assignment.mturk_id)

    with refused() as refusal:
        market.mturk.update_hit_type_of_hit(HITId=hit.mturk_id, HITTypeId=hit.hit_type.mturk_id)

    assert refusal.code == "InvalidHITState"


def test_hit_and_type_must_be_ones_own(market: Market, make_market: Callable[[str], Market]) -> None:
    hit, other = market.create_hit(), make_market("Newsroom").create_hit()

    for hit_id, type_id, code in (
        (hit.mturk_id, other.hit_type.mturk_id, "HITTypeDoesNotExist"),
        (other.mturk_id, hit.hit_type.mturk_id, "HITDoesNotExist"),
    ):
        with refused() as refusal:
            market.mturk.update_hit_type_of_hit(HITId=hit_id, HITTypeId=type_id)
        assert refusal.code == code


# Extending and expiring ----------------------------------------------------------------------------


def test_a_hit_from_before_the_fees_changed_cannot_grow(market: Market) -> None:
    hit = market.create_hit()
    HIT.objects.update(created_at=datetime(2015, 7, 21, tzinfo=UTC))

    with refused() as refusal:
        market.mturk.create_additional_assignments_for_hit(
            HITId=hit.mturk_id, NumberOfAdditionalAssignments=1
        )

    assert refusal.code == "HITTooOldForExtension"


def test_the_same_expiration_twice_is_an_error_only_where_the_operator_wants_it(
    market: Market, settings: Settings
) -> None:
    hit, other = market.create_hit(), market.create_hit()
    at = clock.now().replace(microsecond=0) + timedelta(days=2)

    def expire(hit: HIT, at: datetime) -> None:
        market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=at)

    for _ in range(2):
        expire(hit, at)
    settings.HIDDEN_TOKENS = True
    expire(hit, at)
    with refused() as refusal:
        expire(hit, at)
    assert (refusal.kind, refusal.code) == ("RequestError", "DuplicateRequest")
    assert "has already been processed." in refusal.message
    expire(hit, at + timedelta(seconds=1))
    expire(other, at)
    market.wait(days=1)
    expire(hit, at)


# Layouts -------------------------------------------------------------------------------------------


@pytest.fixture
def add_layout(market: Market, tmp_path: Path) -> Callable[[str], list[str]]:
    """Makes a layout of this HTML; what the command prints, line by line."""

    def add(html: str, *options: str) -> list[str]:
        file = tmp_path / "layout.html"
        file.write_text(html)
        output = io.StringIO()
        call_command("add_layout", "Lab", str(file), *options, stdout=output)
        return output.getvalue().split()

    return add


def create(market: Market, layout_id: str, **values: str) -> Any:
    parameters = [{"Name": name, "Value": value} for name, value in values.items()]
    members = {"HITLayoutParameters": parameters} if parameters else {}
    return market.mturk.create_hit(**TYPE, LifetimeInSeconds=60, HITLayoutId=layout_id, **members)["HIT"]


def test_a_layout_is_filled_in_for_each_hit(market: Market, add_layout: Callable[..., list[str]]) -> None:
    html = "<p title='${ name }'>${name}</p><script>x = `${a + b}`; y = [[1]]>0</script>${count}"
    layout_id, *names = add_layout(html, "--frame-height", "600")

    assert names == ["name", "count"]
    hit = create(market, layout_id, name="Ada & <b>co</b> ${count}", count="7")

    assert hit["HITLayoutId"] == layout_id
    assert hit["Question"].endswith("<FrameHeight>600</FrameHeight></HTMLQuestion>")
    assert "<p title='Ada & <b>co</b> ${count}'>" in hit["Question"]
    assert read_question(hit["Question"]).html == html.replace("${name}", "Ada & <b>co</b> ${count}").replace(
        "${ name }", "Ada & <b>co</b> ${count}"
    ).replace("</script>${count}", "</script>7")
    with_type = market.mturk.create_hit_with_hit_type(
        HITTypeId=hit["HITTypeId"],
        LifetimeInSeconds=60,
        HITLayoutId=layout_id,
        HITLayoutParameters=[{"Name": "name", "Value": "x"}, {"Name": "count", "Value": "y"}],
    )
    assert with_type["HIT"]["HITLayoutId"] == layout_id


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs the HITLayoutParameters name"),
        ({"name": "Ada", "age": "36"}, "has no place for the HITLayoutParameters age"),
        ({"name": "x" * 65_000}, "bytes; 65535 are allowed"),
    ],
)
def test_parameters_must_fit_the_layout(
    market: Market, add_layout: Callable[[str], list[str]], values: dict[str, str], message: str
) -> None:
    [layout_id, _] = add_layout("<p>${name}</p>" + "y" * 500)

    with refused() as refusal:
        create(market, layout_id, **values)

    assert refusal.kind == "ParameterValidationError"
    assert message in refusal.message
    assert not HIT.objects.exists()


def test_a_parameter_has_one_value(market: Market, add_layout: Callable[[str], list[str]]) -> None:
    [layout_id, _] = add_layout("<p>${name}</p>")

    with refused() as refusal:
        market.mturk.create_hit(
            **TYPE,
            LifetimeInSeconds=60,
            HITLayoutId=layout_id,
            HITLayoutParameters=[{"Name": "name", "Value": value} for value in ("a", "b")],
        )

    assert refusal.kind == "ParameterValidationError"


def test_another_requesters_layout_does_not_exist(
    market: Market, make_market: Callable[[str], Market], add_layout: Callable[[str], list[str]]
) -> None:
    [layout_id] = add_layout("<p>7?</p>")

    with refused() as refusal:
        create(make_market("Newsroom"), layout_id)

    assert refusal.code == "HITLayoutDoesNotExist"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["Nobody", "{file}"], "no requester"),
        (["Lab", "{folder}/missing.html"], "cannot be read"),
        (["Lab", "{file}", "--frame-height=-1"], "--frame-height"),
        (["Lab", "{empty}"], "must hold HTML"),
        (["Lab", "{binary}"], "is not UTF-8"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_in_words(
    market: Market, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    paths = {"folder": tmp_path}
    for name, content in (("file", b"<p>7?</p>"), ("empty", b" "), ("binary", b"\xff\xfe")):
        paths[name] = tmp_path / name
        paths[name].write_bytes(content)

    with pytest.raises(CommandError, match=complaint):
        call_command("add_layout", *(argument.format(**paths) for argument in arguments))
