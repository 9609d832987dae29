"""RequesterAnnotation: a HIT's name tag at MTurk, by which it is found again.

Its form is a wire contract: HITs that carry it outlive every release.
"""

import re
import uuid
from dataclasses import dataclass

from projects.models import HIT

ANNOTATION = "BatchId:{batch};OriginalHitTemplateId:{project};Mturkhub:{installation}/{hit};"
_FORM = re.compile(
    r"BatchId:(?P<batch>\d+);OriginalHitTemplateId:(?P<project>\d+);"
    r"Mturkhub:(?P<installation>[0-9a-f-]{36})/(?P<hit>[0-9a-f-]{36});"
)


@dataclass(frozen=True)
class Annotation:
    """Whose HIT it is: which installation's, and which row of its table."""

    installation: uuid.UUID
    hit: uuid.UUID


def annotation_for(hit: HIT, *, project_id: int, installation: uuid.UUID) -> str:
    """At most 255 characters, in the shape the requester site gives its own HITs."""
    return ANNOTATION.format(
        batch=hit.batch_id, project=project_id, installation=installation, hit=hit.public_id
    )


def read_annotation(text: str) -> Annotation | None:
    """Who made the HIT with this annotation; None when no installation of this product did."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    return Annotation(uuid.UUID(found["installation"]), uuid.UUID(found["hit"]))
