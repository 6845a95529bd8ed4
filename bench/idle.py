"""P7: CPU use and memory of the idle system, and the time until it starts a task."""

from __future__ import annotations

import statistics
import time
from datetime import datetime
from pathlib import Path

from bench import http
from bench.figures import Better, Goal, Row, Table
from bench.processes import family, peak_memory, processor_seconds
from bench.servers import System, ours
from bench.submit import body

ROUNDS = 3

SETTLE = 3.0
"""Seconds after the start until the system is idle."""

PAUSE = 0.1
"""Seconds between two tasks, so that the system is idle when a task arrives."""

TASKS = 40


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the CPU use of one idle system, then the start of single tasks; return both tables."""
    seconds = 5.0 if quick else 20.0
    with ours(folder / "idle") as system:
        time.sleep(SETTLE)
        shares = [_share(system, seconds) for _ in range(ROUNDS)]
        pids = family(system.pid)
        memory = sum(map(peak_memory, pids))
        starts = [_until_started(system) for _ in range(TASKS)]
    return [_of_use(shares, len(pids), memory, seconds), _of_starts(starts)]


def _share(system: System, seconds: float) -> float:
    """Return the CPU time that all processes together use, in percent of one processor."""
    pids = family(system.pid)
    began, before = time.monotonic(), processor_seconds(pids)
    time.sleep(seconds)
    return (processor_seconds(pids) - before) / (time.monotonic() - began) * 100


def _until_started(system: System) -> float:
    """Submit a task and return the milliseconds from its `created_at` to its `started_at`."""
    time.sleep(PAUSE)
    _, answer = http.timed(f"{system.url}/api", "POST", body(1), 1)
    address = f"{system.url}/check/{answer['processing_items'][0]['hash']}"
    until = time.monotonic() + 10
    while (task := http.timed(address, "GET", b"", 1)[1])["started_at"] is None:
        if time.monotonic() > until:
            raise SystemExit("A task did not start within 10 s on an idle system.")
        time.sleep(0.02)
    created, started = (datetime.fromisoformat(task[name]) for name in ("created_at", "started_at"))
    return (started - created).total_seconds() * 1000


def _of_use(shares: list[float], processes: int, memory: int, seconds: float) -> Table:
    return Table(
        part="P7",
        title=f"CPU use of the idle system over {seconds:g} s",
        unit="% of one processor",
        better=Better.LOWER,
        rows=(
            Row(
                name="ours: `queue-tool up`, all processes",
                values=tuple(shares),
                extra=(f"{processes}", f"{memory}"),
                ours=True,
            ),
        ),
        columns=("processes", "sum of peaks, MiB"),
        goals=(Goal(figure="CPU use", found=statistics.median(shares), limit=0.5, unit=" %", at_most=True),),
    )


def _of_starts(starts: list[float]) -> Table:
    return Table(
        part="P7",
        title=f"Time from POST to the start of a task on an idle system, {TASKS} tasks",
        unit="ms",
        better=Better.LOWER,
        rows=(Row(name="ours", values=tuple(starts), ours=True),),
        goals=(
            Goal(figure="median time to start", found=statistics.median(starts), limit=5, unit=" ms", at_most=True),
        ),
    )
