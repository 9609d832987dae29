"""What is read from the environment and `.env`, what is made, and who is told what."""

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from mturkhub.command.refusals import CannotStart, explain
from mturkhub.command.secrets import Secrets
from mturkhub.command.settings import Settings, beside, dashboard, marketplace, read_env_file, read_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def read(folder: Path, **environ: str) -> Settings:
    settings = read_settings(environ, folder=folder)
    settings.home.prepare()
    return settings


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("NAME=value", {"NAME": "value"}),
        ("  NAME = value  ", {"NAME": "value"}),
        ("export NAME=value", {"NAME": "value"}),
        ("NAME='a # b'", {"NAME": "a # b"}),
        ('NAME="a b"', {"NAME": "a b"}),
        ("NAME=value # a comment", {"NAME": "value"}),
        ("NAME=a=b#c", {"NAME": "a=b#c"}),
        ("NAME=", {"NAME": ""}),
        ("# NAME=value", {}),
        ("", {}),
    ],
)
def test_a_line_of_the_env_file(tmp_path: Path, line: str, found: dict[str, str]) -> None:
    (tmp_path / ".env").write_text(line)

    assert read_env_file(tmp_path / ".env") == found


def test_a_line_that_is_no_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NAME=value\nwhat is this\n")

    with pytest.raises(CannotStart, match=r"Line 2 of .*\.env is not NAME=VALUE"):
        read_settings({}, folder=tmp_path)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MTURKHUB_PORT=9000\nMARKETPLACE_PORT=9001\n")

    settings = read(tmp_path, MTURKHUB_PORT="9100")

    assert (settings.web_port, settings.marketplace_port) == (9100, 9001)
    assert settings.web_url == "http://127.0.0.1:9100"


def test_unset_everything_is_embedded_below_the_working_folder(tmp_path: Path) -> None:
    settings = read(tmp_path)

    assert settings.home.path == tmp_path / "var"
    assert settings.postgres
    assert settings.valkey
    assert (settings.bind, settings.web_port, settings.marketplace_port) == ("127.0.0.1", 8000, 8001)


def test_servers_that_are_named_are_not_embedded(tmp_path: Path) -> None:
    settings = read(tmp_path, DATABASE_URL="postgres://a:b@db:5/x", REDIS_URL="redis://cache:6379/0")

    assert settings.postgres is None
    assert settings.valkey is None
    assert settings.everything()["MARKETPLACE_DATABASE_URL"] == "postgres://a:b@db:5/marketplace"


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"MTURKHUB_PORT": "eighty"}, "MTURKHUB_PORT is “eighty”; it must be a port number from 1 to 65535."),
        ({"MARKETPLACE_PORT": "70000"}, "MARKETPLACE_PORT is “70000”; it must be a port number"),
        ({"MTURKHUB_PORT": "8001"}, "MTURKHUB_PORT and MARKETPLACE_PORT are both 8001."),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    tmp_path: Path, environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(CannotStart, match=sentence):
        read_settings(environ, folder=tmp_path)


@pytest.mark.parametrize(
    ("bind", "told"),
    [("127.0.0.1", None), ("localhost", None), ("::1", None), ("0.0.0.0", "0"), ("10.1.2.3", "0")],
)
def test_test_workers_are_off_where_others_could_reach_them(
    tmp_path: Path, bind: str, told: str | None
) -> None:
    assert read(tmp_path, MTURKHUB_BIND=bind).environ.get("MARKETPLACE_TEST_WORKERS") == told


def test_neither_site_is_told_the_others_secrets(tmp_path: Path) -> None:
    everything = read(
        tmp_path, AWS_SECRET_ACCESS_KEY="x", MTURKHUB_ADMIN_PASSWORD="y", MTURKHUB_API_TOKEN="z"
    ).everything()

    web, market = dashboard(everything), marketplace(everything)

    assert {"MARKETPLACE_SECRET_KEY", "MARKETPLACE_DATABASE_URL"}.isdisjoint(web)
    assert {"MTURKHUB_SECRET_KEY", "MTURKHUB_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL"}.isdisjoint(market)
    assert not any(name.startswith("AWS_") for name in market)
    for told in (web, market):
        assert {"MTURKHUB_ADMIN_PASSWORD", "MTURKHUB_API_TOKEN", "MARKETPLACE_SECRET_ACCESS_KEY"}.isdisjoint(
            told
        )


def test_secrets_are_made_once_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"

    first, second = Secrets(folder).environment({}), Secrets(folder).environment({})

    assert first == second
    assert len(set(first.values())) == len(first)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_secret_of_the_environment_is_used_and_not_stored(tmp_path: Path) -> None:
    told = Secrets(tmp_path).environment({"MTURKHUB_SECRET_KEY": "mine"})

    assert told["MTURKHUB_SECRET_KEY"] == "mine"
    assert not (tmp_path / "mturkhub_secret_key").exists()


def test_a_full_disk_leaves_no_half_written_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        Secrets(tmp_path).get("key", make=lambda: "secret")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, r"The disk is full \(/data/x\)\. Free some space"),
        (errno.EACCES, r"/data/x cannot be written\. Change its owner, or set MTURKHUB_HOME"),
        (errno.EROFS, r"/data/x cannot be written"),
        (errno.EIO, r"Input/output error \(/data/x\)\."),
    ],
)
def test_errors_of_the_system_are_sentences(number: int, sentence: str) -> None:
    assert re.match(sentence, str(explain(OSError(number, os.strerror(number), "/data/x"))))


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("postgres://a:b@db:5432/mturkhub", "postgres://a:b@db:5432/marketplace"),
        ("postgres://a:b@%2Frun%2Fpg/mturkhub", "postgres://a:b@%2Frun%2Fpg/marketplace"),
        ("postgres://a@db/x?sslmode=require", "postgres://a@db/marketplace?sslmode=require"),
    ],
)
def test_the_database_beside(url: str, other: str) -> None:
    assert beside(url, "marketplace") == other


def test_the_example_lists_every_variable_with_a_comment() -> None:
    root = EXAMPLE.parent
    sources = [
        *(root / "mturkhub").rglob("*.py"),
        *(root / "marketplace").rglob("*.py"),
    ]
    used = {
        name
        for path in sources
        for name in re.findall(
            r"[\"']((?:MTURKHUB|MARKETPLACE|EMAIL)_[A-Z_]+|DATABASE_URL|REDIS_URL)[\"']", path.read_text()
        )
    }
    listed = re.findall(r"^#([A-Z_]+)=", EXAMPLE.read_text(), flags=re.MULTILINE)
    lines = EXAMPLE.read_text().splitlines()
    commented = [
        name
        for name, above in (
            (re.match("#([A-Z_]+)=", line), lines[index - 1]) for index, line in enumerate(lines)
        )
        if name and above.startswith("#")
    ]

    assert used - set(listed) - NOT_FOR_PEOPLE == set()
    assert len(listed) == len(set(listed)) == len(commented)


# Set by Django's own settings or by our tests.
NOT_FOR_PEOPLE = {
    "MARKETPLACE_",
    "EMAIL_BACKEND",
    "EMAIL_USE_TLS",
    "MTURKHUB_QUEUE_PREFIX",
    "MTURKHUB_API_TOKEN",
}
