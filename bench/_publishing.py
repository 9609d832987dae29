"""What the benchmarks of publishing share: the whole product, set to an endpoint of `bench._endpoint`, and its memory."""

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench._endpoint import tell
from bench.main_job import free_port, memory_mb, product
from mturkhub.command.settings import dashboard
from mturkhub.common.broker import client


@contextmanager
def endpoint(*options: str) -> Iterator[str]:
    """The address of an endpoint with these options."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench._endpoint", str(port), *options])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            with suppress(OSError):
                tell(url, "/counts")
                break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class Worker:
    """Memory (MB) of all processes of the Celery worker together, and the seconds a core worked for them."""

    process: subprocess.Popen[str]
    before: float = 0.0
    most: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.wait(1.0):
                with suppress(psutil.Error):
                    self.most = max(self.most, memory_mb(self.process).get("worker", 0.0))

        self.before, began = memory_mb(self.process).get("worker", 0.0), self._cpu()
        watcher = threading.Thread(target=look)
        watcher.start()
        yield
        over.set()
        watcher.join()
        self.cpu = self._cpu() - began

    def _cpu(self) -> float:
        seconds = 0.0
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if " worker " in " ".join(child.cmdline()):
                    times = child.cpu_times()
                    seconds += times.user + times.system
        return seconds


@contextmanager
def product_at(url: str) -> Iterator[Worker]:
    """The product in a folder of its own, its local Connection set to this endpoint; this process becomes one of it."""
    with (
        tempfile.TemporaryDirectory(prefix="mturkhub-bench-") as folder,
        product(Path(folder)) as (told, process),
    ):
        # Whatever the manager says must be read, or it would wait for us.
        assert process.stdout
        threading.Thread(target=process.stdout.read, daemon=True).start()
        os.environ.update(dashboard(told.everything()))
        import django

        django.setup()
        logging.disable(logging.INFO)
        from mturkhub.accounts.models import Connection

        Connection.objects.update(endpoint=url)
        with client(os.environ["REDIS_URL"]) as broker:
            # `up` does not wait for its worker.
            wait(lambda: bool(broker.exists("mturkhub-alive:worker")), "the worker")
        yield Worker(process)


def publish(title: str, rows: int) -> tuple[Any, float, float]:
    """Publish a batch of so many rows as a click does; it, when the click came (epoch), and when all was stored."""
    from bench._batches import make_batch
    from projects.actions.batches import publish_batch
    from projects.models import Batch

    by, batch = make_batch(title, rows, 1)
    clicked = time.time()
    publish_batch(batch, by=by)
    stored = time.time()
    wait(lambda: Batch.objects.get(pk=batch.pk).state != "publishing", "the batch to be live")
    return Batch.objects.get(pk=batch.pk), clicked, stored


def wait(done: Callable[[], bool], what: str, *, patience: float = 3600) -> None:
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {patience:.0f} s for {what}.")
        time.sleep(0.1)


def show(name: str, value: str) -> None:
    print(f"{name:<52}{value:>24}", flush=True)
