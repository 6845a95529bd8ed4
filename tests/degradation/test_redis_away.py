"""The user's own Redis becomes unavailable under a whole system: it hangs, or its process is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server
from tests.support import RECOVERY, System, eventually, http, items, tokens

WAIT = 1.0
"""Seconds for which the first request after the outage began waits for Redis; the later ones do not wait."""

FIRST = 5 * WAIT
"""Seconds within which the first request is answered, also on a busy machine."""

LATER = 5
"""How many later requests are sent: they take less time together than if each of them waited."""


@pytest.fixture
def system(tmp_path: Path, server: Server) -> Iterator[System]:
    """A whole system on that server."""
    made = System(tmp_path, settings={"REDIS_URL": server.url})
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


def timed_post(system: System) -> tuple[str, float]:
    """Send one item; return its token and the seconds until the answer."""
    began = time.monotonic()
    answer = system.post(items(1))
    assert answer.status == 200
    return tokens(answer)[0], time.monotonic() - began


@pytest.mark.parametrize("how", ["hangs", "is gone"])
def test_requests_are_answered_during_the_outage_and_tasks_run_soon_after_it(
    system: System, server: Server, how: str
) -> None:
    running = tokens(system.post(items(5, 1)))
    for token in running:
        system.await_status(token, "running")
    away, back = (server.hang, server.go_on) if how == "hangs" else (server.kill, server.start)
    away()
    first, seconds = timed_post(system)
    assert seconds < FIRST
    sent = [first]
    later = [timed_post(system) for _ in range(LATER)]
    assert sum(seconds for _, seconds in later) < LATER * WAIT
    for token, _ in later:
        sent.append(token)
        assert system.check(token)["status"] == "queued"
    ready = http("GET", system.url("/health/ready"))
    assert (ready.status, ready.json["checks"]["database"]) == (503, "ok")
    assert ready.json["checks"]["broker"].startswith("Redis does not answer: ")
    if how == "is gone":  # if it hangs, a worker notices after five seconds and writes only then
        for token in running:
            system.await_status(token, "finished")
    back()
    restored_at = time.monotonic()
    for token in [*running, *sent]:
        system.await_status(token, "finished")
    assert time.monotonic() - restored_at < RECOVERY
    eventually(lambda: http("GET", system.url("/health/ready")).status == 200)
    assert system.log.count("warning up[") <= 1  # the sweeper warns once if the outage is long enough
