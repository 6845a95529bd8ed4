"""The misbehaving task types that run in a process of their own.

They are in a module of their own because a worker that knows an isolated type starts a server process for it. Most
tests do not need that process and do not wait for it.
"""

from __future__ import annotations

import os
from pathlib import Path

from queue_tool import Context, task
from tests.worker.faults.hard import HOURS, do, pause


@task("hard.first-run-is-long-alone", isolated=True)
def first_run_is_long_alone(data: str, context: Context) -> int:
    """Write the pid to the file `data`, sleep for hours in the first run, and return the run."""
    if context.run == 1:
        Path(data).write_text(str(os.getpid()))
        pause(HOURS)
    return context.run


@task("hard.too-long-alone", timeout=1, isolated=True)
def too_long_alone(data: str) -> None:
    """Write the pid to the file `data`, and sleep beyond the deadline."""
    Path(data).write_text(str(os.getpid()))
    pause(HOURS)


@task("hard.alone", isolated=True)
def alone(data: str) -> object:
    """Do what the data names, in a process of its own."""
    return do(data)
