"""Services are started in order, restarted with the reason shown, and stopped in order."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mturkhub.command.manager import CHILD, Manager, Service, Stopped, ending
from mturkhub.command.refusals import CannotStart, without_secrets
from tests.command.conftest import children_of, is_alive
from tests.servers import wait


def service(script: str, *, name: str = "clerk", tier: int = 1, **more: object) -> Service:
    """A service that is a few lines of Python."""
    return Service(name, [sys.executable, "-c", script], dict(os.environ), tier, **more)  # type: ignore[arg-type]


SLEEP = "import time; time.sleep(600)"


def pid_of(manager: Manager, name: str = "clerk") -> int:
    process = next(run.process for run in manager.runs if run.service.name == name)
    assert process
    return process.pid


@pytest.mark.parametrize(
    ("signal_number", "words"), [(signal.SIGKILL, "signal 9 (SIGKILL)"), (signal.SIGSEGV, "SIGSEGV")]
)
def test_a_killed_service_is_started_again_and_the_signal_is_named(
    manager: Manager, said: list[str], signal_number: int, words: str
) -> None:
    manager.start(service(SLEEP))
    first = pid_of(manager)
    wait(lambda: "sleep" in Path(f"/proc/{first}/cmdline").read_text())

    os.kill(first, signal_number)
    manager.keep_up(until=lambda: manager.runs[0].process and pid_of(manager) != first)

    assert words in said[0]
    assert "clerk ended" in said[0]


def test_the_last_words_of_a_service_are_shown_without_secrets(manager: Manager, said: list[str]) -> None:
    script = "import sys; print('the key is sesame-open', file=sys.stderr); sys.exit(3)"

    with pytest.raises(CannotStart, match="clerk does not start") as refusal:
        manager.start(service(script, is_ready=lambda: False))

    assert "exit code 3" in said[0]
    assert "the key is •••" in said[0]
    assert "sesame" not in f"{said}{refusal.value}"


def test_a_service_that_is_never_ready_is_a_sentence(manager: Manager) -> None:
    with pytest.raises(CannotStart, match=r"clerk is not ready after 0 s\. It wrote nothing"):
        manager.start(service(SLEEP, is_ready=lambda: False), patience=0.2)


def test_asking_to_stop_ends_a_start_that_waits(manager: Manager) -> None:
    manager.stop_requests = 1

    with pytest.raises(Stopped):
        manager.start(service(SLEEP, is_ready=lambda: False))


def test_services_stop_from_the_highest_tier_to_the_lowest(manager: Manager, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    script = """if True:
        import signal, sys, time
        def leave(*_):
            open(sys.argv[1], "a").write(sys.argv[2] + " "); sys.exit()
        signal.signal(signal.SIGTERM, leave)
        open(sys.argv[1] + sys.argv[2], "w")
        time.sleep(600)"""
    for name, tier in (("servers", 0), ("worker", 2), ("marketplace", 1)):
        command = [sys.executable, "-c", script, str(diary), name]
        manager.start(Service(name, command, dict(os.environ), tier, is_ready=Path(f"{diary}{name}").exists))

    manager.stop()

    assert diary.read_text() == "worker marketplace servers "


def test_a_service_that_does_not_stop_is_killed(manager: Manager, tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({!r}, 'w'); time.sleep(600)"
    )
    ready = tmp_path / "ready"
    manager.start(service(deaf.format(str(ready)), is_ready=ready.exists, patience=0.2))
    pid = pid_of(manager)

    manager.stop()

    assert not is_alive(pid)


def test_what_a_dead_service_has_started_is_ended_with_it(manager: Manager) -> None:
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
    manager.start(service(script))
    first = pid_of(manager)
    wait(lambda: children_of(first))
    grandchild = next(iter(children_of(first).values()))

    os.kill(first, signal.SIGKILL)
    manager.keep_up(until=lambda: manager.runs[0].process and pid_of(manager) != first)

    wait(lambda: not is_alive(grandchild))


def test_services_die_with_a_manager_that_is_killed(tmp_path: Path) -> None:
    script = f"""if True:
        import os, sys
        from pathlib import Path
        from mturkhub.command.manager import Manager, Service
        manager = Manager(Path({str(tmp_path)!r}))
        manager.start(Service("clerk", [sys.executable, "-c", {SLEEP!r}], dict(os.environ), 0))
        print(manager.runs[0].process.pid, flush=True)
        manager.run_until_asked_to_stop()"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        clerk = int(process.stdout.readline())
        assert is_alive(clerk)

        process.kill()

        wait(lambda: not is_alive(clerk))


@pytest.mark.parametrize("way", ["the pipe closes", "a signal is handed on"])
def test_where_the_kernel_does_not_help_a_process_in_between_does(way: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    ready = tmp_path / "ready"
    command = [sys.executable, "-c", f"import time; open({str(ready)!r}, 'w'); time.sleep(600)"]
    with subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", str(CHILD), "--parent", str(os.getpid())),
            *("--death-signal", "15", "--watch", str(read), "--", *command),
        ],
        pass_fds=[read],
    ) as between:
        os.close(read)
        wait(ready.exists)
        clerk = next(iter(children_of(between.pid).values()))

        if way == "the pipe closes":
            os.close(write)
        else:
            between.send_signal(signal.SIGTERM)

        assert between.wait(20) == -signal.SIGTERM
        assert not is_alive(clerk)


def test_long_logs_are_cut_and_one_older_piece_is_kept(manager: Manager) -> None:
    manager.start(service(SLEEP))
    log = manager.logs / "clerk.log"
    log.write_bytes(b"x" * 10_000_001)

    manager.shorten_logs()

    assert log.stat().st_size == 0
    assert (manager.logs / "clerk.log.1").stat().st_size == 10_000_001


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "signal 9 (SIGKILL)"), (-99, "signal 99")],
)
def test_how_a_process_ended_is_said_in_words(code: int, words: str) -> None:
    assert ending(code) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nothing to hide", "nothing to hide"),
        ("key=sesame-open.", "key=•••."),
        ("postgres://olive:geheim@db/x failed", "postgres://olive:•••@db/x failed"),
        ("redis://:geheim@cache:6379", "redis://:•••@cache:6379"),
    ],
)
def test_secrets_and_passwords_in_addresses_are_blotted_out(text: str, shown: str) -> None:
    assert without_secrets(text, ["sesame-open", ""]) == shown
