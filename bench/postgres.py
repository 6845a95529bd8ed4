"""The second column: the same of ours on PostgreSQL, beside SQLite in the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import http
from bench.drain import drain_ours, wait_for_ours
from bench.figures import Better, Row, Table
from bench.own_worker import own_redis
from bench.servers import ours
from bench.submit import BATCH, MILLISECONDS, body
from tests.postgres import Cluster, cluster, programs

Options = Mapping[str, str]
Measure = Callable[[Path, Options], float]

SQLITE = "ours on SQLite"
POSTGRES = "ours on PostgreSQL"


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure it in turns; nothing where this machine has no PostgreSQL."""
    where = programs()
    if where is None:
        print("PostgreSQL is not on this machine: its column is left out.", flush=True)
        return []
    tasks, rounds = (10_000, 2) if quick else (40_000, 3)
    with TemporaryDirectory(prefix="pg") as of_server, cluster(Path(of_server), where, lasting=True) as server:
        measures: list[tuple[str, str, Better, Measure]] = [
            (f"Submit {BATCH:,} items in one request", "ms", Better.LOWER, _submit(BATCH, 3)),
            ("Submit one item", "ms", Better.LOWER, _submit(1, 100)),
        ]
        tables = [_measured(folder, server, rounds, each) for each in measures]
        with own_redis(folder):
            measures = [
                ("Drain tasks that cost nothing, one process", "tasks/s", Better.HIGHER, _drain(tasks, 1)),
                ("Drain tasks that cost nothing, two processes", "tasks/s", Better.HIGHER, _drain(tasks, 2)),
                ("10,000 tasks of 1 s in one process", "s", Better.LOWER, _wait),
            ]
            return tables + [_measured(folder, server, rounds, each) for each in measures]


def _measured(folder: Path, server: Cluster, rounds: int, measure: tuple[str, str, Better, Measure]) -> Table:
    """Let the two take turns, each time on a new database."""
    title, unit, better, look = measure
    seen: dict[str, list[float]] = {SQLITE: [], POSTGRES: []}
    for _ in range(rounds):
        for name, values in seen.items():
            options = {"DATABASE_URL": server.url(server.new_database())} if name == POSTGRES else {}
            values.append(look(folder, options))
    rows = tuple(Row(name=name, values=tuple(values), ours=True) for name, values in seen.items())
    return Table(part="PostgreSQL", title=title, unit=unit, better=better, rows=rows)


def _submit(count: int, times: int) -> Measure:
    def measure(folder: Path, options: Options) -> float:
        with TemporaryDirectory(dir=folder) as place, ours(Path(place) / "ours", WORKERS="0", **options) as system:
            http.timed(f"{system.url}/api", "POST", body(1), 1)
            seconds, _ = http.timed(f"{system.url}/api", "POST", body(count), times)
            return seconds * MILLISECONDS

    return measure


def _drain(tasks: int, processes: int) -> Measure:
    return lambda folder, options: drain_ours(folder, tasks, processes, **options).rate


def _wait(folder: Path, options: Options) -> float:
    return wait_for_ours(folder, 10_000, **options).seconds
