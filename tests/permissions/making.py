"""From a project to a published batch: projects, template editor, uploads, cost."""

from tests.permissions import Row

ROWS: dict[str, Row] = {}
