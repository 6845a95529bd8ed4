"""Thirty seconds with a read-only PostgreSQL, and thirty with a Redis replica, while clients send all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.past_the_store import rows
from tests.postgres import Cluster
from tests.support import System, eventually, http, items, redis_of, tokens

SECONDS = 30.0
CLIENTS = 4
EACH = 5
"""Tasks in a request."""

UNFINISHED = "SELECT count(*) FROM tasks WHERE state <> 'finished'"


class Load:
    """Clients that send small batches until they are stopped. They keep the tokens of all answers."""

    def __init__(self, system: System) -> None:
        """Prepare to send to this system."""
        self._system = system
        self._stopping = threading.Event()
        self.sent: list[str] = []
        self.statuses: set[int] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send during a block."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            sending = [clients.submit(self._send) for _ in range(CLIENTS)]
            try:
                yield
            finally:
                self._stopping.set()
            for each in sending:
                each.result()

    def _send(self) -> None:
        while not self._stopping.wait(0.05):
            answer = self._system.post(items(EACH, valor=0.5))
            self.statuses.add(answer.status)
            if answer.status == 200:
                self.sent += tokens(answer)


def checks(system: System) -> dict[str, str]:
    found: dict[str, str] = http("GET", system.url("/health/ready")).json["checks"]
    return found


def require_for_a_while(system: System, check: str, sentence: str) -> None:
    """Wait until a check of the readiness names a reason. It must name it for `SECONDS` without a pause."""
    eventually(lambda: sentence in checks(system)[check])
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        assert sentence in checks(system)[check]


@pytest.mark.timeout(300)
def test_half_a_minute_of_refusals_by_each_loses_nothing_and_starts_nothing_anew(
    system_on_postgres: System, cluster: Cluster
) -> None:
    system = system_on_postgres
    url = system.settings["DATABASE_URL"]
    name = url.partition("/@/")[2] or url.rpartition("@/")[2].partition("?")[0]
    eventually(lambda: set(checks(system).values()) == {"ok"})
    load = Load(system)
    with load.running():
        eventually(lambda: rows(url, "SELECT 1 FROM tasks WHERE state = 'running'"))
        cluster.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        cluster.cut_connections()
        require_for_a_while(system, "database", "refuses to write")
        cluster.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        cluster.cut_connections()
        eventually(lambda: checks(system)["database"] == "ok")
        with redis_of(system) as redis:
            redis.execute_command("REPLICAOF", "127.0.0.1", "1")
            require_for_a_while(system, "broker", "Redis refuses: ")
            redis.execute_command("REPLICAOF", "NO", "ONE")
    assert load.statuses == {200, 503}
    eventually(lambda: rows(url, UNFINISHED) == [(0,)])
    found = {token: (run, losses) for token, run, losses in rows(url, "SELECT token, run, losses FROM tasks")}
    assert {found.get(token) for token in load.sent} == {(1, 0)}  # a request that was cut off may be kept, too
    eventually(lambda: set(checks(system).values()) == {"ok"})
    assert "child died" not in system.log
    assert "Traceback" not in system.log
    assert system.stop() == 0
