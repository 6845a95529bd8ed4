"""P13: an open batch of a million elements, sent over one connection in requests of 10,000, and the memory it takes."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.figures import Better, Goal, Row, Table
from bench.processes import PROC, family, shared_out
from bench.servers import System, ours
from bench.submit import body

EACH = 10_000
"""Elements in one request."""

ARRAYS, STREAM = "ours: POST /api, arrays of 10,000", "ours: an open batch, requests of 10,000"

JSON = {"Content-Type": "application/json"}


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Send the same elements both ways, in turns; return the tables of rates and of memory."""
    count, rounds = (100_000, 3) if quick else (1_000_000, 3)
    rates: dict[str, list[float]] = {ARRAYS: [], STREAM: []}
    grown: list[float] = []
    for number in range(rounds):
        with ours(folder / str(number), WORKERS="0") as system:
            connection = HTTPConnection(urlsplit(system.url).netloc, timeout=60)
            _send(connection, "/api", body(EACH))  # so that everything is loaded
            rates[ARRAYS].append(_rate(connection, ["/api"] * (count // EACH)))
            before = _memory(system)
            batch = _send(connection, "/batches", b'{"task_type": "sleep"}')["id"]
            rates[STREAM].append(
                _rate(connection, [f"/batches/{batch}/elements?from={start}" for start in range(0, count, EACH)])
            )
            grown.append(_memory(system) - before)
            _send(connection, f"/batches/{batch}/seal", b"")
            connection.close()
    return [_of_rates(rates, count), _of_memory(grown, count)]


def _rate(connection: HTTPConnection, paths: list[str]) -> float:
    """Send a request of `EACH` elements to each path; return the accepted elements per second."""
    elements, began = body(EACH), time.perf_counter()
    for path in paths:
        _send(connection, path, elements)
    return len(paths) * EACH / (time.perf_counter() - began)


def _send(connection: HTTPConnection, path: str, sent: bytes) -> Any:
    connection.request("POST", path, sent, JSON if sent else {})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:  # the first status that is no success
        raise SystemExit(f"POST {path} returned status {answer.status}: {text[:200]!r}")
    return json.loads(text)


def _memory(system: System) -> float:
    """Return the memory of the web process in MiB."""
    webs = [pid for pid in family(system.pid) if b"web" in (PROC / str(pid) / "cmdline").read_bytes()]
    return max(map(shared_out, webs))


def _of_rates(rates: dict[str, list[float]], count: int) -> Table:
    rows = tuple(Row(name=name, values=tuple(found), ours=True) for name, found in rates.items())
    found = {row.name: row.median for row in rows}
    return Table(
        part="P13",
        title=f"Accept {count:,} elements over one connection",
        unit="elements/s",
        better=Better.HIGHER,
        rows=rows,
        goals=(
            Goal(
                figure="the open batch, divided by the arrays",
                found=found[STREAM] / found[ARRAYS],
                limit=0.8,
                unit=" x",
            ),
        ),
    )


def _of_memory(grown: list[float], count: int) -> Table:
    row = Row(name="ours: the web process", values=tuple(grown), ours=True)
    return Table(
        part="P13",
        title=f"Memory that the web process gained during an open batch of {count:,}",
        unit="MiB",
        better=Better.LOWER,
        rows=(row,),
        goals=(Goal(figure="gained", found=max(grown), limit=20, unit=" MiB", at_most=True),),
    )
