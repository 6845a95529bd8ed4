"""P2 and P3: how fast tasks are done, those that cost nothing and thousands that wait for a second.

Peers are counted when their function has run; we are counted when the outcome is committed to SQL.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from redis import Redis

from bench import peers
from bench.beside import beside
from bench.figures import Better, Goal, Row, Table, medians
from bench.own_worker import own_redis, still_open, submitted, working
from bench.peers import Peer
from bench.processes import peak_of
from bench.servers import counters, plain_redis
from queue_tool.runtime import Runtime

POLL = 0.005
"""Seconds between two looks at how many tasks are left."""

LONGEST = 120.0
"""Seconds after which a run that does not end is given up."""

WARM = 0.02
"""Of the tasks, those that are done before the clock starts: processes start and connect meanwhile."""

OURS = "ours, {} process{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What one run has shown."""

    rate: float  # tasks a second
    commands: float  # of Redis, per task
    reads: float  # of Redis's sockets, per task
    memory: int  # MiB, the greatest peak of one process


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """What tasks that wait have shown."""

    seconds: float  # from the first start to the last end, by their records
    memory: int  # MiB, the peak of the worker's process


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure it in turns; the tables of empty tasks, of the longest answer beside them, and of waiting ones."""
    tasks, rounds, least = (10_000, 3, 400) if quick else (40_000, 3, 1000)
    runs: dict[str, list[Drained]] = {}
    waits: dict[int, list[Waited]] = {}
    with plain_redis(folder) as url, own_redis(folder):
        for _ in range(rounds):
            for peer in peers.there():
                runs.setdefault(peer.name, []).append(
                    _drain_peer(peer, url, folder, max(least, int(tasks * peer.share)))
                )
            for processes, plural in ((1, ""), (2, "es")):
                seen = runs.setdefault(OURS.format(processes, plural), [])
                seen.append(drain_ours(folder, tasks, processes))
        for count in (2_000, 10_000) * (1 if quick else rounds):
            waits.setdefault(count, []).append(wait_for_ours(folder, count))
    return [_of_empty(runs, tasks), beside(folder, seconds=5 if quick else 15), _of_waiting(waits)]


def _drain_peer(peer: Peer, url: str, folder: Path, count: int) -> Drained:
    """Fill, start, and count the marks."""
    done = folder / "done"
    done.write_bytes(b"")
    with Redis.from_url(url) as client:
        client.flushall()
        peer.fill(url, done, count)
        with peer.working(url, done) as pids:
            return _timed(client, count, lambda: count - done.stat().st_size, pids)


def drain_ours(folder: Path, tasks: int, processes: int, **options: str) -> Drained:
    """Submit, start, and ask the store how many are still open."""
    with (
        submitted(folder, tasks, valor=0, **options) as (runtime, client),
        working(folder, processes, **options) as pids,
    ):
        return _timed(client, tasks, lambda: still_open(runtime), pids)


def wait_for_ours(folder: Path, count: int, **options: str) -> Waited:
    """Let one process do so many tasks of a second."""
    with submitted(folder, count, valor=1, **options) as (runtime, _), working(folder, 1, **options) as pids:
        _until(lambda: still_open(runtime), 0)
        return Waited(seconds=_span(runtime), memory=max(map(peak_of, pids)))


def _span(runtime: Runtime) -> float:
    with runtime.store.database.read() as connection:
        first, last = connection.exec_driver_sql("SELECT min(started_at), max(finished_at) FROM tasks").one()
    return float(last - first) / 1e6


def _timed(client: Redis, count: int, left: Callable[[], int], pids: list[int]) -> Drained:
    """Wait until the first are done, then until all are; return what happened in between."""
    timed = _until(left, count * (1 - WARM))
    began, before = time.perf_counter(), counters(client)
    _until(left, 0)
    seconds = time.perf_counter() - began
    commands, reads = counters(client).since(before, timed)
    return Drained(rate=timed / seconds, commands=commands, reads=reads, memory=max(map(peak_of, pids)))


def _until(left: Callable[[], int], most: float) -> int:
    """Wait until no more than so many are left; return how many.

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
            values=tuple(each.rate for each in seen),
            beside=(
                medians([each.commands for each in seen]),
                medians([each.reads for each in seen]),
                f"{max(each.memory for each in seen)}",
            ),
            ours="ours" in name,
        )
        for name, seen in runs.items()
    )
    table = Table(
        part="P2",
        title="Drain tasks that cost nothing",
        unit="tasks/s",
        better=Better.HIGHER,
        rows=rows,
        columns=("commands per task", "reads per task", "peak MiB"),
        notes=(f"Of {tasks:,} tasks slow peers get 2 to 50 %, but hundreds at least; the first 2 % are not timed.",),
        charted=True,
    )
    return replace(
        table, goals=(*_ratios(table), *_thrift([each for name in runs if "ours" in name for each in runs[name]]))
    )


def _ratios(table: Table) -> list[Goal]:
    """Return the goals beside each peer; of several forms of a peer the fastest counts, but for RQ, named twice."""
    goals: list[Goal] = []
    for word, limit in (("`rq worker`", 250), ("SimpleWorker", 60), ("dramatiq", 6), ("huey", 4), ("BullMQ", 2)):
        for row in table.rows:
            if word in row.name:
                goals += table.against(row.name, limit)
    return goals


def _thrift(seen: list[Drained]) -> tuple[Goal, Goal]:
    commands, reads = (
        statistics.median(each.commands for each in seen),
        statistics.median(each.reads for each in seen),
    )
    return (
        Goal(figure="reads of Redis per task of ours", found=reads, limit=0.02, at_most=True),
        Goal(figure="commands per task of ours", found=commands, limit=1, at_most=True),
    )


def _of_waiting(waits: dict[int, list[Waited]]) -> Table:
    rows = tuple(
        Row(
            name=f"ours, {count:,} tasks of 1 s in one process",
            values=tuple(each.seconds for each in seen),
            beside=(f"{max(each.memory for each in seen)}",),
            ours=True,
        )
        for count, seen in waits.items()
    )
    memory = max(each.memory for seen in waits.values() for each in seen)
    few, many = (row.median for row in rows)
    return Table(
        part="P3",
        title="Tasks that wait for a second",
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
