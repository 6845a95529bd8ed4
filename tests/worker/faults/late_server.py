"""Task types whose fork server starts late, or answers late.

It loads them when there is a file in its working directory. If there is another file, its first answer, the start of
the guard, waits for a third one, which the worker makes when it exits.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path

from queue_tool import task
from tests.worker.faults.hard import pause

GATE = Path("late-server")

IS_SLOW = Path("slow-answer")

EXITS = Path("worker-exits")


def wait_for(path: Path) -> None:
    """Wait until there is this file."""
    while not path.exists():
        pause(0.01)


if any("forkserver" in argument for argument in sys.orig_argv):
    wait_for(GATE)
    if IS_SLOW.exists():
        os.register_at_fork(after_in_parent=lambda: wait_for(EXITS))


@task("late.isolated", isolated=True)
def isolated(data: str) -> None:
    """Do nothing in a process."""


@task("late.thread")
def thread(data: str) -> None:
    """Do nothing in a thread."""


@task("late.exit")
def tell_exit(data: str) -> None:
    """Let the fork server answer when this worker exits."""
    atexit.register(EXITS.touch)
