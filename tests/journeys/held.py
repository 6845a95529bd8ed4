"""Task types whose function does something unusual and then never ends. Called again, it returns "done".

Its first run may go back before the function is called, if a busy machine lets it wait.
"""

# ruff: noqa: T201 - these functions print, as users' functions do
from __future__ import annotations

import asyncio
import contextvars
import logging
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from queue_tool import Context, task

HOURS = 3600.0

FOREVER = ["sleep", "3600"]

seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


def note(context: Context, data: str) -> None:
    """Note that the run is where it stays. `data` is a directory."""
    Path(data, context.token).touch()


def is_noted(context: Context, data: str) -> bool:
    """Return whether an earlier run was where it stays."""
    return Path(data, context.token).exists()


def plain(work: Callable[[str, Context], object], *, isolated: bool = False) -> None:
    """Declare a function as a task type; only its first call does the work."""

    def run(data: str, context: Context) -> object:
        return "done" if is_noted(context, data) else work(data, context)

    task(f"held.{work.__name__}", isolated=isolated)(run)


def coroutine(work: Callable[[str, Context], Awaitable[object]]) -> None:
    """Declare a coroutine function as a task type; only its first call does the work."""

    async def run(data: str, context: Context) -> object:
        return "done" if is_noted(context, data) else await work(data, context)

    task(f"held.{work.__name__}")(run)


# -- in threads --------------------------------------------------------------------------------------------


@plain
def pool(data: str, context: Context) -> None:
    """W1: wait for the process of a pool."""
    with multiprocessing.Pool(1) as pool:
        waiting = pool.apply_async(time.sleep, (HOURS,))
        note(context, data)
        waiting.get()


@plain
def prints(data: str, context: Context) -> None:
    """W6, W7: print a line without an end, log, and wait."""
    print("unended", end="")
    logging.getLogger("mine").info("held")
    note(context, data)
    context.canceled.wait()


@plain
def lost_directory(data: str, context: Context) -> None:
    """W11: go to a directory that is removed then, and wait."""
    directory = tempfile.mkdtemp(dir=data)
    os.chdir(directory)
    shutil.rmtree(directory)
    note(context, data)
    context.canceled.wait()


@plain
def returns_a_coroutine(data: str, context: Context) -> Coroutine[Any, Any, None]:
    """W14: return a coroutine that waits."""
    return waits(data, context)


@plain
def spins(data: str, context: Context) -> None:
    """W18: compute until it is canceled."""
    note(context, data)
    while not context.canceled.is_set():
        pass


# -- on the event loop -------------------------------------------------------------------------------------


async def waits(data: str, context: Context) -> None:
    """Wait for hours."""
    note(context, data)
    await asyncio.sleep(HOURS)


@coroutine
async def command(data: str, context: Context) -> None:
    """W1, W4: wait for a command."""
    process = await asyncio.create_subprocess_exec(*FOREVER)
    note(context, data)
    await process.wait()


@coroutine
async def group(data: str, context: Context) -> None:
    """W16, W21: wait for the tasks of a group, in a changed context of variables."""
    seen.set("changed")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(waits(data, context))
        tasks.create_task(asyncio.sleep(HOURS))


@coroutine
async def reports(data: str, context: Context) -> None:
    """W19, W20: report progress and log lines again and again."""
    note(context, data)
    while True:
        context.progress(0.5, "half")
        context.log("a line")
        await asyncio.sleep(0.05)


@coroutine
async def deaf(data: str, context: Context) -> None:
    """Ignore every cancel."""
    note(context, data)
    while True:
        try:
            await asyncio.sleep(HOURS)
        except asyncio.CancelledError:
            continue


@coroutine
async def blocks(data: str, context: Context) -> None:
    """W8: keep the event loop busy."""
    note(context, data)
    while True:
        pass


# -- in processes of their own -----------------------------------------------------------------------------


def isolated(work: Callable[[str, Context], object]) -> None:
    """Declare a function as an isolated task type."""
    plain(work, isolated=True)


@isolated
def executor(data: str, context: Context) -> None:
    """W3: wait for a process of an executor."""
    with ProcessPoolExecutor(1) as executor:
        waiting = executor.submit(time.sleep, HOURS)
        note(context, data)
        waiting.result()


@isolated
def shell(data: str, context: Context) -> None:
    """W4: wait for a command of a shell, and have one that ignores SIGTERM."""
    subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
    note(context, data)
    os.system("sleep 3600; true")  # noqa: S605 - it is what is tested


@isolated
def forks(data: str, context: Context) -> None:
    """W5: wait, with a child that waits too."""
    if os.fork():
        note(context, data)
    time.sleep(HOURS)


@isolated
def logs_without_end(data: str, context: Context) -> None:
    """W20: log lines as fast as possible."""
    note(context, data)
    while True:
        context.log("a line")


@isolated
def in_a_library(data: str, context: Context) -> None:
    """W4, W8: compute in a way that lets no other thread of its process run."""
    note(context, data)
    sum(iter(int, 1))
