"""Task types of these tests; most of them have a path as their data and wait until that file exists."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from queue_tool import Abort, Context, Retry, task

PAUSE = 0.02
"""Seconds between two checks for a file."""

pause = threading.Event().wait


@task("waits.loop")
async def wait_on_the_loop(data: str, context: Context) -> str:
    """Wait on the event loop; create the file `data` + " stopped" if it is canceled."""
    talk(context)
    try:
        while not Path(data).exists():
            await asyncio.sleep(PAUSE)
    except asyncio.CancelledError:
        Path(f"{data} stopped").touch()
        raise
    return "waited"


@task("waits.threads")
def wait_in_a_thread(data: str, context: Context) -> str:
    """Wait in a thread; create the file `data` + " stopped" if it is canceled, and still wait for the first file."""
    talk(context)
    while not Path(data).exists():
        if context.canceled.wait(PAUSE):
            Path(f"{data} stopped").touch()
            pause(PAUSE)
    Path(f"{data} back").touch()
    return "waited"


@task("talks")
async def talk_when_asked(data: str, context: Context) -> None:
    """Report progress each time that another of four files exists."""
    for number in range(1, 5):
        while not Path(f"{data} {number}").exists():
            await asyncio.sleep(PAUSE)
        context.progress(number / 4)


@task("urgent", priority="high")
async def urgent(data: object) -> None:
    """Do nothing, with high priority."""


@task("urgent.in-a-thread", priority="high")
def urgent_in_a_thread(data: object) -> None:
    """Do nothing in a thread, with high priority."""


@task("patient", priority="low")
async def patient(data: object) -> None:
    """Do nothing, with low priority."""


def talk(context: Context) -> None:
    """Report progress, notes and log lines, which is all that a run can report."""
    context.progress(0.25, "a quarter")
    context.log("the first line")
    context.progress(0.5, "half")
    context.log("the second line")


class NotToday(Exception):
    """The error of the tasks below."""


def behave(data: dict[str, Any], context: Context) -> str:
    """Fail in the first `fails` attempts, in the way that `how` names."""
    if context.attempt <= data["fails"]:
        raise {
            "error": NotToday("not today"),
            "never": KeyError("never again"),
            "retry": Retry("later", after=0),
            "abort": Abort("no use"),
        }[data["how"]]
    return f"attempt {context.attempt}"


async def behave_on_the_loop(data: dict[str, Any], context: Context) -> str:
    """Do the same on the event loop."""
    return behave(data, context)


for name, function in (("loop", behave_on_the_loop), ("threads", behave)):
    task(f"behaves.{name}", max_attempts=3, backoff=[0], no_retry=[KeyError])(function)


@task("hurries", timeout=0.05, max_attempts=2, backoff=[0])
async def hurry(data: float, context: Context) -> int:
    """Sleep for `data` seconds, but only in the first attempt; return the attempt."""
    await asyncio.sleep(data if context.attempt == 1 else 0)
    return context.attempt


@task("races", timeout=0.3, max_attempts=1)
async def race(data: float) -> None:
    """Sleep for about as long as the timeout."""
    await asyncio.sleep(data)
