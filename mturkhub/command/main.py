"""The command `mturkhub`: starts everything, and what an operator does from a terminal."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from mturkhub.command.refusals import CannotStart, explain
from mturkhub.command.run import PROCESSES, is_told_everything, prepare, run, well
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
        else:
            print_sign_in_link(settings, wish.email)
    except CannotStart as refusal:
        sys.exit(f"mturkhub: {refusal}")
    except OSError as error:
        sys.exit(f"mturkhub: {explain(error)}")


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
