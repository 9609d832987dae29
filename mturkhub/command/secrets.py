"""Keys and passwords of this installation: from the environment, else made once and kept in MTURKHUB_HOME."""

import base64
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path


def _token() -> str:
    # 64 characters; Django asks for 50.
    return secrets.token_urlsafe(48)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _access_key_id() -> str:
    # Looks like one of Amazon's, so that clients which check the form accept it.
    return "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))


# What is handed to the sites by environment, under these names.
ENVIRONMENT: dict[str, Callable[[], str]] = {
    "MTURKHUB_SECRET_KEY": _token,
    "MTURKHUB_ENCRYPTION_KEYS": _fernet_key,
    "MARKETPLACE_SECRET_KEY": _token,
    "MARKETPLACE_ACCESS_KEY_ID": _access_key_id,
    "MARKETPLACE_SECRET_ACCESS_KEY": _token,
}
# What only the embedded Postgres and its clients know.
DATABASE_ROLES = ("postgres", "mturkhub", "marketplace")


class Secrets:
    """The folder of secrets, one file each, readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def environment(self, environ: dict[str, str]) -> dict[str, str]:
        """Every secret the sites need, by variable name; what the environment sets wins."""
        return {
            name: environ.get(name) or self.get(name.lower(), make=make) for name, make in ENVIRONMENT.items()
        }

    def database_password(self, role: str) -> str:
        return self.get(f"database_{role}", make=_token)

    def get(self, name: str, *, make: Callable[[], str]) -> str:
        """The stored secret, made first when there is none."""
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_whole(path, make())
        return path.read_text().strip()


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is there with all its text or not at all; a full disk must not leave half a key."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
