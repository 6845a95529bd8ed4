"""Our service on PostgreSQL compared with our service on SQLite, in one run."""

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
Subject = tuple[str, str, Better, Measure]  # title, unit, which values are better, the measurement

SQLITE = "ours on SQLite"
POSTGRES = "ours on PostgreSQL"


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure both databases in turns; return no tables if this machine has no PostgreSQL."""
    where = programs()
    if where is None:
        print("PostgreSQL is not installed: its tables are left out.", flush=True)
        return []
    tasks, rounds = (10_000, 2) if quick else (40_000, 3)
    with TemporaryDirectory(prefix="pg") as of_server, cluster(Path(of_server), where, lasting=True) as server:
        subjects: list[Subject] = [
            (f"Submit {BATCH:,} items in one request", "ms", Better.LOWER, _submit(BATCH, 3)),
            ("Submit one item", "ms", Better.LOWER, _submit(1, 100)),
        ]
        tables = [_measured(folder, server, rounds, subject) for subject in subjects]
        with own_redis(folder):
            subjects = [
                ("Run empty tasks in one process", "tasks/s", Better.HIGHER, _drain(tasks, 1)),
                ("Run empty tasks in two processes", "tasks/s", Better.HIGHER, _drain(tasks, 2)),
                ("10,000 tasks of 1 s in one process", "s", Better.LOWER, _wait),
            ]
            return tables + [_measured(folder, server, rounds, subject) for subject in subjects]


def _measured(folder: Path, server: Cluster, rounds: int, subject: Subject) -> Table:
    """Measure both databases in turns, each time with a new database."""
    title, unit, better, measure = subject
    values_of: dict[str, list[float]] = {SQLITE: [], POSTGRES: []}
    for _ in range(rounds):
        for name, values in values_of.items():
            options = {"DATABASE_URL": server.url(server.new_database())} if name == POSTGRES else {}
            values.append(measure(folder, options))
    rows = tuple(Row(name=name, values=tuple(values), ours=True) for name, values in values_of.items())
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
