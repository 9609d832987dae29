"""Four tweets, five Workers each, a mean per tweet: through the dashboard's API, with requests and pandas.

    MTURKHUB_URL=http://127.0.0.1:8000 MTURKHUB_API_TOKEN=… python tweets_by_api.py

The answers are collected, approved and kept by the dashboard; this script may be stopped at any time.
Where a team has several local Connections, MTURKHUB_CONNECTION names one, by the id that GET balance says.
"""

import io
import os
import time

import pandas as pd
import requests

API = os.environ["MTURKHUB_URL"] + "/api/v1/"
HEADERS = {"Authorization": "Bearer " + os.environ["MTURKHUB_API_TOKEN"]}
TWEETS = pd.DataFrame(
    {
        "content": [
            "Three hours of homework and the file is gone",
            "Fresh bread and honey, what a start",
            "My sister is coming home on Friday!",
            "Packing. A week without the dog, though",
        ]
    }
)
FILE = {"file": ("tweets.csv", TWEETS.to_csv(index=False))}
WHERE = {"connection": os.environ.get("MTURKHUB_CONNECTION")}
PROJECT = {
    "title": "How positive is this tweet?",
    "description": "Read a tweet and give it a number.",
    "keywords": "text, sentiment",
    "reward": "0.05",
    "max_assignments": 5,
    "assignment_duration": 600,
    "lifetime": 3600,
    "html": """<p>How positive is this tweet, from 1 to 10?</p><blockquote>${content}</blockquote>
<form><input type="number" name="sentiment" min="1" max="10" required><button>Submit</button></form>""",
}


def ask(method: str, path: str, **sent: object) -> requests.Response:
    """The answer; one that is a refusal ends the script with its sentence."""
    answer = requests.request(method, API + path, headers=HEADERS, timeout=60, **sent)
    if not answer.ok:
        raise SystemExit(answer.json()["detail"])
    return answer


def table(path: str) -> io.StringIO:
    """A CSV as pandas reads it."""
    return io.StringIO(ask("GET", path).text)


def main() -> None:
    project = ask("POST", "projects", json=PROJECT).json()
    made = ask("POST", f"projects/{project['id']}/batches", files=FILE, data=WHERE).json()
    batch = "batches/" + made["id"]
    ask("POST", f"{batch}/publish", json={"max_cost": "1.20"})
    while ask("GET", batch).json()["assignments"]["collected"] < 5 * len(TWEETS):
        time.sleep(1)
    ask("POST", f"{batch}/approve")
    while ask("GET", batch).json()["assignments"]["submitted"]:
        time.sleep(1)
    results = pd.read_csv(table(f"{batch}/results"))
    print(results.groupby("Input.content", sort=False)["Answer.sentiment"].mean().to_string())
    print("paid", ask("GET", batch).json()["cost"]["paid"])


if __name__ == "__main__":
    main()
