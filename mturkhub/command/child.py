"""Runs one command that cannot outlive the process which started it.

Started by path with `python -I -S`, so it uses the standard library alone and is ready in milliseconds:

    child.py --parent PID --death-signal N [--user-namespace | --account UID:GID] [--watch FD] -- COMMAND...

On Linux the kernel itself signals the command when its parent dies. Elsewhere (`--watch`) this process stays
between the two and listens to a pipe that closes with the parent.
"""

import argparse
import ctypes
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
# Any uid but 0 will do inside the namespace: Postgres only refuses to be root.
ORDINARY_ID = 1000


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, required=True)
    parser.add_argument("--user-namespace", action="store_true")
    parser.add_argument("--account")
    parser.add_argument("--watch", type=int)
    parser.add_argument("command", nargs="+")
    wish = parser.parse_args(argv)
    if wish.user_namespace:
        enter_user_namespace()
    if wish.account:
        become(wish.account)
    if wish.watch is not None:
        sys.exit(watch(wish.command, wish.watch, wish.death_signal))
    die_with_parent(wish.parent, wish.death_signal)
    os.execvp(wish.command[0], wish.command)  # noqa: S606 (no shell is what we want)


def die_with_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel for `death_signal` when the parent dies; a later change of user would undo it."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before we had asked
        sys.exit(1)


def enter_user_namespace() -> None:
    """Be an ordinary user in the eyes of this process, while files still belong to whoever started it."""
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{ORDINARY_ID} {uid} 1"),
        ("gid_map", f"{ORDINARY_ID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def become(account: str) -> None:
    """Give up root for the account `UID:GID`."""
    uid, gid = (int(part) for part in account.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def watch(command: list[str], pipe: int, death_signal: int) -> int:
    """Run the command, hand on signals, end it when the pipe's other end closes; returns its exit code."""
    child = os.fork()
    if child == 0:
        os.close(pipe)
        os.execvp(command[0], command)  # noqa: S606 (no shell is what we want)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if select.select([pipe], [], [], 0.2)[0]:
            os.kill(child, death_signal)
            _, status = os.waitpid(child, 0)
            break
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        # End the same way, so that whoever waits sees the signal.
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    main(sys.argv[1:])
