"""Isolated task types. Their fork server and its first process are stopped before their first answer."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

from queue_tool import task

SERVER, PROCESS = Path("stopped-server"), Path("stopped-process")

GUARD = 1
"""The first process that a fork server forks is the guard."""


def stop_once(note: Path) -> None:
    """Stop this process, if no one was stopped here before. `note` is a file that says so."""
    if not note.exists():
        note.touch()
        os.kill(os.getpid(), signal.SIGSTOP)


@task("silent.warm", isolated=True)
def warm(data: str) -> int:
    """Return the pid of this process's parent, which is the fork server."""
    return os.getppid()


@task("silent.fresh", isolated="fresh")
def fresh(data: str) -> None:
    """Do nothing in a new process."""


if any("forkserver" in argument for argument in sys.orig_argv):
    stop_once(SERVER)
    forks = itertools.count()
    os.register_at_fork(
        before=lambda: next(forks), after_in_child=lambda: stop_once(PROCESS) if next(forks) > GUARD else None
    )
