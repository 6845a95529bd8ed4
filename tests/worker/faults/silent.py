"""Task types whose fork server is stopped before its first answer, and some of its processes, too."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from queue_tool import task

SERVER = Path("stopped-server")

NEXT = "stop-next"
"""A directory. A process that is forked takes a file out of it and is stopped, while there is one."""

GUARD = 1
"""The first process that a fork server forks is the guard."""


def stop_server_once() -> None:
    """Stop this process if none was stopped here before."""
    if not SERVER.exists():
        SERVER.touch()
        os.kill(os.getpid(), signal.SIGSTOP)


def stop_if_next() -> None:
    """Stop this process if it is told to, and is not the guard."""
    if next(forks) > GUARD:
        for path in Path(NEXT).iterdir():
            with suppress(FileNotFoundError):
                path.unlink()
                os.kill(os.getpid(), signal.SIGSTOP)
                return


@task("silent.warm", isolated=True)
def warm(data: str) -> int:
    """Return the pid of this process's parent, which is the fork server."""
    return os.getppid()


@task("silent.fresh", isolated="fresh")
def fresh(data: str) -> None:
    """Do nothing in a new process."""


@task("silent.thread")
def thread(data: str) -> int:
    """Return the pid."""
    return os.getpid()


if any("forkserver" in argument for argument in sys.orig_argv):
    stop_server_once()
    forks = itertools.count()
    os.register_at_fork(before=lambda: next(forks), after_in_child=stop_if_next)
