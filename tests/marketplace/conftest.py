"""A requester with money and Workers, for tests of the marketplace's own parts."""

import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

if os.environ.get("DJANGO_SETTINGS_MODULE") != "marketplace.settings":
    # The run with the dashboard's settings cannot load these; they have a run of their own (pytest.ini here).
    collect_ignore_glob = ["test_*.py", "*/test_*.py"]
