"""A proxy in front of an endpoint that lets calls and answers go wrong, drawn at random from a seed.

Faults know nothing of what is called, so whatever the gateway learns to call goes wrong here as well.
"""

import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# Fault → whether the call is done all the same.
FAULTS = {
    "cut before": False,
    "cut after": True,
    "500 before": False,
    "500 after": True,
    "throttled": False,
    "hangs before": False,
    "hangs after": True,
    "broken body": True,
    "breaks off": True,
    "a page of somebody else's": False,
}
_THROTTLED = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
_FAULT = b'{"__type":"ServiceFault","Message":"Something went wrong."}'


@dataclass
class FaultyProxy:
    """Where it listens, how often calls go wrong (0 to 1), and how often what went wrong."""

    target: str
    seed: str
    share: float = 0.3
    hang: float = 1.0
    counts: Counter[str] = field(default_factory=Counter)
    url: str = ""
    # While it stands: nothing comes through, or nothing comes back.
    outage: bool = False

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._lock = threading.Lock()

    def draw(self) -> str:
        """The next call's fate; empty when all goes well."""
        with self._lock:
            fault = ""
            if self.outage:
                fault = self._chance.choice(["cut before", "cut after"])
            elif self._chance.random() < self.share:
                fault = self._chance.choice(list(FAULTS))
            self.counts[fault or "well"] += 1
            return fault


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    host = urlsplit(proxy.target).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fault = proxy.draw()
            status, answer = 200, b"{}"
            if FAULTS.get(fault, True):
                try:
                    status, answer = self._forward(body)
                except (OSError, http.client.HTTPException):
                    fault = "cut after"  # the endpoint itself went away
            self._answer(fault, status, answer)

        def _forward(self, body: bytes) -> tuple[int, bytes]:
            # With its own Host, which is part of the signature.
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection = http.client.HTTPConnection(host, timeout=60)
            try:
                connection.request("POST", "/", body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()

        def _answer(self, fault: str, status: int, answer: bytes) -> None:
            if fault.startswith("hangs"):
                time.sleep(proxy.hang)
            if fault.startswith(("cut", "hangs")):
                self._cut()
            elif fault.startswith("500"):
                self._write(500, _FAULT)
            elif fault == "throttled":
                self._write(400, _THROTTLED)
            elif fault == "broken body":
                self._write(200, answer[: len(answer) // 2] + b"\x00<")
            elif fault == "breaks off":
                self._write(200, answer[: len(answer) // 2], promised=len(answer) + 10)
                self._cut()
            elif fault:
                self._write(200, b"<html>Please sign in to this network.</html>")
            else:
                self._write(status, answer)

        def _write(self, status: int, content: bytes, *, promised: int = 0) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(promised or len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _cut(self) -> None:
            self.close_connection = True
            with suppress(OSError):  # the caller may have hung up
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Callers who hang up are what this is for."""


@contextmanager
def faulty_proxy(target: str, *, seed: str, share: float = 0.3, hang: float = 1.0) -> Iterator[FaultyProxy]:
    """A proxy that runs until the end of the block."""
    proxy = FaultyProxy(target, seed, share, hang)
    server = _Server(("127.0.0.1", 0), _handler(proxy))
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told(proxy: FaultyProxy) -> str:
    """How often what went wrong, in one line."""
    return json.dumps(dict(sorted(proxy.counts.items())))
