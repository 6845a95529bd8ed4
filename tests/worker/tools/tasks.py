"""Task types for workers that are watched: their data are a path, and they wait until there is a file."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from queue_tool import Abort, Context, Retry, task

PAUSE = 0.02
"""Seconds between two looks at a file."""

pause = threading.Event().wait


@task("waits.loop")
async def wait_on_the_loop(data: str, context: Context) -> str:
    """Wait on the loop; leave a file if it is stopped."""
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
    """Wait in a thread; leave a file if it is stopped, and come back late all the same."""
    talk(context)
    while not Path(data).exists():
        if context.canceled.wait(PAUSE):
            Path(f"{data} stopped").touch()
            pause(PAUSE)
    Path(f"{data} back").touch()
    return "waited"


@task("talks")
async def talk_when_asked(data: str, context: Context) -> None:
    """Say how far it is each time that there is another file."""
    for number in range(1, 5):
        while not Path(f"{data} {number}").exists():
            await asyncio.sleep(PAUSE)
        context.progress(number / 4)


@task("urgent", priority="high")
async def urgent(data: object) -> None:
    """Do nothing, first."""


@task("urgent.in-a-thread", priority="high")
def urgent_in_a_thread(data: object) -> None:
    """Do nothing in a thread, first."""


@task("patient", priority="low")
async def patient(data: object) -> None:
    """Do nothing, when there is nothing else to do."""


def talk(context: Context) -> None:
    """Say all that a run can say of itself."""
    context.progress(0.25, "a quarter")
    context.log("the first line")
    context.progress(0.5, "half")
    context.log("the second line")


class NotToday(Exception):
    """What the tasks below fail with."""


def behave(data: dict[str, Any], context: Context) -> str:
    """Fail as often as the data say, and as they say."""
    if context.attempt <= data["fails"]:
        raise {
            "error": NotToday("not today"),
            "never": KeyError("never again"),
            "retry": Retry("later", after=0),
            "abort": Abort("no use"),
        }[data["how"]]
    return f"attempt {context.attempt}"


async def behave_on_the_loop(data: dict[str, Any], context: Context) -> str:
    """Do so on the loop."""
    return behave(data, context)


for name, function in (("loop", behave_on_the_loop), ("threads", behave)):
    task(f"behaves.{name}", max_attempts=3, backoff=[0], no_retry=[KeyError])(function)


@task("hurries", timeout=0.05, max_attempts=2, backoff=[0])
async def hurry(data: float, context: Context) -> int:
    """Take too long at the first attempt."""
    await asyncio.sleep(data if context.attempt == 1 else 0)
    return context.attempt


@task("races", timeout=0.3, max_attempts=1)
async def race(data: float) -> None:
    """Take about as long as it may."""
    await asyncio.sleep(data)
