"""The scripts of docs/examples run unchanged against the marketplace, and their figures are right."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Commands
from tests.contract.test_marketplace_contract import client
from tests.servers import MarketplaceServer, wait

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
# Whose means are 2.2, 6.6, 6.0 and 5.6.
NUMBERS = [(2, 2, 1, 4, 2), (7, 5, 8, 7, 6), (7, 5, 8, 5, 5), (8, 4, 5, 5, 6)]
Script = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def keys(manage: Commands) -> tuple[str, str]:
    key_id, secret = manage("add_requester", f"Examples {uuid.uuid4()}").split()
    return key_id, secret


@pytest.fixture
def mturk(marketplace_server: MarketplaceServer, keys: tuple[str, str]) -> Any:
    return client(marketplace_server.url, *keys)


@pytest.fixture
def start(marketplace_server: MarketplaceServer, keys: tuple[str, str]) -> Script:
    def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(EXAMPLES / script), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL_MTURK": marketplace_server.url,
                "AWS_ACCESS_KEY_ID": keys[0],
                "AWS_SECRET_ACCESS_KEY": keys[1],
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def answer(manage: Commands, hit_id: str, worker: str, fields: Mapping[str, str]) -> None:
    manage("worker_act", "accept", hit_id, worker)
    manage("worker_act", "submit", hit_id, worker, json.dumps(fields))


def hits_of(mturk: Any) -> list[dict[str, Any]]:
    """All HITs, oldest first."""
    pages = mturk.get_paginator("list_hits").paginate(MaxResults=100)
    return [hit for page in pages for hit in page["HITs"]][::-1]


def printed(process: "subprocess.Popen[str]") -> str:
    """What the script printed; fails with its own words when it ended badly."""
    out, complaints = process.communicate(timeout=90)
    assert process.returncode == 0, complaints
    return out


def test_four_tweets_get_the_means_of_their_answers(start: Script, mturk: Any, manage: Commands) -> None:
    before = Decimal(mturk.get_account_balance()["AvailableBalance"])
    script = start("mean_of_tweets.py")
    wait(lambda: len(hits_of(mturk)) == 4)

    for hit, numbers in zip(hits_of(mturk), NUMBERS, strict=True):
        for place, number in enumerate(numbers):
            answer(manage, hit["HITId"], f"ATESTTWEET{place}", {"sentiment": str(number)})
    results = json.loads(printed(script))

    assert [each["avg_answer"] for each in results] == [2.2, 6.6, 6.0, 5.6]
    assert [sorted(each["answers"]) for each in results] == [sorted(numbers) for numbers in NUMBERS]
    assert {(each["status"], each["assignments_submitted_count"]) for each in results} == {("Reviewable", 5)}
    assert before - Decimal(mturk.get_account_balance()["AvailableBalance"]) == Decimal("1.20")


def test_rows_are_extended_until_two_agree(
    start: Script, mturk: Any, manage: Commands, tmp_path: Path
) -> None:
    rows = [{"image_url": f"https://example.org/{n}.jpg", "petal": f"{n}.5"} for n in range(150)]
    file = tmp_path / "rows.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, ["image_url", "petal"])
        writer.writeheader()
        writer.writerows(rows)
    before = Decimal(mturk.get_account_balance()["AvailableBalance"])
    script = start("two_must_agree.py", str(file))
    wait(lambda: len(hits_of(mturk)) == 150, seconds=60)
    hits = hits_of(mturk)

    # 150 rows of two answers at 0.05 and 0.01.
    assert before - Decimal(mturk.get_account_balance()["AvailableBalance"]) == Decimal("18.00")
    for number, hit in enumerate(hits):
        # Every tenth row splits its two answers; the first of all splits three.
        second = "virginica" if number % 10 == 0 else "setosa"
        answer(manage, hit["HITId"], "ATESTIRIS1", {"label": "setosa"})
        answer(manage, hit["HITId"], "ATESTIRIS2", {"label": second})
    for third in range(15):
        hit_id = hits[third * 10]["HITId"]
        wait(lambda hit_id=hit_id: mturk.get_hit(HITId=hit_id)["HIT"]["MaxAssignments"] == 3, seconds=60)
        answer(manage, hit_id, "ATESTIRIS3", {"label": "virginica" if third else "versicolor"})
    wait(lambda: mturk.get_hit(HITId=hits[0]["HITId"])["HIT"]["MaxAssignments"] == 4, seconds=60)
    answer(manage, hits[0]["HITId"], "ATESTIRIS4", {"label": "versicolor"})
    labelled = list(csv.DictReader(io.StringIO(printed(script))))

    expected = ["virginica" if number % 10 == 0 else "setosa" for number in range(150)]
    assert [row["label"] for row in labelled] == ["versicolor", *expected[1:]]
    assert [row["petal"] for row in labelled] == [row["petal"] for row in rows]
    # 300 answers, and 16 more.
    assert before - Decimal(mturk.get_account_balance()["AvailableBalance"]) == Decimal("18.96")
    assert re.fullmatch(r"\d+\.\d\d", mturk.get_account_balance()["AvailableBalance"])
