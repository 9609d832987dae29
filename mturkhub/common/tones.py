"""How each state and status looks and what it means: one tone, one label, one sentence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tone:
    """`tone` is grey, blue, orange, green or red; `form` is empty, hollow, ring or pending."""

    tone: str
    label: str
    meaning: str
    form: str = ""


_BATCH = {
    "draft": Tone("grey", "Draft", "Nothing has been sent and nothing has been spent.", "hollow"),
    "scheduled": Tone("grey", "Scheduled", "Will be published at a set time."),
    "publishing": Tone("blue", "Publishing", "Its HITs are being created.", "ring"),
    "live": Tone("green", "Live", "Every row has its HIT; Workers can answer until it expires."),
    "paused": Tone("orange", "Paused", "Nothing more is created until somebody resumes it; live HITs go on."),
    "closing": Tone("blue", "Closing", "HITs expire and answers are settled.", "ring"),
    "closed": Tone("grey", "Closed", "Over; the data is kept."),
    "cancelled": Tone("grey", "Cancelled", "Nothing more is created; answers can still be reviewed."),
}
_ROW = {
    "not_published": Tone("grey", "not published", "Waits to be created.", "hollow"),
    "no_answer": Tone("blue", "no answer yet", "On the market; nobody has answered."),
    "some_answers": Tone("blue", "some answers", "More answers are expected."),
    "to_review": Tone("orange", "to review", "All answers are in; some wait for a decision."),
    "decided": Tone("green", "decided", "All answers are in and decided."),
    "failed": Tone("red", "failed", "Could not be created; see why and try again."),
}
_PUBLISH = {
    "waiting": Tone("orange", "second yes needed", "Another person has to agree before it is sent."),
    "queued": Tone("grey", "queued", "Waits for its turn to be created."),
    "sending": Tone("blue", "sending", "Being created right now.", "ring"),
    "published": Tone("blue", "published", "Created at MTurk."),
    "failed": Tone("red", "failed", "Could not be created; see why and try again."),
    "unknown": Tone("blue", "checking", "Sent, and no answer came: looking whether it exists.", "ring"),
    "cancelled": Tone("grey", "cancelled", "Will not be created."),
}
_CHANGE = {
    "queued": Tone("grey", "queued", "Waits for its turn to be sent."),
    "sending": Tone("blue", "sending", "On its way to MTurk.", "ring"),
    "unknown": Tone("blue", "checking", "Sent, and no answer came: looking what happened.", "ring"),
    "done": Tone("grey", "done", "MTurk has confirmed it."),
    "failed": Tone("red", "refused", "MTurk refused it; see why, and try again or let it be."),
    "overtaken": Tone("grey", "overtaken", "MTurk's own state had moved on."),
    "cancelled": Tone("grey", "cancelled", "Taken back before it was sent."),
}
_BONUS = {
    "queued": Tone("green", "Paying…", "Asked for here; MTurk has not confirmed it yet.", "pending"),
    "sending": Tone("green", "Paying…", "On its way to MTurk.", "pending"),
    "unknown": Tone("blue", "checking", "Sent, and no answer came: looking whether it was paid.", "ring"),
    "done": Tone("green", "Paid", "MTurk has paid it."),
    "failed": Tone("red", "Not paid", "MTurk refused it; see why, and try again."),
    "overtaken": Tone("grey", "overtaken", "The same had been paid already."),
    "cancelled": Tone("grey", "cancelled", "Taken back before it was sent."),
}
_HIT = {
    "Assignable": Tone("blue", "Assignable", "Workers can accept it."),
    "Unassignable": Tone(
        "blue", "Unassignable", "All its places are taken, or it expired while somebody works."
    ),
    "Reviewable": Tone(
        "orange", "Reviewable", "All answers are in, or its time is over: ready to be reviewed."
    ),
    "Reviewing": Tone("grey", "Reviewing", "Marked as being reviewed; still yours to decide."),
    "Disposed": Tone("grey", "Disposed", "Deleted at MTurk; what was collected is kept here.", "hollow"),
}
_ASSIGNMENT = {
    "Submitted": Tone(
        "orange", "Submitted", "Waits for a decision; MTurk approves it by itself after a time."
    ),
    "Approved": Tone("green", "Approved", "The Worker has been paid."),
    "Rejected": Tone("red", "Rejected", "The Worker is not paid and can read the reason."),
    "approve": Tone("green", "Approving…", "Decided here; MTurk has not confirmed it yet.", "pending"),
    "reject": Tone("red", "Rejecting…", "Decided here; MTurk has not confirmed it yet.", "pending"),
    "left_out": Tone("grey", "Left out", "Not counted in the data; pay is another question.", "hollow"),
}
_JOB = {
    "running": Tone("blue", "Running", "Goes on by itself, also when you leave.", "ring"),
    "done": Tone("green", "Done", "Every item has been worked on."),
    "stopped": Tone("orange", "Stopped", "Ended before its last item; see why."),
}
_LEDGER = {
    "held": Tone("blue", "Held", "Promised to work that was asked for; not free to be spent."),
    "released": Tone("grey", "Released", "Promised before, and free to be spent again."),
    "paid": Tone("green", "Paid", "For an approved answer or a bonus, with the market's fee."),
}
TONES: dict[str, dict[str, Tone]] = {
    "batch": _BATCH,
    "row": _ROW,
    "publish": _PUBLISH,
    "bonus": _BONUS,
    "change": _CHANGE,
    "hit": _HIT,
    "assignment": _ASSIGNMENT,
    "job": _JOB,
    "ledger": _LEDGER,
}


def tone_of(kind: str, state: str) -> Tone:
    """The look of a state; one nobody has drawn is grey and called by its own name."""
    return TONES[kind].get(state) or Tone("grey", state, "")
