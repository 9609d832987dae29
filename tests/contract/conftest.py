"""A marketplace to call over HTTP, and its management commands at hand."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.servers import MarketplaceServer

# Runs the commands that come in, one JSON list a line, and answers each with what it printed or complained about.
_RUNNER = """
import io, json, sys
import django
from django.core.management import CommandError, call_command
django.setup()
for line in sys.stdin:
    output = io.StringIO()
    try:
        call_command(*json.loads(line), stdout=output)
        answer = {"printed": output.getvalue()}
    except CommandError as error:
        answer = {"complained": str(error)}
    print(json.dumps(answer), flush=True)
"""


class CommandFailed(Exception):
    """A management command ended with a complaint."""


@dataclass
class Commands:
    """The marketplace's management commands, run by one process since starting Django for each takes a second."""

    process: "subprocess.Popen[str]"

    def __call__(self, *command: str) -> str:
        """Run one; returns what it printed without the last line break, raises CommandFailed."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "complained" in answer:
            raise CommandFailed(answer["complained"])
        return str(answer["printed"]).removesuffix("\n")


@pytest.fixture(scope="session")
def manage(marketplace_server: MarketplaceServer) -> Iterator[Commands]:
    with subprocess.Popen(
        [sys.executable, "-c", _RUNNER],
        env=marketplace_server.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Commands(process)
        assert process.stdin
        process.stdin.close()
