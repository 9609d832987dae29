"""A HIT's question on a page: the frame of what its requester wrote, or the sheet of a QuestionForm."""

from dataclasses import dataclass

from marketplace.models import HIT, Assignment
from marketplace.question_form import read_question_form
from marketplace.worker_site.frames import Frame, frame_for, read_question
from marketplace.worker_site.sheets import Sent, Sheet, blank_sheet, read_sheet


@dataclass(frozen=True)
class ShownQuestion:
    """Either a frame or a sheet."""

    frame: Frame | None = None
    sheet: Sheet | None = None

    @property
    def sources(self) -> dict[str, list[str]]:
        """What the page around it must be allowed to load: origins by directive of its policy."""
        if self.sheet:
            return self.sheet.form.sources
        return {"frame-src": [self.frame.origin]} if self.frame and self.frame.origin else {}


def question_for(
    hit: HIT, assignment: Assignment | None = None, *, sent: Sent | None = None
) -> ShownQuestion:
    """The question of a HIT, before or after accepting it; a sheet with what was `sent`."""
    if not read_question(hit.question).is_form:
        return ShownQuestion(frame=frame_for(hit, assignment))
    form = read_question_form(hit.question, "Question")
    return ShownQuestion(sheet=blank_sheet(form) if sent is None else read_sheet(form, sent))
