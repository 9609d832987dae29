"""Runs a command again and again: `python -m mturkhub.command.repeat SECONDS COMMAND...`; ends when it fails."""

import subprocess
import sys
import time


def main(seconds: float, command: list[str]) -> int:
    """Run, wait, run; returns the exit code of the first run that fails."""
    while True:
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
        time.sleep(seconds)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
