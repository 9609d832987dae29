"""What comes after publishing: home, batch, rows, review, jobs, downloads."""

from tests.permissions import Row

ROWS: dict[str, Row] = {}
