"""What the Events of projects and batches say, and a team's whole activity: filtered, told, taken away as CSV."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import or_
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Event, User
from mturkhub.accounts.sentences import SENTENCES, sentence
from mturkhub.common.tabular import csv_line
from projects.filters import public_id_or_none
from projects.models import Batch

# As they stand on the batch's own page; elsewhere " in <batch>" follows.
OWN_SENTENCES = {
    "assignment.approved": "approved an answer",
    "assignment.left_out": "left an answer out",
    "assignment.overturned": "overturned a rejection",
    "assignment.rejected": "rejected an answer",
    "assignment.taken_in": "took an answer back in",
    "assignment.undone": "took a decision back",
    "assignment.bonus": "sent a bonus of {amount}, {total} with the fee: {reason}",
    "assignment.bonus_retried": "tried a bonus of {amount} again",
    "batch.adopted": "began to adopt HITs made elsewhere, of the type {hit_type}, in it",
    "batch.cancelled": "cancelled it, with {waiting} still to be created",
    "batch.changed": "changed the settings",
    "batch.closed": "closed it: everything is decided and stored",
    "batch.closing": "is closing it: {at_the_market}",
    "batch.collected": "asked for new answers",
    "batch.continued": "made {continuing} for {more} of {extended} that were missing",
    "batch.created": "made a draft of {rows}",
    "batch.decided": "chose {answers} to {verdict}",
    "batch.dropped_failed": "let {changes} be that had failed",
    "batch.expired": "let {live} expire at once",
    "batch.extended": "asked for {more} more of {extended}, of {further} in a new HIT, for {total}",
    "batch.given_time": "opened {given} until {until}, for {total}",
    "batch.held_up": "paused publishing: {reason}",
    "batch.paused": "paused publishing",
    "batch.imported": "imported {answers} from the file {file} in it",
    "batch.not_begun": "did not publish as scheduled: {reason}",
    "batch.published": "published {rows} for {total}",
    "batch.republished": "asked again for {more} to {extended}, for {total}",
    "batch.requeue_off": "no longer has rejected answers asked for again by itself",
    "batch.requeue_set": "has rejected answers asked for again by itself, at most {answers} for {limit}",
    "batch.requeue_stopped": "stopped asking again: {reason}",
    "batch.requeued": "asked again for {more} that had been rejected, for {total}",
    "batch.rest_published": "published the rest, {rows} for {total}",
    "batch.resumed": "resumed publishing",
    "batch.retried_changes": "tried {changes} again that had failed",
    "batch.retried": "tried {hits} again",
    "batch.scheduled": "scheduled {rows} for {at}, at {total}",
    "batch.unscheduled": "took the schedule back",
    "budget.changed": "changed the budget of {thing} to {limit}",
    "budget.removed": "removed the budget of {thing}",
    "budget.set": "gave {thing} a budget of {limit}",
    "project.changed": "changed the settings of the project {thing}",
    "project.created": "made the project {thing}",
    "template.saved": "saved the template {thing}",
    "upload.encoding_chosen": "read the upload {thing} as {encoding}",
    "upload.lines_dropped": "dropped {lines} of the upload {thing}",
    "upload.results": "uploaded the results file {thing}",
    "upload.made": "uploaded {thing}, {rows}",
}
# The noun of a verb → what the filter calls it.
KINDS = {
    "assignment": "Answers",
    "batch": "Batches",
    "budget": "Budgets",
    "upload": "Uploads",
    "template": "Templates",
    "project": "Projects",
    "account": "Account sharing",
    "connection": "Connections",
    "invitation": "Invitations",
    "member": "Members",
    "person": "People",
    "second_factor": "Second factors",
    "team": "Team",
    "token": "Tokens",
}
BY_RULE = "rules"
CHUNK = 500


def parts_of_batch(batch: Batch) -> tuple[Q, Q]:
    """The Events of a batch: its own, and those that name it in their details, as its answers' do."""
    return Q(target_type="projects.batch", target_id=batch.pk), Q(details__batch=batch.pk)


@dataclass(frozen=True)
class ActivityFilter:
    """Which Events: whose, of which kind, of which batch, from which day to which."""

    person: str = ""
    kind: str = ""
    batch: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> "ActivityFilter":
        """From an address; what makes no sense there is left out."""
        person, kind = str(query.get("person", "")), str(query.get("kind", ""))
        return cls(
            person=person if person == BY_RULE or public_id_or_none(person) else "",
            kind=kind if kind in SENTENCES or _verbs(kind) else "",
            batch=str(public_id_or_none(str(query.get("batch", ""))) or ""),
            since=_day(query.get("since", "")),
            until=_day(query.get("until", "")),
        )

    def query(self, **more: str) -> str:
        names = ("person", "kind", "batch", "since", "until")
        own = {name: getattr(self, name) for name in names if getattr(self, name)}
        return urlencode({**own, **more})

    def apply(self, actor: Actor) -> QuerySet[Event]:
        """What this actor may see of it, the newest first."""
        found: QuerySet[Event] = Event.objects.for_actor(actor)
        if self.person == BY_RULE:
            found = found.filter(by=None)
        elif self.person:
            found = found.filter(by__public_id=self.person)
        if self.kind:
            found = found.filter(verb__in=_verbs(self.kind) or [self.kind])
        if self.batch:
            batch = Batch.objects.for_actor(actor).filter(public_id=self.batch).first()
            found = found.filter(or_(*parts_of_batch(batch))) if batch else found.none()
        if self.since:
            found = found.filter(at__gte=_midnight(self.since))
        if self.until:
            found = found.filter(at__lt=_midnight(self.until, days=1))
        return found.select_related("by").order_by("-id")


def kinds() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """For the filter: each noun with what it is called, and its verbs with theirs."""
    nouns = sorted({verb.partition(".")[0] for verb in SENTENCES}, key=lambda noun: KINDS.get(noun, noun))
    return [
        (
            noun,
            KINDS.get(noun, noun.capitalize()),
            [(verb, verb.partition(".")[2].replace("_", " ")) for verb in _verbs(noun)],
        )
        for noun in nouns
    ]


def people(actor: Actor) -> QuerySet[User]:
    """Whoever has done something in the actor's teams."""
    theirs = Event.objects.for_actor(actor).filter(by=OuterRef("pk"))
    return User.objects.filter(Exists(theirs)).order_by("name", "email")


def _verbs(noun: str) -> list[str]:
    return sorted(verb for verb in SENTENCES if verb.partition(".")[0] == noun)


def _day(text: Any) -> str:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return ""
    # Midnight of the first and the last days there are cannot be told in every zone.
    return day.isoformat() if 2000 <= day.year <= 9000 else ""


def _midnight(day: str, *, days: int = 0) -> datetime:
    """The day's beginning in the reader's zone."""
    return timezone.make_aware(datetime.combine(date.fromisoformat(day) + timedelta(days=days), time.min))


# Telling ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """One Event for people: who is in the Event, `sentence` follows, and then the batch it is about."""

    event: Event
    sentence: str
    batch: Batch | None


def told(events: Iterable[Event]) -> list[Told]:
    """These Events with their sentences and batches, which takes one query."""
    rows = list(events)
    keys = {event.pk: _batch_key(event) for event in rows}
    batches = Batch.objects.only("public_id", "name").in_bulk([key for key in keys.values() if key])
    return [Told(event, sentence(event), batches.get(keys[event.pk] or 0)) for event in rows]


def _batch_key(event: Event) -> int | None:
    if event.target_type == "projects.batch":
        return event.target_id
    key = event.details.get("batch")
    return key if isinstance(key, int) else None


def activity_csv(events: QuerySet[Event]) -> Iterator[bytes]:
    """One line per Event, in the same words as the page; UTC."""
    yield csv_line(["time", "person", "email", "rule", "what", "batch", "verb"]).encode()
    stream = events.iterator(chunk_size=CHUNK)
    while chunk := list(itertools.islice(stream, CHUNK)):
        for each in told(chunk):
            event = each.event
            cells = [
                event.at.astimezone(UTC).isoformat(timespec="seconds"),
                event.by.name if event.by else "",
                event.by.email if event.by else "",
                event.by_rule,
                each.sentence,
                each.batch.name if each.batch else "",
                event.verb,
            ]
            yield csv_line([_harmless(cell) for cell in cells]).encode("utf-8", "replace")


def _harmless(cell: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
