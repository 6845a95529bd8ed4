"""P2 and P3: the speed of workers with empty tasks, and with thousands of tasks that wait for one second.

A task of a peer counts as done when its function has run. Our task counts when its result is committed to SQL.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from redis import Redis

from bench import peers
from bench.figures import Better, Goal, Row, Table, medians
from bench.mixed_load import mixed_load
from bench.own_worker import own_redis, still_open, submitted, working
from bench.peers import Peer
from bench.processes import peak_of
from bench.servers import counters, plain_redis
from queue_tool.runtime import Runtime

POLL = 0.005
"""Seconds between two polls of the number of open tasks."""

LONGEST = 120.0
"""Seconds after which an unfinished measurement is aborted."""

WARM = 0.02
"""The share of tasks that are done before timing starts. In this time the processes start and connect."""

OURS = "ours, {} process{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """The result of one measurement with empty tasks."""

    rate: float  # tasks per second
    commands: float  # Redis commands per task
    reads: float  # reads from Redis's sockets per task
    memory: int  # MiB, the highest peak of one process


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """The result of one measurement with tasks that wait."""

    seconds: float  # from the first `started_at` to the last `finished_at`
    memory: int  # MiB, the highest peak of a worker process


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the contenders in turns; return the tables for empty tasks, mixed load and waiting tasks."""
    tasks, rounds, least = (10_000, 3, 400) if quick else (40_000, 3, 1000)
    runs: dict[str, list[Drained]] = {}
    waits: dict[int, list[Waited]] = {}
    with plain_redis(folder) as url, own_redis(folder):
        for _ in range(rounds):
            for peer in peers.available():
                runs.setdefault(peer.name, []).append(
                    _drain_peer(peer, url, folder, max(least, int(tasks * peer.share)))
                )
            for processes, plural in ((1, ""), (2, "es")):
                results = runs.setdefault(OURS.format(processes, plural), [])
                results.append(drain_ours(folder, tasks, processes))
        for count in (2_000, 10_000) * (1 if quick else rounds):
            waits.setdefault(count, []).append(wait_for_ours(folder, count))
    return [_of_empty(runs, tasks), mixed_load(folder, seconds=5 if quick else 15), _of_waiting(waits)]


def _drain_peer(peer: Peer, url: str, folder: Path, count: int) -> Drained:
    """Submit tasks to a peer, start it, and count the marks that its tasks write."""
    done = folder / "done"
    done.write_bytes(b"")
    with Redis.from_url(url) as client:
        client.flushall()
        peer.fill(url, done, count)
        with peer.working(url, done) as pids:
            return timed(client, count, lambda: count - done.stat().st_size, pids)


def drain_ours(folder: Path, tasks: int, processes: int, **options: str) -> Drained:
    """Submit tasks to our service, start its workers, and poll the store for the number of open tasks."""
    with (
        submitted(folder, tasks, valor=0, **options) as (runtime, client),
        working(folder, processes, **options) as pids,
    ):
        return timed(client, tasks, lambda: still_open(runtime), pids)


def wait_for_ours(folder: Path, count: int, **options: str) -> Waited:
    """Run `count` tasks of one second in one process."""
    with submitted(folder, count, valor=1, **options) as (runtime, _), working(folder, 1, **options) as pids:
        _until(lambda: still_open(runtime), 0)
        return Waited(seconds=_span(runtime), memory=max(map(peak_of, pids)))


def _span(runtime: Runtime) -> float:
    with runtime.store.database.read() as connection:
        first, last = connection.exec_driver_sql("SELECT min(started_at), max(finished_at) FROM tasks").one()
    return float(last - first) / 1e6


def timed(client: Redis, count: int, left: Callable[[], int], pids: list[int]) -> Drained:
    """Wait until the warm-up tasks are done, then measure until all are done."""
    timed = _until(left, count * (1 - WARM))
    began, before = time.perf_counter(), counters(client)
    _until(left, 0)
    seconds = time.perf_counter() - began
    commands, reads = counters(client).since(before, timed)
    return Drained(rate=timed / seconds, commands=commands, reads=reads, memory=max(map(peak_of, pids)))


def _until(left: Callable[[], int], most: float) -> int:
    """Wait until at most `most` tasks are open; return their number.

    Raises:
        SystemExit: it took too long.
    """
    until = time.monotonic() + LONGEST
    while (found := left()) > most:
        if time.monotonic() > until:
            raise SystemExit(f"{found} tasks were still open after {LONGEST:g} s")
        time.sleep(POLL)
    return found


def _of_empty(runs: dict[str, list[Drained]], tasks: int) -> Table:
    rows = tuple(
        Row(
            name=name,
            values=tuple(result.rate for result in results),
            extra=(
                medians([result.commands for result in results]),
                medians([result.reads for result in results]),
                f"{max(result.memory for result in results)}",
            ),
            ours="ours" in name,
        )
        for name, results in runs.items()
    )
    table = Table(
        part="P2",
        title="Run empty tasks",
        unit="tasks/s",
        better=Better.HIGHER,
        rows=rows,
        columns=("commands per task", "reads per task", "peak MiB"),
        notes=(
            f"Slow peers get 2 to 50 % of the {tasks:,} tasks, at least several hundred. The first 2 % are not timed.",
        ),
        charted=True,
    )
    return replace(
        table,
        goals=(*_ratios(table), *_redis_goals([result for name in runs if "ours" in name for result in runs[name]])),
    )


def _ratios(table: Table) -> list[Goal]:
    """Return one goal for each of the peers with a goal. RQ has two goals, one for each of its workers."""
    goals: list[Goal] = []
    for word, limit in (("`rq worker`", 250), ("SimpleWorker", 60), ("dramatiq", 6), ("huey", 4), ("BullMQ", 2)):
        for row in table.rows:
            if word in row.name:
                goals += table.against(row.name, limit)
    return goals


def _redis_goals(results: list[Drained]) -> tuple[Goal, Goal]:
    commands, reads = (
        statistics.median(result.commands for result in results),
        statistics.median(result.reads for result in results),
    )
    return (
        Goal(figure="our Redis reads per task", found=reads, limit=0.02, at_most=True),
        Goal(figure="our Redis commands per task", found=commands, limit=1, at_most=True),
    )


def _of_waiting(waits: dict[int, list[Waited]]) -> Table:
    rows = tuple(
        Row(
            name=f"ours, {count:,} tasks of 1 s in one process",
            values=tuple(result.seconds for result in results),
            extra=(f"{max(result.memory for result in results)}",),
            ours=True,
        )
        for count, results in waits.items()
    )
    memory = max(result.memory for results in waits.values() for result in results)
    few, many = (row.median for row in rows)
    return Table(
        part="P3",
        title="Tasks that wait for one second",
        unit="s",
        better=Better.LOWER,
        rows=rows,
        columns=("peak MiB",),
        goals=(
            Goal(figure="2,000 tasks of 1 s", found=few, limit=1.1, unit=" s", at_most=True),
            Goal(figure="10,000 tasks of 1 s", found=many, limit=1.5, unit=" s", at_most=True),
            Goal(figure="peak memory of the worker", found=memory, limit=100, unit=" MiB", at_most=True),
        ),
    )
