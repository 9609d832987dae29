"""The product is killed in part, again and again, and both books agree afterwards; `bench kill-rounds` plays more."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import stack_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled_whatever_is_killed(tmp_path: Path) -> None:
    sizes = ["--rounds", "2", "--rows", "60", "--answers", "2", "--most", "2", "--hurry"]

    done = subprocess.run(
        [sys.executable, "-m", "bench.kill_rounds", *sizes],
        env=stack_environment(tmp_path / "home"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    # The output names the seed, each kill and each difference.
    assert done.returncode == 0, done.stdout
