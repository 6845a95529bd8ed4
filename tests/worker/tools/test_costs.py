"""How much a worker says to Redis, counted by Redis: while it works, and while there is nothing to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from queue_tool.model.queues import LISTS
from queue_tool.model.states import State
from tests.worker.tools.place import Place

COUNT = 5000

ROUND_TRIPS = ("evalsha", "exec", "blmove")
"""Commands that a worker waits for: its scripts, its heartbeats, and the ends of its waits."""

SHOWING = ("exists", "hset", "zadd", "sadd")
"""What shows a ticket to RQ's tools that has run for a tenth of a second, as some do where the machine is loaded."""


def commands(place: Place) -> dict[str, int]:
    """Return how often each command was called, also by scripts."""
    client: Any = place.redis
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(found["calls"]) for name, found in stats.items()}


def since(place: Place, before: dict[str, int]) -> dict[str, int]:
    return {name: calls - before.get(name, 0) for name, calls in commands(place).items() if calls > before.get(name, 0)}


def test_a_task_costs_less_than_one_command_and_hardly_a_round_trip(place: Place) -> None:
    place.sleepers(COUNT)
    before = commands(place)
    worker = place.start()
    place.await_(lambda: place.count(State.FINISHED) == COUNT)
    place.await_(lambda: not place.jobs())
    counts = since(place, before)
    assert sum(calls for name, calls in counts.items() if name not in SHOWING) / COUNT < 1
    assert sum(counts.get(name, 0) for name in ROUND_TRIPS) / COUNT < 0.02
    place.stop(worker)


def test_an_idle_worker_says_only_that_it_lives_and_that_is_enough_after_redis_has_forgotten_it(
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
    assert counts.pop("blmove", 0) <= 1  # the wait that the first task has ended, begun again
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
