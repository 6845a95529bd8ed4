"""Isolated task types that leave something in their process, and one that looks what it finds there."""

from __future__ import annotations

import decimal
import io
import itertools
import locale
import logging
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

from queue_tool import task
from tests.worker.faults.hard import HOURS, pause

SIZE = 150 * 2**20

seen = ContextVar("seen", default="nothing")

kept: list[object] = []

calls = itertools.count(1)


def look(data: str) -> dict[str, object]:
    """Return the pid, and what an earlier task may have left in the process."""
    return {
        "pid": os.getpid(),
        "calls": next(calls),
        "directory": str(Path.cwd()),
        "variables": [os.environ.get("LEFT"), "HOME" in os.environ, time.tzname],
        "mask": os.umask(0o22),
        "streams": [(type(stream).__name__, stream.closed) for stream in (sys.stdout, sys.stderr)],
        "files": [os.fstat(number).st_mode for number in (1, 2)],
        "locale": locale.setlocale(locale.LC_ALL),
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "handler": str(signal.getsignal(signal.SIGUSR1)),
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "limit": resource.getrlimit(resource.RLIMIT_CORE),
        "logging": [logging.root.manager.disable, logging.getLogger("queue_tool").disabled],
        "threads": threading.active_count(),
        "context": [seen.get(), decimal.getcontext().prec],
    }


def change_variables(path: str) -> None:
    """Set and remove variables of the environment."""
    os.environ |= {"LEFT": "yes", "TZ": "Asia/Tokyo"}
    del os.environ["HOME"]
    time.tzset()


def replace_streams(path: str) -> None:
    """Put other streams in place of stdout and stderr, and close them."""
    sys.stdout = sys.stderr = io.StringIO()
    sys.stdout.close()


def set_context(path: str) -> None:
    """Set variables of the context."""
    seen.set("something")
    decimal.getcontext().prec = 3


def start_thread(path: str) -> None:
    """Leave a thread."""
    threading.Thread(target=pause, args=(HOURS,), daemon=True).start()


def leave_orphan(path: str) -> None:
    """Leave a process whose parent has ended."""
    os.system(f"sleep 3600 & echo $! > '{path}'")  # noqa: S605 - it is what is tested


def leave_child(path: str) -> None:
    """Leave a child."""
    Path(path).write_text(str(subprocess.Popen(["sleep", "3600"]).pid))


def leave_session(path: str) -> None:
    """Leave a process in a session of its own, which lives on."""
    Path(path).write_text(str(subprocess.Popen(["sleep", "3600"], start_new_session=True).pid))


def redirect(path: str) -> None:
    """Let the file descriptor of stdout lead elsewhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def leave_files_open(path: str) -> None:
    """Leave files open."""
    kept.extend(os.dup(1) for _ in range(100))


def take_memory(path: str) -> None:
    """Keep memory."""
    kept.append(bytearray(os.urandom(2**20) * (SIZE // 2**20)))


RESTORED: dict[str, Callable[[str], object]] = {
    "nothing": lambda _: None,
    "error": lambda _: 1 // 0,
    "directory": lambda _: os.chdir("/"),
    "variables": change_variables,
    "mask": lambda _: os.umask(0o77),
    "streams": replace_streams,
    "locale": lambda _: locale.setlocale(locale.LC_NUMERIC, "C.UTF-8"),
    "timer": lambda _: signal.alarm(1),
    "context": set_context,
    "a child that has ended": lambda _: subprocess.Popen(["true"]).wait(),
}
"""What is undone: the next task runs in the same process."""

REPLACED: dict[str, Callable[[str], object]] = {
    "handler": lambda _: str(signal.signal(signal.SIGUSR1, signal.SIG_IGN)),
    "blocked": lambda _: str(signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])),
    "limit": lambda _: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    "logging": lambda _: logging.disable(),
    "files": leave_files_open,
    "redirect": redirect,
    "closed": lambda _: os.close(1),
    "closed streams": lambda _: sys.stdout.close(),
    "thread": start_thread,
    "child": leave_child,
    "orphan": leave_orphan,
    "session": leave_session,
    "memory": take_memory,
    "death": lambda _: os._exit(3),
    "hang": lambda _: pause(HOURS),
}
"""What is not undone: the next task runs in another process."""


def act(data: list[str]) -> object:
    """Do what the name says; the file gets the pid of a process that was started."""
    name, path = data
    return (RESTORED | REPLACED)[name](path)


def draw(data: str) -> float:
    """Return a random number, and seed the generator as every other task does."""
    drawn = random.random()
    random.seed(1)
    return drawn


def wait(data: str) -> int:
    """Write the pid to a file, wait until another one exists, and return the pid."""
    Path(f"{data}.{os.getpid()}").touch()
    while not Path(data).exists():
        pause(0.01)
    return os.getpid()


task("pool.look", isolated=True)(look)
task("pool.fresh", isolated="fresh")(look)
task("pool.act", timeout=5, isolated=True, max_attempts=1)(act)
task("pool.draw", isolated=True)(draw)
task("pool.wait", isolated=True, max_attempts=1)(wait)
