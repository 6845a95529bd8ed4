"""Our workers without the web server: tasks in a new database, and the worker processes that run them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis

from bench.servers import process
from queue_tool.environment import load_settings
from queue_tool.host import valkey
from queue_tool.model.telemetry import Telemetry
from queue_tool.runtime import Runtime, open_runtime

BATCH = 10_000


@contextmanager
def own_redis(folder: Path) -> Iterator[None]:
    """Run the embedded Valkey as the service does, with its append-only file."""
    data = _data(folder)
    data.mkdir()
    guardian = valkey.start(data)
    try:
        yield
    finally:
        assert guardian.stdin is not None
        guardian.stdin.close()
        guardian.wait(30)


@contextmanager
def submitted(
    folder: Path, count: int, valor: float, task_type: str = "sleep", **options: str
) -> Iterator[tuple[Runtime, Redis]]:
    """Submit `count` tasks to a new database; yield the open runtime and a Redis client."""
    data = _data(folder)
    for path in data.glob("queue_tool.db*"):
        path.unlink()
    with Redis.from_url(valkey.url(data)) as client:
        client.flushall()
        runtime = open_runtime(load_settings(_settings(data, options)), Telemetry(), "bench", migrate=True)
        try:
            for start in range(0, count, BATCH):
                size = min(BATCH, count - start)
                runtime.submit([{"item": "a", "valor": valor}] * size, runtime.of_type(task_type))
            yield runtime, client
        finally:
            runtime.close()


@contextmanager
def working(
    folder: Path, processes: int, variables: Mapping[str, str] | None = None, /, **options: str
) -> Iterator[list[int]]:
    """Run this number of worker processes during the block; yield their pids."""
    settings = _settings(_data(folder), options | {"LOG_LEVEL": "warning"}) | dict(variables or {})
    command = [sys.executable, "-m", "queue_tool", "worker"]
    with ExitStack() as stack:
        started = [process(command, folder, folder / "workers.log", **settings) for _ in range(processes)]
        yield [stack.enter_context(each).pid for each in started]


def still_open(runtime: Runtime) -> int:
    """Return the number of unfinished tasks, from the counters of the batches."""
    with runtime.store.database.read() as connection:
        found: int = connection.exec_driver_sql("SELECT sum(open) FROM batches").scalar_one()
    return found


def _settings(data: Path, options: Mapping[str, str]) -> dict[str, str]:
    return {f"QUEUE_TOOL_{name}": text for name, text in {"DATA_DIR": str(data), **options}.items()}


def _data(folder: Path) -> Path:
    return folder / "instance"
