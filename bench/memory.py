"""P5: what a waiting task takes of Redis's memory."""

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
"""Seconds in which a server gives back the buffers of those who have gone."""

WANTED = 380
OURS = "ours"


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure each once: the figure repeats but for a few bytes. Quick or not makes no difference."""
    del quick
    bytes_of: dict[str, tuple[float, str]] = {}
    with plain_redis(folder) as url, Redis.from_url(url) as client:
        done = folder / "done"
        done.touch()
        for peer in peers.there():
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
    """Return the bytes of a task, and how Redis keeps its ticket."""
    with submitted(folder, 1, valor=0) as (_, client):
        url = client.get_connection_kwargs()["path"]  # the scripts are there now, and stay
    with Redis(unix_socket_path=url) as client:
        client.flushall()
        before = _used(client)
        with submitted(folder, BATCH, valor=0):
            pass  # whoever has sent is gone when Redis is asked, as with the peers
        used = (_used(client) - before) / BATCH
        ticket = next(iter(client.scan_iter(TICKETS, count=1000)))
        return used, str(client.object("encoding", ticket), "ascii")


def _table(bytes_of: dict[str, tuple[float, str]]) -> Table:
    used, encoding = bytes_of[OURS]
    rows = tuple(
        Row(name=name, values=(each,), beside=(encoded,), ours=name == OURS)
        for name, (each, encoded) in bytes_of.items()
    )
    return Table(
        part="P5",
        title=f"Redis memory of a waiting task, with {BATCH:,} of them",
        unit="bytes",
        better=Better.LOWER,
        rows=rows,
        columns=("encoding",),
        notes=("The peers' tasks carry no arguments; ours are read from the database. Measured once: it repeats.",),
        goals=(
            Goal(figure="bytes per waiting task", found=used, limit=WANTED, at_most=True),
            Goal(
                figure="tickets that Redis keeps as listpack (1 is yes)", found=float(encoding == "listpack"), limit=1
            ),
        ),
    )
