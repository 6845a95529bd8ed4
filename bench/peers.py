"""The peers: how each is installed, filled and started, in its best documented form."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / ".venv" / "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One way of doing tasks with one library."""

    name: str
    package: str
    module: str  # of bench/scripts: what it does, and how it is sent
    command: tuple[str, ...]  # starts one process
    processes: int = 2
    share: float = 1.0  # of the run's tasks: slow ones would take too long with all of them

    @property
    def python(self) -> Path:
        """Return the interpreter of the peer's own environment."""
        return ENVIRONMENTS / self.library / "bin" / "python"

    @property
    def library(self) -> str:
        """Return the package's name without its extras."""
        return self.package.partition("[")[0]

    def install(self) -> None:
        """Make its environment, once."""
        place = ENVIRONMENTS / self.library
        if (place / "installed").exists():
            return
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([self.python, "-m", "pip", "install", "--quiet", self.package, "redis"], check=True)
        (place / "installed").touch()

    def version(self) -> str:
        """Return what is installed."""
        code = f"import importlib.metadata as m; print(m.version({self.library!r}))"
        return subprocess.run([self.python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()

    def fill(self, url: str, done: Path, count: int) -> None:
        """Send so many tasks."""
        code = f"import {self.module}; {self.module}.fill({url!r}, {count})"
        subprocess.run([self.python, "-c", code], cwd=HERE / "scripts", env=_said(url, done), check=True)

    @contextmanager
    def working(self, url: str, done: Path) -> Iterator[None]:
        """Let its processes work for the length of a block."""
        command = [str(self.python.with_name(word)) if word in PROGRAMS else word for word in self.command]
        command = [url if word == "URL" else word for word in command]
        with (done.parent / "peer.log").open("ab") as log:
            processes = [
                subprocess.Popen(command, cwd=HERE / "scripts", env=_said(url, done), stdout=log, stderr=log)
                for _ in range(self.processes)
            ]
            try:
                yield
            finally:
                for process in processes:
                    process.terminate()
                for process in processes:
                    process.wait(30)


PROGRAMS = {"rq", "huey_consumer", "dramatiq"}

PEERS = (
    Peer(
        name="RQ, `rq worker` x 2",
        package="rq",
        module="stock_rq",
        command=("rq", "worker", "--quiet", "-u", "URL", "bench"),
        share=0.02,
    ),
    Peer(
        name="RQ, SimpleWorker x 2",
        package="rq",
        module="stock_rq",
        command=("rq", "worker", "--quiet", "-u", "URL", "-w", "rq.worker.SimpleWorker", "bench"),
        share=0.05,
    ),
    Peer(
        name="dramatiq, 2 x 8 threads",
        package="dramatiq[redis]",
        module="dramatiq_peer",
        command=("dramatiq", "--processes", "2", "--threads", "8", "dramatiq_peer"),
        processes=1,
        share=0.5,
    ),
    Peer(
        name="huey, 2 x 8 threads",
        package="huey",
        module="huey_peer",
        command=("huey_consumer", "huey_peer.huey", "-k", "thread", "-w", "8", "--quiet"),
        share=0.5,
    ),
)


def _said(url: str, done: Path) -> dict[str, str]:
    return dict(os.environ) | {"BENCH_REDIS": url, "BENCH_DONE": str(done), "PYTHONPATH": "."}
