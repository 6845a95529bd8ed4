"""P1: the time to accept 10,000 items, and one item."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from redis import Redis

from bench import http
from bench.environments import BULLMQ, CELERY, RQ
from bench.figures import Better, Goal, Row, Table, medians, number
from bench.processes import peak_of
from bench.servers import SCRIPTS, counters, gunicorn, ours, plain_redis

BATCH = 10_000
MILLISECONDS = 1000

OURS = "ours: POST /api"
EACH = "Flask + RQ `enqueue` per item"
MANY = "Flask + RQ `enqueue_many`"
CELERY_EACH = "Flask + Celery `apply_async` per item"
BULK = "BullMQ `addBulk`, without HTTP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A web application that accepts arrays of items over HTTP."""

    name: str
    url: str
    redis: Redis
    items: int = BATCH  # per request; the time is scaled to a whole batch
    requests: int = 1  # per round
    pid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The values of all rounds of one contender."""

    items: int
    milliseconds: list[float] = field(default_factory=list)
    commands: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure the contenders in turns; return the tables for many items and for one item."""
    rounds, slow = 3, 2_000 if quick else BATCH
    many: dict[str, Results] = {}
    single: dict[str, list[float]] = {}
    with _contenders(folder, slow) as (contenders, url):
        for _ in range(rounds):
            for contender in contenders:
                _post(contender, many.setdefault(contender.name, Results(items=contender.items)))
            if BULLMQ.is_available:
                _add_bulk(url, folder, many.setdefault(BULK, Results(items=BATCH)))
            for contender in contenders:
                single.setdefault(contender.name, []).append(_single(contender, 100 if quick else 300))
    return [_of_many(many), _of_one(single)]


@contextmanager
def _contenders(folder: Path, slow: int) -> Iterator[tuple[list[Contender], str]]:
    """Start all contenders at once, since an idle one costs almost nothing.

    Yields:
        The contenders, and the URL of the peers' Redis.
    """
    with ExitStack() as stack:
        url = stack.enter_context(plain_redis(folder))
        system = stack.enter_context(ours(folder / "ours", WORKERS="0"))
        rq, rq_pid = stack.enter_context(gunicorn(RQ, "web_rq", folder, BENCH_REDIS=url))
        celery, celery_pid = stack.enter_context(gunicorn(CELERY, "web_celery", folder, BENCH_REDIS=url))
        own, theirs = (stack.enter_context(Redis.from_url(address)) for address in (system.redis, url))
        yield (
            [
                Contender(name=OURS, url=f"{system.url}/api", redis=own, requests=5, pid=system.pid),
                Contender(name=EACH, url=f"{rq}/each", redis=theirs, items=slow, pid=rq_pid),
                Contender(name=MANY, url=f"{rq}/many", redis=theirs, pid=rq_pid),
                Contender(name=CELERY_EACH, url=f"{celery}/each", redis=theirs, items=slow, pid=celery_pid),
            ],
            url,
        )


def body(count: int) -> bytes:
    """Return a request body with `count` items."""
    return json.dumps([{"item": f"item {position}", "valor": 0} for position in range(count)]).encode()


def _post(contender: Contender, results: Results) -> None:
    """Send one item, so that all connections are open, and then the batches."""
    http.timed(contender.url, "POST", body(1), 1)
    before = counters(contender.redis)
    seconds, _ = http.timed(contender.url, "POST", body(contender.items), contender.requests)
    commands, reads = counters(contender.redis).since(before, contender.items * contender.requests)
    results.milliseconds.append(seconds * MILLISECONDS * BATCH / contender.items)
    results.commands.append(commands)
    results.reads.append(reads)
    results.memory.append(peak_of(contender.pid))


def _add_bulk(url: str, folder: Path, results: Results) -> None:
    """Let node send the same array three times in one process. The median excludes the slow first time."""
    times = 3
    (folder / "items.json").write_bytes(body(BATCH))
    environment = os.environ | {"BENCH_REDIS": url, "BENCH_MODULES": f"{BULLMQ.folder}/"}
    command = ["node", "bullmq_peer.cjs", "add", str(folder / "items.json"), str(times)]
    with Redis.from_url(url) as client:
        before = counters(client)
        ran = subprocess.run(command, cwd=SCRIPTS, env=environment, check=True, stdout=subprocess.PIPE, timeout=120)
        commands, reads = counters(client).since(before, BATCH * times)
    answer = json.loads(ran.stdout)
    results.milliseconds.append(sorted(answer["seconds"])[times // 2] * MILLISECONDS)
    results.commands.append(commands)
    results.reads.append(reads)
    results.memory.append(answer["mebibytes"])


def _single(contender: Contender, times: int) -> float:
    """Return the median milliseconds of one item."""
    seconds, _ = http.timed(contender.url, "POST", body(1), times)
    return seconds * MILLISECONDS


def _of_many(many: dict[str, Results]) -> Table:
    rows = tuple(
        Row(
            name=name,
            values=tuple(results.milliseconds),
            extra=(
                number(results.items),
                medians(results.commands),
                medians(results.reads),
                number(max(results.memory)),
            ),
            ours=name == OURS,
        )
        for name, results in many.items()
    )
    table = Table(
        part="P1",
        title=f"Submit {BATCH:,} items in one request",
        unit="ms",
        better=Better.LOWER,
        rows=rows,
        columns=("items sent", "commands per item", "reads per item", "peak MiB"),
        notes=("If fewer items were sent, the time is scaled to 10,000 items.",),
        charted=True,
    )
    goals = ((EACH, 50), (MANY, 8), (CELERY_EACH, 50), (BULK, 3))
    return replace(table, goals=tuple(goal for name, limit in goals for goal in table.against(name, limit)))


def _of_one(single: dict[str, list[float]]) -> Table:
    rows = tuple(
        Row(name=name, values=tuple(milliseconds), ours=name == OURS)
        for name, milliseconds in single.items()
        if name != MANY
    )
    table = Table(part="P1", title="Submit one item", unit="ms", better=Better.LOWER, rows=rows)
    medians_of = {row.name: row.median for row in rows}
    found = medians_of[OURS] / medians_of[EACH]
    goal = Goal(figure=f"our time divided by the time of {EACH}", found=found, limit=1.3, unit=" x", at_most=True)
    return replace(table, goals=(goal,))
