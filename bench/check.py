"""P4: status requests per second, and the time to check 10,000 tokens in one request."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from bench import http
from bench.environments import FLASK
from bench.figures import Better, Goal, Row, Table
from bench.processes import peak_of
from bench.servers import System, gunicorn, ours
from bench.submit import BATCH, body

CONNECTIONS = 16

SLOW = 100
"""Clients that do not finish their bodies, beside one client that asks for a status."""

OURS = "ours, {} web process{}"
ALONE = "ours: GET /check, one connection"
BESIDE = f"ours: the same beside {SLOW} clients that sent one byte of 1,000"
PEER = "Flask on gunicorn, 2 x 8 threads, same query"


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the contenders in turns; return a table for single tokens, many tokens, and slow clients."""
    rounds, seconds = 3, 2.0 if quick else 6.0
    rates: dict[str, list[http.Load]] = {}
    many: list[float] = []
    beside: dict[str, list[float]] = {ALONE: [], BESIDE: []}
    with _contenders(folder) as (urls, pids, tokens, system):
        for _ in range(rounds):
            for name, url in urls.items():
                http.load(url, CONNECTIONS, 0.3)  # so that every thread has opened its connection
                rates.setdefault(name, []).append(http.load(url, CONNECTIONS, seconds))
            request = json.dumps({"tokens": tokens}).encode()
            taken, _ = http.timed(f"{system.url}/check", "POST", request, 3 if quick else 10)
            many.append(taken * 1000)
            for name, clients in ((ALONE, 0), (BESIDE, SLOW)):
                with http.slow_clients(f"{system.url}/check", clients):
                    taken, _ = http.timed(urls[OURS.format(2, "es")], "GET", b"", 100 if quick else 1_000)
                beside[name].append(taken * 1000)
        memory = {name: peak_of(pid) for name, pid in pids.items()}
    return [_of_one(rates, memory), _of_many(many), _beside_slow(beside)]


@contextmanager
def _contenders(folder: Path) -> Iterator[tuple[dict[str, str], dict[str, int], list[str], System]]:
    """Start all contenders.

    Yields:
        The URL of one token for each contender, the pid of its main process for each contender, 10,000 tokens, and the
        system that knows these tokens.
    """
    with ExitStack() as stack:
        single, double = (
            stack.enter_context(ours(folder / f"web{count}", WORKERS="0", WEB=f"{count}")) for count in (1, 2)
        )
        of_single, of_double = _submitted(single), _submitted(double)
        copy = _copied(double, folder / "copy.db")
        flask, pid = stack.enter_context(gunicorn(FLASK, "web_read", folder, BENCH_DATABASE=str(copy)))
        urls = {
            OURS.format(1, ""): f"{single.url}/check/{of_single[0]}",
            OURS.format(2, "es"): f"{double.url}/check/{of_double[0]}",
            PEER: f"{flask}/check/{of_double[0]}",
        }
        _require_same_fields(urls[OURS.format(2, "es")], urls[PEER])
        yield urls, dict(zip(urls, (single.pid, double.pid, pid), strict=True)), of_double, double


def _submitted(system: System) -> list[str]:
    """Submit 10,000 tasks, which no worker runs, and return their tokens."""
    _, answer = http.timed(f"{system.url}/api", "POST", body(BATCH), 1)
    return [item["hash"] for item in answer["processing_items"]]


def _copied(system: System, target: Path) -> Path:
    """Copy the database, so that the peer reads the same rows and no process blocks another; return the copy."""
    source = sqlite3.connect(system.folder / "data" / "queue_tool.db")
    with closing(source), closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


def _require_same_fields(first: str, second: str) -> None:
    """Check that two URLs respond with the same fields.

    Raises:
        SystemExit: the fields differ, so the contenders cannot be compared.
    """
    fields = [sorted(http.timed(url, "GET", b"", 1)[1]) for url in (first, second)]
    if fields[0] != fields[1]:
        raise SystemExit(f"The two responses have different fields: {fields[0]} and {fields[1]}")


def _of_one(rates: dict[str, list[http.Load]], memory: dict[str, int]) -> Table:
    rows = tuple(
        Row(
            name=name,
            values=tuple(load.rate for load in loads),
            extra=(
                f"{max(load.worst for load in loads) * 1000:.0f}",
                f"{sum(load.failed for load in loads)}",
                f"{memory[name]}",
            ),
            ours=name != PEER,
        )
        for name, loads in rates.items()
    )
    table = Table(
        part="P4",
        title=f"GET /check/<token> over {CONNECTIONS} connections",
        unit="responses/s",
        better=Better.HIGHER,
        rows=rows,
        columns=("slowest ms", "not 200", "peak MiB"),
        notes=("The client runs on the same processors and uses part of their time.",),
        charted=True,
    )
    return replace(table, goals=table.against(PEER, 2.5))


def _of_many(many: list[float]) -> Table:
    row = Row(name="ours: POST /check", values=tuple(many), ours=True)
    return Table(
        part="P4",
        title=f"Check {BATCH:,} tokens in one request",
        unit="ms",
        better=Better.LOWER,
        rows=(row,),
        goals=(Goal(figure="POST /check", found=row.median, limit=50, unit=" ms", at_most=True),),
    )


def _beside_slow(taken: dict[str, list[float]]) -> Table:
    return Table(
        part="P4",
        title="GET /check/<token> beside slow clients",
        unit="ms",
        better=Better.LOWER,
        rows=tuple(Row(name=name, values=tuple(values), ours=True) for name, values in taken.items()),
    )
