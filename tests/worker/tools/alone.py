"""The task types of these tests that run in a process of their own.

They are in a module of their own because a worker that knows an isolated type starts a server process for it. Most
tests do not need that process and do not wait for it.
"""

from __future__ import annotations

import os
from pathlib import Path

from queue_tool import Context, task
from tests.worker.tools.tasks import PAUSE, behave, pause, talk

task("behaves.isolated", isolated=True, max_attempts=3, backoff=[0], no_retry=[KeyError])(behave)


@task("waits.isolated", isolated=True)
def wait_alone(data: str, context: Context) -> str:
    """Write the pid to the file `data` + " pid", and wait for the file `data`."""
    talk(context)
    Path(f"{data} writing").write_text(str(os.getpid()))
    Path(f"{data} writing").rename(f"{data} pid")
    while not Path(data).exists():
        pause(PAUSE)
    return "waited"


@task("patient.alone", priority="low", isolated=True)
def patient_alone(data: object) -> None:
    """Do nothing in a process of its own, with low priority."""
