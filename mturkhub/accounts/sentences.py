"""What an Event says to people: one sentence per verb, told by the room that records it."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from mturkhub.accounts.models import Event
from mturkhub.common.money import dollars

# Verb → what was done, to follow the name of whoever did it. `{thing}` is the target's name at that time, every
# other name one of the Event's details.
SENTENCES = {
    "account.lent": "lent the account {thing} to the team {team}, which may {may}",
    "account.lent_here": "of the team {team} lent us the account {thing}: we may {may}",
    "account.taken_back": "took the account {thing} back from the team {team}",
    "account.taken_back_here": "of the team {team} took the account {thing} back",
    "connection.adopting": "began to adopt {adopted} made elsewhere on {thing}{whose}",
    "connection.creation_paused": "paused creating HITs on {thing}: {reason}",
    "connection.creation_resumed": "resumed creating HITs on {thing}",
    "connection.importing": "began to import the history of {thing}",
    "connection.keys_replaced": "replaced the keys of {thing}",
    "connection.made": "made the connection {thing}",
    "connection.test_failed": "tested {thing}, without success: {problem}",
    "connection.queue_off": "switched the notifications of {thing} off",
    "connection.queue_set": "has {thing} told of events by the queue {queue}",
    "connection.paused": "paused everything on {thing}",
    "connection.resumed": "resumed {thing}: it sends again what waits",
    "connection.test_event_refused": "asked for a test event on {thing}, without success: {problem}",
    "connection.test_event_sent": "asked for a test event on {thing}",
    "connection.tested": "tested {thing}: {balance} available",
    "invitation.accepted": "joined the team as {role}",
    "invitation.made": "invited {thing} as {role}",
    "invitation.revoked": "took the invitation of {thing} back",
    "member.left": "left the team",
    "member.removed": "took {thing} out of the team",
    "member.role_changed": "made {thing} {role}, who was {before}",
    "person.deactivated": "ended the sign-in of {thing}",
    "person.email_changed": "changed their e-mail address from {before} to {email}",
    "person.reactivated": "let {thing} sign in again",
    "person.renamed": "changed their name from {before} to {thing}",
    "person.signed_in_by_link": "signed in by a link of the operator's",
    "second_factor.added": "added a second factor ({kind})",
    "second_factor.removed": "removed a second factor ({kind})",
    "second_factor.replaced": "replaced a second factor ({kind})",
    "team.changed": "changed the settings of the team",
    "team.handed_over": "handed the team over to {thing}",
    "team.made": "made the team {thing}",
    "token.made": "made the token {thing}, which may {may}",
    "token.revoked": "revoked the token {thing} of {owner}",
}
_COUNTED = {
    "adopted": "HIT",
    "rows": "row",
    "hits": "failed row",
    "answers": "answer",
    "lines": "line",
    "waiting": "HIT",
    "extended": "row",
    "given": "HIT",
    "live": "HIT",
    "more": "answer",
    "changes": "change",
}
_MONEY = {"amount", "balance", "limit", "total"}


def register_sentences(sentences: Mapping[str, str]) -> None:
    """Let a room say what its Events mean."""
    SENTENCES.update(sentences)


def sentence(event: Event) -> str:
    """What was done, without who did it and when."""
    # An older release may have recorded less, and a newer one other verbs.
    details = defaultdict(lambda: "–", {name: _shown(name, value) for name, value in event.details.items()})
    details["thing"] = event.target_label
    words = SENTENCES.get(event.verb) or f"recorded “{event.verb}” of {{thing}}"
    by_token = " (by the token “{by_token}”)" if "by_token" in event.details else ""
    return f"{words}{by_token}".format_map(details)


def _shown(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(str(each) for each in value)
    if name in _COUNTED and isinstance(value, int):
        return f"{value:,} {_COUNTED[name]}{'s' if value != 1 else ''}"
    if name in _MONEY:
        try:
            return dollars(Decimal(str(value)))
        except InvalidOperation:
            return str(value)
    return str(value)
