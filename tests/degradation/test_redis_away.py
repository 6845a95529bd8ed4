"""A Redis of the user's own that goes away under a whole system: it hangs, or nobody listens any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server
from tests.support import System, eventually, http, items, tokens

FIRST = 2.0
"""Seconds in which the first request is answered that finds out: Redis has one to answer."""

QUICK = 0.5
"""Seconds in which each of the next ones is."""


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
    """Send one item; return its token and the seconds until it was there."""
    began = time.monotonic()
    answer = system.post(items(1))
    assert answer.status == 200
    return tokens(answer)[0], time.monotonic() - began


@pytest.mark.parametrize("how", ["hangs", "is gone"])
def test_all_but_work_goes_on_and_work_goes_on_within_ten_seconds(system: System, server: Server, how: str) -> None:
    running = tokens(system.post(items(5, 1)))
    for token in running:
        system.await_status(token, "running")
    away, back = (server.hang, server.go_on) if how == "hangs" else (server.kill, server.start)
    away()
    first, seconds = timed_post(system)
    assert seconds < FIRST
    sent = [first]
    for _ in range(5):
        token, seconds = timed_post(system)
        assert seconds < QUICK
        sent.append(token)
        assert system.check(token)["status"] == "queued"
    ready = http("GET", system.url("/health/ready"))
    assert (ready.status, ready.json["checks"]["database"]) == (503, "ok")
    assert ready.json["checks"]["broker"].startswith("Redis does not answer: ")
    if how == "is gone":  # where it hangs, a worker finds out after five seconds, and writes then
        for token in running:
            system.await_status(token, "finished")
    back()
    came_back = time.monotonic()
    for token in [*running, *sent]:
        system.await_status(token, "finished")
    assert time.monotonic() - came_back < 10
    eventually(lambda: http("GET", system.url("/health/ready")).status == 200)
    assert system.log.count("warning up[") <= 1  # the sweeper says it once, if it is away for long enough
