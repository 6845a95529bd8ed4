"""The peers that run tasks: how to submit tasks to each and start it, in the best configuration that it documents."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.environments import BULLMQ, CELERY, DRAMATIQ, HUEY, RQ, Environment, NodeEnvironment
from bench.servers import SCRIPTS, process

LONGEST_FILL = 120.0
"""Seconds within which all tasks of one round must be submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One library in one configuration."""

    name: str
    environment: Environment | NodeEnvironment
    module: str  # in bench/scripts: the task, and the function that submits it
    command: tuple[str, ...]  # starts one process; URL is replaced by Redis's URL, NUMBER by the number of the process
    processes: int = 2
    share: float = 1.0  # of the tasks of a round; slow peers get fewer tasks

    @property
    def is_available(self) -> bool:
        """Return whether this machine can run the peer."""
        return isinstance(self.environment, Environment) or self.environment.is_available

    @property
    def shown_command(self) -> str:
        """Return the command that starts the peer, as the page shows it."""
        times = f" (x {self.processes})" if self.processes > 1 else ""
        return f"`{' '.join(self.command)}`{times}"

    def fill(self, url: str, done: Path, count: int, function: str = "fill") -> None:
        """Submit `count` tasks with this function of the module."""
        if isinstance(self.environment, Environment):
            code = f"import {self.module}; {self.module}.{function}({url!r}, {count})"
            command = [str(self.environment.python), "-c", code]
        else:
            command = ["node", f"{self.module}.cjs", function, str(count)]
        variables = os.environ | self._variables(url, done)
        subprocess.run(command, cwd=SCRIPTS, env=variables, check=True, timeout=LONGEST_FILL)

    @contextmanager
    def working(self, url: str, done: Path) -> Iterator[list[int]]:
        """Run the processes of the peer during the block; yield their pids."""
        log = done.with_suffix(".log")
        with ExitStack() as stack:
            yield [
                stack.enter_context(process(self._command(url, number), SCRIPTS, log, **self._variables(url, done))).pid
                for number in range(self.processes)
            ]

    def _command(self, url: str, number: int) -> list[str]:
        words = [word.replace("URL", url).replace("NUMBER", str(number)) for word in self.command]
        if isinstance(self.environment, Environment):
            words[0] = self.environment.program(words[0])
        return words

    def _variables(self, url: str, done: Path) -> dict[str, str]:
        return {
            "BENCH_REDIS": url,
            "BENCH_DONE": str(done),
            "BENCH_MODULES": f"{self.environment.folder}/",
            "PYTHONPATH": ".",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


_CELERY = ("celery", "-A", "celery_peer", "worker", "-l", "warning", "-n", "wNUMBER")
_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")

PEERS = (
    Peer(
        name="RQ, `rq worker` x 2",
        environment=RQ,
        module="stock_rq",
        command=("rq", "worker", "--quiet", "-u", "URL", "bench"),
        share=0.02,
    ),
    Peer(
        name="RQ, SimpleWorker x 2",
        environment=RQ,
        module="stock_rq",
        command=("rq", "worker", "--quiet", "-u", "URL", "-w", "rq.worker.SimpleWorker", "bench"),
        share=0.05,
    ),
    Peer(
        name="Celery, prefork 2",
        environment=CELERY,
        module="celery_peer",
        command=(*_CELERY, "-P", "prefork", "-c", "2", *_ALONE),
        processes=1,
        share=0.1,
    ),
    Peer(
        name="Celery, 2 x 8 threads",
        environment=CELERY,
        module="celery_peer",
        command=(*_CELERY, "-P", "threads", "-c", "8", *_ALONE),
        share=0.1,
    ),
    Peer(
        name="dramatiq, 2 x 8 threads",
        environment=DRAMATIQ,
        module="dramatiq_peer",
        command=("dramatiq", "--processes", "2", "--threads", "8", "dramatiq_peer"),
        processes=1,
        share=0.5,
    ),
    Peer(
        name="huey, 2 x 8 threads",
        environment=HUEY,
        module="huey_peer",
        command=("huey_consumer", "huey_peer.huey", "-k", "thread", "-w", "8", "--quiet"),
        share=0.5,
    ),
    Peer(
        name="BullMQ, 2 x concurrency 50",
        environment=BULLMQ,
        module="bullmq_peer",
        command=("node", "bullmq_peer.cjs", "work", "50"),
    ),
)


def available() -> list[Peer]:
    """Return the peers that this machine can run."""
    return [peer for peer in PEERS if peer.is_available]


def configurations() -> dict[str, str]:
    """Return the start command of each peer that this machine can run."""
    return {peer.name: peer.shown_command for peer in available()}
