"""Labels rows until two Workers agree: two answers each, and one more wherever they differ, with plain boto3.

    AWS_ENDPOINT_URL_MTURK=http://127.0.0.1:8001 python two_must_agree.py rows.csv > labelled.csv

The file has a column `image_url`; the others pass through, and the labels come out as a column `label`. A HIT
made with fewer than ten assignments cannot grow to ten, so a row nobody agrees on by the ninth is left without a label.
"""

import csv
import re
import sys
import time
from collections import Counter
from html import escape

import boto3
from botocore.exceptions import ClientError

CHOICES = ("setosa", "versicolor", "virginica")
QUESTION = """<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">
<HTMLContent><![CDATA[<!DOCTYPE html><html><body><p>Which iris is this?</p><img src="%s" alt="The iris to name">
<form action="https://www.mturk.com/mturk/externalSubmit" method="post">%s<button>Submit</button></form>
</body></html>]]></HTMLContent><FrameHeight>1000</FrameHeight></HTMLQuestion>"""
RADIOS = "".join(
    f'<label><input type="radio" name="label" value="{each}" required> {each}</label>' for each in CHOICES
)

mturk = boto3.client("mturk", region_name="us-east-1")


def publish(row: dict[str, str]) -> str:
    """One HIT of two answers; returns its HITId."""
    return mturk.create_hit(
        Title="Name an iris",
        Description="Look at a picture and choose one of three names.",
        Keywords="image, flower",
        Reward="0.05",
        MaxAssignments=2,
        LifetimeInSeconds=4 * 3600,
        AssignmentDurationInSeconds=300,
        Question=QUESTION % (escape(row["image_url"]), RADIOS),
    )["HIT"]["HITId"]


def votes(hit_id: str) -> Counter[str]:
    """How often each label was given so far; what waits is approved."""
    found: Counter[str] = Counter()
    for page in mturk.get_paginator("list_assignments_for_hit").paginate(HITId=hit_id):
        for assignment in page["Assignments"]:
            found[re.search(r"<FreeText>(\w+)</FreeText>", assignment["Answer"])[1]] += 1
            if assignment["AssignmentStatus"] == "Submitted":
                mturk.approve_assignment(AssignmentId=assignment["AssignmentId"])
    return found


def settle(hit_id: str) -> str | None:
    """The label two agree on, "" when nobody ever will, None while answers are expected; asks for one more if need be."""
    found = votes(hit_id)
    if found and (leader := found.most_common(1)[0])[1] >= 2:
        return leader[0]
    if sum(found.values()) < mturk.get_hit(HITId=hit_id)["HIT"]["MaxAssignments"]:
        return None
    try:
        mturk.create_additional_assignments_for_hit(
            HITId=hit_id,
            NumberOfAdditionalAssignments=1,
            # The same number of votes is extended once, however often this runs.
            UniqueRequestToken=f"{hit_id}-{sum(found.values())}",
        )
    except ClientError as error:
        if "InvalidMaximumAssignmentsIncrease" not in str(error.response.get("TurkErrorCode")):
            raise
        return ""
    return None


def main() -> None:
    with open(sys.argv[1], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    hits = [publish(row) for row in rows]
    labels: dict[str, str] = {}
    while len(labels) < len(hits):
        time.sleep(1)
        for hit_id in hits:
            if hit_id not in labels and (label := settle(hit_id)) is not None:
                labels[hit_id] = label
        print(f"{len(labels)} of {len(hits)} annotated", file=sys.stderr)
    writer = csv.DictWriter(sys.stdout, [*rows[0], "label"])
    writer.writeheader()
    writer.writerows({**row, "label": labels[hit_id]} for row, hit_id in zip(rows, hits, strict=True))


if __name__ == "__main__":
    main()
