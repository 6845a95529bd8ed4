"""Message queues: pushes and pops per second over many connections, beside Flask with a list in Redis."""

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

CONNECTIONS = 16

WANTED = 1_000
"""Pops a second."""

SQLITE, POSTGRES = "ours, SQLite", "ours, PostgreSQL"
PEER = "Flask on gunicorn, 2 x 8 threads, a list in Redis without a disk"

MESSAGE = json.dumps({"message": {"order": 7, "lines": [1, 2, 3]}}).encode()


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the contenders in turns; return a table of pushes and one of pops."""
    rounds, seconds = 3, 1.0 if quick else 4.0
    pushes: dict[str, list[http.Load]] = {}
    pops: dict[str, list[http.Load]] = {}
    with _contenders(folder) as urls:
        for _ in range(rounds):
            for name, url in urls.items():
                pushes.setdefault(name, []).append(_push(url, 2 * seconds))
                pops.setdefault(name, []).append(_pop(url, seconds))
    popped = _table("pop", pops)
    median = popped.rows[0].median
    goal = Goal(figure=f"pops over {CONNECTIONS} connections, SQLite", found=median, limit=WANTED, unit="/s")
    return [_table("push", pushes), replace(popped, goals=(goal,))]


@contextmanager
def _contenders(folder: Path) -> Iterator[dict[str, str]]:
    """Start all contenders; yield the address of each one's message queue."""
    with ExitStack() as stack:
        on_file = stack.enter_context(ours(folder / "sqlite", WORKERS="0"))
        urls = {SQLITE: f"{on_file.url}/api/queue"}
        where = programs()
        if where is not None:
            place = stack.enter_context(TemporaryDirectory(prefix="pg"))
            server = stack.enter_context(cluster(Path(place), where, lasting=True))
            url = server.url(server.new_database())
            on_server = stack.enter_context(ours(folder / "postgres", WORKERS="0", DATABASE_URL=url))
            urls[POSTGRES] = f"{on_server.url}/api/queue"
        redis = stack.enter_context(plain_redis(folder))
        peer, _ = stack.enter_context(gunicorn(RQ, "web_messages", folder, BENCH_REDIS=redis))
        yield urls | {PEER: f"{peer}/api/queue"}


def _push(url: str, seconds: float) -> http.Load:
    return http.load(f"{url}/push", CONNECTIONS, seconds, "POST", MESSAGE)


def _pop(url: str, seconds: float) -> http.Load:
    """Pop for a number of seconds.

    Raises:
        SystemExit: there were not enough messages, so that some pops were of an empty queue.
    """
    found = http.load(f"{url}/pop", CONNECTIONS, seconds, "POST")
    _, left = http.timed(f"{url}/count", "GET", b"", 1)
    if left["count"] == 0:
        raise SystemExit(f"{url} has no messages left: the pops were faster than twice the pushes.")
    return found


def _table(verb: str, rates: dict[str, list[http.Load]]) -> Table:
    rows = tuple(
        Row(
            name=name,
            values=tuple(load.rate for load in loads),
            extra=(f"{max(load.worst for load in loads) * 1000:.0f}", f"{sum(load.failed for load in loads)}"),
            ours=name != PEER,
        )
        for name, loads in rates.items()
    )
    return Table(
        part="messages",
        title=f"POST /api/queue/{verb} over {CONNECTIONS} connections",
        unit="messages/s",
        better=Better.HIGHER,
        rows=rows,
        columns=("slowest ms", "not 200"),
        notes=(
            "Ours are on disk when they are answered; the peer's are only in memory.",
            "The client runs on the same processors and uses part of their time.",
        ),
    )
