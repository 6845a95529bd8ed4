"""P11: fair shares. A small batch behind a large one, many batches at once, and one large batch alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import Better, Goal, Row, Table
from bench.own_worker import own_redis, still_open, submitted, working
from bench.servers import SCRIPTS
from queue_tool.runtime import Runtime

POLL = 0.01
"""Seconds between two polls of the store."""

LONGEST = 300.0
"""Seconds after which a measurement is aborted."""

SMALL = 10
"""Tasks of the small batch."""

PLAIN = {"TASKS": "plain_task"}

VARIABLES = {"PYTHONPATH": str(SCRIPTS)}


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the three cases; return a table for each of them."""
    large, alone, many, rounds = (10_000, 20_000, 100, 1) if quick else (100_000, 100_000, 200, 3)
    sys.path.append(str(SCRIPTS))  # where this process finds our task type
    with own_redis(folder):
        return [
            _of_small(large, [_behind(folder, large) for _ in range(rounds)]),
            _of_many(many, [_spread(folder, many) for _ in range(rounds)]),
            _of_alone(alone, {workers: [_alone(folder, alone, workers) for _ in range(rounds)] for workers in (1, 2)}),
        ]


def _behind(folder: Path, large: int) -> tuple[float, float]:
    """Send a small batch one second after a large one; return the seconds until each of them has ended."""
    with (
        submitted(folder, 0, 0, **PLAIN) as (runtime, _),
        working(folder, 1, VARIABLES, **PLAIN),
    ):
        _send(runtime, 100, "wait10")  # the worker starts and connects
        _until(lambda: still_open(runtime) == 0)
        began = time.perf_counter()
        _send(runtime, large, "wait10")
        time.sleep(1)
        sent = time.perf_counter()
        small = _send(runtime, SMALL, "wait10")
        _until(lambda: small in runtime.store.batches.ended([small]))
        ended = time.perf_counter()
        _until(lambda: still_open(runtime) == 0)
        return ended - sent, time.perf_counter() - began


def _spread(folder: Path, count: int) -> tuple[float, float, float]:
    """Send many batches of 500 empty tasks; return the seconds until the first, the median and the last one ended."""
    with submitted(folder, 0, 0) as (runtime, _):
        for _ in range(count):
            _send(runtime, 500, "sleep")
        with working(folder, 1):
            _until(lambda: still_open(runtime) == 0)
        with runtime.store.database.read() as connection:
            (first,) = connection.exec_driver_sql("SELECT min(started_at) FROM tasks").one()
            found = connection.exec_driver_sql("SELECT finished_at FROM batches ORDER BY finished_at")
            ends = [(end - first) / 1e6 for (end,) in found]
    return ends[0], ends[len(ends) // 2], ends[-1]


def _alone(folder: Path, count: int, workers: int) -> float:
    """Send one large batch of empty tasks; return tasks per second from the first start to the last end."""
    with submitted(folder, 0, 0) as (runtime, _):
        _send(runtime, count, "sleep")
        with working(folder, workers):
            _until(lambda: still_open(runtime) == 0)
        with runtime.store.database.read() as connection:
            first, last = connection.exec_driver_sql("SELECT min(started_at), max(finished_at) FROM tasks").one()
    return float(count / (last - first) * 1e6)


def _send(runtime: Runtime, count: int, task_type: str) -> str:
    batch = runtime.submit([{"item": "a", "valor": 0}] * count, runtime.of_type(task_type)).batch
    assert batch is not None
    return batch


def _until(is_over: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST
    while not is_over():
        if time.monotonic() > until:
            raise SystemExit(f"a measurement took more than {LONGEST:g} s")
        time.sleep(POLL)


def _of_small(large: int, found: list[tuple[float, float]]) -> Table:
    small = tuple(seconds for seconds, _ in found)
    return Table(
        part="P11",
        title=f"End {SMALL} plain tasks of 10 ms that were sent a second after a batch of {large:,}",
        unit="s",
        better=Better.LOWER,
        rows=(
            Row(name=f"ours: the batch of {SMALL}", values=small, ours=True),
            Row(name=f"ours: the batch of {large:,}", values=tuple(seconds for _, seconds in found)),
        ),
        goals=(Goal(figure="the small batch", found=max(small), limit=5, unit=" s", at_most=True),),
    )


def _of_many(count: int, found: list[tuple[float, float, float]]) -> Table:
    names = ("first", "median", "last")
    ends = zip(*found, strict=True)
    rows = tuple(Row(name=f"ours: the {name} end", values=values) for name, values in zip(names, ends, strict=True))
    return Table(part="P11", title=f"End {count} batches of 500 empty tasks", unit="s", better=Better.LOWER, rows=rows)


def _of_alone(count: int, found: dict[int, list[float]]) -> Table:
    rows = tuple(Row(name=f"ours, processes: {workers}", values=tuple(rates)) for workers, rates in found.items())
    return Table(
        part="P11", title=f"Run one batch of {count:,} empty tasks", unit="tasks/s", better=Better.HIGHER, rows=rows
    )
