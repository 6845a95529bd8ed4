"""The commands that a worker sends to Redis, counted by Redis, while it works and while it is idle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from queue_tool.model.queues import LISTS
from queue_tool.model.states import State
from tests.worker.tools.place import Place

pytestmark = pytest.mark.sqlite  # the commands to Redis do not depend on the database, so once is enough

COUNT = 5000

ROUND_TRIPS = ("evalsha", "exec", "blmove")
"""Commands whose answer a worker waits for: its scripts, its heartbeats, and its blocking reads."""

SHOWING = ("type", "hset", "hset", "zadd", "sadd")
"""The commands that show one ticket to RQ's tools, once it has run for 0.1 s. On a busy machine many run so long."""


def commands(place: Place) -> dict[str, int]:
    """Return how often each command was called, including calls by scripts."""
    client: Any = place.redis
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(found["calls"]) for name, found in stats.items()}


def since(place: Place, before: dict[str, int]) -> dict[str, int]:
    """Return how often each command was called after `before` was read."""
    return {name: calls - before.get(name, 0) for name, calls in commands(place).items() if calls > before.get(name, 0)}


def without_showing(counts: dict[str, int]) -> dict[str, int]:
    """Return the counts without the commands that show tickets: only these need the type of a key."""
    shown = counts.get("type", 0)
    return {name: max(0, calls - shown * SHOWING.count(name)) for name, calls in counts.items()}


def test_a_task_costs_less_than_one_command_and_a_fiftieth_of_a_round_trip(place: Place) -> None:
    place.sleepers(COUNT)
    before = commands(place)
    worker = place.start()
    place.await_(lambda: place.count(State.FINISHED) == COUNT)
    place.await_(lambda: not place.jobs())
    counts = since(place, before)
    assert sum(without_showing(counts).values()) / COUNT < 1, counts
    assert sum(counts.get(name, 0) for name in ROUND_TRIPS) / COUNT < 0.02
    place.stop(worker)


def test_an_idle_worker_sends_only_heartbeats_and_they_register_it_again_after_a_flush(
    place: Place, gate: Path
) -> None:
    worker = place.start()
    held = place.waiter("loop", gate)
    place.await_shown(held)
    (first,) = place.sleepers(1)
    place.await_state([first], State.FINISHED)
    place.await_forgotten(first)
    known, before = place.only_worker(), commands(place)
    place.redis.flushall()
    place.await_(lambda: place.redis.smembers("rq:workers"))
    counts = since(place, before)
    assert (counts.pop("exec"), counts.pop("multi")) == (1, 1)
    assert counts.pop("blmove", 0) <= 1  # the blocking read that the first task ended is started again
    assert counts.keys() - {"flushall", "smembers", "info"} == {"hset", "expire", "sadd"}
    again = place.only_worker()
    assert (again.name, again.pid, again.queue_names()) == (known.name, worker.pid, list(LISTS))
    assert place.redis.ttl(again.key) > 60
    (token,) = place.sleepers(1)
    gate.touch()
    place.await_state([held, token], State.FINISHED)
    place.await_forgotten(held, token)
    place.stop(worker)
    assert place.rqs_workers() == []
    assert 0 < place.redis.ttl(again.key) <= 60
    place.require_clean_redis()
