"""Files that scripts send: stored as they arrive, and refused with the lines that are wrong."""

from collections.abc import Sequence
from typing import Any

from mturkhub.api.problems import Refused, fields_refused
from mturkhub.common.models import StoredFile
from mturkhub.common.stored_files import ArrivedFile
from mturkhub.common.tabular import Issue


def arrived(file: Any) -> StoredFile:
    """The stored file of a form's field; one without a byte was not stored."""
    if not isinstance(file, ArrivedFile):
        raise fields_refused({"file": ["The file is empty."]})
    return file.stored


def file_refused(told: list[str], issues: Sequence[Issue], bad_lines: int, **more: Any) -> Refused:
    """The refusal of a file, with the first of its bad lines."""
    lines = [
        {"line": each.line, "column": each.column, "found": each.found, "sentence": each.sentence}
        for each in issues
    ]
    return Refused(told[0], errors={"file": told}, bad_lines=lines, bad_lines_total=bad_lines, **more)
