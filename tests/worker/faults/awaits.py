"""Task types whose functions return awaitables, raise exception groups, and leave something for the next task."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import os
import random
import threading
from pathlib import Path

from queue_tool import Abort, Retry, task

HOURS = 3600.0
"""Seconds: longer than any test waits."""

decimal.getcontext().prec = 7
seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")
seen.set("the import")
numbers = random.Random()
reseeded = random.Random()
os.register_at_fork(after_in_child=reseeded.seed)


async def _later(data: object) -> object:
    await asyncio.sleep(0)
    return [data, threading.current_thread() is threading.main_thread()]


@task("awaits.plain")
def plain(data: object) -> object:
    """Return a coroutine."""
    return _later(data)


@task("awaits.alone", isolated=True)
def alone(data: object) -> object:
    """Return a coroutine in an isolated process."""
    return _later(data)


@task("awaits.loop")
async def on_the_loop(data: object) -> object:
    """Return a coroutine from a coroutine."""
    return _later(data)


@task("awaits.too-long", timeout=0.3)
def too_long(data: str) -> object:
    """Return a coroutine that waits for hours, and makes a file when it is canceled."""
    return _until_canceled(Path(data))


async def _until_canceled(path: Path) -> None:
    try:
        await asyncio.sleep(HOURS)
    finally:
        path.touch()


@task("awaits.group", max_attempts=3, backoff=[0])
async def in_a_group(data: str) -> None:
    """Raise the error that the data names inside of a task group."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_fail(Abort("no use") if data == "abort" else Retry("later", after=HOURS)))


async def _fail(error: Exception) -> None:
    raise error


@task("awaits.leaves")
def leaves(data: str) -> object:
    """Return what an earlier task has left in context variables, and leave something there."""
    return _left(data)


@task("awaits.leaves-on-the-loop")
async def leaves_on_the_loop(data: str) -> object:
    """Do the same on the event loop."""
    return _left(data)


@task("awaits.leaves-alone", isolated=True)
def leaves_alone(data: str) -> object:
    """Do the same in an isolated process."""
    return _left(data)


def _left(data: str) -> object:
    found = [seen.get(), decimal.getcontext().prec]
    seen.set(data)
    decimal.getcontext().prec = 3
    return found


@task("awaits.random", isolated=True)
def random_numbers(data: object) -> object:
    """Return a number of the module, one of a generator made at import, and one of a generator reseeded by a fork."""
    return [random.random(), numbers.random(), reseeded.random()]
