"""The misbehaving task types that run in a process of their own.

They are in a module of their own because a worker that knows an isolated type starts a server process for it. Most
tests do not need that process and do not wait for it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from queue_tool import Context, task
from tests.worker.faults.hard import HOURS, PAUSE, do, pause


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


@task("hard.last-of-four-alone", isolated=True)
def last_of_four_alone(data: list[str]) -> str:
    """Return at once if there is a file, else wait for it. The fourth that waits sends a signal to its worker.

    Args:
        data: the file, and the name of the signal. Beside the file is one with the pid of the worker.
    """
    path, name = data
    if not Path(path).exists() and _count_of(path) == 4:
        os.kill(int(Path(f"{path}.pid").read_text("utf-8")), signal.Signals[name])
    while not Path(path).exists():
        pause(PAUSE)
    return name


def _count_of(path: str) -> int:
    """Return how many processes have called this, with this one."""
    for number in range(1, 10):
        with suppress(FileExistsError):
            os.close(os.open(f"{path}.{number}", os.O_CREAT | os.O_EXCL))
            return number
    return 10


@task("hard.alone", isolated=True)
def alone(data: str) -> object:
    """Do what the data names, in a process of its own."""
    return do(data)
