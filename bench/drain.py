"""How fast tasks are done: tasks that cost nothing (P2), and thousands that wait for a second (P3).

    python -m bench.drain [--quick]

Peers are counted when their function has run; we are counted when the outcome is committed to SQL.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from bench.peers import PEERS, Peer
from queue_tool.host import valkey
from queue_tool.runtime import Runtime, load_settings, open_runtime
from queue_tool.telemetry import Telemetry

POLL = 0.005
"""Seconds between two looks at how many tasks are left."""

LONGEST = 120.0
"""Seconds after which a run that does not end is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one run has shown."""

    rate: float  # tasks a second
    commands: float  # of Redis, per task
    reads: float  # of Redis's sockets, per task: one for each round trip, or fewer
    memory: int  # MiB, the peak of one worker process; 0 where it was not looked at
    seconds: float = 0.0


def main() -> None:
    """Run everything in turns and print the table."""
    quick = "--quick" in sys.argv
    tasks, rounds = (10_000, 1) if quick else (40_000, 3)
    for peer in PEERS:
        peer.install()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, redis(Path(folder)) as url:
        runs: dict[str, list[Figure]] = {}
        for _ in range(rounds):
            for peer in PEERS:
                runs.setdefault(f"{peer.name} ({peer.version()})", []).append(
                    drain_peer(peer, url, Path(folder), tasks)
                )
            for processes in (1, 2):
                runs.setdefault(f"ours, {processes} process(es)", []).append(drain_ours(Path(folder), tasks, processes))
        waits = [waited(Path(folder), count) for count in (2_000, 10_000)]
    print_table(runs, waits)


def drain_peer(peer: Peer, url: str, folder: Path, tasks: int) -> Figure:
    """Fill, start, and count the marks."""
    count = max(1000, int(tasks * peer.share) // 1000 * 1000)
    done = folder / "done"
    done.write_bytes(b"")
    client = Redis.from_url(url)
    client.flushall()
    peer.fill(url, done, count)
    with peer.working(url, done):
        return timed(client, count, lambda: count - done.stat().st_size)


def drain_ours(folder: Path, tasks: int, processes: int) -> Figure:
    """Submit, start, and ask the store how many are still open."""
    with submitted(folder, tasks, valor=0) as runtime, working(folder, processes) as workers:
        client = Redis.from_url(valkey.url(folder / "instance"))
        figure = timed(client, tasks, lambda: still_open(runtime))
        return Figure(
            rate=figure.rate, commands=figure.commands, reads=figure.reads, memory=max(map(peak_memory, workers))
        )


def still_open(runtime: Runtime) -> int:
    """Return how many tasks have not ended, as the batches say."""
    with runtime.store.database.read() as connection:
        found: int = connection.exec_driver_sql("SELECT sum(open) FROM batches").scalar_one()
    return found


def waited(folder: Path, count: int) -> tuple[int, float, int]:
    """Return how long so many tasks of a second took in one process, by their records, and its peak memory."""
    with submitted(folder, count, valor=1) as runtime, working(folder, 1) as workers:
        wait_until(lambda: still_open(runtime), 0)
        with runtime.store.database.read() as connection:
            first, last = connection.exec_driver_sql("SELECT min(started_at), max(finished_at) FROM tasks").one()
        return count, (last - first) / 1e6, peak_memory(workers[0])


def timed(client: Redis, count: int, left: Callable[[], int]) -> Figure:
    """Wait until the first are done, then until all are; return what happened in between."""
    before = wait_until(left, count * 0.98)
    began, stats = time.perf_counter(), client.info("stats")
    wait_until(left, 0)
    seconds, after = time.perf_counter() - began, client.info("stats")
    return Figure(
        rate=before / seconds,
        commands=(after["total_commands_processed"] - stats["total_commands_processed"]) / before,
        reads=(after["total_reads_processed"] - stats["total_reads_processed"]) / before,
        memory=0,
        seconds=seconds,
    )


def wait_until(left: Callable[[], int], most: float) -> int:
    """Wait until no more than so many are left; return how many."""
    until = time.monotonic() + LONGEST
    while (found := left()) > most:
        if time.monotonic() > until:
            raise SystemExit(f"{found} tasks were still open after {LONGEST:g} s")
        time.sleep(POLL)
    return found


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Valkey of the benchmark's own."""
    (folder / "instance").mkdir()
    guardian = valkey.start(folder / "instance")
    try:
        yield valkey.url(folder / "instance")
    finally:
        assert guardian.stdin is not None
        guardian.stdin.close()
        guardian.wait()


@contextmanager
def submitted(folder: Path, count: int, valor: float) -> Iterator[Runtime]:
    """Send so many tasks to a new database."""
    Redis.from_url(valkey.url(folder / "instance")).flushall()
    for path in (folder / "instance").glob("queue_tool.db*"):
        path.unlink()
    settings = load_settings({"QUEUE_TOOL_DATA_DIR": str(folder / "instance")})
    runtime = open_runtime(settings, Telemetry(), "bench", migrate=True)
    for start in range(0, count, 10_000):
        size = min(10_000, count - start)
        runtime.submit([{"item": "a", "valor": valor}] * size, runtime.types["sleep"])
    yield runtime
    runtime.close()


@contextmanager
def working(folder: Path, processes: int) -> Iterator[list[int]]:
    """Let so many of our workers work; their pids."""
    said = dict(os.environ) | {"QUEUE_TOOL_DATA_DIR": str(folder / "instance"), "QUEUE_TOOL_LOG_LEVEL": "warning"}
    workers = [
        subprocess.Popen([sys.executable, "-m", "queue_tool", "worker"], env=said, cwd=folder) for _ in range(processes)
    ]
    try:
        yield [worker.pid for worker in workers]
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(30)


def peak_memory(pid: int) -> int:
    """Return the most memory that a process has used, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def print_table(runs: dict[str, list[Figure]], waits: list[tuple[int, float, int]]) -> None:
    """Print the medians, and how many times each peer's rate is ours."""
    ours = max(statistics.median(each.rate for each in figures) for name, figures in runs.items() if "ours" in name)
    rounds = len(next(iter(runs.values())))
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} processors, medians of {rounds}")
    print(f"{'P2: tasks of no cost':44}{'tasks/s':>10}{'we are':>10}{'commands':>10}{'reads':>8}{'MiB':>6}")
    for name, figures in runs.items():
        rate = statistics.median(each.rate for each in figures)
        commands, reads = (statistics.median(getattr(each, name) for each in figures) for name in ("commands", "reads"))
        memory = max(each.memory for each in figures) or "-"
        print(f"{name:44}{rate:>10,.0f}{ours / rate:>9.1f}x{commands:>10.3f}{reads:>8.4f}{memory:>6}")
    for count, seconds, memory in waits:
        print(f"P3: {count:,} tasks of 1 s in one process: {seconds:.2f} s, peak {memory} MiB")


if __name__ == "__main__":
    main()
