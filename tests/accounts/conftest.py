"""What tests of signing in share."""

import pytest
from django.core.cache import cache
from pytest_django import Settings


@pytest.fixture
def signing_in(settings: Settings) -> None:
    """Nobody has tried to sign in yet, and a password is checked at once instead of in a quarter of a second."""
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
