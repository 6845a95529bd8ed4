"""P9: the time of `POST /tasks` compared with `POST /api` for 10,000 elements, in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import http
from bench.figures import Better, Goal, Row, Table
from bench.servers import ours
from bench.submit import BATCH, MILLISECONDS, OURS, body

PLAIN = "ours: POST /tasks, type and data"

RICH = "ours: POST /tasks, also a name, two tags and a unique key"

LIMITS = {PLAIN: 1.5, RICH: 2.5}
"""The largest ratio to the time of `POST /api`."""


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Send the three kinds of bodies in turns; return the table of their times."""
    kinds: dict[str, tuple[str, Callable[[int], bytes]]] = {
        OURS: ("/api", lambda _: body(BATCH)),
        PLAIN: ("/tasks", lambda _: plain(BATCH)),
        RICH: ("/tasks", lambda number: rich(BATCH, number)),
    }
    values: dict[str, list[float]] = {name: [] for name in kinds}
    with ours(folder / "task_requests", WORKERS="0") as system:
        for number in range(1 + (3 if quick else 5)):
            for name, (path, made) in kinds.items():
                seconds, _ = http.timed(f"{system.url}{path}", "POST", made(number), 1)
                values[name].append(seconds * MILLISECONDS)
    return [_table({name: times[1:] for name, times in values.items()})]  # the first round opens connections


def plain(count: int) -> bytes:
    """Return a request body with `count` tasks that have no options."""
    return json.dumps([{"task_type": "sleep", "data": _data(position)} for position in range(count)]).encode()


def rich(count: int, number: int) -> bytes:
    """Return a request body with `count` tasks that have options. The unique keys differ for each `number`."""
    return json.dumps(
        [
            {
                "task_type": "sleep",
                "data": _data(position),
                "name": f"task {position}",
                "tags": ["all", f"group {position % 100}"],
                "unique_key": f"{number}-{position}",
            }
            for position in range(count)
        ]
    ).encode()


def _data(position: int) -> dict[str, object]:
    return {"item": f"item {position}", "valor": 0}


def _table(values: dict[str, list[float]]) -> Table:
    table = Table(
        part="P9",
        title=f"Submit {BATCH:,} tasks of any type in one request",
        unit="ms",
        better=Better.LOWER,
        rows=tuple(Row(name=name, values=tuple(times), ours=True) for name, times in values.items()),
    )
    medians = {row.name: row.median for row in table.rows}
    goals = (
        Goal(
            figure=f"{name.removeprefix('ours: ')}, divided by POST /api",
            found=medians[name] / medians[OURS],
            limit=limit,
            unit=" x",
            at_most=True,
        )
        for name, limit in LIMITS.items()
    )
    return replace(table, goals=tuple(goals))
