"""The command `mturkhub`: starts everything, and what an operator does from a terminal."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from mturkhub.command.refusals import CannotStart, explain
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
    link = verbs.add_parser("sign-in-link", help="print a link that signs a person in once")
    link.add_argument("email")
    wish = parser.parse_args()
    try:
        settings = read_settings(os.environ, folder=Path.cwd())
        if wish.verb in ("up", "demo"):
            up(settings, demo=wish.verb == "demo")
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
    if not settings.home.secrets.is_dir() or (postgres and not postgres.is_ready()):
        raise CannotStart(
            f"Nothing runs on {settings.home.path}. Start it with `mturkhub up`, then ask again."
        )
    done = subprocess.run(
        [sys.executable, "-m", "django", "sign_in_link", email],
        env=dashboard(settings.everything()),
        check=False,
    )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
