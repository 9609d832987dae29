"""`mturkhub restore FILE`: a backup becomes a running installation again, and doubts what it does not know.

What was open when the backup was made may have been sent since; `after_restore` sees to that in the database.
"""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from mturkhub.command import dumps, external, sealing
from mturkhub.command.backup import ABOUT, DATABASES, FORMAT, KEYS, running_databases
from mturkhub.command.manager import tell
from mturkhub.command.refusals import CannotStart
from mturkhub.command.settings import Settings, dashboard


def restore(
    settings: Settings, file: Path, *, replace: bool, only: str | None, passphrase: Callable[[], str] | None
) -> None:
    """Fill the empty databases from the file, the keys too when `passphrase` gives one; raises CannotStart.

    With `replace` the old installation is gone and this one takes its place; else the result is a copy.
    """
    settings.home.prepare()
    with tempfile.TemporaryDirectory(prefix="restore-", dir=settings.home.path) as inside:
        folder = Path(inside)
        about = _unpack(file, folder)
        made: list[Path] = []
        try:
            if about["has_keys"] and passphrase:
                made = _put_keys(settings, sealing.unseal((folder / KEYS).read_bytes(), passphrase()))
            more = ["--replace"] if replace else []
            names = [only] if only else list(DATABASES)
            told = _fill(settings, folder, names, [about["created_at"], *more])
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise
    for line in _words(about, told, replace=replace):
        tell(line)


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    """Lay out the known members of the file in the folder; returns what the file says of itself."""
    known = {ABOUT, KEYS, *(f"{name}.dump" for name in DATABASES)}
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.name in known and member.isfile() else None
                if source:
                    with source, (folder / member.name).open("xb") as target:
                        shutil.copyfileobj(source, target)
        about: dict[str, Any] = json.loads((folder / ABOUT).read_bytes())
        version = int(about["format"])
    except (tarfile.TarError, FileExistsError, ValueError, KeyError):
        raise CannotStart(f"{file} is no backup of mturkhub, or not a whole one.") from None
    except FileNotFoundError as error:
        missing = file if error.filename == str(file) else ABOUT
        raise CannotStart(f"{missing} is missing. Name a file that `mturkhub backup` has written.") from None
    if version > FORMAT:
        raise CannotStart(f"{file} was made by a newer mturkhub. Restore it with that one, or a newer one.")
    missing_dumps = [name for name in DATABASES if not (folder / f"{name}.dump").exists()]
    if missing_dumps:
        raise CannotStart(f"{file} is not whole: the dump of the {missing_dumps[0]} is missing.")
    return about


def _put_keys(settings: Settings, keys: dict[str, str]) -> list[Path]:
    """Store the keys that neither the environment nor the folder of secrets has; returns the files made."""
    paths = {
        settings.secrets.folder / name.lower(): value
        for name, value in keys.items()
        if not settings.environ.get(name)
    }
    for path, value in paths.items():
        if path.exists() and path.read_text().strip() != value:
            raise CannotStart(
                f"{path} is there already and holds another key than the backup. "
                "Restore into an empty folder, or move that file away if it is not needed."
            )
    made = [path for path in paths if not path.exists()]
    for path in made:
        settings.secrets.get(path.name, make=partial(str, paths[path]))
    return made


def _fill(settings: Settings, folder: Path, names: Sequence[str], options: Sequence[str]) -> dict[str, Any]:
    """Load the dumps and run `after_restore` with its options; all databases are empty again if that fails."""
    with running_databases(settings, must_exist=False) as everything:
        if not settings.postgres:
            _ensure_marketplace(settings, everything, names)
        urls = {name: everything[DATABASES[name]] for name in names}
        for name, url in urls.items():
            if not dumps.is_empty(url):
                raise CannotStart(
                    f"The database of the {name} at {settings.home.path} is not empty, and nothing in it was "
                    "touched. Set MTURKHUB_HOME to a new folder (or DATABASE_URL to a new database) and restore there."
                )
        try:
            for name, url in urls.items():
                dumps.load(folder / f"{name}.dump", url)
            return _after(everything, options) if "dashboard" in urls else {}
        except BaseException:
            for url in urls.values():
                dumps.clear(url)
            raise


def _ensure_marketplace(settings: Settings, everything: dict[str, str], names: Sequence[str]) -> None:
    external.check_postgres(everything["DATABASE_URL"], variable="DATABASE_URL", secrets=[])
    if "marketplace" in names and "MARKETPLACE_DATABASE_URL" not in settings.environ:
        external.ensure_beside(everything["DATABASE_URL"], "marketplace")


def _after(everything: dict[str, str], options: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "django", "after_restore", *options],
        env=dashboard(everything, preparing=True),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotStart(f"The databases were restored and emptied again: {done.stderr.strip()[-1500:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _words(about: dict[str, Any], told: dict[str, Any], *, replace: bool) -> list[str]:
    """What the person at the terminal has to know now."""
    lines = [f"Restored as it was at {datetime.fromisoformat(about['created_at']):%Y-%m-%d %H:%M} UTC."]
    if told:
        lines.append(
            "It takes the place of the old installation, which must not run any more."
            if replace
            else "It is a copy: every Connection is paused until an owner resumes it on its page. "
            "Use --replace when the old installation is gone."
        )
    if doubted := told.get("doubted"):
        lines.append(f"{doubted} open writes are looked up at the market before anything is sent again.")
    if unreadable := told.get("unreadable"):
        lines.append(
            "The keys of these Connections cannot be read here: "
            f"{', '.join(unreadable)}. Enter the access key of each again on its page (Connections → Replace keys). "
            "Those of the marketplace's first requester are in the folder of secrets after the next start."
        )
    return [*lines, "Start it with `mturkhub up`."]
