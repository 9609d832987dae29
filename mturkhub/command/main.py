"""The command `mturkhub`: starts everything, and what an operator does from a terminal."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from mturkhub.command.backup import DATABASES, back_up
from mturkhub.command.doctor import examine
from mturkhub.command.refusals import CannotStart, explain
from mturkhub.command.restore import restore
from mturkhub.command.run import PROCESSES, is_told_everything, prepare, run, well
from mturkhub.command.sealing import ask_passphrase
from mturkhub.command.settings import Settings, dashboard, read_settings
from mturkhub.command.up import up


def main() -> None:
    """Run the command line; a refusal is one sentence on stderr and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="mturkhub", description="A dashboard and a marketplace for human-answered questions."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="start everything; Ctrl-C stops it")
    verbs.add_parser("demo", help="the same, with a published batch and Workers who answer it")
    one = verbs.add_parser("run", help="become one process, for containers and several hosts")
    one.add_argument("process", choices=PROCESSES)
    verbs.add_parser("prepare", help="bring the databases up to date, before `run`")
    ask = verbs.add_parser("well", help="say whether a process of `run` does its work")
    ask.add_argument("process", choices=PROCESSES)
    ask.add_argument(
        "--host", default="127.0.0.1", help="where it listens; for worker and beat: where web does"
    )
    link = verbs.add_parser("sign-in-link", help="print a link that signs a person in once")
    link.add_argument("email")
    verbs.add_parser("doctor", help="say what is wrong and what to do about it; exit code 1 if anything is")
    _add_backup(verbs)
    _add_restore(verbs)
    wish = parser.parse_args()
    try:
        settings = read_settings(os.environ, folder=Path.cwd())
        if wish.verb in ("up", "demo"):
            up(settings, demo=wish.verb == "demo")
        elif wish.verb == "run":
            run(settings, wish.process)
        elif wish.verb == "prepare":
            prepare(settings)
        elif wish.verb == "well":
            well(settings, wish.process, host=wish.host)
        elif wish.verb == "backup":
            back_up(settings, wish.file, passphrase=_passphrase(wish, twice=True) if wish.with_keys else None)
        elif wish.verb == "restore":
            restore(
                settings,
                wish.file,
                replace=wish.replace,
                only=wish.only,
                passphrase=None if wish.without_keys else lambda: _passphrase(wish, twice=False),
            )
        elif wish.verb == "doctor":
            sys.exit(0 if examine(settings) else 1)
        else:
            print_sign_in_link(settings, wish.email)
    except CannotStart as refusal:
        sys.exit(f"mturkhub: {refusal}")
    except OSError as error:
        sys.exit(f"mturkhub: {explain(error)}")


def _add_backup(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    backup = verbs.add_parser(
        "backup",
        help="write both databases into one file, also while mturkhub runs",
        description="Write both databases into one file that only you can read. It is whole or not there, and may "
        "be made while mturkhub runs.",
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument(
        "--with-keys",
        action="store_true",
        help="the keys in the folder of secrets too, under a passphrase; without them the access keys of "
        "Connections have to be entered again after a restore",
    )
    _add_passphrase(backup)


def _add_restore(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    restoring = verbs.add_parser(
        "restore",
        help="fill an empty MTURKHUB_HOME from a backup",
        description="Fill an empty MTURKHUB_HOME from a backup. Whatever was open then is looked up at the market "
        "before anything is sent again. The result is a copy whose Connections are paused, unless you say --replace.",
    )
    restoring.add_argument("file", type=Path, metavar="FILE")
    restoring.add_argument(
        "--replace",
        action="store_true",
        help="the old installation is gone and this one takes its place: it keeps its identity and goes on at once",
    )
    restoring.add_argument(
        "--only",
        choices=list(DATABASES),
        help="restore this database alone and leave the other as it is, e.g. a marketplace that has gone on",
    )
    restoring.add_argument(
        "--without-keys",
        action="store_true",
        help="leave the keys in the backup alone; no passphrase is needed",
    )
    _add_passphrase(restoring)


def _add_passphrase(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--passphrase-env", metavar="NAME", help="the variable that holds the passphrase")
    where.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="the file that holds the passphrase"
    )


def _passphrase(wish: argparse.Namespace, *, twice: bool) -> str:
    return ask_passphrase(variable=wish.passphrase_env, file=wish.passphrase_file, twice=twice)


def print_sign_in_link(settings: Settings, email: str) -> None:
    """Print the link; the servers must be running."""
    postgres = settings.postgres
    # Without its secrets we would sign with a key that no running process knows.
    if is_told_everything(settings):
        everything = settings.environ
    elif not settings.home.secrets.is_dir() or (postgres and not postgres.is_ready()):
        raise CannotStart(
            f"Nothing runs on {settings.home.path}. Start it with `mturkhub up`, then ask again."
        )
    else:
        everything = settings.everything()
    done = subprocess.run(
        [sys.executable, "-m", "django", "sign_in_link", email],
        env=dashboard(everything),
        check=False,
    )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
