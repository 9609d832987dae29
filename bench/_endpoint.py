"""An endpoint of a few MTurk operations that answers after a while, with a limit: `-m bench._endpoint PORT ...`.

It remembers HITs and answers, counts calls, and is told more by `GET`: `/counts` shows what was called, `/answer?hits=N`
has that many HITs answered once each. No signature is looked at.
"""

import argparse
import asyncio
import json
import sys
import time
import urllib.request
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 100
TARGET = "MTurkRequesterServiceV20170117."
ANSWER = (
    '<QuestionFormAnswers xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/'
    'QuestionFormAnswers.xsd"><Answer><QuestionIdentifier>label</QuestionIdentifier><FreeText>yes</FreeText>'
    "</Answer></QuestionFormAnswers>"
)


class Market:
    """What was created and answered, and how often what was called."""

    def __init__(self, limit: float | None, burst: float) -> None:
        self.limit, self.burst = limit, burst
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        # AssignmentId → when ApproveAssignment came; when the first and the last HIT were made.
        self.approved: dict[str, float] = {}
        self.created = [0.0, 0.0]
        self.tokens: dict[str, str] = {}
        self.hits: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self._room, self._filled_at = burst, time.monotonic()

    def call(self, operation: str, told: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        if not self._may():
            self.throttled[operation] += 1
            return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
        self.calls[operation] += 1
        return 200, getattr(self, operation, self.nothing)(told)

    def _may(self) -> bool:
        if self.limit is None:
            return True
        now = time.monotonic()
        self._room = min(self.burst, self._room + (now - self._filled_at) * self.limit)
        self._filled_at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def nothing(self, _: dict[str, Any]) -> dict[str, Any]:
        return {}

    def GetAccountBalance(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"AvailableBalance": "10000.00"}

    def CreateHITType(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"HITTypeId": "3TYPE"}

    def CreateHITWithHITType(self, told: dict[str, Any]) -> dict[str, Any]:
        hit_id = self.tokens.setdefault(told["UniqueRequestToken"], f"3BENCH{len(self.tokens):024d}")
        now = time.time()
        self.created = [self.created[0] or now, now]
        if hit_id not in self.hits:
            self.order.append(hit_id)
            self.hits[hit_id] = {
                "HITId": hit_id,
                "HITTypeId": told["HITTypeId"],
                "CreationTime": now,
                "Expiration": now + told["LifetimeInSeconds"],
                "HITStatus": "Assignable",
                "MaxAssignments": told["MaxAssignments"],
                "NumberOfAssignmentsAvailable": told["MaxAssignments"],
                "NumberOfAssignmentsPending": 0,
                "NumberOfAssignmentsCompleted": 0,
                "RequesterAnnotation": told["RequesterAnnotation"],
            }
        return {"HIT": self.hits[hit_id]}

    def ListHITs(self, told: dict[str, Any]) -> dict[str, Any]:
        begin = int(told.get("NextToken", 0))
        page = [self.hits[hit_id] for hit_id in self.order[begin : begin + PAGE]]
        answer = {"NumResults": len(page), "HITs": page}
        return {**answer, "NextToken": str(begin + PAGE)} if len(page) == PAGE else answer

    def ListAssignmentsForHIT(self, told: dict[str, Any]) -> dict[str, Any]:
        found = self.answers.get(told["HITId"], [])
        return {"NumResults": len(found), "Assignments": found}

    def ApproveAssignment(self, told: dict[str, Any]) -> dict[str, Any]:
        self.approved[told["AssignmentId"]] = time.time()
        return {}

    # What a benchmark tells it

    def answer(self, hits: int) -> int:
        """Have so many HITs answered once more, spread over all; how many."""
        step = max(1, len(self.order) // hits)
        chosen = self.order[::step][:hits]
        for hit_id in chosen:
            hit, given = self.hits[hit_id], self.answers.setdefault(hit_id, [])
            hit["NumberOfAssignmentsAvailable"] -= 1
            given.append(
                {
                    "AssignmentId": f"3ANSWER{hit_id[-20:]}{len(given):03d}",
                    "HITId": hit_id,
                    "WorkerId": f"AWORKER{len(given)}",
                    "AssignmentStatus": "Submitted",
                    "AcceptTime": time.time() - 60,
                    "SubmitTime": time.time(),
                    "Answer": ANSWER,
                }
            )
        return len(chosen)

    def counts(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "throttled": self.throttled,
            "approved": self.approved,
            "created": self.created,
        }


async def serve(port: int, market: Market, latency: float) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = first.split(" ", 2)
                if method == "GET":
                    status, answer = 200, told_by(path)
                else:
                    await asyncio.sleep(latency)
                    operation = headers["x-amz-target"].removeprefix(TARGET)
                    status, answer = market.call(operation, json.loads(body))
                content = json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.1\r\n"
                    f"Content-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def told_by(path: str) -> dict[str, Any]:
        parts = urlsplit(path)
        if parts.path == "/answer":
            return {"answered": market.answer(int(parse_qs(parts.query)["hits"][0]))}
        return market.counts()

    server = await asyncio.start_server(handle, "127.0.0.1", port, limit=1 << 20)
    async with server:
        await server.serve_forever()


def tell(url: str, path: str) -> dict[str, Any]:
    """What an endpoint at this address answers a benchmark."""
    with urllib.request.urlopen(f"{url}{path}", timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--limit", type=float)
    parser.add_argument("--burst", type=float, help="calls saved up (those of a second)")
    wish = parser.parse_args(argv)
    market = Market(wish.limit, wish.burst or wish.limit or 1)
    asyncio.run(serve(wish.port, market, wish.latency))


if __name__ == "__main__":
    main(sys.argv[1:])
