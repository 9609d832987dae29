"""Both sites as they are started, with secrets in place and everything failing: what they log and what they show."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mturkhub.command.sites import GUNICORN
from tests.servers import OURS, wait

SECRETS = {
    "MTURKHUB_SECRET_KEY": "the-secret-key-of-the-dashboard-0123456789",
    "MTURKHUB_ENCRYPTION_KEYS": "dGhlIGVuY3J5cHRpb24ga2V5IHVuZGVyIHRlc3QgISE=",
    "MARKETPLACE_SECRET_KEY": "the-secret-key-of-the-marketplace-0123456789",
    "EMAIL_HOST_PASSWORD": "the-password-of-the-mail-server",
}
PASSWORDS = {
    "database": "the-password-of-the-database",
    "broker": "the-password-of-the-broker",
    "person": "the-password-of-a-person",
    "worker": "what-a-worker-answered",
    "signature": "0123456789abcdef-the-signature",
    "session": "thesessionofapersonthesessionofapers",
    "token": "mturkhub_the-token-of-somebodys-script",
    "link": "eyJ0aGUgbGluayB0aGF0IHNpZ25zIHNvbWVib2R5IGluIjoxfQ:1wXWMx:81j0HUFWxtJZ3dOidAL7",
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], tuple[int, Path]]]:
    """Starts a site whose database and broker do not answer; its port and its log."""
    running: list[tuple[subprocess.Popen[bytes], socket.socket]] = []

    def start(site: str) -> tuple[int, Path]:
        nobody = socket.create_server(("127.0.0.1", 0))
        closed = nobody.getsockname()[1]
        nobody.close()
        listener = socket.create_server(("127.0.0.1", 0))
        env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        database = f"postgres://hub:{PASSWORDS['database']}@127.0.0.1:{closed}/hub"
        env |= SECRETS | {
            "DATABASE_URL": database,
            "MARKETPLACE_DATABASE_URL": database,
            "REDIS_URL": f"redis://:{PASSWORDS['broker']}@127.0.0.1:{closed}/0",
            "DJANGO_SETTINGS_MODULE": f"{site}.settings",
        }
        log = tmp_path / f"{site}.log"
        command = [sys.executable, "-m", "gunicorn", f"{site}.wsgi", "--bind", f"fd://{listener.fileno()}"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*command, *GUNICORN], env=env, pass_fds=[listener.fileno()], stdout=file, stderr=file
            )
        running.append((process, listener))
        port = listener.getsockname()[1]
        wait(lambda: ask(port, "GET", "/healthz")[0] == 200, seconds=60)
        return port, log

    yield start
    for process, listener in running:
        process.terminate()
        process.wait(30)
        listener.close()


def ask(port: int, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
    """The status and all of the answer, its headers among it; 0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body=body, headers=told)
        response = connection.getresponse()
        return response.status, f"{response.getheaders()}{response.read().decode()}"
    except OSError:
        return 0, ""
    finally:
        connection.close()


def assert_nothing_leaked(text: str) -> None:
    assert [name for name, value in (SECRETS | PASSWORDS).items() if value in text] == []


def test_the_dashboard_fails_without_telling_a_secret(start: Callable[[str], tuple[int, Path]]) -> None:
    port, log = start("mturkhub")
    cookie = f"mturkhub_session={PASSWORDS['session']}; mturkhub_csrf={'c' * 32}"
    form = f"login=olive@example.org&password={PASSWORDS['person']}&csrfmiddlewaretoken={'c' * 32}"
    kind = "application/x-www-form-urlencoded"

    told = [
        ask(port, "GET", "/readyz"),
        ask(port, "GET", "/", Cookie=cookie),
        ask(port, "POST", "/account/login/", form, Cookie=cookie, Content_Type=kind),
        ask(port, "POST", "/account/login/", form, Content_Type=kind),
        ask(port, "GET", "/", Host="elsewhere.example"),
        ask(port, "GET", f"/sign-in/{PASSWORDS['link']}/"),
        ask(port, "GET", "/api/v1/projects", Authorization=f"Bearer {PASSWORDS['token']}"),
    ]

    assert [status for status, _ in told] == [503, 500, 500, 403, 400, 500, 500]
    assert "application/problem+json" in told[-1][1]
    for _, page in told:
        assert_nothing_leaked(page)
        assert "Traceback" not in page
    text = log.read_text()
    assert "OperationalError" in text
    assert_nothing_leaked(text)


def test_the_marketplace_fails_without_telling_a_secret(start: Callable[[str], tuple[int, Path]]) -> None:
    port, log = start("marketplace")
    cookie = f"marketplace_sessionid={PASSWORDS['session']}; marketplace_csrf={'c' * 32}"
    form = f"username=wanda@example.org&password={PASSWORDS['person']}&csrfmiddlewaretoken={'c' * 32}"
    kind = "application/x-www-form-urlencoded"
    signed = f"AWS4-HMAC-SHA256 Credential=AKIA/20261124/us-east-1/mturk-requester/aws4_request, SignedHeaders=host, Signature={PASSWORDS['signature']}"
    answer = f"assignmentId=3A&text={PASSWORDS['worker']}"

    told = [
        ask(port, "GET", "/", Cookie=cookie),
        ask(port, "POST", "/sign-in", form, Cookie=cookie, Content_Type=kind),
        ask(port, "POST", "/mturk/externalSubmit", answer, Content_Type=kind),
        ask(
            port,
            "POST",
            "/",
            "{}",
            Authorization=signed,
            Content_Type="application/x-amz-json-1.1",
            X_Amz_Target="MTurkRequesterServiceV20170117.GetAccountBalance",
            X_Amz_Date="20261124T120000Z",
        ),
    ]

    assert [status for status, _ in told][:3] == [500, 500, 500]
    assert told[3][0] in (400, 500)
    for _, page in told:
        assert_nothing_leaked(page)
        assert "Traceback" not in page
    assert "OperationalError" in log.read_text()
    assert_nothing_leaked(log.read_text())
