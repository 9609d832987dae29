"""Lets review policies act: on one answer as it is submitted, on all answers when a HIT becomes Reviewable.

Figures and actions are written down in the transaction that acts, so each happens once or not at all.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from marketplace import clock, deciding, extending
from marketplace.answers import read_answers
from marketplace.errors import ApiError, insufficient_funds, invalid_assignment_state
from marketplace.ledger import InsufficientFunds
from marketplace.models import HIT, Assignment, ReviewAction, ReviewResult
from marketplace.models.assignment import AssignmentState
from marketplace.models.hit import REVIEWABLE, REVIEWING
from marketplace.models.review import PolicyLevel
from marketplace.review_policies import (
    Agreement,
    Extension,
    Plurality,
    check_known_answers,
    find_agreement,
    percentage,
    read_known_answers,
    read_plurality,
)

_KNOWN_ANSWER_SCORE = "KnownAnswerScore"


def score_submission(assignment: Assignment, *, now: datetime) -> None:
    """Compare an answer that is being submitted with the known ones; Assignment and HIT are locked."""
    policy = read_known_answers(assignment.hit.assignment_review_policy or {})
    review = _Review(assignment.hit, PolicyLevel.ASSIGNMENT, now)
    checked = check_known_answers(policy, read_answers(assignment.answer))
    right = sum(checked.values())
    questions = "one known answer" if len(checked) == 1 else f"{len(checked)} known answers"
    review.begin(assignment, f"Reviewed {questions}; {right}/{len(checked)} correct")
    for question, is_right in checked.items():
        review.found(assignment, "KnownAnswerCorrect", str(int(is_right)), question)
    score = percentage(right, len(checked))
    review.found(assignment, _KNOWN_ANSWER_SCORE, str(score))
    if policy.approve_from is not None and score >= policy.approve_from:
        review.approve(assignment, policy.approve_reason)
    elif policy.reject_below is not None and score < policy.reject_below:
        review.reject(assignment, policy.reject_reason)
    review.extend(policy.extension, score)


@transaction.atomic
def review_next_hit() -> int:
    """Run the policy of one HIT that has become Reviewable; 0 when there is none."""
    hit_id = HIT.objects.filter(review_due=True).order_by("pk").values_list("pk", flat=True).first()
    if hit_id is None:
        return 0
    assignments = list(
        Assignment.objects.filter(hit=hit_id, submitted_at__isnull=False)
        .select_related("hit__hit_type")
        .select_for_update(no_key=True, of=("self",))
        .order_by("pk")
    )
    hit = HIT.objects.select_related("hit_type").select_for_update(no_key=True, of=("self",)).get(pk=hit_id)
    # Whoever else held the locks may have done it meanwhile, or somebody opened the HIT again.
    if hit.review_due:
        HIT.objects.filter(pk=hit_id).update(review_due=False)
        if assignments and hit.status(now := clock.now()) in (REVIEWABLE, REVIEWING):
            _review_hit(hit, assignments, now=now)
    return 1


def _review_hit(hit: HIT, assignments: list[Assignment], *, now: datetime) -> None:
    policy = read_plurality(hit.hit_review_policy or {})
    compared = {each.pk: each for each in _without_disregarded(policy, hit, assignments)}
    agreement = find_agreement(policy, {pk: read_answers(each.answer) for pk, each in compared.items()})
    review = _Review(hit, PolicyLevel.HIT, now)
    review.begin(hit, f"Reviewed {len(compared)} of {len(assignments)} assignments")
    _write_agreement(review, agreement, compared)
    for pk, worker in agreement.workers.items():
        if worker.score is None:
            continue
        if policy.approve_from is not None and worker.score >= policy.approve_from:
            review.approve(compared[pk], "")
        elif policy.reject_below is not None and worker.score < policy.reject_below:
            review.reject(compared[pk], policy.reject_reason)
    review.extend(policy.extension, agreement.score)


def _without_disregarded(policy: Plurality, hit: HIT, assignments: list[Assignment]) -> list[Assignment]:
    if policy.without_rejected:
        assignments = [each for each in assignments if each.state != AssignmentState.REJECTED]
    if policy.without_scores_below is None:
        return assignments
    results = hit.review_results.filter(key=_KNOWN_ANSWER_SCORE)
    scores = dict(results.values_list("subject_id", "value"))
    # Whoever has no score has not been found poor.
    return [
        each for each in assignments if int(scores.get(each.mturk_id, 100)) >= policy.without_scores_below
    ]


def _write_agreement(review: "_Review", agreement: Agreement, compared: dict[int, Assignment]) -> None:
    for question in agreement.questions:
        is_agreed = question.agreed is not None
        review.found(review.hit, "AgreedAnswerFound", str(is_agreed).lower(), question.question_id)
        if question.agreed is not None:
            review.found(review.hit, "AgreedAnswer", "|".join(sorted(question.agreed)), question.question_id)
        review.found(review.hit, "AnswerAgreementScore", str(question.score), question.question_id)
    review.found(review.hit, "HitAgreementScore", str(agreement.score))
    for pk, worker in agreement.workers.items():
        if worker.score is not None:
            review.found(compared[pk], "WorkerAgreementScore", str(worker.score))
        review.found(compared[pk], "PluralityAnswersCorrect", str(worker.correct))
        review.found(compared[pk], "PluralityAnswersIncorrect", str(worker.incorrect))


class _Review:
    """One run of a policy: acts, and writes down what it found and did."""

    def __init__(self, hit: HIT, level: PolicyLevel, now: datetime) -> None:
        self.hit, self._level, self._now = hit, level, now

    def begin(self, target: HIT | Assignment, result: str) -> None:
        """Write down that the policy ran; what it finds belongs to this action."""
        self._run = self._done("review", target, result)

    def found(self, subject: HIT | Assignment, key: str, value: str, question: str = "") -> None:
        ReviewResult.objects.create(
            hit=self.hit,
            level=self._level,
            action=self._run,
            subject_id=subject.mturk_id,
            subject_type=type(subject).__name__,
            question_id=question,
            key=key,
            value=value,
        )

    def approve(self, assignment: Assignment, feedback: str) -> None:
        def act() -> str:
            if assignment.state == AssignmentState.APPROVED:
                return "Already approved"
            _check_undecided(assignment)
            deciding.approve_assignments([assignment], now=self._now, feedback=feedback)
            return "Approved"

        self._try("approve", assignment, act)

    def reject(self, assignment: Assignment, feedback: str) -> None:
        def act() -> str:
            if assignment.state == AssignmentState.REJECTED:
                return "Already rejected"
            _check_undecided(assignment)
            deciding.reject_assignment(assignment, now=self._now, feedback=feedback)
            return "Rejected"

        self._try("reject", assignment, act)

    def extend(self, extension: Extension | None, score: int) -> None:
        """Ask for one more answer where the score is too low and the most is not reached."""
        if extension is None or score >= extension.below or self.hit.max_assignments >= extension.maximum:
            return
        # What was decided a moment ago has changed its counters.
        hit = (
            HIT.objects.select_related("hit_type")
            .select_for_update(no_key=True, of=("self",))
            .get(pk=self.hit.pk)
        )

        def act() -> str:
            until = self._now + extension.minimum_time
            if until > hit.expires_at:
                extending.extend(hit, until, now=self._now)
            extending.add_assignments(hit, 1, now=self._now)
            return f"Extended to {hit.max_assignments} assignments"

        self._try("extend", hit, act)

    def _try(self, name: str, target: HIT | Assignment, act: Callable[[], str]) -> None:
        try:
            with transaction.atomic():
                self._done(name, target, act())
        except (ApiError, InsufficientFunds) as refusal:
            error = refusal if isinstance(refusal, ApiError) else insufficient_funds()
            self._done(name, target, error.message, error_code=error.full_code)

    def _done(
        self, name: str, target: HIT | Assignment, result: str, *, error_code: str = ""
    ) -> ReviewAction:
        return ReviewAction.objects.create(
            hit=self.hit,
            level=self._level,
            name=name,
            target_id=target.mturk_id,
            target_type=type(target).__name__,
            result=result,
            error_code=error_code,
            completed_at=self._now,
        )


def _check_undecided(assignment: Assignment) -> None:
    if assignment.state != AssignmentState.SUBMITTED:
        raise invalid_assignment_state("Submitted")
