"""The hard task types that run in processes of their own.

They stand here since a worker that knows of such types starts a server for them, which most tests need not wait for.
"""

from __future__ import annotations

import os
from pathlib import Path

from queue_tool import Context, task
from tests.worker.faults.hard import HOURS, do, pause


@task("hard.first-run-is-long-alone", isolated=True)
def first_run_is_long_alone(data: str, context: Context) -> int:
    """Say by which process, in a process of its own."""
    if context.run == 1:
        Path(data).write_text(str(os.getpid()))
        pause(HOURS)
    return context.run


@task("hard.too-long-alone", timeout=1, isolated=True)
def too_long_alone(data: str) -> None:
    """Say by which process, and sleep beyond the deadline."""
    Path(data).write_text(str(os.getpid()))
    pause(HOURS)


@task("hard.alone", isolated=True)
def alone(data: str) -> object:
    """Do what the data say, in a process of its own."""
    return do(data)
