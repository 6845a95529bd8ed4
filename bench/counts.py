"""P10: how long `GET /batches/<id>` takes while a large batch is done, and what 500 waits for it cost the worker."""

from __future__ import annotations

import statistics
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import http
from bench.figures import Better, Goal, Row, Table
from bench.servers import ours
from bench.submit import body

WAITS = 500

POLL = 0.1
"""Seconds between two requests for the batch."""

ALONE, ASKED, WAITED = "not asked until it ended", "asked 10 times a second", f"asked, and {WAITS} waits"

LONGEST = 900.0
"""Seconds after which an unfinished measurement is aborted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The result of one batch."""

    rate: float  # tasks per second, from the first poll after the start until the end of the batch
    seconds: tuple[float, ...]  # the response time of each request for the batch


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Run the same batch with and without requests for it, in turns; return the tables of times and rates."""
    tasks, rounds = (100_000, 3) if quick else (1_000_000, 3)
    found: dict[str, list[Watched]] = {ALONE: [], ASKED: [], WAITED: []}
    for number in range(rounds):
        names = list(found)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(_watched(folder / f"{number}-{len(found[name])}-{names.index(name)}", tasks, name))
    return [_times(found, tasks), _rates(found, tasks)]


def _watched(folder: Path, tasks: int, how: str) -> Watched:
    with ours(folder, WORKERS="1", MAX_BATCH=str(tasks), MAX_WAITS=str(WAITS + 10)) as system:
        http.timed(f"{system.url}/queue/default/pause", "POST", b"{}", 1)
        _, sent = http.timed(f"{system.url}/api", "POST", body(tasks), 1)
        url = f"{system.url}/batches/{sent['batch']}"
        clients = http.waiting_clients(url, WAITS) if how == WAITED else nullcontext()
        with clients:
            http.timed(f"{system.url}/queue/default/resume", "POST", b"{}", 1)
            return _asked(url, tasks, every=10 * POLL if how == ALONE else POLL)


def _asked(url: str, tasks: int, every: float) -> Watched:
    """Ask for a batch until it has ended."""
    seconds: list[float] = []
    began, until = 0.0, time.monotonic() + LONGEST
    while time.monotonic() < until:
        taken, batch = http.timed(url, "GET", b"", 1)
        seconds.append(taken)
        if not began and batch["counts"]["finished"]:
            began, before = time.time(), batch["counts"]["finished"]
        if batch["finished_at"]:
            ended = datetime.fromisoformat(batch["finished_at"]).timestamp()
            return Watched(rate=(tasks - before) / (ended - began), seconds=tuple(seconds))
        time.sleep(every)
    raise SystemExit(f"{url} had not ended after {LONGEST:g} s.")


def _times(found: dict[str, list[Watched]], tasks: int) -> Table:
    rows = tuple(
        Row(
            name=f"ours, {name}",
            values=tuple(statistics.median(each.seconds) * 1000 for each in found[name]),
            extra=(f"{max(max(each.seconds) for each in found[name]) * 1000:.0f}",),
            ours=True,
        )
        for name in (ASKED, WAITED)
    )
    goals = tuple(
        Goal(figure=f"GET /batches, {row.name}", found=row.median, limit=5.0, unit=" ms", at_most=True) for row in rows
    )
    return Table(
        part="P10",
        title=f"GET /batches/<id> while its {tasks:,} tasks are done",
        unit="ms",
        better=Better.LOWER,
        rows=rows,
        columns=("slowest ms",),
        goals=goals,
        notes=("Each request has a connection of its own, on the processors that the worker uses.",),
    )


def _rates(found: dict[str, list[Watched]], tasks: int) -> Table:
    rows = tuple(
        Row(name=f"ours, {name}", values=tuple(each.rate for each in watched), ours=True)
        for name, watched in found.items()
    )
    rates: dict[str, Any] = {name: row.median for name, row in zip(found, rows, strict=True)}
    goal = Goal(
        figure=f"The rate with {WAITS} waits, divided by the rate without",
        found=rates[WAITED] / rates[ALONE],
        limit=0.95,
        unit=" x",
    )
    return Table(
        part="P10",
        title=f"One worker with a batch of {tasks:,} empty tasks",
        unit="tasks/s",
        better=Better.HIGHER,
        rows=rows,
        goals=(goal,),
    )
