"""Four tweets, five Workers each, a mean per tweet: the loop of many an MTurk tutorial, with plain boto3.

It speaks to whatever `AWS_ENDPOINT_URL_MTURK` names and needs AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and boto3, nothing else:

    AWS_ENDPOINT_URL_MTURK=http://127.0.0.1:8001 python mean_of_tweets.py
"""

import json
import re
import sys
import time
from html import escape

import boto3

TWEETS = [
    "Three hours of homework and the file is gone",
    "Fresh bread and honey, what a start",
    "My sister is coming home on Friday!",
    "Packing. A week without the dog, though",
]
QUESTION = """<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">
<HTMLContent><![CDATA[<!DOCTYPE html><html><body>
<p>How positive is this tweet, from 1 to 10?</p><blockquote>%s</blockquote>
<form action="https://www.mturk.com/mturk/externalSubmit" method="post">
<input type="number" name="sentiment" min="1" max="10" required><button>Submit</button></form>
</body></html>]]></HTMLContent><FrameHeight>650</FrameHeight></HTMLQuestion>"""

mturk = boto3.client("mturk", region_name="us-east-1")


def publish(tweet: str) -> str:
    """One HIT for the tweet; returns its HITId."""
    return mturk.create_hit(
        Title="How positive is this tweet?",
        Description="Read a tweet and give it a number.",
        Keywords="text, sentiment",
        Reward="0.05",
        MaxAssignments=5,
        LifetimeInSeconds=3600,
        AssignmentDurationInSeconds=600,
        Question=QUESTION % escape(tweet),
    )["HIT"]["HITId"]


def collect(hit_id: str) -> list[int]:
    """The numbers given so far; what waits is approved."""
    answers = []
    for page in mturk.get_paginator("list_assignments_for_hit").paginate(
        HITId=hit_id, AssignmentStatuses=["Submitted", "Approved"]
    ):
        for assignment in page["Assignments"]:
            answers.append(int(re.search(r"<FreeText>(\d+)</FreeText>", assignment["Answer"])[1]))
            if assignment["AssignmentStatus"] == "Submitted":
                mturk.approve_assignment(AssignmentId=assignment["AssignmentId"])
    return answers


def main() -> None:
    hits = {publish(tweet): tweet for tweet in TWEETS}
    answers: dict[str, list[int]] = {}
    while sum(map(len, answers.values())) < 5 * len(hits):
        time.sleep(1)
        answers = {hit_id: collect(hit_id) for hit_id in hits}
    results = [
        {
            "item": tweet,
            "hit_id": hit_id,
            "status": mturk.get_hit(HITId=hit_id)["HIT"]["HITStatus"],
            "assignments_submitted_count": len(answers[hit_id]),
            "answers": answers[hit_id],
            "avg_answer": sum(answers[hit_id]) / len(answers[hit_id]),
        }
        for hit_id, tweet in hits.items()
    ]
    json.dump(results, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
