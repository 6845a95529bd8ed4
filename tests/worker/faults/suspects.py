"""Task types that wait, and show in which process they do; another task ends that process."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from queue_tool import Context, task

PAUSE = 0.01


def begin(data: str, context: Context) -> None:
    """Make a file beside the gate: its name has the token and the pid, and its text is the run."""
    Path(f"{data}.{context.token}.{os.getpid()}").write_text(str(context.run), "utf-8")


@task("suspect.thread")
def in_a_thread(data: str, context: Context) -> int:
    """Wait for the gate; return the pid."""
    begin(data, context)
    while not Path(data).exists():
        time.sleep(PAUSE)
    print("a suspect was here")  # noqa: T201 - users' functions print
    return os.getpid()


@task("suspect.loop")
async def on_the_loop(data: str, context: Context) -> int:
    """Wait for the gate on the event loop; return the pid."""
    begin(data, context)
    while not Path(data).exists():
        await asyncio.sleep(PAUSE)
    return os.getpid()


@task("suspect.hurried", timeout=1)
def hurried(data: str, context: Context) -> None:
    """Take longer than the timeout."""
    in_a_thread(data, context)


@task("suspect.isolated", isolated=True)
def isolated(data: str, context: Context) -> int:
    """Wait for the gate; return the pid."""
    return in_a_thread(data, context)


@task("suspect.blocks")
async def blocks(data: str, context: Context) -> int:
    """Block the event loop until there is the gate."""
    return in_a_thread(data, context)


@task("suspect.kills")
def kills(data: str, context: Context) -> None:
    """Wait for a file, and end the whole process."""
    begin(data, context)
    while not Path(f"{data}-of-the-killer").exists():
        time.sleep(PAUSE)
    os._exit(7)
