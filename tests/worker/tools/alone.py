"""The watched task types that run in processes of their own.

They stand here since a worker that knows of such types starts a server for them, which most tests need not wait for.
"""

from __future__ import annotations

import os
from pathlib import Path

from queue_tool import Context, task
from tests.worker.tools.tasks import PAUSE, behave, pause, talk

task("behaves.isolated", isolated=True, max_attempts=3, backoff=[0], no_retry=[KeyError])(behave)


@task("waits.isolated", isolated=True)
def wait_alone(data: str, context: Context) -> str:
    """Wait in a process of its own; say by which one."""
    talk(context)
    Path(f"{data} writing").write_text(str(os.getpid()))
    Path(f"{data} writing").rename(f"{data} pid")
    while not Path(data).exists():
        pause(PAUSE)
    return "waited"


@task("patient.alone", priority="low", isolated=True)
def patient_alone(data: object) -> None:
    """Do nothing in a process of its own, when there is nothing else to do."""
