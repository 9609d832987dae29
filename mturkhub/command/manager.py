"""Starts services in order, restarts one that dies with its reason shown, and stops them in order.

Its own death ends them too: each runs under `child.py`. The services themselves stand in `postgres.py`,
`valkey.py` and `sites.py`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from mturkhub.command.refusals import CannotStart, without_secrets

CHILD = Path(__file__).with_name("child.py")
LOOK_EVERY = 0.1
LONGEST_WAIT = 30.0
# A service that ran this long is taken to be well again: its next death is not part of a series.
LONG_RUN = 60.0
DEATHS_BEFORE_GIVING_UP = 4
LARGEST_LOG = 10_000_000


class Stopped(Exception):
    """Somebody asked to stop while things were starting."""


def tell(text: str) -> None:
    """Print at once; a terminal or pipe that has gone away is no reason to stop."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def nothing() -> None:
    """What most services need before they start."""


def always() -> bool:
    """How services without an address of their own are ready: as soon as they run."""
    return True


@dataclass(frozen=True)
class Service:
    """One long-running process: how it is started, when it is ready and how it ends."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    tier: int  # stopped from the highest to the lowest
    is_ready: Callable[[], bool] = always
    before_start: Callable[[], None] = nothing
    stop_signal: int = signal.SIGTERM
    death_signal: int = signal.SIGKILL  # what it gets when the manager dies
    patience: float = 10.0  # seconds to stop in, then it is killed
    launch_options: Sequence[str] = ()
    inherited: Sequence[int] = ()  # descriptors it keeps open


@dataclass
class Run:
    """A service with its present process."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    start_at: float = 0.0  # when to start it again, while it has no process
    is_ready: bool = False
    log_offset: int = 0


@dataclass
class Manager:
    """The services of one start."""

    logs: Path
    inherited: Sequence[int] = ()  # descriptors all keep open: the lock, see Home.lock
    secrets: Sequence[str] = ()  # never shown
    say: Callable[[str], None] = tell
    runs: list[Run] = field(default_factory=list)
    stop_requests: int = 0

    def __post_init__(self) -> None:
        self._watch: tuple[int, int] | None = os.pipe() if sys.platform != "linux" else None

    def listen_to_signals(self) -> None:
        """Ctrl-C, `kill` and a closed terminal ask to stop; a second one makes it quick."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1

    # Starting ------------------------------------------------------------------------------------

    def start(self, *services: Service, patience: float = 60.0) -> None:
        """Start these together and return when each is ready; raises CannotStart or Stopped."""
        runs = [Run(service) for service in services]
        self.runs.extend(runs)
        deadline = time.monotonic() + patience
        while not all(run.is_ready for run in runs):
            self._check_stop()
            for run in self.runs:
                self._look_after(run)
            for run in runs:
                if run.deaths >= DEATHS_BEFORE_GIVING_UP:
                    raise CannotStart(f"{run.service.name} does not start. {self.last_words(run)}")
                if run.process and not run.is_ready:
                    run.is_ready = run.service.is_ready()
                if time.monotonic() > deadline and not run.is_ready:
                    raise CannotStart(
                        f"{run.service.name} is not ready after {patience:.0f} s. {self.last_words(run)}"
                    )
            time.sleep(LOOK_EVERY / 2)

    def run_until_asked_to_stop(self) -> None:
        """Keep everything running until a signal comes."""
        self.keep_up(until=lambda: self.stop_requests > 0)

    def keep_up(self, *, until: Callable[[], object]) -> None:
        """Start again what dies, until it is so."""
        looks = 0
        while not until():
            for run in self.runs:
                self._look_after(run)
            looks += 1
            if looks % 600 == 0:
                self.shorten_logs()
            time.sleep(LOOK_EVERY)

    def together(self, commands: Mapping[str, tuple[Sequence[str], Mapping[str, str]]]) -> dict[str, str]:
        """Run commands side by side to their ends; returns their output, raises CannotStart or Stopped."""
        running = {
            name: (self._open(name, command, env, output=subprocess.PIPE), self._size(name))
            for name, (command, env) in commands.items()
        }
        outputs: dict[str, str] = {}
        try:
            while len(outputs) < len(running):
                self._check_stop()
                for run in self.runs:
                    self._look_after(run)
                for name, (process, offset) in running.items():
                    if name not in outputs and process.poll() is not None:
                        outputs[name] = process.communicate()[0].decode(errors="replace")
                        if process.returncode != 0:
                            words = self._tail(name, offset) or outputs[name][-2000:]
                            raise CannotStart(
                                f"{name} failed ({ending(process.returncode)}).\n{self._shown(words)}"
                            )
                time.sleep(LOOK_EVERY / 4)
        finally:
            for process, _ in running.values():
                if process.poll() is None:
                    _signal_group(process, signal.SIGKILL)
                    process.wait()
                if process.stdout:
                    process.stdout.close()
        return outputs

    def _check_stop(self) -> None:
        if self.stop_requests:
            raise Stopped

    # Looking after -------------------------------------------------------------------------------

    def _look_after(self, run: Run) -> None:
        if run.process is None:
            if time.monotonic() >= run.start_at:
                self._spawn(run)
            return
        if run.process.poll() is None:
            return
        code = run.process.returncode
        # Its own children would hold ports, databases and half-done work.
        _signal_group(run.process, signal.SIGKILL)
        was_up = time.monotonic() - run.started_at
        run.deaths = 1 if was_up > LONG_RUN else run.deaths + 1
        wait = min(0.25 * 2**run.deaths, LONGEST_WAIT)
        run.process, run.start_at = None, time.monotonic() + wait
        self.say(
            f"{run.service.name} ended: {ending(code)}. "
            f"It starts again in {wait:.1f} s. {self.last_words(run)}"
        )

    def _spawn(self, run: Run) -> None:
        service = run.service
        service.before_start()
        run.log_offset = self._size(service.name)
        run.process = self._open(
            service.name,
            service.command,
            service.env,
            death_signal=service.death_signal,
            options=service.launch_options,
            inherited=service.inherited,
        )
        run.started_at = time.monotonic()

    def _open(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        output: int | None = None,
        death_signal: int = signal.SIGKILL,
        options: Sequence[str] = (),
        inherited: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        watched = [self._watch[0]] if self._watch else []
        with open(self._log(name), "ab", opener=_private) as log:
            # A session of its own: Ctrl-C reaches the manager alone, which stops things in order.
            return subprocess.Popen(
                launch(command, death_signal=death_signal, options=options, watch=watched),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output if output is not None else log,
                stderr=log,
                start_new_session=True,
                pass_fds=[*self.inherited, *watched, *inherited],
            )

    # Stopping ------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop everything, from the highest tier to the lowest, each tier together."""
        asked = self.stop_requests
        for tier in sorted({run.service.tier for run in self.runs}, reverse=True):
            running = [run for run in self.runs if run.service.tier == tier and run.process]
            for run in running:
                _signal(run, run.service.stop_signal)
            began = time.monotonic()
            while any(run.process and run.process.poll() is None for run in running):
                for run in running:
                    hurry = self.stop_requests > asked and run.service.death_signal == signal.SIGKILL
                    if hurry or time.monotonic() - began > run.service.patience:
                        _signal_group(run.process, signal.SIGKILL)
                time.sleep(0.02)
            for run in running:
                _signal_group(run.process, signal.SIGKILL)  # what it may have left behind
                run.process = None
        self.runs.clear()

    # Logs ----------------------------------------------------------------------------------------

    def last_words(self, run: Run) -> str:
        """The last lines a service wrote since it was started, without secrets, and where to read more."""
        words = self._tail(run.service.name, run.log_offset)
        more = f"(more in {self._log(run.service.name)})"
        return f"Its last words {more}:\n{self._shown(words)}" if words else f"It wrote nothing {more}."

    def _shown(self, text: str) -> str:
        lines = without_secrets(text, self.secrets).strip().splitlines()[-8:]
        return "\n".join(f"    {line[:300]}" for line in lines)

    def _tail(self, name: str, offset: int) -> str:
        with open(self._log(name), "rb") as log:
            log.seek(max(offset, self._size(name) - 4000))
            return log.read().decode(errors="replace").strip()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _size(self, name: str) -> int:
        path = self._log(name)
        return path.stat().st_size if path.exists() else 0

    def shorten_logs(self) -> None:
        """Keep one older piece of each log. Services append, so theirs may be emptied under them."""
        for run in self.runs:
            path = self._log(run.service.name)
            if self._size(run.service.name) > LARGEST_LOG:
                with contextlib.suppress(OSError):  # a full disk needs the room more than the older piece
                    path.with_suffix(".log.1").write_bytes(path.read_bytes())
                os.truncate(path, 0)
                run.log_offset = 0


def launch(
    command: Sequence[str],
    *,
    death_signal: int = signal.SIGKILL,
    options: Sequence[str] = (),
    watch: Sequence[int] = (),
) -> list[str]:
    """The command line that runs `command` under `child.py`, as a child of this process."""
    return [
        *(sys.executable, "-I", "-S", str(CHILD)),
        *("--parent", str(os.getpid()), "--death-signal", str(int(death_signal))),
        *options,
        *(word for pipe in watch for word in ("--watch", str(pipe))),
        "--",
        *command,
    ]


def ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"signal {-code} ({signal.Signals(-code).name})"
    return f"signal {-code}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _signal(run: Run, number: int) -> None:
    if run.process and run.process.poll() is None:
        run.process.send_signal(number)


def _signal_group(process: subprocess.Popen[bytes] | None, number: int) -> None:
    if process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
