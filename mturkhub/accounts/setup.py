"""The set-up of each environment as a list of steps: which are done, and which one a refusal says is missing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mturkhub.accounts.models import Connection, Environment
from mturkhub.gateway.errors import Missing


@dataclass(frozen=True)
class Step:
    """One thing to do, where it is done, and whether it is: `done`, `missing` (we were told so) or `open`."""

    name: str
    words: str
    hint: str = ""
    link: str = ""
    state: str = "open"


@dataclass(frozen=True)
class Checklist:
    """The steps of one environment, and the Connection they are about; None before there is one."""

    environment: str
    connection: Connection | None
    steps: list[Step]

    @property
    def is_done(self) -> bool:
        return all(step.state == "done" for step in self.steps)


_KEYS_HINT = (
    "Region: us-east-1, the only one MTurk has. Pasted once, stored encrypted, shown to nobody again."
)
_TEST = Step("test", "Test passed", "The balance is asked for; nothing is published and nothing is spent.")
_LOCAL = [
    Step(
        "requester",
        "A requester on the marketplace",
        "The first start makes one and connects it. For another marketplace, whoever runs it hands out keys.",
    ),
    Step("keys", "Its access key entered here", "Pasted once, stored encrypted, shown to nobody again."),
    _TEST,
]


def _amazon(site: str, kind: str, hint: str) -> list[Step]:
    return [
        Step("aws", "An AWS account", link="https://aws.amazon.com/"),
        Step("requester", f"A requester account {kind}", link=site),
        Step(
            "link",
            "The two linked: on the Developer page, signed in to AWS as root",
            hint,
            f"{site}developer",
        ),
        Step(
            "policy",
            "An IAM user with the policy AmazonMechanicalTurkFullAccess",
            "Make the access key for this user: a key of root would open the whole AWS account.",
            "https://console.aws.amazon.com/iam/",
        ),
        Step("keys", "Its access key entered here", _KEYS_HINT),
        _TEST,
    ]


STEPS: dict[str, list[Step]] = {
    Environment.LOCAL: _LOCAL,
    Environment.SANDBOX: _amazon(
        "https://requestersandbox.mturk.com/",
        "on the sandbox",
        "The sandbox is linked separately, even where production is linked.",
    ),
    Environment.PRODUCTION: _amazon(
        "https://requester.mturk.com/", "on MTurk", "The sandbox is linked separately."
    ),
}
# What a refusal proves to be done: AWS checks the key and its rights before MTurk looks for a requester account.
_PROVEN = {
    Missing.POLICY: {"aws", "keys"},
    Missing.LINK: {"aws", "policy", "keys"},
    Missing.CLOCK: {"keys"},
}


def checklist(environment: str, connection: Connection | None) -> Checklist:
    """The steps as far as the Connection's last test shows them."""
    steps = STEPS[environment]
    if connection is None:
        return Checklist(environment, None, steps)
    if connection.tested_at and not connection.problem:
        return Checklist(environment, connection, [replace(step, state="done") for step in steps])
    names = {step.name for step in steps}
    missing = connection.missing if connection.missing in names else "test"
    proven = _PROVEN.get(Missing(connection.missing), set()) if connection.missing else {"keys"}
    states = dict.fromkeys(proven, "done")
    if connection.problem:
        states[missing] = "missing"
    return Checklist(
        environment, connection, [replace(step, state=states.get(step.name, "open")) for step in steps]
    )


def checklists(connections: Iterable[Connection]) -> list[Checklist]:
    """One for each environment: about the Connection that works, else about the newest."""
    rows = sorted(connections, key=lambda each: each.pk, reverse=True)
    found = []
    for environment in Environment.values:
        own = [each for each in rows if each.environment == environment]
        working = [each for each in own if each.tested_at and not each.problem]
        found.append(checklist(environment, next(iter(working + own), None)))
    return found
