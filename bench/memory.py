"""P5: the memory that a waiting task uses in Redis."""

from __future__ import annotations

import time
from pathlib import Path

from redis import Redis

from bench import peers
from bench.figures import Better, Goal, Row, Table
from bench.own_worker import BATCH, own_redis, submitted
from bench.servers import plain_redis

TICKETS = "rq:job:*"

SETTLE = 0.5
"""Seconds in which Redis frees the buffers of closed connections."""

LIMIT = 380
"""The goal: the maximum bytes per waiting task."""

OURS = "ours"


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure each contender once, because repeated values differ by a few bytes only. `quick` changes nothing."""
    del quick
    bytes_of: dict[str, tuple[float, str]] = {}
    with plain_redis(folder) as url, Redis.from_url(url) as client:
        done = folder / "done"
        done.touch()
        for peer in peers.available():
            name = peer.name.partition(",")[0]
            if name not in bytes_of:
                client.flushall()
                before = _used(client)
                peer.fill(url, done, BATCH)
                bytes_of[name] = (_used(client) - before) / BATCH, ""
    with own_redis(folder):
        bytes_of[OURS] = _ours(folder)
    return [_table(bytes_of)]


def _used(client: Redis) -> int:
    time.sleep(SETTLE)
    used: int = client.info("memory")["used_memory"]
    return used


def _ours(folder: Path) -> tuple[float, str]:
    """Return the bytes per task, and the encoding of its ticket in Redis."""
    with submitted(folder, 1, valor=0) as (_, client):
        url = client.get_connection_kwargs()["path"]  # the Lua scripts are loaded now and stay loaded
    with Redis(unix_socket_path=url) as client:
        client.flushall()
        before = _used(client)
        with submitted(folder, BATCH, valor=0):
            pass  # the submitting client has disconnected before the measurement, like those of the peers
        pushed = sum(1 for _ in client.scan_iter(TICKETS, count=1000))  # the other tasks wait in the database
        used = (_used(client) - before) / pushed
        ticket = next(iter(client.scan_iter(TICKETS, count=1000)))
        return used, str(client.object("encoding", ticket), "ascii")


def _table(bytes_of: dict[str, tuple[float, str]]) -> Table:
    used, encoding = bytes_of[OURS]
    rows = tuple(
        Row(name=name, values=(each,), extra=(encoded,), ours=name == OURS)
        for name, (each, encoded) in bytes_of.items()
    )
    return Table(
        part="P5",
        title=f"Redis memory per waiting task, with {BATCH:,} waiting tasks: of ours, those whose tickets are in Redis",
        unit="bytes",
        better=Better.LOWER,
        rows=rows,
        columns=("encoding",),
        notes=(
            "The peers' tasks have no arguments. The data of our tasks is in the database. "
            "Each value was measured once, because it hardly varies.",
        ),
        goals=(
            Goal(figure="bytes per waiting task", found=used, limit=LIMIT, at_most=True),
            Goal(figure="tickets encoded as listpack (1 means yes)", found=float(encoding == "listpack"), limit=1),
        ),
    )
