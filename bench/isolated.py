"""P2c and P2d: functions that run in processes of a pool, the same functions for all contenders."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from redis import Redis

from bench.drain import Drained, timed
from bench.figures import Better, Goal, Row, Table
from bench.own_worker import own_redis, still_open, submitted, working
from bench.peers import PEERS
from bench.processes import shared_out
from bench.servers import SCRIPTS, plain_redis, process

CELERY = next(peer for peer in PEERS if peer.name == "Celery, prefork 2")

TWO, DEFAULT = "ours, 2 isolated processes", "ours, the default number of processes"

LOOP = "two processes with a loop, no queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of one measurement."""

    drained: Drained
    memory: int  # MiB, all processes together; what they share is counted once


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the contenders in turns; return a table for each function."""
    tasks, rounds = (2_000, 3) if quick else (5_000, 3)
    sys.path.append(str(SCRIPTS))  # where this process finds our task types
    marks: dict[str, list[Result]] = {}
    computed: dict[str, list[Result]] = {}
    with plain_redis(folder) as url, own_redis(folder):
        for _ in range(rounds):
            for found, function in ((marks, "mark"), (computed, "compute")):
                found.setdefault(CELERY.name, []).append(_celery(url, folder, function, tasks))
                found.setdefault(TWO, []).append(_ours(folder, function, tasks, ISOLATED="2"))
                found.setdefault(DEFAULT, []).append(_ours(folder, function, tasks))
            computed.setdefault(LOOP, []).append(_loop(url, folder, tasks))
    return [_of_marks(marks), _of_computing(computed)]


def _celery(url: str, folder: Path, function: str, count: int) -> Result:
    done = no_marks(folder)
    with Redis.from_url(url) as client:
        client.flushall()
        CELERY.fill(url, done, count, f"fill_{function}")
        with CELERY.working(url, done) as pids:
            return _timed(client, count, done, pids)


def _loop(url: str, folder: Path, count: int) -> Result:
    done, half = no_marks(folder), count // 2
    with Redis.from_url(url) as client, _looping(folder, done, half) as pids:
        return _timed(client, 2 * half, done, pids)


@contextmanager
def _looping(folder: Path, done: Path, count: int) -> Iterator[list[int]]:
    command = [sys.executable, "-c", f"import functions; functions.loop({count})"]
    with ExitStack() as stack:
        started = [process(command, SCRIPTS, folder / "loop.log", **variables(done)) for _ in range(2)]
        yield [stack.enter_context(each).pid for each in started]


def _ours(folder: Path, function: str, count: int, **options: str) -> Result:
    options, environment = options | {"TASKS": "own_tasks"}, variables(no_marks(folder))
    with (
        submitted(folder, count, valor=0, task_type=function, **options) as (runtime, client),
        working(folder, 1, environment, **options) as pids,
    ):
        drained = timed(client, count, lambda: still_open(runtime), pids)
        return Result(drained=drained, memory=sum(map(shared_out, pids)))


def _timed(client: Redis, count: int, done: Path, pids: list[int]) -> Result:
    drained = timed(client, count, lambda: count - done.stat().st_size, pids)
    return Result(drained=drained, memory=sum(map(shared_out, pids)))


def no_marks(folder: Path) -> Path:
    """Return the file in which the functions mark each call, emptied."""
    done = folder / "done"
    done.write_bytes(b"")
    return done


def variables(done: Path) -> dict[str, str]:
    """Return the environment of a process that finds the functions and marks their calls in this file."""
    return {"BENCH_DONE": str(done), "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"}


def _of_marks(runs: dict[str, list[Result]]) -> Table:
    table = _table("P2c", "Run isolated functions that write one byte", runs)
    return _with(table, *table.against(CELERY.name, 5))


def _of_computing(runs: dict[str, list[Result]]) -> Table:
    table = _table("P2d", "Run isolated functions that compute for a millisecond", runs)
    ours, loop = (statistics.median(result.drained.rate for result in runs[name]) for name in (DEFAULT, LOOP))
    share = Goal(figure="ours with the defaults, as a share of the loop", found=ours / loop, limit=0.85)
    return _with(table, share, *table.against(CELERY.name, 1))


def _with(table: Table, *goals: Goal) -> Table:
    return replace(table, goals=goals)


def _table(part: str, title: str, runs: dict[str, list[Result]]) -> Table:
    rows = tuple(
        Row(
            name=name,
            values=tuple(result.drained.rate for result in results),
            extra=(f"{max(result.memory for result in results)}",),
            ours=name in (TWO, DEFAULT),
        )
        for name, results in runs.items()
    )
    return Table(
        part=part,
        title=title,
        unit="tasks/s",
        better=Better.HIGHER,
        rows=rows,
        columns=("MiB, all processes",),
        charted=True,
        notes=("The function is the same for all. The first 2 % of the tasks are not timed.",),
    )
