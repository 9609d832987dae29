"""Four tweets, five Workers each, a mean per tweet: the script of docs/examples, with the first owner's token."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from tests.journeys.conftest import Backstage
from tests.servers import Stack, wait

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "tweets_by_api.py"
SCORES = [(2, 2, 1, 4, 2), (7, 5, 8, 7, 6), (7, 5, 8, 5, 5), (8, 4, 5, 5, 6)]


def test_the_notebook_publishes_waits_approves_and_takes_the_means(
    stack: Stack, backstage: Backstage
) -> None:
    token = stack.env["MTURKHUB_API_TOKEN"]
    told = {
        "PATH": os.environ["PATH"],
        "MTURKHUB_URL": stack.url,
        "MTURKHUB_API_TOKEN": token,
        "MTURKHUB_CONNECTION": local(stack),
    }
    before = batches(stack)
    script = subprocess.Popen(
        [sys.executable, str(SCRIPT)], env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait(
        lambda: script.poll() is not None or (len(batches(stack)) > len(before) and len(hits(stack)) == 4),
        seconds=90,
    )
    assert script.returncode is None, script.communicate()

    backstage.answer(
        (hit, f"ASCRIPT{place}", {"sentiment": str(score)})
        for hit, scores in zip(hits(stack), SCORES, strict=True)
        for place, score in enumerate(scores)
    )
    printed, complaints = script.communicate(timeout=90)

    assert script.returncode == 0, complaints
    assert re.findall(r"\d\.\d+$", printed, re.MULTILINE) == ["2.2", "6.6", "6.0", "5.6", "1.20"]


def ask(stack: Stack, path: str) -> Any:
    # The token may ask ten times a second, and the notebook asks with it too.
    time.sleep(0.5)
    token = stack.env["MTURKHUB_API_TOKEN"]
    answer = requests.get(
        f"{stack.url}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30
    )
    assert answer.ok, answer.text
    return answer.json()["results"]


def local(stack: Stack) -> str:
    """Other journeys of the same stack may have added a Connection."""
    named = [one["connection"] for one in ask(stack, "balance")]
    return next(str(each["id"]) for each in named if each["name"] == "Local")


def batches(stack: Stack) -> list[Any]:
    return list(ask(stack, "batches"))


def hits(stack: Stack) -> list[str]:
    """MTurk's ids of the newest batch's HITs, in the order of the rows."""
    rows = ask(stack, f"batches/{batches(stack)[0]['id']}/rows")
    return [hit["hit_id"] for row in rows for hit in row["hits"] if hit["hit_id"]]
