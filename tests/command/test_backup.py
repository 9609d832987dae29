"""`mturkhub backup` and `mturkhub restore`, on the whole product: nothing is lost, and nothing is sent twice."""

import contextlib
import json
import os
import stat
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from mturkhub.command import sealing
from mturkhub.command.refusals import CannotStart
from mturkhub.command.settings import dashboard, marketplace, read_settings
from tests.servers import (
    create_database,
    run,
    stack_environment,
    start_up,
    wait,
    wait_until_ready,
)

PASSPHRASE = "correct horse battery"
ROWS = 4

ACTIONS = f"""
import django; django.setup()
from decimal import Decimal
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.credentials import decrypt
from mturkhub.accounts.models import Connection, Membership
from projects.actions.batches import pause_batch, publish_batch, resume_batch
from projects.actions.projects import create_project, save_template
from projects.actions.reviews import approve_assignment
from projects.actions.uploads import create_batch, upload_file
from projects.models import Assignment, Batch

membership = Membership.objects.select_related("team", "user").get()
membership.team.grace_time *= 0
membership.team.save()
by = Actor.person(membership)

def publish(name):
    words = dict(name=name, title=name, description="x", reward=Decimal("0.05"), max_assignments=1)
    project = create_project(membership.team, by=by, **words)
    save_template(project, "<p>${{text}}</p><form><input name=label required><button>Submit</button></form>", by=by)
    upload = upload_file(project, by=by, name="items.csv", chunks=[b"text\\n" + b"hello\\n" * {ROWS}])
    return publish_batch(create_batch(upload, by=by, connection=Connection.objects.get()), by=by)

def approve(name, count={ROWS}):
    waiting = Assignment.objects.filter(batch__title=name, status="Submitted", pending_verdict="").order_by("pk")
    for assignment in waiting[:count]:
        approve_assignment(assignment, by=by)
"""
ANSWER = """
import django; django.setup()
from marketplace import crowd, lifecycle
from marketplace.models import HIT
for hit in HIT.objects.filter(hit_type__title=name).order_by("pk"):
    held = lifecycle.accept_hit(hit, crowd.pretend_worker("one"))
    lifecycle.submit_assignment(held.mturk_id, [("label", "yes")])
"""


class Installation:
    """A home with all that belongs to it, and what is done with it from a terminal and behind the stage."""

    def __init__(self, folder: Path, name: str, **more: str) -> None:
        self.folder, self.home = folder, folder / name
        self.env = stack_environment(self.home, **more) | {"PASSPHRASE": PASSPHRASE}
        self.output = folder / f"{name}.txt"

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mturkhub.command.main", *words],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self) -> start_up:
        return start_up(self.env, self.folder, self.output)

    @property
    def everything(self) -> dict[str, str]:
        return read_settings(self.env, folder=self.folder).everything()

    def here(self, *actions: str) -> str:
        """Have the owner do something at the dashboard; returns what it printed."""
        return run([sys.executable, "-c", "\n".join([ACTIONS, *actions])], dashboard(self.everything))

    def answer(self, name: str) -> None:
        """Have a Worker answer each HIT of this title."""
        run([sys.executable, "-c", f"name = {name!r}\n{ANSWER}"], marketplace(self.everything))

    def ask(self, statement: str, *, variable: str = "DATABASE_URL") -> list[tuple[Any, ...]]:
        """Run one statement on a database and commit it."""
        url = self.everything[variable]
        with contextlib.closing(psycopg2.connect(url)) as line, line, line.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def count(self, table: str, condition: str = "true", *, variable: str = "DATABASE_URL") -> int:
        return int(self.ask(f"select count(*) from {table} where {condition}", variable=variable)[0][0])

    def look_now(self) -> None:
        """Have the next sweep begin at once."""
        self.ask("update accounts_connection set next_sweep_at = null")


def of(name: str) -> str:
    return f"batch_id = (select id from projects_batch where title = '{name}')"


@pytest.mark.timeout(600)
def test_after_a_restore_nothing_is_sent_twice_and_everything_is_finished(tmp_path: Path) -> None:
    # The marketplace goes on while the dashboard is set back: its database is on a server of its own.
    url = os.environ["MARKETPLACE_DATABASE_URL"] + "_kept"
    create_database(url)
    old = Installation(tmp_path, "old", MARKETPLACE_DATABASE_URL=url)
    new = Installation(tmp_path, "new", MARKETPLACE_DATABASE_URL=url)
    new.env |= {name: value for name, value in old.env.items() if name.endswith(("_PORT", "_URL"))}
    file = tmp_path / "backup.tar"
    with old.up() as process:
        wait_until_ready(process, old.output)
        old.here("publish('early')")
        wait(lambda: old.count("projects_hit", "publish_state = 'published'") == ROWS, seconds=120)
        old.answer("early")
        old.look_now()
        wait(lambda: old.count("projects_assignment") == ROWS, seconds=120)
        # From here on nothing is sent, so that the backup holds a batch and decisions that wait.
        old.ask("update accounts_connection set paused_at = now()")
        old.here("publish('later')", "pause_batch(publish('never'), by=by)", "approve('early', 2)")

        made = old.command("backup", str(file), "--with-keys", "--passphrase-env", "PASSPHRASE")
        assert made.returncode == 0, made.stderr

        old.ask("update accounts_connection set paused_at = null")
        wait(lambda: old.count("projects_hit", "publish_state = 'published'") == 2 * ROWS, seconds=120)
        old.answer("later")
        old.look_now()
        wait(lambda: old.count("projects_assignment") == 2 * ROWS, seconds=120)
        old.here("approve('early', 1)", "approve('later', 1)")
        wait(lambda: old.count("projects_decision", "state = 'done'") == 4, seconds=120)

    done = new.command(
        *("restore", str(file), "--replace", "--only", "dashboard", "--passphrase-env", "PASSPHRASE")
    )
    assert done.returncode == 0, done.stderr
    assert f"{2 * ROWS + 2} open writes are looked up" in done.stdout
    with new.up() as process:
        wait_until_ready(process, new.output)
        new.ask("update accounts_connection set paused_at = null")
        wait(lambda: new.count("projects_hit", "publish_state = 'published'") == 2 * ROWS, seconds=120)
        wait(lambda: new.count("projects_assignment") == 2 * ROWS, seconds=120)
        wait(lambda: new.count("projects_decision", "state = 'done'") == 2, seconds=120)
        new.here("resume_batch(Batch.objects.get(title='never'), by=by)")
        assert new.count("projects_hit", f"publish_state = 'unknown' and {of('never')}") == ROWS
        new.ask('insert into common_clockoffset ("only", "offset") values (true, \'3 minutes\')')

        def is_published() -> bool:
            new.look_now()
            return new.count("projects_hit", "publish_state = 'published'") == 3 * ROWS

        wait(is_published, seconds=180)
        new.here("approve('early')", "approve('later')")
        wait(lambda: new.count("projects_assignment", "status = 'Approved'") == 2 * ROWS, seconds=120)

        annotated = new.ask(
            "select requester_annotation from marketplace_hit", variable="MARKETPLACE_DATABASE_URL"
        )
        ours = {str(public_id) for (public_id,) in new.ask("select public_id from projects_hit")}
        there = Counter(annotation.split("/")[-1].rstrip(";") for (annotation,) in annotated)
        assert there == dict.fromkeys(ours, 1)
        paid = new.ask(
            "select count(*), count(distinct assignment_id) from marketplace_ledgerentry where target = 'workers'",
            variable="MARKETPLACE_DATABASE_URL",
        )
        assert paid == [(2 * ROWS, 2 * ROWS)]
        assert new.count("projects_batch", "state = 'live'") == 3

        def nothing_is_made_elsewhere() -> bool:
            # A sweep that saw a HIT which was just being created could not tell yet whose it is.
            new.look_now()
            return new.ask("select hits_elsewhere from projects_sweep order by id desc limit 1") == [(0,)]

        wait(nothing_is_made_elsewhere, seconds=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backup")


@pytest.fixture(scope="module")
def original(folder: Path) -> Installation:
    """An installation with a published batch, stopped; beside it a backup with keys and one without."""
    made = Installation(folder, "original")
    with made.up() as process:
        wait_until_ready(process, made.output)
        made.here("publish('early')")
        wait(lambda: made.count("projects_hit", "publish_state = 'published'") == ROWS, seconds=120)
        assert made.command("backup", str(folder / "plain.tar")).returncode == 0
    # Nothing runs now: its Postgres is started for it, and stopped again.
    sealed = made.command(
        "backup", str(folder / "sealed.tar"), "--with-keys", "--passphrase-env", "PASSPHRASE"
    )
    assert sealed.returncode == 0, sealed.stderr
    assert not (made.home / "postgres" / "postmaster.pid").exists()
    return made


@pytest.mark.timeout(400)
def test_a_backup_with_keys_becomes_the_same_installation_in_an_empty_folder(
    original: Installation, folder: Path
) -> None:
    new = Installation(folder, "same")

    done = new.command("restore", str(folder / "sealed.tar"), "--replace", "--passphrase-env", "PASSPHRASE")

    assert done.returncode == 0, done.stderr
    with new.up() as process:
        wait_until_ready(process, new.output)
        assert (
            new.count("projects_hit"),
            new.count("marketplace_hit", variable="MARKETPLACE_DATABASE_URL"),
        ) == (ROWS, ROWS)
        key = (original.home / "secrets" / "marketplace_access_key_id").read_text()
        assert new.here("print(decrypt(Connection.objects.get()).access_key_id)") == key
        # The marketplace reads its own, too: a request of the dashboard's is answered.
        new.ask("update accounts_connection set balance_at = null")
        wait(lambda: new.count("accounts_connection", "balance_at is not null and problem = ''"), seconds=120)
        assert new.count("accounts_connection", "paused_at is null") == 1
        assert "owner@localhost" in new.command("sign-in-link", "nobody@example.org").stderr


@pytest.mark.timeout(400)
def test_a_backup_without_keys_becomes_a_paused_copy_that_says_which_keys_to_enter(
    original: Installation, folder: Path
) -> None:
    new = Installation(folder, "copy")

    done = new.command("restore", str(folder / "plain.tar"))

    assert done.returncode == 0, done.stderr
    assert "every Connection is paused" in done.stdout
    assert "Local. Enter the access key of each again" in done.stdout
    with new.up() as process:
        wait_until_ready(process, new.output)
        assert new.count("projects_hit") == ROWS
        assert new.count("accounts_connection", "paused_at is not null") == 1
        with tarfile.open(folder / "plain.tar") as tar:
            about = json.load(tar.extractfile("about.json") or pytest.fail("no about.json"))
        assert new.ask("select public_id::text from common_installation") != [(about["installation"],)]
        again = new.command("restore", str(folder / "plain.tar"))
        assert "already runs" in again.stderr

    refused = new.command("restore", str(folder / "plain.tar"))
    assert refused.returncode == 1
    assert "is not empty, and nothing in it was touched" in refused.stderr


@pytest.mark.timeout(400)
def test_a_backup_is_readable_by_its_owner_alone_and_holds_no_key_in_the_clear(
    original: Installation, folder: Path
) -> None:
    secrets = [
        (original.home / "secrets" / name).read_text().strip()
        for name in ("mturkhub_encryption_keys", "marketplace_secret_access_key", "marketplace_secret_key")
    ]

    for name in ("plain.tar", "sealed.tar"):
        content = (folder / name).read_bytes()
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert not [secret for secret in secrets if secret.encode() in content]
    assert not list(folder.glob(".mturkhub-backup-*"))


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["restore", "missing.tar"], "missing.tar is missing"),
        (["restore", "nonsense.tar"], "is no backup of mturkhub"),
        (["restore", "half.tar"], "is no backup of mturkhub"),
        (["restore", "sealed.tar"], "there is no terminal to ask on"),
        (["restore", "sealed.tar", "--passphrase-env", "WRONG"], "does not open the keys"),
        (["backup", "new.tar"], "There are no data in"),
        (["backup", "new.tar", "--with-keys"], "there is no terminal to ask on"),
        (["backup", "new.tar", "--with-keys", "--passphrase-env", "SHORT"], "12 characters are the least"),
        (["backup", "no/such/folder/new.tar"], "is no place for a file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence_and_leaves_nothing(
    original: Installation, folder: Path, words: list[str], sentence: str
) -> None:
    (folder / "nonsense.tar").write_text("nonsense")
    (folder / "half.tar").write_bytes((folder / "sealed.tar").read_bytes()[:20_000])
    new = Installation(folder, "refused")
    new.env |= {"WRONG": "not the passphrase", "SHORT": "short"}

    done = new.command(*words)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "new.tar").exists()
    assert not list(new.home.glob("secrets/*"))


def test_sealed_keys_are_opened_by_their_passphrase_alone() -> None:
    sealed = sealing.seal({"KEY": "value"}, PASSPHRASE)

    assert sealing.unseal(sealed, PASSPHRASE) == {"KEY": "value"}
    with pytest.raises(CannotStart, match="does not open"):
        sealing.unseal(sealed, f"{PASSPHRASE} ")
    assert b"value" not in sealed
