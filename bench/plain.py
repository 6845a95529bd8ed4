"""P2b: users' own functions in threads and on the event loop; short and long ones in one lane."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from redis import Redis

from bench.drain import Drained, timed
from bench.figures import Better, Goal, Row, Table, medians
from bench.isolated import no_marks, variables
from bench.own_worker import own_redis, still_open, submitted, working
from bench.peers import PEERS, Peer
from bench.servers import SCRIPTS, plain_redis

OTHERS = {"dramatiq": 3.0, "huey": 2.5}
"""The least ratio to each peer."""

ONE, TWO, ASYNC = (
    "ours, plain function, 1 process",
    "ours, plain function, 2 processes",
    "ours, `async def`, 2 processes",
)

SHORT, MIXED = "ours, only short ones", "ours, one of 0.2 s after every hundred short ones"

ROUND = 100
"""Short tasks between two long ones."""


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the contenders in turns; return a table of the same function for all, and one of short and long ones."""
    tasks, rounds = (10_000, 3) if quick else (40_000, 3)
    sys.path.append(str(SCRIPTS))  # where this process finds our task types
    alike: dict[str, list[Drained]] = {}
    mixed: dict[str, list[Drained]] = {}
    with plain_redis(folder) as url, own_redis(folder):
        for _ in range(rounds):
            for peer in _others():
                alike.setdefault(peer.name, []).append(_peer(peer, url, folder, tasks))
            for name, kind, processes in ((ONE, "plain_mark", 1), (TWO, "plain_mark", 2), (ASYNC, "async_mark", 2)):
                alike.setdefault(name, []).append(_ours(folder, [(kind, tasks)], processes))
            for name, long in ((SHORT, 0), (MIXED, 1)):
                kinds = [("plain_mark", ROUND), ("nap", long)] * (tasks // ROUND // 2)
                mixed.setdefault(name, []).append(_ours(folder, kinds, 1))
    return [_of_alike(alike), _of_mixed(mixed)]


def _others() -> list[Peer]:
    return [peer for peer in PEERS if peer.is_available and peer.name.partition(",")[0] in OTHERS]


def _peer(peer: Peer, url: str, folder: Path, count: int) -> Drained:
    done = no_marks(folder)
    with Redis.from_url(url) as client:
        client.flushall()
        peer.fill(url, done, count)
        with peer.working(url, done) as pids:
            return timed(client, count, lambda: count - done.stat().st_size, pids)


def _ours(folder: Path, kinds: Sequence[tuple[str, int]], processes: int) -> Drained:
    """Send tasks of these types, in this order, and run them."""
    count = sum(number for _, number in kinds)
    with submitted(folder, 0, valor=0, TASKS="own_tasks") as (runtime, client):
        for kind, number in kinds:
            if number:
                runtime.submit([0] * number, runtime.of_type(kind))
        with working(folder, processes, variables(no_marks(folder)), TASKS="own_tasks") as pids:
            return timed(client, count, lambda: still_open(runtime), pids)


def _of_alike(runs: dict[str, list[Drained]]) -> Table:
    table = _table("P2b", "Run the same plain function that writes one byte", runs)
    rates = {name: statistics.median(result.rate for result in results) for name, results in runs.items()}
    peers = [
        Goal(figure=f"{TWO}, compared with {name}", found=rates[TWO] / rates[name], limit=limit, unit=" x")
        for word, limit in OTHERS.items()
        for name in rates
        if name.startswith(word)
    ]
    return replace(
        table, goals=(*peers, Goal(figure=f"{TWO}, as a share of {ASYNC}", found=rates[TWO] / rates[ASYNC], limit=0.9))
    )


def _of_mixed(runs: dict[str, list[Drained]]) -> Table:
    return _table("P2b", "Run short and long plain functions in one lane, 1 process", runs)


def _table(part: str, title: str, runs: dict[str, list[Drained]]) -> Table:
    rows = tuple(
        Row(
            name=name,
            values=tuple(result.rate for result in results),
            extra=(medians([result.commands for result in results]), f"{max(result.memory for result in results)}"),
            ours=name.startswith("ours"),
        )
        for name, results in runs.items()
    )
    return Table(
        part=part,
        title=title,
        unit="tasks/s",
        better=Better.HIGHER,
        rows=rows,
        columns=("commands per task", "peak MiB"),
        notes=("The first 2 % of the tasks are not timed.",),
        charted=title.startswith("Run the same"),
    )
