"""The embedded Valkey keeps what was queued."""

import os
import signal

from mturkhub.command.home import Home
from mturkhub.command.manager import Manager
from mturkhub.command.valkey import Valkey, can_reach
from mturkhub.common.broker import client


def test_what_was_queued_survives_a_kill(home: Home, manager: Manager) -> None:
    valkey = Valkey(home.valkey, home.sockets)
    manager.start(valkey.service())
    run = manager.runs[0]
    with client(valkey.url()) as broker:
        broker.rpush("queue", "bell")
        broker.waitaof(1, 0, 5000)
    assert run.process
    first = run.process.pid

    os.kill(first, signal.SIGKILL)
    manager.keep_up(until=lambda: run.process and run.process.pid != first and valkey.is_ready())

    with client(valkey.url()) as broker:
        assert broker.lrange("queue", 0, -1) == [b"bell"]


def test_databases_of_one_server_are_apart(home: Home, manager: Manager) -> None:
    valkey = Valkey(home.valkey, home.sockets, is_durable=False)
    manager.start(valkey.service())

    with client(valkey.url(3)) as three, client(valkey.url(4)) as four:
        three.set("name", "three")

        assert four.get("name") is None


def test_nobody_at_the_address_is_an_answer(home: Home) -> None:
    assert not can_reach(Valkey(home.valkey, home.sockets).url())
