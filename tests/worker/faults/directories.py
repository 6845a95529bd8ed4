"""Task types that change the working directory of their process, and task types that tell where they are."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from queue_tool import task
from tests.worker.faults.hard import until_in_a_thread


def leave(data: str) -> None:
    """Go to another directory and stay there. If `data` is no directory, remove the new one and wait for that file."""
    if Path(data).is_dir():
        os.chdir(data)
        return
    directory = tempfile.mkdtemp()
    os.chdir(directory)
    shutil.rmtree(directory)
    until_in_a_thread(data)


def where(data: None) -> str:
    """Return the working directory."""
    return str(Path.cwd())


async def leave_on_the_loop(data: str) -> None:
    """Do it on the event loop."""
    leave(data)


async def where_on_the_loop(data: None) -> str:
    """Return it on the event loop."""
    return where(data)


task("leave.loop")(leave_on_the_loop)
task("leave.thread")(leave)
task("leave.alone", isolated=True)(leave)
task("where.loop")(where_on_the_loop)
task("where.thread")(where)
task("where.alone", isolated=True)(where)
