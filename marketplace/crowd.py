"""Pretend Workers, for demos and journeys: they answer at random, or as a file says."""

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.utils.datastructures import MultiValueDict
from lxml import html

from marketplace import clock, lifecycle
from marketplace.answers import RESERVED, answer_document, form_document
from marketplace.identifiers import pretend_worker_id
from marketplace.models import HIT, Assignment, HITType, Worker
from marketplace.models.assignment import AssignmentState
from marketplace.models.hit import HITQuerySet
from marketplace.question_form import FreeText, QuestionForm, read_question_form
from marketplace.worker_site.frames import read_question
from marketplace.worker_site.sheets import Sheet, blank_sheet, read_sheet

# A replayed file says which HIT it means by the value of a field of this name in the question.
TASK_FIELD = "task"
_WORDS = ("yes", "no", "maybe", "often", "never", "blue", "green", "small", "large", "because", "not sure")
Fields = list[tuple[str, str]]


class UnreadableFile(Exception):
    """The file to replay is not what it should be; the text says why and what to do."""


def pretend_worker(name: str) -> Worker:
    """The pretend Worker of this name: the same each time, with an id that follows from the name."""
    worker, _ = Worker.objects.get_or_create(
        mturk_id=pretend_worker_id(name),
        defaults={"name": name, "created_at": clock.now()},
    )
    return worker


def open_hits(group: str = "") -> HITQuerySet:
    """HITs with a free slot, of one group (its HITGroupId or HITTypeId) or of all."""
    hits = HIT.objects.assignable(clock.now())
    return hits.filter(hit_type__in=_types(group)) if group else hits


def _types(group: str) -> list[int]:
    by_id = HITType.objects.filter(mturk_id=group) | HITType.objects.filter(group_mturk_id=group)
    return list(by_id.values_list("pk", flat=True))


# At random ---------------------------------------------------------------------------------------


def submit_held(workers: Iterable[Worker], chance: random.Random) -> int:
    """Answer at random everything these Workers hold; says how many answers that made."""
    held = Assignment.objects.filter(worker__in=list(workers), state=AssignmentState.ACCEPTED)
    sent = 0
    for assignment in held.select_related("hit"):
        document = random_document(assignment.hit, chance)
        if document:
            lifecycle.submit_document(assignment.mturk_id, document)
            sent += 1
        else:
            lifecycle.return_assignment(assignment.mturk_id)
    return sent


def accept_some(workers: list[Worker], chance: random.Random, *, group: str = "", most: int) -> int:
    """Have these Workers, in any order, accept up to so many HITs; says how many they got."""
    got = 0
    types = HITType.objects.filter(pk__in=open_hits(group).values("hit_type"))
    for hit_type in types.order_by("pk"):
        if not random_answer_is_possible(hit_type, chance):
            continue
        busy = True
        while busy and got < most:
            busy = False
            for worker in chance.sample(workers, len(workers)):
                if got == most:
                    break
                try:
                    lifecycle.accept_any(hit_type, worker)
                except lifecycle.Refused:
                    continue
                got, busy = got + 1, True
    return got


def random_answer_is_possible(hit_type: HITType, chance: random.Random) -> bool:
    """Whether the group's questions have fields that a pretend Worker can fill in."""
    hit = hit_type.hits.order_by("-pk").first()
    return hit is not None and bool(random_document(hit, chance))


def random_document(hit: HIT, chance: random.Random) -> str:
    """An answer to the HIT as XML; empty where there is nothing to fill in, or chance finds nothing that is right."""
    if read_question(hit.question).is_form:
        sheet = _random_sheet(read_question_form(hit.question, "Question"), chance)
        return form_document(sheet.answers()) if sheet.is_complete else ""
    fields = random_answer(hit, chance)
    return answer_document(fields) if fields else ""


def _random_sheet(form: QuestionForm, chance: random.Random) -> Sheet:
    sent: MultiValueDict[str, str] = MultiValueDict()
    for item in blank_sheet(form).items:
        answer = item.question.answer
        if isinstance(answer, FreeText):
            sent[item.name] = _random_text(answer, chance)
        else:
            most = min(answer.most, len(item.options))
            count = chance.randint(min(max(answer.least, 1), most), most)
            sent.setlist(item.name, [option.value for option in chance.sample(item.options, count)])
    return read_sheet(form, sent)


def _random_text(field: FreeText, chance: random.Random) -> str:
    if field.is_numeric:
        least = field.min_value if field.min_value is not None else min(0, field.max_value or 0)
        return str(chance.randint(least, field.max_value if field.max_value is not None else least + 100))
    text = _random_words(chance)
    while len(text) < field.min_length:
        text += f" {_random_words(chance)}"
    return text[: field.max_length].strip()


def random_answer(hit: HIT, chance: random.Random) -> Fields:
    """Each field of the question's HTML with a value it allows; nothing where there is no field."""
    fields: Fields = []
    groups: dict[str, list[str]] = defaultdict(list)
    for control in _controls(hit):
        name, kind = control.get("name", ""), _kind(control)
        if kind == "radio":
            groups[name].append(control.get("value", "on"))
        elif kind != "checkbox":
            fields.append((name, _random_value(control, kind, chance)))
        elif chance.random() < 0.5:
            fields.append((name, control.get("value", "on")))
    return fields + [(name, chance.choice(values)) for name, values in groups.items()]


def _random_value(control: html.HtmlElement, kind: str, chance: random.Random) -> str:
    if kind == "hidden":
        return str(control.get("value", ""))
    if kind == "select":
        options = [option.get("value", option.text or "") for option in control.iter("option")]
        return str(chance.choice([value for value in options if value] or [""]))
    if kind in {"number", "range"}:
        least, most = _limit(control, "min", 0), _limit(control, "max", 100)
        return str(chance.randint(least, max(least, most)))
    return _random_words(chance)


def _random_words(chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randint(1, 5)))


def _limit(control: html.HtmlElement, name: str, otherwise: int) -> int:
    try:
        return round(float(control.get(name, otherwise)))
    except (ValueError, OverflowError):
        return otherwise


_NEVER_SENT = {"submit", "button", "reset", "image", "file"}


def _controls(hit: HIT) -> Iterator[html.HtmlElement]:
    """The named fields a browser would send, without those that only name the assignment."""
    text = read_question(hit.question).html
    if not text.strip():
        return
    for control in html.document_fromstring(text).iter("input", "select", "textarea"):
        name = control.get("name", "")
        if name and name not in RESERVED and _kind(control) not in _NEVER_SENT:
            yield control


def _kind(control: html.HtmlElement) -> str:
    if control.tag != "input":
        return str(control.tag)
    return str(control.get("type", "text")).lower()


# From a file -------------------------------------------------------------------------------------


@dataclass
class Replayed:
    """What became of a replayed file."""

    answers: int = 0
    workers: int = 0
    # Sentences with how many lines each stopped.
    refused: Counter[str] = field(default_factory=Counter)


def replay(lines: Iterable[str], answer_field: str, *, group: str = "") -> Replayed:
    """Answer as a CSV of `task,worker,label` says: each line is one Worker's answer to one HIT.

    A HIT is found by the field `task` in its question; the label goes into `answer_field`. Lines that cannot be
    given are counted with the reason. Raises UnreadableFile.
    """
    reader = csv.DictReader(lines)
    columns = {"task", "worker", "label"}
    if missing := sorted(columns - set(reader.fieldnames or [])):
        raise UnreadableFile(
            f"Line 1 has no column {', '.join(missing)}. The columns are task, worker, label."
        )
    hits = _hits_by_task(group)
    workers: dict[str, Worker] = {}
    done = Replayed()
    for row in reader:
        if any(not row[column] for column in columns):
            raise UnreadableFile(f"Line {reader.line_num} is incomplete. Each has a task, a worker, a label.")
        found = hits.get(row["task"])
        if found is None:
            done.refused[f"No HIT with a free slot has a field “{TASK_FIELD}” of this line's value."] += 1
            continue
        worker = workers.get(row["worker"]) or pretend_worker(row["worker"])
        workers[row["worker"]] = worker
        hit, fields = found
        try:
            assignment = lifecycle.accept_hit(hit, worker)
            lifecycle.submit_assignment(assignment.mturk_id, [*fields, (answer_field, row["label"])])
        except lifecycle.Refused as refusal:
            done.refused[str(refusal.sentence)] += 1
        else:
            done.answers += 1
    done.workers = len(workers)
    return done


def _hits_by_task(group: str) -> dict[str, tuple[HIT, Fields]]:
    """Each open HIT by its task, with the hidden fields that go along with every answer; the oldest where two are equal."""
    found: dict[str, tuple[HIT, Fields]] = {}
    for hit in open_hits(group).select_related("hit_type").order_by("pk").iterator():
        hidden = [
            (control.get("name", ""), control.get("value", ""))
            for control in _controls(hit)
            if _kind(control) == "hidden"
        ]
        task = dict(hidden).get(TASK_FIELD)
        if task:
            found.setdefault(task, (hit, hidden))
    return found
