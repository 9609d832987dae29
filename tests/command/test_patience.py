"""Clients that begin a request and never end it do not keep the threads of a site."""

import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mturkhub.command.sites import GUNICORN
from tests.servers import address, wait

BEGINNINGS = {
    "the first line": b"POST / HT",
    "the headers": b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
    "the body": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc",
}


@pytest.fixture
def port(tmp_path) -> Iterator[int]:
    """A site with one thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    command = [sys.executable, "-m", "gunicorn", "tests.command.impatient:site", "--bind"]
    command += [f"fd://{listener.fileno()}", "--worker-class", "tests.command.impatient.Impatient"]
    command += ["--threads", "1", "--no-control-socket"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stdout=log, stderr=log)
    yield int(address(listener).rpartition(":")[2])
    process.terminate()
    process.wait(30)
    listener.close()


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_who_stops_in_the_middle_of_a_request_frees_the_thread(port: int, beginning: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as slow:
        slow.sendall(beginning)

        def is_served() -> bool:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("POST", "/", body=b"hello")
                return connection.getresponse().read() == b"5"
            except OSError:
                return False
            finally:
                connection.close()

        wait(is_served, seconds=60)


def test_both_sites_run_with_it_and_bound_the_headers() -> None:
    assert "mturkhub.command.patience.PatientWorker" in GUNICORN
    # gunicorn's own limits: a line of 4,094 bytes, 100 headers of 8,190 each.
    assert not [word for word in GUNICORN if word.startswith("--limit-request")]
