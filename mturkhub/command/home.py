"""The folder that holds everything of one installation: data, secrets, logs, sockets and the lock."""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mturkhub.command.refusals import CannotStart, explain

NEEDED_BYTES = 300_000_000
# The kernel takes about 100 bytes for the path of a socket; ours end in `/postgres/.s.PGSQL.5432`.
LONGEST_SOCKET_FOLDER = 70


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free


class Home:
    """MTURKHUB_HOME and what lies where inside it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.secrets = self.path / "secrets"
        self.postgres = self.path / "postgres"
        self.valkey = self.path / "valkey"
        self.logs = self.path / "logs"
        self.beat_schedule = self.path / "beat-schedule"

    @property
    def sockets(self) -> Path:
        """A folder whose path is short enough for sockets; only its owner can use those below it."""
        inside = self.path / "run"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
            return inside
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"mturkhub-{os.geteuid()}-{digest}"

    def prepare(self, *, free_bytes: Callable[[Path], int] = _free_bytes) -> None:
        """Make the folders; raises CannotStart when they cannot be written or the disk is nearly full."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise CannotStart(
                f"{self.path} cannot be written. Change its owner, or set MTURKHUB_HOME to a folder of yours."
            )
        free = free_bytes(self.path)
        if free < NEEDED_BYTES:
            raise CannotStart(
                f"The disk is nearly full: {free // 1_000_000} MB are free at {self.path}, "
                f"{NEEDED_BYTES // 1_000_000} MB are needed. "
                "Free some space, or set MTURKHUB_HOME to a folder on another disk."
            )
        for folder in (self.secrets, self.valkey, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._prepare_sockets()

    def _prepare_sockets(self) -> None:
        self.sockets.mkdir(mode=0o711, exist_ok=True)
        # In a shared temporary folder someone else could have made it first.
        if self.sockets.stat().st_uid != os.geteuid() or self.sockets.is_symlink():
            raise CannotStart(
                f"{self.sockets} belongs to somebody else. Set MTURKHUB_HOME to a shorter path."
            )
        (self.sockets / "valkey").mkdir(mode=0o700, exist_ok=True)

    def lock(self, *, patience: float = 15) -> int:
        """The descriptor of the lock; raises CannotStart while another start uses this folder.

        Every child inherits the descriptor, so holding the lock proves that nothing of an earlier start is
        left, even of one whose manager was killed a moment ago.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                owner = os.pread(descriptor, 20, 0).decode().strip()
                if _is_alive(owner) or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise CannotStart(
                        f"mturkhub already runs on {self.path} (process {owner or 'unknown'}). "
                        "Use that one, stop it first, or set MTURKHUB_HOME to another folder."
                    ) from None
                time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, OSError):
        return False
    return True
