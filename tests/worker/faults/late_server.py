"""A module of task types that the fork server cannot load before there is a file in its working directory."""

from __future__ import annotations

import sys
from pathlib import Path

from queue_tool import task
from tests.worker.faults.hard import pause

GATE = Path("late-server")

if any("forkserver" in argument for argument in sys.orig_argv):
    while not GATE.exists():
        pause(0.01)


@task("late.isolated", isolated=True)
def isolated(data: str) -> None:
    """Do nothing in a process."""


@task("late.thread")
def thread(data: str) -> None:
    """Do nothing in a thread."""
