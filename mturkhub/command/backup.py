"""`mturkhub backup FILE`: both databases, and the keys if asked for, in one file that is whole or not there."""

import contextlib
import io
import json
import os
import platform
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import psycopg2

from mturkhub.command import dumps, sealing
from mturkhub.command.manager import Manager, tell
from mturkhub.command.refusals import CannotStart
from mturkhub.command.settings import Settings

FORMAT = 1
ABOUT, KEYS = "about.json", "keys.json"
# In this order: what the dashboard has published by the first dump, the marketplace has by the second.
DATABASES = {"dashboard": "DATABASE_URL", "marketplace": "MARKETPLACE_DATABASE_URL"}


def back_up(settings: Settings, file: Path, *, passphrase: str | None) -> None:
    """Write the backup, with the keys when there is a passphrase for them; raises CannotStart."""
    if file.is_dir() or not file.parent.is_dir():
        raise CannotStart(f"{file} is no place for a file. Name a file in a folder that exists.")
    with running_databases(settings) as everything, _beside(file) as folder:
        created_at = _one(everything["DATABASE_URL"], "select clock_timestamp()").astimezone(UTC)
        for name, variable in DATABASES.items():
            dumps.dump(everything[variable], folder / f"{name}.dump")
        about = {
            "format": FORMAT,
            "created_at": created_at.isoformat(),
            "python": platform.python_version(),
            "installation": _one(
                everything["DATABASE_URL"], "select public_id::text from common_installation"
            ),
            "postgres": _one(everything["DATABASE_URL"], "show server_version"),
            "migrations": {
                name: _one(everything[variable], "select count(*) from django_migrations")
                for name, variable in DATABASES.items()
            },
            "has_keys": passphrase is not None,
        }
        keys = None if passphrase is None else _sealed_keys(settings, passphrase)
        whole = folder / "whole"
        _pack(whole, folder, about, keys)
        whole.rename(file)
        _sync(file.parent)
    note = {"at": about["created_at"], "file": str(file.resolve()), "has_keys": about["has_keys"]}
    (settings.home.path / LAST).write_text(json.dumps(note) + "\n")
    tell(f"{file}: {file.stat().st_size / 1e6:.1f} MB, both databases{' and the keys' if keys else ''}.")
    if keys is None:
        tell(
            "The keys are not in it: without the folder "
            f"{settings.home.secrets} the access keys of Connections have to be entered again after a restore. "
            "Keep that folder elsewhere, or use --with-keys."
        )


# When the last backup was made, and where to; for `doctor`.
LAST = "last-backup.json"


@contextlib.contextmanager
def running_databases(settings: Settings, *, must_exist: bool = True) -> Iterator[dict[str, str]]:
    """All variables, with the databases answering: those of a running product, or a Postgres started for this."""
    postgres = settings.postgres
    if postgres and must_exist and not (postgres.data / "PG_VERSION").exists():
        raise CannotStart(
            f"There are no data in {settings.home.path}. Set MTURKHUB_HOME to the folder of the installation."
        )
    if postgres is None or (must_exist and postgres.is_ready()):
        yield settings.everything()
        return
    settings.home.prepare()
    lock = settings.home.lock()
    manager = Manager(settings.home.logs, [lock])
    try:
        postgres.prepare()
        manager.start(postgres.service())
        postgres.ensure_databases("mturkhub", "marketplace")
        yield settings.everything()
    finally:
        manager.stop()
        os.close(lock)


@contextlib.contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A private folder on the disk of the file, so that the last step is a rename."""
    with tempfile.TemporaryDirectory(prefix=".mturkhub-backup-", dir=file.parent) as folder:
        yield Path(folder)


def _sealed_keys(settings: Settings, passphrase: str) -> bytes:
    return sealing.seal(settings.secrets.environment(settings.environ), passphrase)


def _pack(whole: Path, folder: Path, about: dict[str, Any], keys: bytes | None) -> None:
    descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, ABOUT, (json.dumps(about, indent=1) + "\n").encode())
            if keys is not None:
                _add(tar, KEYS, keys)
            for name in DATABASES:
                tar.add(folder / f"{name}.dump", arcname=f"{name}.dump", filter=_nobodys)
        file.flush()
        os.fsync(file.fileno())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    tar.addfile(member, io.BytesIO(content))


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one(url: str, statement: str) -> Any:
    """The one value of a statement; None when there is no row."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
    return row[0] if row else None
