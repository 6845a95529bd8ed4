"""P8: requests of one item over 1, 16 and 64 connections, beside Flask with RQ's `enqueue`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import http
from bench.environments import RQ
from bench.figures import Better, Goal, Row, Table
from bench.servers import gunicorn, ours, plain_redis
from tests.postgres import cluster, programs

CONNECTIONS = (1, 16, 64)

SQLITE, POSTGRES = "ours, 1 web process, SQLite", "ours, 2 web processes, PostgreSQL"
PEER = "Flask and Queue.enqueue on gunicorn, 2 x 8 threads, Redis without a disk"

LIMITS = {(SQLITE, 1): 1.0, (SQLITE, 16): 1.2, (SQLITE, 64): 1.2, (POSTGRES, 16): 1.5, (POSTGRES, 64): 1.5}
"""The least ratio to the peer's rate, by contender and connections."""

ITEM = json.dumps([{"item": "a", "valor": 0}]).encode()


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the contenders in turns; return a table for each number of connections. No worker runs on either side."""
    rounds, seconds = 3, 1.5 if quick else 4.0
    loads: dict[int, dict[str, list[http.Load]]] = {count: {} for count in CONNECTIONS}
    with _contenders(folder) as urls:
        for _ in range(rounds):
            for count in CONNECTIONS:
                for name, url in urls.items():
                    loads[count].setdefault(name, []).append(http.load(url, count, seconds, "POST", ITEM))
    return [_table(count, found) for count, found in loads.items()]


@contextmanager
def _contenders(folder: Path) -> Iterator[dict[str, str]]:
    """Start all contenders; yield the address to which each one's items go."""
    with ExitStack() as stack:
        on_file = stack.enter_context(ours(folder / "small-sqlite", WORKERS="0"))
        urls = {SQLITE: f"{on_file.url}/api"}
        where = programs()
        if where is not None:
            place = stack.enter_context(TemporaryDirectory(prefix="pg"))
            server = stack.enter_context(cluster(Path(place), where, lasting=True))
            url = server.url(server.new_database())
            on_server = stack.enter_context(ours(folder / "small-postgres", WORKERS="0", WEB="2", DATABASE_URL=url))
            urls[POSTGRES] = f"{on_server.url}/api"
        redis = stack.enter_context(plain_redis(folder))
        peer, _ = stack.enter_context(gunicorn(RQ, "web_rq", folder, BENCH_REDIS=redis))
        yield urls | {PEER: f"{peer}/each"}


def _table(connections: int, loads: dict[str, list[http.Load]]) -> Table:
    rows = tuple(
        Row(
            name=name,
            values=tuple(load.rate for load in found),
            extra=(f"{max(load.worst for load in found) * 1000:.0f}", f"{sum(load.failed for load in found)}"),
            ours=name != PEER,
        )
        for name, found in loads.items()
    )
    rates = {row.name: row.median for row in rows}
    goals = tuple(
        Goal(
            figure=f"{name}, {connections} connections, divided by Flask with RQ",
            found=rates[name] / rates[PEER],
            limit=limit,
            unit=" x",
        )
        for (name, count), limit in LIMITS.items()
        if count == connections and name in rates
    )
    table = Table(
        part="P8",
        title=f"Submit one item in each request over {connections} connections",
        unit="requests/s",
        better=Better.HIGHER,
        rows=rows,
        columns=("slowest ms", "not 200"),
        notes=(
            "Ours are checked and on disk when they are answered; the peer checks nothing, and keeps them in memory.",
            "The client runs on the same processors and uses part of their time.",
        ),
    )
    return replace(table, goals=goals)
