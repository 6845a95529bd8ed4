"""Pages and lists of a million tasks: how long the server takes for each page and filter.

    python -m bench.listing [--tasks N] [--postgres] [--only WORD] [--data FOLDER]

Prints the seconds of each request, and exits with 1 if one takes more than 200 ms.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from flask.testing import FlaskClient

from queue_tool.model.batch import UNNAMED
from queue_tool.model.settings import read
from queue_tool.model.telemetry import Telemetry
from queue_tool.runtime import Runtime, open_runtime
from queue_tool.store.engine.database import Database
from queue_tool.web import create_app
from tests.measured import measure
from tests.postgres import cluster, programs
from tests.support import now

MOST = 0.2
"""Seconds that a request may take."""

LARGE = (0.5, 0.7)
"""Up to which shares of all tasks the two large batches reach. The others have 1000 tasks each."""

COLUMNS = (
    *("id", "token", "batch_id", "position", "task_type", "priority", "lane", "data", "state", "run", "owner"),
    *("attempt", "losses", "created_at", "pushed_at", "started_at", "finished_at", "code", "error", "result", "name"),
)

BATCHES = ("id", "public_id", "accepted", "rejected", "open", "failed", "canceled", "created_at", "pushed_at", "name")

DATA = '{"url": "https://images.example/2026/11/27/00000.jpg", "width": 1200, "height": 800, "quality": 85}'

PORTION = 20_000
"""Rows of a transaction."""

MINUTE = 60_000_000
"""Microseconds."""

PATHS = ("/dashboard", "/dashboard?span=day", "/dashboard/tasks", "/dashboard/batches", "/dashboard/deadletters", "/")

FILTERS = (
    *("", "status=finished", "status=failed", "status=canceled", "status=running", "status=queued", "status=scheduled"),
    *("code=error", "code=timeout", "code=worker_lost", "code=expired", "code=timeout&task_type=rare"),
    *("code=error&task_type=echo", "code=error&task_type=rare", "status=failed&task_type=rare"),
    *(
        "code=error&batch={large}",
        "code=worker_lost&batch={small}",
        "code=timeout&priority=high",
        "code=timeout&tag=red",
    ),
    *("task_type=sleep", "task_type=rare", "task_type=none", "task_type=rare&status=finished"),
    *("task_type=echo&status=canceled", "task_type=rare&status=canceled", "task_type=rare&status=queued"),
    *("batch={large}", "batch={small}", "batch={large}&status=finished", "batch={large}&status=failed"),
    *("batch={large}&status=canceled", "batch={large}&status=running", "batch={large}&status=queued"),
    *("batch={large}&task_type=rare", "batch={large}&status=finished&task_type=rare"),
    *("batch={large}&status=finished&task_type=echo", "batch={small}&status=finished&task_type=sleep"),
    *("batch={small}&status=failed&task_type=sleep", "batch={small}&task_type=sleep", "batch={small}&status=queued"),
    *("tag=red", "tag=rare", "tag=red&status=failed", "tag=red&status=running", "tag=red&task_type=rare"),
    *("tag=red&batch={small}", "tag=red&batch={large}&status=canceled"),
    *("priority=high", "priority=normal", "priority=high&status=failed", "priority=high&status=queued"),
    *("priority=high&task_type=rare", "priority=normal&status=canceled"),
    *("worker=w1", "host=h1", "worker=w1&status=failed", "worker=w1&status=running", "worker=w1&code=worker_lost"),
    *("worker=w1&task_type=rare", "worker=w1&batch={small}", "q=job-99", "q=job-999999", "q=nothing"),
    *("q=job&status=failed", "created_after={hour}", "created_after={hour}&status=failed"),
    *("created_after={hour}&code=timeout", "created_before={hour}&status=canceled&task_type=rare"),
)


def state_of(number: int, total: int) -> str:
    """Return the state of a task: the newest ones wait, and most others have finished."""
    if number > 0.92 * total:
        return "queued" if number % 8 else "scheduled"
    if number > 0.9198 * total:
        return "running"
    return "failed" if number % 10 == 0 else "canceled" if number % 50 == 5 else "finished"  # any


def code_of(number: int) -> str:
    """Return the failure code of a failed task: nearly all have the same."""
    return "worker_lost" if number % 20_000 == 0 else "timeout" if number % 300 == 0 else "error"


def rows(total: int, begin: int) -> Iterator[tuple[Any, ...]]:
    """Iterate over the rows of tasks."""
    for number in range(1, total + 1):
        state, at = state_of(number, total), begin + number * (60 * MINUTE * 24) // total
        has_begun = state in ("finished", "failed", "running")
        is_failed = state == "failed"
        ended = at + MINUTE if state in ("finished", "failed", "canceled") else None
        yield (
            *(number, f"{at // 1000:012x}7{number:019x}", batch_of(number, total), number % 1000),
            "rare" if number % 10_007 == 0 else "echo" if number % 3 == 0 else "sleep",
            "high" if number % 20 == 0 else "low" if number % 20 == 1 else "normal",
            *("loop", DATA, state, 1, 1 + number % 2 if has_begun else None, int(has_begun), 0, at, at),
            *(at if has_begun else None, ended, code_of(number) if is_failed else None),
            "ValueError: the image ends after 4711 bytes" if is_failed else None,
            *(DATA if state == "finished" else None, f"job-{number}" if number % 3 == 0 else None),
        )


def batch_of(number: int, total: int) -> int:
    """Return the batch of a task: two large ones, and many small ones."""
    share = number / total
    return 1 if share <= LARGE[0] else 2 if share <= LARGE[1] else 3 + number // 1000


def batches(total: int, begin: int) -> list[tuple[Any, ...]]:
    """Return the rows of batches."""
    counts: dict[int, list[int]] = {}
    for number in range(1, total + 1):
        found = counts.setdefault(batch_of(number, total), [0, 0, 0, 0])
        state = state_of(number, total)
        for place, is_counted in enumerate(
            (True, state in ("queued", "scheduled", "running"), state == "failed", state == "canceled")
        ):
            found[place] += is_counted
    return [
        (number, f"{number:032x}", tasks, 0, opened, failed, canceled, begin, begin, f"batch {number}")
        for number, (tasks, opened, failed, canceled) in counts.items()
    ]


def fill(database: Database, total: int) -> None:
    """Fill the tables."""
    begin = int(now().timestamp() * 1_000_000) - 24 * 60 * MINUTE
    tags = [("rare" if n % 50_000 == 0 else "red", n) for n in range(1, total + 1) if n % 10 == 0]
    workers = [(n, "worker", f"w{n}", f"h{n}", "m", n, "1", 0, 0, 0) for n in (1, 2)]
    of_workers = ("id", "kind", "name", "host", "machine", "pid", "pid_started", "beat", "started_at", "gone_at")
    for table, columns, found in (
        ("workers", of_workers, workers),
        ("batches", BATCHES, batches(total, begin)),
        ("tasks", COLUMNS, rows(total, begin)),
        ("tags", ("tag", "task_id"), tags),
    ):
        remaining = iter(found)
        while portion := list(islice(remaining, PORTION)):
            with database.write(durable=False) as connection:
                _insert(connection.connection.cursor(), table, columns, portion, is_file=database.is_file)


def _insert(cursor: Any, table: str, columns: Sequence[str], found: Any, *, is_file: bool) -> None:
    names = ", ".join(columns)
    if is_file:
        places = ", ".join("?" * len(columns))
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", found)  # our own names
        return
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in found:
            copy.write_row(row)


def requests(total: int, only: str) -> Iterator[str]:
    """Iterate over the paths that are measured."""
    hour = f"{now().timestamp() - 3600:.0f}"
    times = {"hour": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(hour)))}
    known = times | {"large": f"{1:032x}", "small": f"{3 + int(0.8 * total) // 1000:032x}"}
    filters = [text.format(**known) for text in FILTERS]
    paths = [*PATHS, *(f"/dashboard/batches/{known[name]}" for name in ("large", "small"))]
    paths += [f"/dashboard/tasks?{text}" for text in filters]
    paths += ["/queue", "/workers", "/metrics", "/batches", "/deadletter", "/results?limit=50"]
    yield from (path for path in paths if only in path)


def seconds_of(client: FlaskClient, path: str) -> tuple[float, str]:
    """Return the seconds of the best of three requests, and what the page says about the number of tasks."""
    best = 9.9
    for _ in range(3):
        began = time.perf_counter()
        answer = client.get(path, headers={"Accept": "text/html" if "dashboard" in path else "*/*"})
        best = min(best, time.perf_counter() - began)
        assert answer.status_code == HTTPStatus.OK, (path, answer.status)
    text = answer.text
    return best, text.partition("In all: ")[2].partition("<")[0].strip()


def _open(folder: Path, url: str) -> Runtime:
    texts = {"DATA_DIR": str(folder), "REDIS_URL": "inline:"} | ({"DATABASE_URL": url} if url else {})
    settings = read({f"QUEUE_TOOL_{name}": text for name, text in texts.items()})
    return open_runtime(settings, Telemetry(), "bench", migrate=True)


def measured(folder: Path, url: str, total: int, only: str) -> list[tuple[float, str, str]]:
    """Fill a new database and measure all requests."""
    with _open(folder, url) as system:
        if not system.list.batches(UNNAMED, 1).items:
            began = time.monotonic()
            fill(system.store.database, total)
            measure(system.store, now(), 1440)
            if url:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")  # as the server does by itself after some time
            print(f"{total:,} tasks in {time.monotonic() - began:.0f} s", flush=True)
        client = create_app(system).test_client()
        client.get("/dashboard")
        return [(*(found := seconds_of(client, path))[:1], path, found[1]) for path in requests(total, only)]


def main() -> int:
    """Measure on one of the databases, and print the slowest first."""
    parser = argparse.ArgumentParser(prog="python -m bench.listing", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--only", default="", help="only paths with this text")
    parser.add_argument("--data", help="a folder for the SQLite database, which a later run uses again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="listing-") as folder:
        if arguments.postgres:
            where = programs()
            assert where is not None
            with tempfile.TemporaryDirectory(prefix="pg") as place, cluster(Path(place), where) as server:
                found = measured(Path(folder), server.url(server.new_database()), arguments.tasks, arguments.only)
        else:
            found = measured(Path(arguments.data or folder), "", arguments.tasks, arguments.only)
    found.sort(reverse=True)
    for seconds, path, number in found:
        print(f"{seconds * 1000:7.0f} ms  {path}  {number}")
    return int(found[0][0] > MOST)


if __name__ == "__main__":
    sys.exit(main())
